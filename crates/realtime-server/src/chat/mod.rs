// SPDX-License-Identifier: MPL-2.0

//! `POST …/chat/completions`: the same engines as behind the Realtime API, for requests that stand alone.
//!
//! `read` makes a prompt of a request, `answer` has the engine answer it, whole or streamed as OpenAI streams.

mod answer;
mod read;
mod spoken_answers;

pub use answer::{chunk, error_line, stream_body};
pub use spoken_answers::SpokenAnswers;

use crate::auth;
use crate::chat::read::ChatRequest;
use crate::engine::Engine;
use crate::server::{App, Backend, CLIENT_TIMEOUT};
use crate::session::ApiError;
use crate::socket::Wire;
use axum::Json;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::sync::Arc;
use tokio::time::timeout;

/// The longest body: OpenAI takes 25 MB of audio, which base64 makes a third longer.
const MAX_BODY: usize = 64 << 20;

/// Why a request is not answered.
pub struct Refusal {
    status: StatusCode,
    error: ApiError,
}

impl Refusal {
    /// A request that is wrong.
    pub fn bad(error: ApiError) -> Self {
        Self { status: StatusCode::BAD_REQUEST, error }
    }

    /// In OpenAI's words.
    pub fn respond(&self) -> Response {
        (self.status, Json(self.error.body())).into_response()
    }
}

/// Answers a request.
pub async fn complete(app: &Arc<App>, wire: Option<Arc<Wire>>, request: Request) -> Response {
    if app.auth.admit(request.headers()).is_none() {
        return wrong_key(auth::token(request.headers()));
    }
    // Azure names the deployment in the path.
    let deployment = deployment(request.uri().path());
    let body = match read_body(request.into_body()).await {
        Ok(body) => body,
        Err(refusal) => return refusal.respond(),
    };
    match &app.backend {
        Backend::Engine(engine) => answer(app, engine, &body, deployment).await.unwrap_or_else(|no| no.respond()),
        Backend::Script(script) => script.answer_request(&body, wire).await,
        Backend::Replay(_) => {
            let error = ApiError::without_code("A replayed session has no answers to requests; use another engine.");
            Refusal { status: StatusCode::NOT_IMPLEMENTED, error }.respond()
        }
    }
}

async fn answer(
    app: &Arc<App>,
    engine: &Arc<dyn Engine>,
    body: &Bytes,
    deployment: Option<String>,
) -> Result<Response, Refusal> {
    let mut value: Value = serde_json::from_slice(body).map_err(|_| {
        let message = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your \
                       HTTP library correctly. The OpenAI API expects a JSON payload, but what was sent was not valid \
                       JSON.)";
        Refusal::bad(ApiError::without_code(message))
    })?;
    if let Some(deployment) = deployment
        && value["model"].is_null()
    {
        value["model"] = deployment.into();
    }
    // Pictures take their time and their memory.
    let read = app.workers.decode(|| ChatRequest::read(&value, &app.spoken_answers)).await;
    let request = read.map_err(Refusal::bad)?;
    if request.model.starts_with("invalid")
        || request.model.starts_with("no-such")
        || app.refused_models.contains(&request.model)
    {
        let message = format!("The model `{}` does not exist or you do not have access to it.", request.model);
        return Err(Refusal { status: StatusCode::NOT_FOUND, error: ApiError::new("model_not_found", message) });
    }
    Ok(answer::answer(app, engine, request).await)
}

fn deployment(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    parts.find(|part| *part == "deployments")?;
    parts.next().map(str::to_owned)
}

async fn read_body(body: Body) -> Result<Bytes, Refusal> {
    let (status, message) = match timeout(CLIENT_TIMEOUT, to_bytes(body, MAX_BODY)).await {
        Ok(Ok(body)) => return Ok(body),
        Ok(Err(_)) => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too long."),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "The body did not come in time."),
    };
    Err(Refusal { status, error: ApiError::new("invalid_value", message) })
}

/// A wrong key is shown as OpenAI does: its ends alone.
fn wrong_key(key: Option<&str>) -> Response {
    let message = match key {
        Some(key) if key.is_ascii() && key.len() > 12 => {
            format!("Incorrect API key provided: {}****{}.", &key[..4], &key[key.len() - 4..])
        }
        Some(_) => "Incorrect API key provided.".to_owned(),
        None => "You didn't provide an API key. You need to provide your API key in an Authorization header using \
                 Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            .to_owned(),
    };
    Refusal { status: StatusCode::UNAUTHORIZED, error: ApiError::new("invalid_api_key", message) }.respond()
}
