// SPDX-License-Identifier: MPL-2.0

//! A form as `multipart/form-data`.

/// A form in the making.
pub struct Form {
    boundary: String,
    body: Vec<u8>,
}

impl Form {
    /// An empty form. The boundary must not occur in what is added.
    pub fn new(boundary: String) -> Self {
        Self { boundary, body: Vec::new() }
    }

    /// Adds a field.
    pub fn text(&mut self, name: &str, value: &str) {
        self.part(&format!("name=\"{name}\""), value.as_bytes());
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, file_name: &str, media_type: &str, bytes: &[u8]) {
        self.part(&format!("name=\"{name}\"; filename=\"{file_name}\"\r\nContent-Type: {media_type}"), bytes);
    }

    fn part(&mut self, disposition: &str, bytes: &[u8]) {
        let head = format!("--{}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n", self.boundary);
        self.body.extend_from_slice(head.as_bytes());
        self.body.extend_from_slice(bytes);
        self.body.extend_from_slice(b"\r\n");
    }

    /// Its media type and its bytes.
    pub fn finish(mut self) -> (String, Vec<u8>) {
        self.body.extend_from_slice(format!("--{}--\r\n", self.boundary).as_bytes());
        (format!("multipart/form-data; boundary={}", self.boundary), self.body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::stream;
    use std::convert::Infallible;

    #[tokio::test]
    async fn a_form_is_read_as_it_was_written() {
        let mut form = Form::new("boundary".into());
        form.text("model", "whisper-1");
        form.file("file", "turn.wav", "audio/wav", b"\r\n--\0");
        let (media_type, bytes) = form.finish();
        let boundary = multer::parse_boundary(&media_type).expect("a boundary");
        let mut read = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(bytes)]), boundary);
        let model = read.next_field().await.expect("a form").expect("a field");
        assert_eq!(model.name(), Some("model"));
        assert_eq!(model.text().await.expect("text"), "whisper-1");
        let file = read.next_field().await.expect("a form").expect("a file");
        assert_eq!((file.name(), file.file_name()), (Some("file"), Some("turn.wav")));
        assert_eq!(file.bytes().await.expect("bytes").as_ref(), b"\r\n--\0");
        assert!(read.next_field().await.expect("a form").is_none());
    }
}
