// SPDX-License-Identifier: MPL-2.0

//! The HTTP side: which paths there are, and the way from a request to a session.
//!
//! Paths count from their end, so that a client may put any base in front (`/v1`, `/openai/v1`, a proxy's prefix). As
//! at OpenAI the upgrade succeeds even for a client that is then sent away: the verdict comes as an `error` event and
//! a close code.

use crate::audio_api;
use crate::auth::{Preset, Secret, subprotocols};
use crate::chat;
use crate::connection::{self, HandshakeError, NewSession};
use crate::engine::Engine;
use crate::http_error::{Refusal, refusal, wrong_key, wrong_method};
use crate::secrets::{self, Opens};
use crate::session::{Opening, Session};
use crate::socket::{self, Wire};
use crate::state::{App, Backend};
use crate::translation::{self, Translation};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CONNECTION, CONTENT_TYPE, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, UPGRADE,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json, Router};
use openai_protocol::session::SessionKind;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use url::form_urlencoded;

/// What a request finds of its connection: where to leave the session that it becomes, and the wire below.
#[derive(Clone)]
pub struct ConnectionSlot {
    session: Arc<Mutex<Option<oneshot::Sender<JoinHandle<()>>>>>,
    /// The TCP connection, for a script.
    pub wire: Option<Arc<Wire>>,
}

impl ConnectionSlot {
    /// The seat of one connection.
    pub fn new(session: oneshot::Sender<JoinHandle<()>>, wire: Option<Arc<Wire>>) -> Self {
        Self { session: Arc::new(Mutex::new(Some(session))), wire }
    }

    /// Leaves the session, so that the connection counts until it has ended.
    fn register_session(&self, session: JoinHandle<()>) {
        let sender = self.session.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(sender) = sender {
            // Nobody waits any more where the connection is gone already.
            let _ = sender.send(session);
        }
    }
}

/// The models that clients are told of, one for each purpose at least.
const MODELS: &[&str] = &[
    "gpt-realtime",
    "gpt-realtime-2.1",
    "gpt-4o-mini-transcribe",
    "gpt-4o-mini-tts",
    "gpt-audio-1.5",
    "gpt-realtime-translate",
];

/// All paths.
pub fn router(app: Arc<App>) -> Router {
    Router::new().fallback(route).with_state(app)
}

/// Ends of paths that are counted by name.
const COUNTED: &[&str] = &[
    "/realtime",
    "/realtime/client_secrets",
    "/realtime/translations",
    "/realtime/translations/client_secrets",
    "/chat/completions",
    "/audio/speech",
    "/audio/transcriptions",
    "/models",
];

async fn route(State(app): State<Arc<App>>, Extension(slot): Extension<ConnectionSlot>, request: Request) -> Response {
    let path = request.uri().path().trim_end_matches('/').to_string();
    let counted = COUNTED.iter().find(|end| path.ends_with(*end)).copied();
    let response = respond(&app, slot, &path, request).await;
    // Probes of other paths are neither named, which would be without bound, nor of interest.
    if let Some(counted) = counted {
        app.metrics.request(counted, response.status().as_u16());
    }
    response
}

async fn respond(app: &Arc<App>, slot: ConnectionSlot, path: &str, request: Request) -> Response {
    let (is_get, is_post) = (request.method() == Method::GET, request.method() == Method::POST);
    // What probes for health and load balancers like to ask.
    let reads = is_get || request.method() == Method::HEAD;
    match path {
        "/healthz" if reads => "ok\n".into_response(),
        "/metrics" if reads => metrics(app),
        path if path.ends_with("/realtime") && is_get => realtime(app.clone(), slot, request, Opens::Sessions).await,
        path if path.ends_with("/realtime/translations") && is_get => {
            realtime(app.clone(), slot, request, Opens::Translations).await
        }
        path if path.ends_with("/realtime/client_secrets") && is_post => {
            secrets::make(app, request, Opens::Sessions).await
        }
        path if path.ends_with("/realtime/translations/client_secrets") && is_post => {
            secrets::make(app, request, Opens::Translations).await
        }
        path if path.ends_with("/chat/completions") && is_post => chat::complete(app, slot.wire.clone(), request).await,
        path if path.ends_with("/audio/speech") && is_post => audio_api::speak(app, request).await,
        path if path.ends_with("/audio/transcriptions") && is_post => audio_api::transcribe(app, request).await,
        path if path.ends_with("/models") && reads => models(app, request.headers()),
        path if COUNTED.iter().any(|end| path.ends_with(end)) && !path.ends_with("/models") => wrong_method(path),
        path => refusal(StatusCode::NOT_FOUND, &format!("Invalid URL ({} {path})", request.method()), None),
    }
}

fn metrics(app: &App) -> Response {
    match app.metrics.to_text() {
        Ok(text) => {
            ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response()
        }
        Err(error) => Refusal::server(&format!("The metrics could not be written: {error}")).respond(),
    }
}

fn models(app: &App, headers: &HeaderMap) -> Response {
    if app.auth.admit(headers).is_none() {
        return wrong_key();
    }
    let model =
        |id: &str| json!({"id": id, "object": "model", "created": 1_756_339_200, "owned_by": "realtime-server"});
    let data: Vec<Value> = MODELS.iter().map(|id| model(id)).collect();
    Json(json!({"object": "list", "data": data})).into_response()
}

/// From the upgrade to a session.
async fn realtime(app: Arc<App>, slot: ConnectionSlot, mut request: Request, opens: Opens) -> Response {
    let Some(accept) = accept_key(request.headers()) else {
        let message = "Expected a WebSocket upgrade on this path.";
        return refusal(StatusCode::UPGRADE_REQUIRED, message, None);
    };
    let (verdict, stage) = match &app.backend {
        Backend::Engine(engine) => (open(&app, engine, &request, opens).map(Some), None),
        Backend::Replay(_) => (admit(&app, request.headers()).map(|_| None), None),
        Backend::Script(theatre) => match theatre.enter().await {
            Ok(stage) => (admit(&app, request.headers()).map(|_| None), Some(stage)),
            Err(refused) => return refused.respond(slot.wire.as_deref()).await,
        },
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let wire = slot.wire.clone();
    let session = tokio::spawn(async move {
        let socket = match upgrade.await {
            Ok(upgraded) => socket::open(upgraded).await,
            Err(error) => return tracing::debug!("the upgrade failed: {error}"),
        };
        match (verdict, &app.backend, stage) {
            (Err(fatal), _, _) => connection::reject(socket, &fatal).await,
            (Ok(_), Backend::Script(theatre), Some(stage)) => theatre.play(socket, stage, wire, opens.kind()).await,
            (Ok(_), Backend::Replay(replay), _) => replay.play(socket).await,
            (Ok(Some(new)), Backend::Engine(engine), _) => connection::run(&app, engine.clone(), socket, new).await,
            (Ok(_), Backend::Script(_) | Backend::Engine(_), _) => {}
        }
    });
    slot.register_session(session);
    switch_protocols(&accept, request.headers())
}

/// The session of a request, or why there is none.
fn open(app: &App, engine: &Arc<dyn Engine>, request: &Request, opens: Opens) -> Result<NewSession, HandshakeError> {
    if opens == Opens::Translations {
        let opening = judge_translation(app, request)?;
        let session = Translation::new(engine.clone(), &opening);
        let session = Box::new(session.map_err(|refusal| HandshakeError::refused(4000, refusal))?);
        return Ok(NewSession { session, kind: SessionKind::Translation, dialect: "translation" });
    }
    let opening = judge(app, request)?;
    let dialect = if opening.beta { "beta" } else { "ga" };
    let session = Box::new(Session::new(engine.clone(), &opening));
    Ok(NewSession { session, kind: opening.kind, dialect })
}

fn accept_key(headers: &HeaderMap) -> Option<String> {
    let has = |name, word: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    (has(UPGRADE, "websocket") && has(CONNECTION, "upgrade")).then(|| derive_accept_key(key.as_bytes()))
}

fn switch_protocols(accept: &str, offered: &HeaderMap) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    if let Ok(accept) = accept.parse() {
        headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    }
    let known = ["realtime", "openai-beta.realtime-v1"];
    if let Some(name) = known.into_iter().find(|name| subprotocols(offered).any(|protocol| protocol == *name)) {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    response
}

fn admit(app: &App, headers: &HeaderMap) -> Result<Option<Secret>, HandshakeError> {
    app.auth.admit(headers).ok_or_else(|| HandshakeError::new(3000, "invalid_api_key", "Incorrect API key provided."))
}

/// Whether a request may become a session, and which.
fn judge(app: &App, request: &Request) -> Result<Opening, HandshakeError> {
    let headers = request.headers();
    let secret = admit(app, headers)?;
    let param = |name: &str| param(request, name);
    let beta = headers.get("openai-beta").is_some_and(|value| value.as_bytes().starts_with(b"realtime="))
        || subprotocols(headers).any(|protocol| protocol.starts_with("openai-beta."))
        || param("api-version").is_some();
    if beta && app.refuse_beta {
        let message = "The Realtime Beta API is no longer supported. Please use /v1/realtime for the GA API.";
        return Err(HandshakeError::new(4000, "beta_api_shape_disabled", message));
    }
    let mut preset = match secret.and_then(|secret| secret.preset) {
        Some(Preset::Session(session)) => Some(*session),
        Some(Preset::Translation(_)) => return Err(wrong_path("translations", "/realtime/translations")),
        None => None,
    };
    let own_model = preset.as_mut().and_then(|preset| preset.model.take());
    let transcription = param("intent").as_deref() == Some("transcription")
        || preset.as_ref().is_some_and(|preset| preset.kind == Some(SessionKind::Transcription));
    let kind = if transcription { SessionKind::Transcription } else { SessionKind::Realtime };
    // Azure's preview names the deployment, its own word for a model.
    let model = param("model").or_else(|| param("deployment")).or(own_model).filter(|model| !model.is_empty());
    let model = match model {
        None if transcription => String::new(),
        None => return Err(HandshakeError::new(4000, "missing_model", "You must provide a model parameter.")),
        Some(model) => check_model(app, model)?,
    };
    Ok(Opening { kind, model, expires_at: expiry(app), preset, beta })
}

/// Whether a request may become a translation, and which.
fn judge_translation(app: &App, request: &Request) -> Result<translation::Opening, HandshakeError> {
    let preset = match admit(app, request.headers())?.and_then(|secret| secret.preset) {
        Some(Preset::Translation(session)) => Some(*session),
        Some(Preset::Session(_)) => return Err(wrong_path("conversations and transcriptions", "/realtime")),
        None => None,
    };
    let own_model = preset.as_ref().and_then(|preset| preset.model.clone());
    let model = param(request, "model").or(own_model).filter(|model| !model.is_empty());
    let missing = || HandshakeError::new(4000, "missing_model", "You must provide a model parameter.");
    let model = check_model(app, model.ok_or_else(missing)?)?;
    Ok(translation::Opening { model, expires_at: expiry(app), preset })
}

/// A parameter of the query.
fn param(request: &Request, name: &str) -> Option<String> {
    let mut query = form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes());
    query.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Unix time in seconds at which a session ends that begins now.
fn expiry(app: &App) -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (now + app.max_session).as_secs()
}

fn wrong_path(opens: &str, path: &str) -> HandshakeError {
    let message = format!("This client secret opens {opens} only: connect to {path}.");
    HandshakeError::new(4000, "invalid_value", message)
}

fn check_model(app: &App, model: String) -> Result<String, HandshakeError> {
    if app.refuses_model(&model) {
        let message = format!("The model '{model}' does not exist or you do not have access to it.");
        return Err(HandshakeError::new(4000, "invalid_model", message));
    }
    Ok(model)
}
