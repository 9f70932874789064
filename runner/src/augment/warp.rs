//! Geometry: every pixel of the result is fetched from where it comes from.

use super::{Border, Pixels};

/// The image warped, size kept. `from` gives the place (y, x) in the image from which the pixel at
/// (y, x) of the result comes; places between pixels are interpolated bilinearly.
pub fn warp(image: &Pixels, border: Border, from: impl Fn(f32, f32) -> [f32; 2]) -> Pixels {
    let mut out = Pixels::black(image.height, image.width, image.channels);
    for (y, row) in out.bytes.chunks_exact_mut(image.width * image.channels).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(image.channels).enumerate() {
            sample(image, from(y as f32, x as f32), border, pixel);
        }
    }
    out
}

/// A linear map of (right, down) about the image's centre, then a shift in pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear {
    /// Counter-clockwise, in degrees.
    pub degrees: f32,
    /// Above 0; 2 shows everything twice as large.
    pub scale: f32,
    /// How many columns a row moves right for each row further down.
    pub shear_x: f32,
    /// How many rows a column moves down for each column further right.
    pub shear_y: f32,
    /// Columns to the right.
    pub right: f32,
    /// Rows down.
    pub down: f32,
}

impl Linear {
    /// Moves nothing.
    pub const IDENTITY: Linear = Linear { degrees: 0.0, scale: 1.0, shear_x: 0.0, shear_y: 0.0, right: 0.0, down: 0.0 };

    /// The image mapped: sheared, scaled, turned about its centre, then shifted.
    pub fn apply(self, image: &Pixels, border: Border) -> Pixels {
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let (middle_y, middle_x) = ((image.height - 1) as f32 / 2.0, (image.width - 1) as f32 / 2.0);
        warp(image, border, |y, x| {
            // The inverse, step by step from the last. Rows count downwards.
            let (down, right) = (y - middle_y - self.down, x - middle_x - self.right);
            let (down, right) = (cos * down + sin * right, cos * right - sin * down);
            let (down, right) = (down / self.scale, right / self.scale);
            let down = down - self.shear_y * right;
            let right = right - self.shear_x * down;
            [middle_y + down, middle_x + right]
        })
    }
}

/// No image is larger: keeps places representable.
const FAR: f32 = 1e6;

/// The image's colour at a place between pixels.
fn sample(image: &Pixels, place: [f32; 2], border: Border, pixel: &mut [u8]) {
    let [y, x] = place.map(|at| at.clamp(-FAR, FAR));
    let (top, left) = (y.floor(), x.floor());
    let (down, right) = (y - top, x - left);
    let rows = [border.place(top as isize, image.height), border.place(top as isize + 1, image.height)];
    let columns = [border.place(left as isize, image.width), border.place(left as isize + 1, image.width)];
    let mut sum = [0.0_f32; 3];
    for (row, row_weight) in rows.into_iter().zip([1.0 - down, down]) {
        for (column, column_weight) in columns.into_iter().zip([1.0 - right, right]) {
            let (Some(row), Some(column)) = (row, column) else { continue };
            let source = &image.bytes[(row * image.width + column) * image.channels..][..image.channels];
            for (sum, &value) in sum.iter_mut().zip(source) {
                *sum += row_weight * column_weight * f32::from(value);
            }
        }
    }
    for (value, sum) in pixel.iter_mut().zip(sum) {
        *value = (sum + 0.5) as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{centroid, dot, grey, waves};
    use super::*;

    #[test]
    fn places_between_pixels_are_interpolated() {
        let image = grey(&[[0, 100], [200, 40]]);
        let out = warp(&image, Border::Edge, |y, x| [y * 0.5, x * 0.25]);
        assert_eq!(out.bytes, [0, 25, 100, 93]);
        // (0.5, 0.25): 0.75 * (0 + 200) / 2 + 0.25 * (100 + 40) / 2 = 92.5.
    }

    #[test]
    fn places_that_do_not_exist_are_no_panic() {
        for border in [Border::Black, Border::Reflect, Border::Edge] {
            for place in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
                warp(&waves(3, 3, 3), border, |_, _| [place, place]);
            }
        }
    }

    #[test]
    fn the_identity_gives_the_image() {
        assert_eq!(Linear::IDENTITY.apply(&waves(9, 14, 3), Border::Black), waves(9, 14, 3));
    }

    #[test]
    fn each_part_moves_a_pixel_where_it_says() {
        // The centre is (20, 20); the pixel stands 4 rows up and 10 columns to the right.
        let image = dot([41, 41], [16, 30]);
        let moved = |linear: Linear| centroid(&linear.apply(&image, Border::Black));
        let near = |[y, x]: [f32; 2], expected: [f32; 2]| {
            assert!((y - expected[0]).abs() < 0.3 && (x - expected[1]).abs() < 0.3, "{y}, {x} is not {expected:?}");
        };
        near(moved(Linear { right: 3.0, down: -2.0, ..Linear::IDENTITY }), [14.0, 33.0]);
        near(moved(Linear { degrees: 90.0, ..Linear::IDENTITY }), [10.0, 16.0]);
        near(moved(Linear { scale: 1.5, ..Linear::IDENTITY }), [14.0, 35.0]);
        near(moved(Linear { shear_x: 0.5, ..Linear::IDENTITY }), [16.0, 28.0]);
        near(moved(Linear { shear_y: 0.5, ..Linear::IDENTITY }), [21.0, 30.0]);
        // Sheared to (21, 30), that is 1 down and 10 right; turned to 10 up and 1 right; then shifted.
        near(moved(Linear { degrees: 90.0, shear_y: 0.5, right: 5.0, ..Linear::IDENTITY }), [10.0, 26.0]);
    }
}
