// SPDX-License-Identifier: MPL-2.0

//! Reads a form of `multipart/form-data`: a file and fields of text.

use crate::api_error::ApiError;
use crate::http_error::Refusal;
use axum::body::Bytes;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use futures_util::stream;
use std::convert::Infallible;

/// The parts of a form.
#[derive(Debug, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    /// The field `file`.
    pub file: Option<Bytes>,
}

impl Form {
    /// Reads a body.
    pub async fn read(headers: &HeaderMap, body: Bytes) -> Result<Self, Refusal> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(kind).map_err(|_| {
            let message = "Unsupported content type: expected 'multipart/form-data' with a boundary, and the recording in the field 'file'.";
            Refusal::bad(ApiError::without_code(message))
        })?;
        let broken = |error| Refusal::bad(ApiError::without_code(format!("The form could not be read: {error}.")));
        let mut parts = multer::Multipart::new(stream::iter([Ok::<_, Infallible>(body)]), boundary);
        let mut form = Self::default();
        while let Some(part) = parts.next_field().await.map_err(broken)? {
            match part.name().map(str::to_owned).as_deref() {
                Some("file") => form.file = Some(part.bytes().await.map_err(broken)?),
                Some(name) => form.fields.push((name.to_owned(), part.text().await.map_err(broken)?)),
                None => {}
            }
        }
        Ok(form)
    }

    /// The text of a field that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(other, text)| other == name && !text.is_empty()).map(|(_, text)| text.as_str())
    }

    /// The texts of a list, whose fields have brackets behind their names.
    pub fn list<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let is_named = move |other: &str| other.strip_suffix("[]").unwrap_or(other) == name;
        self.fields.iter().filter(move |(other, _)| is_named(other)).map(|(_, text)| text.as_str())
    }
}
