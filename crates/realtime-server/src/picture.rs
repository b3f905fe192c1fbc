// SPDX-License-Identifier: MPL-2.0

//! A picture as it comes in an item: a data URI with a JPEG or a PNG in it.
//!
//! It is decoded and measured at once, so that what is no picture is refused, with the reason, where it came in. What is
//! recognised in it is the engine's matter.

use crate::api_error::ApiError;
use crate::vision::{Kind, View};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// A picture that a client sent.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// Looked at coarsely, for a flat price.
    pub low_detail: bool,
    /// The type of the file: `image/jpeg` or `image/png`.
    pub mime: &'static str,
    /// The file.
    pub bytes: Bytes,
    /// What is seen of it.
    pub view: View,
}

impl Picture {
    /// Reads the `image_url` of a part; `place` is where it stands.
    pub fn read(url: &str, detail: Option<&str>, place: &str) -> Result<Self, ApiError> {
        let bad = |message: &str| ApiError::new("invalid_value", format!("Invalid '{place}': {message}")).at(place);
        let (kind, data) = url
            .strip_prefix("data:")
            .and_then(|rest| rest.split_once(";base64,"))
            .ok_or_else(|| bad("expected a data URI with base64 data."))?;
        let (kind, mime) = match kind {
            "image/png" => (Kind::Png, "image/png"),
            "image/jpeg" | "image/jpg" => (Kind::Jpeg, "image/jpeg"),
            _ => return Err(bad("only image/jpeg and image/png are supported.")),
        };
        let bytes = STANDARD.decode(data).map_err(|error| bad(&format!("{error}.")))?;
        let view = View::read(kind, &bytes).map_err(|error| bad(&error.to_string()))?;
        Ok(Self { low_detail: detail == Some("low"), mime, bytes: bytes.into(), view })
    }

    /// What it weighs: the file, the same in base64 as it stands in its item, and what is kept of its pixels.
    pub fn weight(&self) -> usize {
        self.bytes.len() * 7 / 3 + self.view.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_is_read_and_measured() {
        let jpeg = include_bytes!("../../../tests/media/flower.jpg");
        let url = format!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg));
        let picture = Picture::read(&url, Some("low"), "item.content[0].image_url").expect("a picture");
        assert_eq!((picture.view.width, picture.view.height, picture.low_detail), (640, 427, true));
        assert!(picture.weight() > 2 * jpeg.len());
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
