//! A picture as it comes in an item: a data URI with a JPEG or a PNG in it.
//!
//! Only the head of the file is read, to see that it is what it says and how large it is. What is on it is the
//! engine's matter.

use crate::session::Refusal;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// A picture that a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels from left to right.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
    /// Looked at coarsely, for a flat price.
    pub low_detail: bool,
    /// The file.
    pub bytes: Bytes,
}

impl Picture {
    /// Reads the `image_url` of a part; `place` is where it stands.
    pub fn read(url: &str, detail: Option<&str>, place: &str) -> Result<Self, Refusal> {
        let bad = |message: &str| Refusal::new("invalid_value", format!("Invalid '{place}': {message}")).at(place);
        let (kind, data) = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .ok_or_else(|| bad("expected a data URI with base64 data."))?;
        let bytes = STANDARD.decode(data).map_err(|error| bad(&format!("{error}.")))?;
        let size = match kind {
            "image/png" => png_size(&bytes),
            "image/jpeg" | "image/jpg" => jpeg_size(&bytes),
            _ => return Err(bad("only image/jpeg and image/png are supported.")),
        };
        let (width, height) = size.ok_or_else(|| bad("the data is not an image of this type."))?;
        Ok(Self { width, height, low_detail: detail == Some("low"), bytes: bytes.into() })
    }
}

/// The size in a PNG's first chunk.
fn png_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let head = bytes.strip_prefix(b"\x89PNG\r\n\x1a\n")?;
    if head.get(4..8)? != b"IHDR" {
        return None;
    }
    let number = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    Some((number(8)?, number(12)?))
}

/// The size in a JPEG's frame header.
fn jpeg_size(bytes: &[u8]) -> Option<(u32, u32)> {
    let mut rest = bytes.strip_prefix(b"\xff\xd8")?;
    loop {
        let (&[marker, kind, high, low], _) = rest.split_first_chunk::<4>()?;
        if marker != 0xff {
            return None;
        }
        // The frame headers are C0 to CF but for tables (C4, CC) and C8.
        if (0xc0..=0xcf).contains(&kind) && !matches!(kind, 0xc4 | 0xc8 | 0xcc) {
            let side = |at: usize| Some(u32::from(u16::from_be_bytes(rest.get(at..at + 2)?.try_into().ok()?)));
            return Some((side(7)?, side(5)?));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        rest = rest.get(2 + length..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_from_the_head() {
        let jpeg = include_bytes!("../../../tests/media/flower.jpg");
        let url = format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg));
        let picture = Picture::read(&url, Some("low"), "item.content[0].image_url").expect("a picture");
        assert!(picture.width > 100 && picture.height > 100 && picture.low_detail);
        let png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x02\x80\0\0\x01\xe0\x08\x02\0\0\0";
        assert_eq!(png_size(png), Some((640, 480)));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        for url in [
            "https://example.com/a.jpg",
            "data:image/gif;base64,AAAA",
            "data:image/png;base64,AAAA",
            "data:image/jpeg;base64,%",
        ] {
            assert!(Picture::read(url, None, "x").is_err(), "{url}");
        }
    }
}
