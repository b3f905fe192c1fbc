// SPDX-License-Identifier: MPL-2.0

//! Bodies of requests: they come in time and are not too long, or the request is refused.

use crate::api_error::ApiError;
use crate::http_error::Refusal;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::StatusCode;
use std::time::Duration;
use tokio::time::timeout;

/// Reads a body of at most so many bytes.
pub async fn read_body(body: Body, max: usize, patience: Duration) -> Result<Bytes, Refusal> {
    let (status, message) = match timeout(patience, to_bytes(body, max)).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(_)) => (StatusCode::PAYLOAD_TOO_LARGE, format!("The body is longer than {max} bytes.")),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, format!("The body did not come within {patience:?}.")),
    };
    Err(Refusal::new(status, ApiError::new("invalid_value", message)))
}

/// The value of a JSON body.
pub fn read_json(body: &[u8]) -> Result<serde_json::Value, Refusal> {
    serde_json::from_slice(body).map_err(|_| {
        let message = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
                       HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid \
                       JSON.)";
        Refusal::bad(ApiError::without_code(message))
    })
}
