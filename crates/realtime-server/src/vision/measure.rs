// SPDX-License-Identifier: MPL-2.0

//! Measures of a picture that need no recognition: brightness, contrast, colours and sharpness.
//!
//! Sharpness is measured by blurring again (after Crété, "The blur effect", 2007): neighbouring pixels of a sharp
//! picture change much, those of a blurred one hardly at all. It is unknown for a picture without edges.

use crate::vision::colours::main_colours;
use image::{GrayImage, Luma, RgbImage};

/// Length of the blur's box filter, in pixels.
const BLUR: usize = 9;
/// Smaller differences between sums of four pixels are noise.
const NOISE: u16 = 8;
/// Minimum share of the area with edges for sharpness to be measured.
const MIN_EDGES: f32 = 0.003;

/// The measurements.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// Mean brightness, 0 to 255.
    pub brightness: f32,
    /// Its standard deviation.
    pub contrast: f32,
    /// From 0 (sharp) to 1 (blurred); `None` when there are too few edges.
    pub blur: Option<f32>,
    /// The main colours with their shares of the area, the largest first.
    pub colours: Vec<(&'static str, f32)>,
}

/// Converts to perceived brightness (luma).
pub fn grey(image: &RgbImage) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue] = image.get_pixel(x, y).0.map(u32::from);
        Luma([((299 * red + 587 * green + 114 * blue) / 1000) as u8])
    })
}

impl Facts {
    /// Measures a picture; `grey` is its luma.
    pub fn measure(image: &RgbImage, grey: &GrayImage) -> Self {
        let count = grey.len().max(1) as f64;
        let sum: f64 = grey.iter().map(|&value| f64::from(value)).sum();
        let mean = sum / count;
        let variance = grey.iter().map(|&value| (f64::from(value) - mean).powi(2)).sum::<f64>() / count;
        Self {
            brightness: mean as f32,
            contrast: variance.sqrt() as f32,
            blur: blur(grey),
            colours: main_colours(image),
        }
    }

    /// Its brightness in words to follow "it is".
    pub fn light(&self) -> &'static str {
        match self.brightness {
            ..20.0 => "almost black",
            ..55.0 => "dark",
            ..95.0 => "dim",
            ..165.0 => "moderately bright",
            ..225.0 => "bright",
            _ => "very bright",
        }
    }

    /// Its contrast in words to follow "it has".
    pub fn contrast_in_words(&self) -> &'static str {
        match self.contrast {
            ..4.0 => "no contrast",
            ..25.0 => "little contrast",
            ..65.0 => "moderate contrast",
            _ => "strong contrast",
        }
    }

    /// Its sharpness in words to follow "it is".
    pub fn sharpness(&self) -> Option<&'static str> {
        Some(match self.blur? {
            ..0.42 => "sharp",
            ..0.6 => "a little soft",
            _ => "blurred",
        })
    }
}

/// How little blurring changes a picture, horizontally or vertically; the larger value counts.
fn blur(grey: &GrayImage) -> Option<f32> {
    let (width, height) = (grey.width() as usize, grey.height() as usize);
    if width.min(height) < 2 {
        return None;
    }
    // Sums over four neighbours, which halves the noise.
    let rows: Vec<&[u8]> = grey.as_raw().chunks_exact(width).collect();
    let sum =
        |pair: &[&[u8]], x: usize| pair.iter().flat_map(|row| &row[x..x + 2]).map(|&value| u16::from(value)).sum();
    let smooth: Vec<u16> = rows.windows(2).flat_map(|pair| (0..width - 1).map(move |x| sum(pair, x))).collect();
    let across = smooth.chunks_exact(width - 1).map(<[u16]>::to_vec);
    let down = (0..width - 1).map(|x| smooth.iter().skip(x).step_by(width - 1).copied().collect());
    [kept(across), kept(down)].into_iter().flatten().reduce(f32::max)
}

/// The share of the differences between neighbours that is left after blurring; `None` when there are too few.
fn kept(lines: impl Iterator<Item = Vec<u16>>) -> Option<f32> {
    let (mut all, mut edges, mut strength, mut lost) = (0_u32, 0_u32, 0.0_f64, 0.0_f64);
    for line in lines {
        // A difference of box-filtered pixels is that of the pixels at the two ends of the box.
        let half = BLUR / 2;
        for ends in line.windows(BLUR + 1) {
            let edge = ends[half + 1].abs_diff(ends[half]);
            all += 1;
            if edge > NOISE {
                let blurred = f64::from(ends[BLUR].abs_diff(ends[0])) / BLUR as f64;
                edges += 1;
                strength += f64::from(edge);
                lost += (f64::from(edge) - blurred).max(0.0);
            }
        }
    }
    (edges as f32 > MIN_EDGES * all as f32).then(|| (1.0 - lost / strength) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vision::decode::{Kind, decode};
    use image::{Rgb, imageops};

    fn measure(image: &RgbImage) -> Facts {
        Facts::measure(image, &grey(image))
    }

    #[test]
    fn a_red_picture_is_red_and_neither_sharp_nor_blurred() {
        let facts = measure(&RgbImage::from_pixel(64, 48, Rgb([255, 0, 0])));
        assert_eq!(facts.colours, [("red", 1.0)]);
        assert_eq!((facts.contrast_in_words(), facts.sharpness()), ("no contrast", None));
    }

    #[test]
    fn half_black_and_half_white() {
        let image = RgbImage::from_fn(64, 48, |x, _| Rgb(if x < 32 { [0; 3] } else { [255; 3] }));
        let mut facts = measure(&image);
        facts.colours.sort_unstable_by_key(|colour| colour.0);
        assert_eq!(facts.colours, [("black", 0.5), ("white", 0.5)]);
        assert_eq!((facts.light(), facts.contrast_in_words()), ("moderately bright", "strong contrast"));
        assert!((facts.brightness - 127.5).abs() < 1.0, "{facts:?}");
    }

    #[test]
    fn light_has_its_words() {
        let light = |level: u8| measure(&RgbImage::from_pixel(8, 8, Rgb([level; 3]))).light();
        assert_eq!(
            [5, 40, 80, 130, 200, 250].map(light),
            ["almost black", "dark", "dim", "moderately bright", "bright", "very bright"]
        );
    }

    #[test]
    fn a_photo_is_sharp_until_it_is_blurred() {
        let photo = decode(Kind::Jpeg, include_bytes!("../../../../tests/media/china.jpg")).expect("a photo");
        let sharp = measure(&photo);
        let blurred = measure(&imageops::fast_blur(&photo, 4.0));
        assert_eq!((sharp.sharpness(), blurred.sharpness()), (Some("sharp"), Some("blurred")), "{sharp:?} {blurred:?}");
    }

    #[test]
    fn the_smallest_picture_can_be_measured() {
        let facts = measure(&RgbImage::from_pixel(1, 1, Rgb([0, 0, 255])));
        assert_eq!((facts.colours, facts.blur), (vec![("blue", 1.0)], None));
    }
}
