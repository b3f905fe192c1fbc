// SPDX-License-Identifier: MPL-2.0

//! `POST …/audio/speech` and `POST …/audio/transcriptions`: the engine's voice and ears without a conversation.

mod form;
mod speech;
mod subtitles;
mod transcription;

use crate::api_error::ApiError;
use crate::engine::Engine;
use crate::http_error::Refusal;
use crate::state::{App, Backend};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// Pieces and lines that wait for a client that reads slowly.
const WAITING: usize = 16;

/// Speaks a text.
pub async fn speak(app: &Arc<App>, request: Request) -> Response {
    let spoken = match admitted(app, &request) {
        Ok(engine) => speech::respond(app, engine, request).await,
        Err(refused) => Err(refused),
    };
    spoken.unwrap_or_else(Refusal::respond)
}

/// Writes down a recording.
pub async fn transcribe(app: &Arc<App>, request: Request) -> Response {
    let written = match admitted(app, &request) {
        Ok(engine) => transcription::respond(app, engine, request).await,
        Err(refused) => Err(refused),
    };
    written.unwrap_or_else(Refusal::respond)
}

/// The engine for a client with a key.
fn admitted(app: &App, request: &Request) -> Result<Arc<dyn Engine>, Refusal> {
    if app.auth.admit(request.headers()).is_none() {
        let error = ApiError::new("invalid_api_key", "Incorrect API key provided.");
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, error));
    }
    match &app.backend {
        Backend::Engine(engine) => Ok(engine.clone()),
        Backend::Script(_) | Backend::Replay(_) => {
            let error = ApiError::without_code("A script or a trace has no voice and no ears; use another engine.");
            Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, error))
        }
    }
}

fn missing(param: &str) -> Refusal {
    let message = format!("Missing required parameter: '{param}'.");
    Refusal::bad(ApiError::new("missing_required_parameter", message).at(param))
}

fn wrong(param: &str, message: String) -> Refusal {
    Refusal::bad(ApiError::new("invalid_value", message).at(param))
}

fn unsupported(param: &str, message: String) -> Refusal {
    Refusal::bad(ApiError::new("unsupported_value", message).at(param))
}

/// Refuses the model if the server is to know none of this name.
fn check_model(app: &App, model: &str) -> Result<(), Refusal> {
    if !app.refuses_model(model) {
        return Ok(());
    }
    let message = format!("The model `{model}` does not exist or you do not have access to it.");
    Err(Refusal::new(StatusCode::NOT_FOUND, ApiError::new("model_not_found", message).at("model")))
}
