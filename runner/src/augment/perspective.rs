//! `perspective`.

use super::arguments::check_within;
use super::warp::warp;
use super::{Border, Context, ImageAugment, Pixels};
use crate::random::Stream;
use crate::spec::{Path, Problems};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Views the image askew: each of its corners moves inwards by a random distance. As torchvision's
/// `RandomPerspective` with bilinear interpolation.
///
/// `perspective: { distortion: 0.3 }`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Perspective {
    /// The farthest that a corner moves, as a share of half the image's sides, in [0, 0.6]. (From 2/3 on
    /// the image could fold over.)
    pub distortion: f32,
    /// What is seen where the changed image does not reach.
    #[serde(default)]
    pub fill: Border,
}

impl ImageAugment for Perspective {
    fn check(&self, at: &Path, problems: &mut Problems) {
        check_within(self.distortion, 0.0..=0.6, at.key("distortion"), problems);
    }

    fn apply(&self, image: Pixels, _: Context, random: &mut Stream) -> Pixels {
        let corners = corners(&image);
        let [half_x, half_y] = corners[2].map(|side| side / 2.0);
        let mut inwards = |half: f64| f64::from(random.range(0.0, self.distortion)) * half;
        let moved = corners.map(|[x, y]| {
            let (by_x, by_y) = (inwards(half_x), inwards(half_y));
            [if x == 0.0 { by_x } else { x - by_x }, if y == 0.0 { by_y } else { y - by_y }]
        });
        between(&image, moved, corners, self.fill)
    }
}

/// The corners' (x, y), clockwise from the top left.
fn corners(image: &Pixels) -> [[f64; 2]; 4] {
    let [right, bottom] = [image.width - 1, image.height - 1].map(|side| side as f64);
    [[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]]
}

/// The image in which what is at `from` now stands at `to`. An image without extent stays.
fn between(image: &Pixels, to: [[f64; 2]; 4], from: [[f64; 2]; 4], border: Border) -> Pixels {
    let Some(map) = homography(to, from) else { return image.clone() };
    warp(image, border, |y, x| {
        let row = |row: usize| map[row][0] * f64::from(x) + map[row][1] * f64::from(y) + map[row][2];
        let depth = row(2);
        [(row(1) / depth) as f32, (row(0) / depth) as f32]
    })
}

/// The projective map that takes the points `from` to `to`, as a matrix on (x, y, 1); `None` if three
/// of them lie on a line.
fn homography(from: [[f64; 2]; 4], to: [[f64; 2]; 4]) -> Option<[[f64; 3]; 3]> {
    // Two equations a point, in the eight unknown entries; the ninth is 1.
    let mut equations = [[0.0; 9]; 8];
    for (i, ([x, y], [u, v])) in from.into_iter().zip(to).enumerate() {
        equations[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -x * u, -y * u, u];
        equations[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -x * v, -y * v, v];
    }
    let [a, b, c, d, e, f, g, h] = solve(equations)?;
    Some([[a, b, c], [d, e, f], [g, h, 1.0]])
}

/// Solves eight equations, the last column being the right side (Gauss and Jordan, with pivots).
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot = (column..8).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        let head = rows[column][column];
        if head.abs() < 1e-9 {
            return None;
        }
        let top = rows[column].map(|value| value / head);
        rows[column] = top;
        for (at, row) in rows.iter_mut().enumerate() {
            let factor = row[column];
            if at != column {
                for (value, top) in row.iter_mut().zip(top) {
                    *value -= factor * top;
                }
            }
        }
    }
    Some(rows.map(|row| row[8]))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{apply, centroid, dot, refused, waves};
    use super::*;

    #[test]
    fn the_corners_go_where_they_should() {
        let from = [[0.0, 0.0], [30.0, 0.0], [30.0, 20.0], [0.0, 20.0]];
        let to = [[3.0, 4.0], [25.0, 1.0], [28.0, 19.0], [2.0, 16.0]];
        let map = homography(from, to).unwrap();
        for ([x, y], [u, v]) in from.into_iter().zip(to) {
            let row = |row: usize| map[row][0] * x + map[row][1] * y + map[row][2];
            assert!((row(0) / row(2) - u).abs() < 1e-6 && (row(1) / row(2) - v).abs() < 1e-6);
        }
        assert!(homography([[0.0; 2]; 4], to).is_none());
    }

    #[test]
    fn straight_lines_stay_straight() {
        // Three points in a row, each drawn alone, are in a row afterwards.
        let corners = corners(&Pixels::black(61, 61, 1));
        let to = [[10.0, 5.0], [55.0, 12.0], [60.0, 60.0], [2.0, 50.0]];
        let place = |at| centroid(&between(&dot([61, 61], at), to, corners, Border::Black));
        let [[y0, x0], [y1, x1], [y2, x2]] = [[20, 10], [30, 30], [40, 50]].map(place);
        let area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0);
        assert!(area.abs() < 20.0, "{area}");
        // The whole image's corner is where it was sent.
        let [y, x] = place([0, 0]);
        assert!((y - 5.0).abs() < 1.0 && (x - 10.0).abs() < 1.0, "{y} {x}");
    }

    #[test]
    fn corners_move_inwards_only_and_no_farther_than_asked() {
        let white = Pixels { height: 41, width: 41, channels: 1, bytes: vec![255; 1681] };
        for n in 0..50 {
            let out = apply(&Perspective { distortion: 0.5, fill: Border::Black }, &white, n);
            // Of a corner's quadrant of 20x20, the inner half is always covered.
            for (y, x) in [(11, 11), (11, 29), (29, 11), (29, 29), (20, 20)] {
                assert_eq!(out.bytes[y * 41 + x], 255, "{n}");
            }
            assert!(out.bytes.contains(&0), "{n}");
        }
    }

    #[test]
    fn no_distortion_changes_nothing_and_nonsense_is_refused() {
        assert_eq!(apply(&Perspective { distortion: 0.0, fill: Border::Black }, &waves(9, 12, 3), 0), waves(9, 12, 3));
        assert_eq!(refused(&Perspective { distortion: 0.7, fill: Border::Black }), ["a.distortion"]);
        assert_eq!(refused(&Perspective { distortion: f32::NAN, fill: Border::Black }), ["a.distortion"]);
    }
}
