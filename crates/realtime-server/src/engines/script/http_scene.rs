// SPDX-License-Identifier: MPL-2.0

//! Plays a scene for a request that is no WebSocket: what the script sends becomes the lines of a streamed answer.
//!
//! `expect chat.completion.request {…}` holds the body against a pattern, `send {…}` is a chunk (stand-ins for audio as
//! everywhere), `text …` a line of the body as it stands, `respond "…"` a whole written answer, `wait` waits; `drop` and
//! `reset` break the body off. Without a statement that sends, `refuse` says what comes instead. The body ends with the
//! scene.

use crate::engines::audio_placeholder;
use crate::engines::script::pattern::Names;
use crate::engines::script::{ConnectionScript, RunGuard, ScriptRunner, Statement};
use crate::ids;
use crate::socket::Wire;
use crate::sse::{chunk, error_line, stream_body};
use axum::body::Bytes;
use axum::response::Response;
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Lines that wait for a client that reads slowly.
const WAITING: usize = 16;

type Lines = mpsc::Sender<Result<Bytes, io::Error>>;

impl ScriptRunner {
    /// The scene of a request that comes in now.
    pub async fn answer_request(self: &Arc<Self>, body: &Bytes, wire: Option<Arc<Wire>>) -> Response {
        let guard = match self.enter().await {
            Ok(guard) => guard,
            Err(refused) => return refused.respond(wire.as_deref()).await,
        };
        let (sender, lines) = mpsc::channel(WAITING);
        let (runner, body) = (self.clone(), body.clone());
        tokio::spawn(async move {
            let scene = runner.scene_of(&guard).clone();
            runner.play_request(&scene, &body, &sender, wire.as_deref()).await;
            drop::<(RunGuard, Lines)>((guard, sender));
        });
        stream_body(lines)
    }

    async fn play_request(&self, scene: &ConnectionScript, body: &[u8], lines: &Lines, wire: Option<&Wire>) {
        let mut names = Names::default();
        for step in &scene.steps {
            let problem = match &step.act {
                Statement::Expect { name, pattern, .. } if name == "chat.completion.request" => {
                    let value: Value = serde_json::from_slice(body).unwrap_or_default();
                    let fits = pattern.as_ref().is_none_or(|pattern| names.matches(pattern, &value));
                    (!fits).then(|| format!("the request is not as expected: {value}"))
                }
                Statement::Send(value) => {
                    let mut value = value.clone();
                    audio_placeholder::expand(&mut value);
                    let filled = names.fill(&mut value);
                    // Whoever has gone reads no more, which is no fault of the script.
                    let _ = lines.send(Ok(chunk(&value))).await;
                    filled.err()
                }
                Statement::Text(text) => {
                    let _ = lines.send(Ok(format!("{text}\n").into())).await;
                    None
                }
                Statement::Respond { text, .. } => {
                    for value in whole_answer(text) {
                        let _ = lines.send(Ok(chunk(&value))).await;
                    }
                    let _ = lines.send(Ok(Bytes::from_static(b"data: [DONE]\n\n"))).await;
                    None
                }
                Statement::Wait(time) => {
                    tokio::time::sleep(*time).await;
                    None
                }
                Statement::Drop | Statement::Reset => {
                    if let (Statement::Reset, Some(wire)) = (&step.act, wire)
                        && let Err(error) = wire.reset_on_drop()
                    {
                        tracing::debug!("cannot reset the connection: {error}");
                    }
                    let _ = lines.send(Err(io::Error::other("the script breaks off"))).await;
                    return;
                }
                _ => Some("this statement is for a WebSocket, and a request came".to_owned()),
            };
            if let Some(problem) = problem {
                self.fail(step.line, &problem);
                let _ = lines.send(Ok(error_line(&format!("script line {}: {problem}", step.line)))).await;
                return;
            }
        }
    }
}

/// The chunks of a written answer.
fn whole_answer(text: &str) -> [Value; 2] {
    let id = ids::new("chatcmpl-");
    let object = |delta: Value, reason: Value| {
        json!({"id": id, "object": "chat.completion.chunk", "created": 0, "model": "script",
            "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})
    };
    [object(json!({"role": "assistant", "content": text}), Value::Null), object(json!({}), json!("stop"))]
}
