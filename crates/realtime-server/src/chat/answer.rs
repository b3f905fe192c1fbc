// SPDX-License-Identifier: MPL-2.0

//! Answers a request: as one object, or in chunks as the engine finds its words.

use crate::audio::Sound;
use crate::chat::read::ChatRequest;
use crate::engine::Call;
use crate::engine::{Engine, ResponsePart, SpeechChunk};
use crate::ids;
use crate::session::usage::{self, Counts};
use crate::session::{Job, Work};
use crate::sse::{chunk, error_line, stream_body};
use crate::state::App;
use audio_dsp::wav;
use axum::Json;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::Usage;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The rate of spoken answers.
const RATE: u32 = 24_000;
/// The audio of one chunk: 200 ms.
const CHUNK_SAMPLES: usize = RATE as usize / 5;
/// Parts and lines that wait for a client that reads slowly.
const WAITING: usize = 16;

/// Fields that all objects of an answer have in common.
#[derive(Clone)]
struct Head {
    id: String,
    created: u64,
    model: String,
}

impl Head {
    fn new(model: &str) -> Self {
        let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self { id: ids::new("chatcmpl-"), created, model: model.to_owned() }
    }

    fn object(&self, kind: &str, choices: Value) -> Value {
        json!({"id": self.id, "object": kind, "created": self.created, "model": self.model,
            "service_tier": "default", "system_fingerprint": null, "choices": choices})
    }

    fn chunk(&self, delta: Value, finish_reason: Option<&str>) -> Value {
        let choice = json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason});
        self.object("chat.completion.chunk", json!([choice]))
    }
}

/// A part of an answer that its message shows.
enum Part {
    Speech(SpeechChunk),
    Call(Call),
}

/// The parts of an answer, as the engine finds them.
struct Parts {
    results: mpsc::Receiver<Work>,
    /// Ends with its request.
    _job: JoinSet<()>,
    /// Tokens that are left.
    left: Option<u64>,
    /// Why nothing more comes, as a `finish_reason`.
    cut: Option<&'static str>,
    /// Tokens of the answer, where the engine counts them.
    usage: Option<Usage>,
}

impl Parts {
    fn of(app: &App, engine: &Arc<dyn Engine>, request: &mut ChatRequest) -> Self {
        let (sender, results) = mpsc::channel(WAITING);
        let prompt = std::mem::take(&mut request.prompt);
        let job = Job::Answer { response_id: String::new(), prompt };
        let mut jobs = JoinSet::new();
        jobs.spawn(app.workers.clone().perform(engine.clone(), job, sender));
        Self { results, _job: jobs, left: request.max_tokens, cut: None, usage: None }
    }

    /// The next part; an error is one of the engine.
    async fn next(&mut self) -> Result<Option<Part>, String> {
        while self.cut.is_none() {
            match self.results.recv().await {
                Some(Work::ResponsePart(_, ResponsePart::Speech(piece))) => {
                    return Ok(Some(Part::Speech(self.cut(piece))));
                }
                Some(Work::ResponsePart(_, ResponsePart::Call(call))) => return Ok(Some(Part::Call(call))),
                Some(Work::ResponsePart(_, ResponsePart::Usage(usage))) => self.usage = Some(usage),
                Some(Work::ResponsePart(_, ResponsePart::Incomplete(reason))) => {
                    self.cut = Some(if reason == "content_filter" { reason } else { "length" });
                }
                Some(Work::Answered(_, Err(why))) => return Err(why),
                Some(Work::Answered(_, Ok(())) | Work::Heard(..) | Work::PartHeard(..)) | None => break,
            }
        }
        Ok(None)
    }

    /// Takes away what is more than was asked for.
    fn cut(&mut self, piece: SpeechChunk) -> SpeechChunk {
        let Some(left) = &mut self.left else { return piece };
        let tokens = usage::text(&piece.text);
        if tokens <= *left {
            *left -= tokens;
            return piece;
        }
        self.cut = Some("length");
        let keep = usize::try_from(*left * 4).unwrap_or(usize::MAX);
        let text: String = piece.text.chars().take(keep).collect();
        let sound = piece.sound.as_ref().map(|sound| {
            let mut sound = sound.clone();
            let ratio = text.chars().count() as f64 / piece.text.chars().count().max(1) as f64;
            sound.truncate((sound.ms() as f64 * ratio) as u64);
            sound
        });
        SpeechChunk { text, sound }
    }
}

/// The answer so far.
#[derive(Default)]
struct Said {
    text: String,
    samples: Vec<i16>,
    calls: Vec<Value>,
}

impl Said {
    /// Adds a piece; gives back the text that it adds.
    fn add(&mut self, piece: &SpeechChunk) -> String {
        let space = if self.text.is_empty() || self.text.ends_with(char::is_whitespace) { "" } else { " " };
        let text = format!("{space}{}", piece.text);
        self.text.push_str(&text);
        text
    }

    fn call(&mut self, name: &str, arguments: &str) -> Value {
        let call = json!({"id": ids::new("call_"), "type": "function",
            "function": {"name": name, "arguments": arguments}});
        self.calls.push(call.clone());
        call
    }

    fn finish_reason(&self, parts: &Parts) -> &'static str {
        parts.cut.unwrap_or(if self.calls.is_empty() { "stop" } else { "tool_calls" })
    }

    /// Tokens of the answer: the engine's own count, or one made here.
    fn usage(&self, told: Option<&Usage>, input: Counts, samples: usize) -> Value {
        if let Some(told) = told {
            return json!({"prompt_tokens": told.input_tokens, "completion_tokens": told.output_tokens,
                "total_tokens": told.total_tokens,
                "prompt_tokens_details": {"cached_tokens": told.input_token_details.cached_tokens}});
        }
        let called: u64 = self.calls.iter().map(|call| usage::text(&call["function"].to_string())).sum();
        let text = usage::text(&self.text) + called;
        let audio = usage::assistant_audio(samples as u64 * 1000 / u64::from(RATE));
        let (prompt, completion) = (input.text + input.audio + input.image, text + audio);
        json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion,
            "prompt_tokens_details": {"audio_tokens": input.audio, "cached_tokens": 0, "text_tokens": input.text,
                "image_tokens": input.image},
            "completion_tokens_details": {"accepted_prediction_tokens": 0, "audio_tokens": audio,
                "reasoning_tokens": 0, "rejected_prediction_tokens": 0, "text_tokens": text}})
    }
}

fn pcm(samples: &[i16]) -> Vec<u8> {
    samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()
}

/// The words as an object, where one was asked for: these engines fill no schema, but what they say is no other type.
fn as_json(text: &str) -> String {
    let is_object = serde_json::from_str::<Map<String, Value>>(text).is_ok();
    if is_object { text.to_owned() } else { json!({ "answer": text }).to_string() }
}

fn server_error(why: &str) -> Response {
    tracing::warn!("an answer failed: {why}");
    let body = json!({"error": {"message": why, "type": "server_error", "param": null, "code": null}});
    (StatusCode::INTERNAL_SERVER_ERROR, Json(body)).into_response()
}

/// Answers.
pub async fn answer(app: &Arc<App>, engine: &Arc<dyn Engine>, mut request: ChatRequest) -> Response {
    let head = Head::new(&request.model);
    let parts = Parts::of(app, engine, &mut request);
    if request.stream {
        let (sender, lines) = mpsc::channel(WAITING);
        tokio::spawn(stream(app.clone(), head, request, parts, sender));
        return stream_body(lines);
    }
    match whole(app, &head, &request, parts).await {
        Ok(value) => Json(value).into_response(),
        Err(why) => server_error(&why),
    }
}

async fn whole(app: &App, head: &Head, request: &ChatRequest, mut parts: Parts) -> Result<Value, String> {
    let mut said = Said::default();
    while let Some(part) = parts.next().await? {
        match part {
            Part::Speech(piece) => {
                said.add(&piece);
                if let Some(sound) = piece.sound {
                    said.samples.extend_from_slice(&sound.at(RATE).samples);
                }
            }
            Part::Call(call) => drop(said.call(&call.name, &call.arguments)),
        }
    }
    let mut message = json!({"role": "assistant", "content": null, "refusal": null, "annotations": []});
    let spoken = request.format.filter(|_| !said.text.is_empty());
    if let Some(format) = spoken {
        let id = ids::new("audio_");
        let expires = app.spoken_answers.add(id.clone(), said.text.clone());
        let mut data = pcm(&said.samples);
        if format == "wav" {
            let mut file = wav::header(RATE, u32::try_from(data.len()).unwrap_or(u32::MAX)).to_vec();
            file.append(&mut data);
            data = file;
        }
        message["audio"] = json!({"id": id, "data": STANDARD.encode(data), "transcript": said.text,
            "expires_at": unix(expires)});
    } else if !said.text.is_empty() {
        message["content"] = if request.wants_json { as_json(&said.text).into() } else { said.text.clone().into() };
    }
    if !said.calls.is_empty() {
        message["tool_calls"] = said.calls.clone().into();
    }
    let reason = said.finish_reason(&parts);
    let choice = json!({"index": 0, "message": message, "logprobs": null, "finish_reason": reason});
    let mut value = head.object("chat.completion", json!([choice]));
    value["usage"] = said.usage(parts.usage.as_ref(), request.input, said.samples.len());
    Ok(value)
}

fn unix(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Whoever reads the stream is gone.
struct Gone;

type Lines = mpsc::Sender<Result<Bytes, std::io::Error>>;

async fn send(lines: &Lines, line: Bytes) -> Result<(), Gone> {
    lines.send(Ok(line)).await.map_err(|_| Gone)
}

async fn stream(app: Arc<App>, head: Head, request: ChatRequest, parts: Parts, lines: Lines) {
    // Whoever is gone needs no more.
    let _: Result<(), Gone> = stream_to(&app, &head, &request, parts, &lines).await;
}

async fn stream_to(app: &App, head: &Head, request: &ChatRequest, mut parts: Parts, lines: &Lines) -> Result<(), Gone> {
    let audio_id = request.format.map(|_| ids::new("audio_"));
    let (mut said, mut samples, mut calls) = (Said::default(), 0, 0);
    let role = json!({"role": "assistant", "content": if audio_id.is_some() { Value::Null } else { json!("") },
        "refusal": null});
    send(lines, chunk(&head.chunk(role, None))).await?;
    loop {
        let part = match parts.next().await {
            Ok(Some(part)) => part,
            Ok(None) => break,
            Err(why) => {
                tracing::warn!("an answer failed: {why}");
                return send(lines, error_line(&why)).await;
            }
        };
        match part {
            Part::Speech(piece) => {
                let text = said.add(&piece);
                let delta = match &audio_id {
                    Some(id) => json!({"audio": {"id": id, "transcript": text}}),
                    // An object is known when it is whole.
                    None if request.wants_json => continue,
                    None => json!({ "content": text }),
                };
                send(lines, chunk(&head.chunk(delta, None))).await?;
                let sound = piece.sound.map(|sound: Sound| sound.at(RATE));
                for piece in sound.iter().flat_map(|sound| sound.samples.chunks(CHUNK_SAMPLES)) {
                    samples += piece.len();
                    let delta = json!({"audio": {"data": STANDARD.encode(pcm(piece))}});
                    send(lines, chunk(&head.chunk(delta, None))).await?;
                }
            }
            Part::Call(call) => {
                let whole = said.call(&call.name, &call.arguments);
                let begin = json!({"index": calls, "id": whole["id"], "type": "function",
                    "function": {"name": call.name, "arguments": ""}});
                let rest = json!({"index": calls, "function": {"arguments": call.arguments}});
                calls += 1;
                for piece in [begin, rest] {
                    send(lines, chunk(&head.chunk(json!({"tool_calls": [piece]}), None))).await?;
                }
            }
        }
    }
    if request.wants_json && audio_id.is_none() && !said.text.is_empty() {
        send(lines, chunk(&head.chunk(json!({"content": as_json(&said.text)}), None))).await?;
    }
    send(lines, chunk(&head.chunk(json!({}), Some(said.finish_reason(&parts))))).await?;
    if let Some(id) = audio_id.filter(|_| !said.text.is_empty()) {
        let expires = app.spoken_answers.add(id, said.text.clone());
        send(lines, chunk(&head.chunk(json!({"audio": {"expires_at": unix(expires)}}), None))).await?;
    }
    if request.include_usage {
        let mut last = head.object("chat.completion.chunk", json!([]));
        last["usage"] = said.usage(parts.usage.as_ref(), request.input, samples);
        send(lines, chunk(&last)).await?;
    }
    send(lines, Bytes::from_static(b"data: [DONE]\n\n")).await
}
