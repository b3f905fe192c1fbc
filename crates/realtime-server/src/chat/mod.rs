// SPDX-License-Identifier: MPL-2.0

//! `POST …/chat/completions`: the same engines as behind the Realtime API, for requests that stand alone.
//!
//! `read` makes a prompt of a request, `answer` has the engine answer it, whole or streamed as OpenAI streams.

mod answer;
mod read;

use crate::api_error::ApiError;
use crate::auth;
use crate::chat::read::ChatRequest;
use crate::engine::Engine;
use crate::http_error::Refusal;
use crate::request_body::{read_body, read_json};
use crate::socket::Wire;
use crate::state::{App, Backend, CLIENT_TIMEOUT};
use axum::body::Bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use std::sync::Arc;

/// The longest body: OpenAI takes 25 MB of audio, which base64 makes a third longer.
const MAX_BODY: usize = 64 << 20;

/// Answers a request.
pub async fn complete(app: &Arc<App>, wire: Option<Arc<Wire>>, request: Request) -> Response {
    if app.auth.admit(request.headers()).is_none() {
        return wrong_key(auth::token(request.headers()));
    }
    // Azure names the deployment in the path.
    let deployment = deployment(request.uri().path());
    let body = match read_body(request.into_body(), MAX_BODY, CLIENT_TIMEOUT).await {
        Ok(body) => body,
        Err(refusal) => return refusal.respond(),
    };
    match &app.backend {
        Backend::Engine(engine) => answer(app, engine, &body, deployment).await.unwrap_or_else(|no| no.respond()),
        Backend::Script(script) => script.answer_request(&body, wire).await,
        Backend::Replay(_) => {
            let error = ApiError::without_code("A replayed session has no answers to requests; use another engine.");
            Refusal::new(StatusCode::NOT_IMPLEMENTED, error).respond()
        }
    }
}

async fn answer(
    app: &Arc<App>,
    engine: &Arc<dyn Engine>,
    body: &Bytes,
    deployment: Option<String>,
) -> Result<Response, Refusal> {
    let mut value = read_json(body)?;
    if let Some(deployment) = deployment
        && value["model"].is_null()
    {
        value["model"] = deployment.into();
    }
    // Pictures take their time and their memory.
    let read = app.workers.decode(|| ChatRequest::read(&value, &app.spoken_answers)).await;
    let request = read.map_err(Refusal::bad)?;
    if app.refuses_model(&request.model) {
        let message = format!("The model `{}` does not exist or you do not have access to it.", request.model);
        return Err(Refusal::new(StatusCode::NOT_FOUND, ApiError::new("model_not_found", message)));
    }
    Ok(answer::answer(app, engine, request).await)
}

fn deployment(path: &str) -> Option<String> {
    let mut parts = path.split('/');
    parts.find(|part| *part == "deployments")?;
    parts.next().map(str::to_owned)
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
    Refusal::new(StatusCode::UNAUTHORIZED, ApiError::new("invalid_api_key", message)).respond()
}
