// SPDX-License-Identifier: MPL-2.0

//! Refusals of HTTP requests in OpenAI's shape.

use crate::api_error::ApiError;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why a request is not answered.
pub struct Refusal {
    status: StatusCode,
    body: Value,
}

impl Refusal {
    /// A request that is refused for this reason.
    pub fn new(status: StatusCode, error: ApiError) -> Self {
        Self { status, body: error.body() }
    }

    /// A request that is wrong.
    pub fn bad(error: ApiError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    /// A request that failed here.
    pub fn server(why: &str) -> Self {
        let body = json!({"error": {"message": why, "type": "server_error", "param": null, "code": null}});
        Self { status: StatusCode::INTERNAL_SERVER_ERROR, body }
    }

    /// In OpenAI's words.
    pub fn respond(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// An error in OpenAI's words.
pub fn refusal(status: StatusCode, message: &str, code: Option<&str>) -> Response {
    let error = json!({"message": message, "type": "invalid_request_error", "param": null, "code": code});
    (status, Json(json!({"error": error}))).into_response()
}

/// The answer to another method than the path has.
pub fn wrong_method(path: &str) -> Response {
    refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        &format!("Not allowed to use this method on {path}."),
        Some("method_not_supported"),
    )
}

/// The answer to a wrong key on a path that is no WebSocket.
pub fn wrong_key() -> Response {
    refusal(StatusCode::UNAUTHORIZED, "Incorrect API key provided.", Some("invalid_api_key"))
}
