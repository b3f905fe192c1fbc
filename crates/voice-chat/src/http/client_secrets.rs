// SPDX-License-Identifier: MPL-2.0

//! `POST /v1/realtime/client_secrets`: a secret for a client, which begins calls for a few minutes and brings the
//! session's settings along. The official clients ask for one.

use super::calls::{read_session, too_slow};
use super::error::ApiError;
use super::{BODY_TIMEOUT, guard};
use crate::access::bearer;
use crate::app::App;
use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, FromRequest, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::time::timeout;

/// A request for a client secret.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wish {
    expires_after: ExpiresAfter,
    session: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct ExpiresAfter {
    anchor: String,
    seconds: u64,
}

impl Default for ExpiresAfter {
    fn default() -> Self {
        Self { anchor: "created_at".into(), seconds: 600 }
    }
}

/// Makes a secret.
pub async fn create(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    if !app.access.has_key(bearer(request.headers())) {
        app.metrics.refused("invalid_api_key");
        return Err(ApiError::not_authorized());
    }
    guard::take_turn(&app, address)?;
    let body = timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await.map_err(|_| too_slow())?;
    let body = body.map_err(|error| ApiError::bad_request("invalid_body", error.body_text()))?;
    let Wish { expires_after, session } = read(&body)?;
    let lifetime = Duration::from_secs(expires_after.seconds);
    let secret = app.access.make_secret(lifetime, session.clone(), Instant::now()).ok_or_else(|| {
        ApiError::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", "Too many client secrets are alive.")
    })?;
    let expires_at = (SystemTime::now() + lifetime).duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut told =
        Map::from_iter([("type".to_owned(), "realtime".into()), ("object".to_owned(), "realtime.session".into())]);
    told.extend(session);
    Ok(Json(json!({"value": secret, "expires_at": expires_at, "session": told})))
}

fn read(body: &[u8]) -> Result<Wish, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Wish::default());
    }
    let wish = serde_json::from_slice::<Wish>(body);
    let wish = wish.map_err(|error| ApiError::bad_request("invalid_body", format!("Invalid body: {error}.")))?;
    let ExpiresAfter { anchor, seconds } = &wish.expires_after;
    if anchor != "created_at" || !(10..=7200).contains(seconds) {
        let message = "Invalid 'expires_after': expected the anchor 'created_at' and 10 to 7200 seconds.";
        return Err(ApiError::bad_request("invalid_value", message));
    }
    read_session(&Value::Object(wish.session.clone()).to_string())?;
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_an_object_with_known_fields() {
        for good in ["", " ", "{}", r#"{"expires_after": {"seconds": 60}}"#, r#"{"session": {"model": "m"}}"#] {
            assert!(read(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["null", "{", r#"{"expires": 5}"#, r#"{"expires_after": {"seconds": 9}}"#, r#"{"session": 1}"#] {
            assert!(read(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
