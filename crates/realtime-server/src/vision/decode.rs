// SPDX-License-Identifier: MPL-2.0

//! Decodes JPEG and PNG files.
//!
//! A file that is damaged, truncated or too large is refused with the reason before a conversation item is made of it.
//! The EXIF orientation is applied, and transparent pixels become white.

use image::codecs::jpeg::JpegDecoder;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, ImageError, Limits, Rgb, RgbImage, Rgba};
use std::fmt;
use std::io::Cursor;
use thiserror::Error;

/// Maximum number of pixels: somewhat more than an 8K frame.
const MAX_PIXELS: u64 = 36_000_000;
/// Maximum memory for decoding a picture.
const MAX_MEMORY: u64 = 384 * 1024 * 1024;

/// The declared format of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `image/jpeg`.
    Jpeg,
    /// `image/png`.
    Png,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if *self == Self::Jpeg { "JPEG" } else { "PNG" })
    }
}

/// Why a picture was refused.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// Not a file of the declared format.
    #[error("the data is not a {0} image.")]
    OtherKind(Kind),
    /// The file is truncated.
    #[error("the image is truncated: its end is missing.")]
    Truncated,
    /// More pixels than allowed.
    #[error("the image has {0} by {1} pixels; at most {max} million pixels are taken.", max = MAX_PIXELS / 1_000_000)]
    TooLarge(u32, u32),
    /// The decoder failed, with its reason.
    #[error("the image cannot be decoded: {0}.")]
    Broken(String),
}

impl From<ImageError> for Unreadable {
    fn from(error: ImageError) -> Self {
        Self::Broken(error.to_string().trim_end_matches('.').to_string())
    }
}

/// Decodes a file.
pub fn decode(kind: Kind, bytes: &[u8]) -> Result<RgbImage, Unreadable> {
    let magic: &[u8] = match kind {
        Kind::Jpeg => b"\xff\xd8\xff",
        Kind::Png => b"\x89PNG\r\n\x1a\n",
    };
    if !bytes.starts_with(magic) {
        return Err(Unreadable::OtherKind(kind));
    }
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_MEMORY);
    let file = Cursor::new(bytes);
    match kind {
        Kind::Jpeg if !is_complete(bytes) => Err(Unreadable::Truncated),
        Kind::Jpeg => {
            let mut decoder = JpegDecoder::new(file)?;
            decoder.set_limits(limits)?;
            pixels(decoder)
        }
        Kind::Png => pixels(PngDecoder::with_limits(file, limits)?),
    }
}

fn pixels(mut decoder: impl ImageDecoder) -> Result<RgbImage, Unreadable> {
    let (width, height) = decoder.dimensions();
    if width == 0 || height == 0 {
        return Err(Unreadable::Broken("it has no pixels".into()));
    }
    if u64::from(width) * u64::from(height) > MAX_PIXELS || decoder.total_bytes() > MAX_MEMORY {
        return Err(Unreadable::TooLarge(width, height));
    }
    let orientation = decoder.orientation()?;
    let mut image = DynamicImage::from_decoder(decoder)?;
    image.apply_orientation(orientation);
    Ok(if image.color().has_alpha() { on_white(image) } else { image.into_rgb8() })
}

fn on_white(image: DynamicImage) -> RgbImage {
    let image = image.into_rgba8();
    let (width, height) = image.dimensions();
    RgbImage::from_fn(width, height, |x, y| {
        let &Rgba([red, green, blue, alpha]) = image.get_pixel(x, y);
        let over = |part: u8| (u16::from(part) * u16::from(alpha) / 255 + 255 - u16::from(alpha)) as u8;
        Rgb([over(red), over(green), over(blue)])
    })
}

/// Whether a JPEG is complete. Decoders fill missing parts with grey, which would be described as content.
fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = &bytes[2..];
    // Skips the segments, because an embedded thumbnail has an end marker, too.
    while let Some((&[0xff, kind, high, low], _)) = rest.split_first_chunk::<4>() {
        if kind == 0xda {
            return rest.windows(2).any(|pair| pair == b"\xff\xd9");
        }
        // A marker may be preceded by any number of fill bytes (FF).
        let skip = if kind == 0xff { 1 } else { 2 + usize::from(u16::from_be_bytes([high, low])) };
        match rest.get(skip..) {
            Some(more) => rest = more,
            None => return false,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageFormat;

    const FLOWER: &[u8] = include_bytes!("../../../../tests/media/flower.jpg");

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).expect("a PNG");
        bytes.into_inner()
    }

    #[test]
    fn a_photo_is_decoded_as_a_whole() {
        let photo = decode(Kind::Jpeg, FLOWER).expect("a photo");
        assert_eq!(photo.dimensions(), (640, 427));
        assert!(matches!(decode(Kind::Png, FLOWER), Err(Unreadable::OtherKind(Kind::Png))));
    }

    #[test]
    fn wherever_a_file_is_cut_it_is_refused() {
        let whole = png(&DynamicImage::new_rgb8(64, 64));
        for part in 0..20 {
            let cut = |file: &[u8]| file[..file.len() * part / 20].to_vec();
            assert!(decode(Kind::Jpeg, &cut(FLOWER)).is_err(), "{part} twentieths of a JPEG");
            assert!(decode(Kind::Png, &cut(&whole)).is_err(), "{part} twentieths of a PNG");
        }
    }

    #[test]
    fn rubbish_is_refused_or_decoded_and_never_panics() {
        for at in (2..FLOWER.len()).step_by(997) {
            let mut broken = FLOWER.to_vec();
            broken[at..].iter_mut().take(7).for_each(|byte| *byte = byte.wrapping_mul(31) ^ 0x5a);
            if let Ok(image) = decode(Kind::Jpeg, &broken) {
                assert!(image.width() > 0);
            }
        }
    }

    #[test]
    fn a_giant_is_refused_before_its_pixels_are_made() {
        let mut bytes = png(&DynamicImage::new_luma8(1, 1));
        // The size is in the first chunk; its CRC starts with the chunk type.
        bytes[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
        let crc = crc32(&bytes[12..29]);
        bytes[29..33].copy_from_slice(&crc.to_be_bytes());
        let error = decode(Kind::Png, &bytes).expect_err("a giant").to_string();
        assert!(error.contains("10000 by 10000 pixels; at most 36 million"), "{error}");
    }

    #[test]
    fn what_is_transparent_is_white() {
        let mut image = image::RgbaImage::new(2, 1);
        image.put_pixel(1, 0, Rgba([200, 0, 0, 255]));
        let seen = decode(Kind::Png, &png(&image.into())).expect("a PNG");
        assert_eq!((seen.get_pixel(0, 0).0, seen.get_pixel(1, 0).0), ([255; 3], [200, 0, 0]));
    }

    fn crc32(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
        })
    }
}
