// SPDX-License-Identifier: MPL-2.0

//! Pictures of the trace, small.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::codecs::jpeg::JpegEncoder;
use image::{ImageReader, Limits};
use std::io::Cursor;

const WIDTH: u32 = 160;
const HEIGHT: u32 = 120;
const QUALITY: u8 = 70;
/// Larger pictures are left out, before they are decoded.
const MAX_SIDE: u32 = 8_192;

/// A small JPEG of a data URI; `None` for what is no JPEG or PNG.
pub fn thumbnail(url: &str) -> Option<String> {
    let (_, base64) = url.strip_prefix("data:image/")?.split_once(";base64,")?;
    let file = STANDARD.decode(base64).ok()?;
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().ok()?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    let small = reader.decode().ok()?.thumbnail(WIDTH, HEIGHT).to_rgb8();
    let mut jpeg = Vec::new();
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, QUALITY)).ok()?;
    Some(format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;

    #[test]
    fn a_picture_becomes_a_small_jpeg() {
        let mut png = Cursor::new(Vec::new());
        RgbImage::new(640, 640).write_to(&mut png, image::ImageFormat::Png).expect("written");
        let small =
            thumbnail(&format!("data:image/png;base64,{}", STANDARD.encode(png.into_inner()))).expect("a picture");
        let base64 = small.strip_prefix("data:image/jpeg;base64,").expect("a JPEG");
        let read = image::load_from_memory(&STANDARD.decode(base64).expect("base64")).expect("a picture");
        assert_eq!((read.width(), read.height()), (120, 120));
    }

    #[test]
    fn what_is_no_picture_has_no_thumbnail() {
        for url in ["", "https://example.com/a.png", "data:image/png;base64,!", "data:image/svg+xml;base64,PHN2Zz4="] {
            assert_eq!(thumbnail(url), None, "{url}");
        }
    }
}
