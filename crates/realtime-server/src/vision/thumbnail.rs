// SPDX-License-Identifier: MPL-2.0

//! What is kept of a decoded picture: measurements, and the inputs of the networks.
//!
//! A photo may have millions of pixels and a conversation hundreds of photos, so the pixels are reduced on arrival to
//! less than 600 kB.

use crate::vision::Seen;
use crate::vision::classifier::IMAGE_SIZE;
use crate::vision::decode::{Kind, Unreadable, decode};
use crate::vision::measure::Facts;
use image::imageops::{self, FilterType};
use image::{GrayImage, RgbImage};
use std::sync::OnceLock;

/// Maximum side of the picture that faces are searched in.
const MAX_SIDE: u32 = 640;
/// Share of the shorter side in the classifier's centre crop, as in its training.
const CENTRE: f32 = 0.875;
/// Maximum mean difference in brightness of two pictures that show the same scene.
const ALIKE: u32 = 6;

/// A reduced picture.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Width of the original.
    pub width: u32,
    /// Height of the original.
    pub height: u32,
    /// The measurements.
    pub facts: Facts,
    /// The centre crop, in the size of the classifier's input.
    pub centre: RgbImage,
    /// The whole picture in greyscale, reduced if it is large.
    pub grey: GrayImage,
    /// What was recognised, once the networks have run.
    pub seen: OnceLock<Seen>,
}

impl View {
    /// Decodes, measures and reduces a file.
    pub fn read(kind: Kind, bytes: &[u8]) -> Result<Self, Unreadable> {
        Ok(Self::new(decode(kind, bytes)?))
    }

    /// Measures and reduces a picture.
    pub fn new(image: RgbImage) -> Self {
        let (width, height) = image.dimensions();
        let image = reduced(image);
        let grey = crate::vision::measure::grey(&image);
        let (facts, centre) = (Facts::measure(&image, &grey), centre(&image));
        Self { width, height, facts, centre, grey, seen: OnceLock::new() }
    }

    /// Its size in memory, in bytes.
    pub fn bytes(&self) -> usize {
        self.centre.as_raw().len() + self.grey.as_raw().len()
    }

    /// Whether both show the same scene, as two pictures of a camera at rest do.
    pub fn resembles(&self, other: &Self) -> bool {
        let (mine, others) = (self.centre.as_raw(), other.centre.as_raw());
        let difference: u32 = mine.iter().zip(others).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        (self.width, self.height) == (other.width, other.height) && difference <= ALIKE * mine.len() as u32
    }
}

fn reduced(image: RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= MAX_SIDE {
        return image;
    }
    let side = |side: u32| (u64::from(side) * u64::from(MAX_SIDE)).div_ceil(u64::from(longer)) as u32;
    imageops::thumbnail(&image, side(width), side(height))
}

fn centre(image: &RgbImage) -> RgbImage {
    let (width, height) = image.dimensions();
    let side = ((width.min(height) as f32 * CENTRE) as u32).max(1);
    let middle = imageops::crop_imm(image, (width - side) / 2, (height - side) / 2, side, side);
    imageops::resize(&*middle, IMAGE_SIZE, IMAGE_SIZE, FilterType::CatmullRom)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn whatever_its_shape_a_picture_is_reduced() {
        for (width, height) in [(1, 1), (3, 4_000), (4_000, 3), (640, 480), (1_920, 1_080)] {
            let view = View::new(RgbImage::from_pixel(width, height, Rgb([0, 200, 0])));
            assert_eq!((view.width, view.height), (width, height));
            assert_eq!(view.facts.colours, [("green", 1.0)], "{width} by {height}");
            assert_eq!(view.centre.dimensions(), (224, 224));
            assert!(view.bytes() < 600_000 && view.grey.width() > 0 && view.grey.height() > 0);
        }
    }

    #[test]
    fn a_camera_that_stands_still_shows_the_same() {
        let shade = |from: u8| View::new(RgbImage::from_fn(64, 48, |x, y| Rgb([from + x as u8, y as u8, 90])));
        assert!(shade(10).resembles(&shade(14)));
        assert!(!shade(10).resembles(&shade(80)));
    }
}
