// SPDX-License-Identifier: MPL-2.0

//! Colour names, and the share of a picture that each has.

use image::RgbImage;

/// Minimum share of the area for a colour to be named.
const MIN_SHARE: f32 = 0.1;
/// Maximum number of colours named.
const MAX_NAMED: usize = 3;

const NAMES: [&str; 13] = [
    "black",
    "grey",
    "white",
    "red",
    "orange",
    "brown",
    "beige",
    "yellow",
    "green",
    "turquoise",
    "blue",
    "purple",
    "pink",
];

/// The main colours with their shares of the area, the largest first.
pub fn main_colours(image: &RgbImage) -> Vec<(&'static str, f32)> {
    let mut counts = [0_u32; NAMES.len()];
    for pixel in image.pixels() {
        counts[index(pixel.0)] += 1;
    }
    let all = counts.iter().sum::<u32>().max(1) as f32;
    let mut shares: Vec<_> = NAMES.into_iter().zip(counts.map(|count| count as f32 / all)).collect();
    shares.sort_by(|a, b| b.1.total_cmp(&a.1));
    shares.retain(|(_, share)| *share >= MIN_SHARE);
    shares.truncate(MAX_NAMED);
    shares
}

/// The index of a colour's name.
fn index(rgb: [u8; 3]) -> usize {
    let [red, green, blue] = rgb.map(f32::from);
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let range = most - least;
    if most < 45.0 {
        return 0;
    }
    if range < 0.13 * most || range < 14.0 {
        return if most > 205.0 { 2 } else { 1 };
    }
    let hue = 60.0
        * if most == red {
            ((green - blue) / range).rem_euclid(6.0)
        } else if most == green {
            (blue - red) / range + 2.0
        } else {
            (red - green) / range + 4.0
        };
    let strength = range / most;
    match hue as u32 {
        0..15 | 345.. if most > 170.0 && strength < 0.5 => 12,
        0..15 | 345.. => 3,
        15..50 if most > 150.0 && strength < 0.4 => 6,
        15..45 if most < 175.0 => 5,
        15..45 => 4,
        45..67 => 7,
        67..160 => 8,
        160..195 => 9,
        195..260 => 10,
        260..300 => 11,
        _ if strength < 0.55 || most > 200.0 => 12,
        _ => 11,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    #[test]
    fn colours_have_the_names_that_people_use() {
        for (rgb, name) in [
            ([0, 0, 0], "black"),
            ([128, 128, 128], "grey"),
            ([255, 255, 255], "white"),
            ([255, 0, 0], "red"),
            ([150, 10, 20], "red"),
            ([255, 140, 0], "orange"),
            ([110, 70, 40], "brown"),
            ([222, 200, 170], "beige"),
            ([250, 230, 20], "yellow"),
            ([20, 120, 30], "green"),
            ([60, 220, 60], "green"),
            ([40, 200, 200], "turquoise"),
            ([30, 60, 220], "blue"),
            ([135, 206, 235], "blue"),
            ([110, 30, 160], "purple"),
            ([255, 150, 190], "pink"),
        ] {
            assert_eq!(NAMES[index(rgb)], name, "{rgb:?}");
        }
    }

    #[test]
    fn shares_are_shares_of_the_area() {
        let image = RgbImage::from_fn(100, 10, |x, _| match x {
            0..60 => Rgb([0, 0, 255]),
            60..95 => Rgb([255, 0, 0]),
            _ => Rgb([0, 255, 0]),
        });
        assert_eq!(main_colours(&image), [("blue", 0.6), ("red", 0.35)]);
    }
}
