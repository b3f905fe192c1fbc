// SPDX-License-Identifier: MPL-2.0

//! The HTTP side: which paths there are. [`guard`] stands in front of all of them.

mod calls;
mod client_secrets;
pub mod error;
pub mod guard;
mod page;
mod socket;

use crate::app::App;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, middleware};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// The longest body that is read, in bytes: an offer and a session's settings.
const MAX_BODY: usize = 512 * 1024;
/// How long a body may take.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// All paths.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/realtime/calls", post(calls::create))
        .route("/v1/realtime/calls/{id}/hangup", post(calls::hang_up))
        .route("/v1/realtime/client_secrets", post(client_secrets::create))
        .route("/v1/realtime/socket", get(socket::connect))
        .route("/config.json", get(config))
        .route("/healthz", get(async || "ok\n"))
        .route("/metrics", get(metrics))
        .merge(page::routes())
        .fallback(async || error::ApiError::new(StatusCode::NOT_FOUND, "not_found", "There is nothing at this path."))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard))
        .with_state(app)
}

/// What the page has to know of the command line; nothing in it is secret.
async fn config(State(app): State<Arc<App>>) -> Response {
    let cli = &app.cli;
    Json(json!({
        "needs_key": app.access.needs_key(),
        "model": cli.model,
        "stun": cli.stun.as_deref().map(|stun| stun.replacen("stun://", "stun:", 1)),
        "max_cost": cli.max_cost,
        "max_duration": cli.max_duration.as_secs(),
    }))
    .into_response()
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    const TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match app.metrics.to_text() {
        Ok(text) => ([(header::CONTENT_TYPE, TEXT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
