// SPDX-License-Identifier: MPL-2.0

//! `POST …/realtime/client_secrets`: a key for a browser, that opens sessions for a few minutes.

use crate::api_error::ApiError;
use crate::auth::Preset;
use crate::engines::echo::Echo;
use crate::http_error::wrong_key;
use crate::session::{Opening, Session};
use crate::state::{App, Backend, CLIENT_TIMEOUT};
use crate::translation::{self, Translation};
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use openai_protocol::session::SessionKind;
use openai_protocol::{self, ServerEvent};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::time::{Duration, UNIX_EPOCH};
use tokio::time::timeout;

/// The longest body that is read.
const MAX_BODY: usize = 1024 * 1024;

/// What a secret opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opens {
    /// Conversations and transcriptions.
    Sessions,
    /// Translations.
    Translations,
}

impl Opens {
    /// What a script's session is, where nothing else is said.
    pub fn kind(self) -> SessionKind {
        match self {
            Self::Sessions => SessionKind::Realtime,
            Self::Translations => SessionKind::Translation,
        }
    }
}

/// A request for a client secret.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Wish {
    expires_after: ExpiresAfter,
    session: Option<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
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
pub async fn make(app: &App, request: Request, opens: Opens) -> Response {
    if !app.auth.is_owner(request.headers()) {
        return wrong_key();
    }
    match read_body(request.into_body(), CLIENT_TIMEOUT).await.and_then(|body| issue(app, &body, opens)) {
        Ok(answer) => Json(answer).into_response(),
        Err((status, refused)) => respond(status, refused),
    }
}

/// The body, if it comes in this time and is not too long.
async fn read_body(body: Body, patience: Duration) -> Result<Bytes, (StatusCode, ApiError)> {
    let (status, message) = match timeout(patience, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too long."),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "The body did not come in time."),
    };
    Err((status, ApiError::new("invalid_value", message)))
}

fn issue(app: &App, body: &[u8], opens: Opens) -> Result<Value, (StatusCode, ApiError)> {
    let bad = |refused| (StatusCode::BAD_REQUEST, refused);
    let wish = read_wish(body).map_err(bad)?;
    let (preset, effective) = match opens {
        Opens::Sessions => session(wish.session).map_err(bad)?,
        Opens::Translations => translation(app, wish.session).map_err(bad)?,
    };
    let secret = app.auth.make_secret(Duration::from_secs(wish.expires_after.seconds), preset);
    let (value, expires) = secret.ok_or_else(|| {
        let refused = ApiError::new("rate_limit_exceeded", "Too many client secrets are alive.");
        (StatusCode::TOO_MANY_REQUESTS, refused)
    })?;
    let expires_at = expires.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Ok(json!({"value": value, "expires_at": expires_at, "session": effective}))
}

/// The configuration of a conversation or a transcription, and what it will be in full.
fn session(wished: Option<Value>) -> Result<(Option<Preset>, Value), ApiError> {
    let session = wished.map(read_session).transpose()?;
    let kind = session.as_ref().and_then(|session| session.kind.clone()).unwrap_or(SessionKind::Realtime);
    let model = session.as_ref().and_then(|session| session.model.clone()).unwrap_or_default();
    let opening = Opening { kind, model, expires_at: 0, preset: session.clone(), beta: false };
    let effective = Session::preview(&opening)?;
    Ok((session.map(|session| Preset::Session(Box::new(session))), json!(effective)))
}

/// The same of a translation, whose model must be named.
fn translation(app: &App, wished: Option<Value>) -> Result<(Option<Preset>, Value), ApiError> {
    let missing =
        || ApiError::new("missing_required_parameter", "Missing required parameter: 'session'.").at("session");
    let wished = wished.ok_or_else(missing)?;
    translation::check_request(&wished)?;
    let bad = |error: serde_json::Error| ApiError::new("invalid_value", error.to_string()).at("session");
    let session: openai_protocol::translation::Session = serde_json::from_value(wished).map_err(bad)?;
    let model = session.model.clone().unwrap_or_default();
    let opening = translation::Opening { model, expires_at: 0, preset: Some(session.clone()) };
    let effective = match &app.backend {
        Backend::Engine(engine) => Translation::preview(&**engine, &opening)?,
        Backend::Script(_) | Backend::Replay(_) => Translation::preview(&Echo, &opening)?,
    };
    Ok((Some(Preset::Translation(Box::new(session))), json!(effective)))
}

fn read_wish(body: &[u8]) -> Result<Wish, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Wish::default());
    }
    let bad = |error| ApiError::new("invalid_value", format!("Invalid body: {error}"));
    let fields: Map<String, Value> = serde_json::from_slice(body).map_err(bad)?;
    let wish: Wish = serde_json::from_value(fields.into()).map_err(bad)?;
    let ExpiresAfter { anchor, seconds } = &wish.expires_after;
    if anchor != "created_at" || !(10..=7200).contains(seconds) {
        let message = "Invalid 'expires_after': expected the anchor 'created_at' and 10 to 7200 seconds.";
        return Err(ApiError::new("invalid_value", message).at("expires_after"));
    }
    Ok(wish)
}

fn read_session(session: Value) -> Result<openai_protocol::Session, ApiError> {
    Session::check_request(&session)?;
    serde_json::from_value(session).map_err(|error| ApiError::new("invalid_value", error.to_string()).at("session"))
}

/// A refusal of the wire as an HTTP error.
fn respond(status: StatusCode, refused: ApiError) -> Response {
    let ServerEvent::Error(event) = refused.event(None) else { unreachable!("a refusal is an error") };
    let error = json!({"message": event.error.message, "type": event.error.kind, "param": event.error.param,
        "code": event.error.code});
    (status, Json(json!({"error": error}))).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_comes_in_time_and_is_not_too_long() {
        let status =
            |read: Result<Bytes, (StatusCode, ApiError)>| read.map(|body| body.len()).map_err(|(status, _)| status);
        let long = Duration::from_secs(60);
        assert_eq!(status(read_body(Body::from("{}"), long).await), Ok(2));
        assert_eq!(
            status(read_body(Body::from(vec![b' '; MAX_BODY + 1]), long).await),
            Err(StatusCode::PAYLOAD_TOO_LARGE)
        );
        let never = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(status(read_body(never, Duration::from_millis(5)).await), Err(StatusCode::REQUEST_TIMEOUT));
    }

    #[test]
    fn a_wish_is_an_object() {
        for good in ["", " ", "{}", r#"{"expires_after": {"seconds": 60}}"#] {
            assert!(read_wish(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["[]", "null", "{", r#"{"expires": 5}"#, r#"{"expires_after": {"seconds": 9}}"#] {
            assert!(read_wish(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
