// SPDX-License-Identifier: MPL-2.0

//! `POST /v1/realtime/calls`: an SDP offer, alone or with a session, becomes a call; and its end.

use super::error::ApiError;
use super::{BODY_TIMEOUT, guard};
use crate::access::{Admission, bearer};
use crate::app::App;
use crate::media::offer::{MAX_OFFER_LEN, Offer};
use crate::visitor::{MAX_SESSION_LEN, Request as Visit, webrtc};
use axum::extract::{ConnectInfo, FromRequest, Multipart, Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// What the URL may say.
#[derive(Debug, Deserialize)]
pub struct Parameters {
    /// The model.
    pub model: Option<String>,
}

/// Takes an offer; the answer is complete with candidates.
pub async fn create(
    State(app): State<Arc<App>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(parameters): Query<Parameters>,
    request: Request,
) -> Result<Response, ApiError> {
    let result = answer(&app, address, parameters, request).await;
    if let Err(error) = &result {
        app.metrics.refused(error.code());
        tracing::info!("an offer of {} is refused: {error:?}", address.ip());
    }
    result
}

async fn answer(
    app: &Arc<App>,
    address: SocketAddr,
    parameters: Parameters,
    request: Request,
) -> Result<Response, ApiError> {
    let admission = app.access.admit(bearer(request.headers()), Instant::now());
    let admission = admission.ok_or_else(ApiError::not_authorized)?;
    guard::take_turn(app, address)?;
    let body = timeout(BODY_TIMEOUT, read(request)).await;
    let (offer, session) = body.map_err(|_| too_slow())??;
    let offer = Offer::parse(&offer).map_err(|error| ApiError::bad_request("invalid_offer", error.to_string()))?;
    let session = match (session, admission) {
        // The settings of a secret are its owner's decision.
        (_, Admission::Secret(session)) => session,
        (session, Admission::Key) => session,
    };
    let place = app.registry.admit().ok_or_else(|| full(app))?;
    let id = place.id.clone();
    let visit = Visit { session, model: parameters.model };
    let answer = webrtc::start(app, place, offer, visit).await;
    let answer = answer.map_err(|_| {
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal_error", "The call has ended before it began.")
    })??;
    let headers =
        [(header::CONTENT_TYPE, "application/sdp".to_owned()), (header::LOCATION, format!("/v1/realtime/calls/{id}"))];
    Ok((StatusCode::CREATED, headers, answer).into_response())
}

/// The offer and the session's settings.
async fn read(request: Request) -> Result<(String, Map<String, Value>), ApiError> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "application/sdp" => {
            let offer = String::from_request(request, &()).await;
            let offer = offer.map_err(|error| ApiError::bad_request("invalid_offer", error.body_text()))?;
            Ok((offer, Map::new()))
        }
        "multipart/form-data" => {
            let parts = Multipart::from_request(request, &()).await;
            read_parts(parts.map_err(|error| ApiError::bad_request("invalid_body", error.body_text()))?).await
        }
        _ => Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_content_type",
            "Send the offer as application/sdp, or as multipart/form-data with the parts 'sdp' and 'session'.",
        )),
    }
}

async fn read_parts(mut parts: Multipart) -> Result<(String, Map<String, Value>), ApiError> {
    let (mut offer, mut session) = (None, Map::new());
    let wrong =
        |error: axum::extract::multipart::MultipartError| ApiError::bad_request("invalid_body", error.body_text());
    while let Some(part) = parts.next_field().await.map_err(wrong)? {
        match part.name() {
            Some("sdp") => offer = Some(part.text().await.map_err(wrong)?),
            Some("session") => session = read_session(&part.text().await.map_err(wrong)?)?,
            _ => {}
        }
    }
    let offer =
        offer.ok_or_else(|| ApiError::bad_request("invalid_offer", "The part 'sdp' with the offer is missing."))?;
    Ok((offer, session))
}

/// A session's settings, as far as can be said without the server of the API.
pub fn read_session(text: &str) -> Result<Map<String, Value>, ApiError> {
    if text.len() > MAX_SESSION_LEN {
        let message = format!("The session is longer than {MAX_SESSION_LEN} bytes.");
        return Err(ApiError::bad_request("invalid_session", message));
    }
    let session = serde_json::from_str::<Map<String, Value>>(text);
    session
        .map_err(|error| ApiError::bad_request("invalid_session", format!("The session is no JSON object: {error}.")))
}

/// Ends a call.
pub async fn hang_up(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    app.access.admit(bearer(&headers), Instant::now()).ok_or_else(ApiError::not_authorized)?;
    if app.registry.hang_up(&id) {
        Ok(StatusCode::OK)
    } else {
        Err(ApiError::new(StatusCode::NOT_FOUND, "call_not_found", "There is no call of this name, or it has ended."))
    }
}

/// All places are taken.
pub fn full(app: &App) -> ApiError {
    let message = format!("All {} places are taken; try again later.", app.cli.max_visitors);
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_visitors", message).retry_after(Duration::from_secs(30))
}

/// A body that does not come.
pub fn too_slow() -> ApiError {
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The body did not come in time.")
}

const _: () = assert!(MAX_OFFER_LEN + MAX_SESSION_LEN < super::MAX_BODY, "limits of the parts are met first");
