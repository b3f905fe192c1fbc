// SPDX-License-Identifier: MPL-2.0

//! Errors as OpenAI's HTTP API gives them.

use crate::visitor::end::{End, UNREACHABLE};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use std::time::Duration;

/// An error as the answer to a request.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    code: &'static str,
    message: String,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// With a code for programs and a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), retry_after: None }
    }

    /// What was sent is wrong.
    pub fn bad_request(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// No key, a wrong one, or a client secret that is no longer alive.
    pub fn not_authorized() -> Self {
        let message = "The access key is missing or wrong, or the client secret has expired. \
                       Send 'Authorization: Bearer …' with the key, or with a new secret of /v1/realtime/client_secrets.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message)
    }

    /// To be tried again later.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// The code.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl From<End> for ApiError {
    fn from(end: End) -> Self {
        let status = match &end {
            End::Upstream { code: "model_not_found" | "invalid_session", .. } => StatusCode::BAD_REQUEST,
            End::Upstream { code: "insufficient_quota", .. } => StatusCode::TOO_MANY_REQUESTS,
            End::Upstream { code: UNREACHABLE, .. } => StatusCode::GATEWAY_TIMEOUT,
            End::Upstream { .. } | End::SessionEnded(_) => StatusCode::BAD_GATEWAY,
            End::Shutdown | End::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            // An offer that webrtcbin does not take is mostly the reason.
            End::Media(_) => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::CONFLICT,
        };
        Self::new(status, end.reason(), end.message())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = if self.status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let error = json!({"message": self.message, "type": kind, "param": null, "code": self.code});
        let mut response = (self.status, Json(json!({"error": error}))).into_response();
        if let Some(delay) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(delay.as_secs().max(1)));
        }
        response
    }
}
