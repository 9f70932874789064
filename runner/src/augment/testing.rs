//! What the tests of augmentations share.

use super::{ImageAugment, Pixels};
use crate::random::{Key, Purpose, Stream};
use crate::spec::{Path, Problems};

/// The numbers of a key.
pub fn stream(n: u64) -> Stream {
    Key::new(n, Purpose::Augment).stream()
}

/// The image augmented by key `n`, of which the net gets the image's own size.
pub fn apply(entry: &impl ImageAugment, image: &Pixels, n: u64) -> Pixels {
    entry.apply(image.clone(), image.size().into(), &mut stream(n))
}

/// The keys at which an entry that stands at `a` is refused.
pub fn refused(entry: &impl ImageAugment) -> Vec<String> {
    let mut problems = Problems::default();
    entry.check(&Path::of("a"), &mut problems);
    problems.0.iter().map(|problem| problem.path.to_string()).collect()
}

/// A grey image of these rows.
pub fn grey<const W: usize>(rows: &[[u8; W]]) -> Pixels {
    Pixels { height: rows.len(), width: W, channels: 1, bytes: rows.concat() }
}

/// A grey image, black but for one white pixel.
pub fn dot(size: [usize; 2], place: [usize; 2]) -> Pixels {
    let mut image = Pixels::black(size[0], size[1], 1);
    image.bytes[place[0] * size[1] + place[1]] = 255;
    image
}

/// Where the light of a grey image is: the mean row and column, weighted by value.
pub fn centroid(image: &Pixels) -> [f32; 2] {
    let (mut sum, mut row, mut column) = (0.0, 0.0, 0.0);
    for (i, &value) in image.bytes.iter().enumerate() {
        sum += f32::from(value);
        row += f32::from(value) * (i / image.width) as f32;
        column += f32::from(value) * (i % image.width) as f32;
    }
    [row / sum, column / sum]
}

/// An image in which no two neighbours are alike: smooth waves of other lengths in each channel.
pub fn waves(height: usize, width: usize, channels: usize) -> Pixels {
    let value = |i: usize| {
        let (channel, x, y) = (i % channels, (i / channels) % width, i / channels / width);
        let phase = x as f32 / (3.0 + channel as f32) + y as f32 / (4.0 - channel as f32);
        (128.0 + 90.0 * phase.sin()) as u8
    };
    Pixels { height, width, channels, bytes: (0..height * width * channels).map(value).collect() }
}
