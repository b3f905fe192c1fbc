// SPDX-License-Identifier: MPL-2.0

//! `GET /v1/realtime/socket`: the WebSocket for clients whom no media by UDP reach.

use super::calls::{Parameters, full};
use super::error::ApiError;
use super::guard;
use crate::access::{Admission, bearer};
use crate::app::App;
use crate::visitor::{Request as Visit, socket};
use axum::extract::{ConnectInfo, Query, State, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::Map;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

/// The subprotocol that is spoken.
const PROTOCOL: &str = "realtime";
/// Browsers can give a WebSocket no header but this, so the token is a subprotocol, as in OpenAI's own interface.
const TOKEN_PROTOCOL: &str = "openai-insecure-api-key.";

/// Serves a visitor on the connection.
pub async fn connect(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let protocols =
        headers.get(header::SEC_WEBSOCKET_PROTOCOL).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let token = protocols.split(',').find_map(|protocol| protocol.trim().strip_prefix(TOKEN_PROTOCOL));
    let admission = app.access.admit(token.or(bearer(&headers)), Instant::now());
    let admission = admission.ok_or_else(|| {
        app.metrics.refused("invalid_api_key");
        ApiError::not_authorized()
    })?;
    guard::take_turn(&app, address)?;
    let session = match admission {
        Admission::Secret(session) => session,
        Admission::Key => Map::new(),
    };
    let place = app.registry.admit().ok_or_else(|| {
        app.metrics.refused("too_many_visitors");
        full(&app)
    })?;
    let visit = Visit { session, model: parameters.model };
    let upgrade = upgrade.protocols([PROTOCOL]).max_message_size(socket::MAX_MESSAGE_LEN);
    Ok(upgrade.on_upgrade(move |connection| socket::run(app, place, connection, visit)))
}
