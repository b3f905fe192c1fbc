// SPDX-License-Identifier: MPL-2.0

//! Writes down a recording, whole or part by part.

use crate::api_error::ApiError;
use crate::audio::Sound;
use crate::audio_api::form::Form;
use crate::audio_api::{WAITING, check_model, missing, subtitles, unsupported, wrong};
use crate::audio_file::FileFormat;
use crate::engine::{Engine, Hints, Segment, Segments};
use crate::http_error::Refusal;
use crate::request_body::read_body;
use crate::sse::{chunk, error_line, stream_body};
use crate::state::{App, CLIENT_TIMEOUT};
use axum::Json;
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, TryStreamExt};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;

/// The longest body: OpenAI takes files of 25 MB, around which stands the form.
const MAX_BODY: usize = 26 << 20;
/// The longest recording; small files may hold hours.
const MAX_MINUTES: u64 = 30;
/// The formats that are made here.
const FORMATS: &[&str] = &["json", "text", "srt", "verbose_json", "vtt"];

/// A request for a transcription.
struct TranscriptionRequest {
    sound: Sound,
    language: Option<String>,
    prompt: Option<String>,
    format: String,
    stream: bool,
}

impl TranscriptionRequest {
    fn read(app: &App, engine: &dyn Engine, form: &Form) -> Result<Self, Refusal> {
        check_model(app, form.text("model").ok_or_else(|| missing("model"))?)?;
        if let (Some(wished), Some(known)) = (form.text("language"), engine.language())
            && !wished
                .to_ascii_lowercase()
                .split(['-', '_'])
                .next()
                .is_some_and(|word| [known, "english"].contains(&word))
        {
            let message = format!(
                "Unsupported value: this server understands no '{wished}'. Supported values of 'language' are: '{known}'."
            );
            return Err(unsupported("language", message));
        }
        let format = form.text("response_format").unwrap_or("json").to_owned();
        if !FORMATS.contains(&format.as_str()) {
            return Err(Refusal::bad(ApiError::unknown_word("response_format", format, FORMATS)));
        }
        let stream = match form.text("stream") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                return Err(wrong(
                    "stream",
                    format!("Invalid 'stream': expected 'true' or 'false', but got '{other}'."),
                ));
            }
        };
        if stream && !["json", "text"].contains(&format.as_str()) {
            let message = format!(
                "Unsupported value: 'response_format' cannot be '{format}' when stream=true. Supported values are: 'json' and 'text'."
            );
            return Err(unsupported("response_format", message));
        }
        for granularity in form.list("timestamp_granularities") {
            match granularity {
                "segment" => {}
                "word" => {
                    let message = "Unsupported value: this server does not know the times of words. Supported values of 'timestamp_granularities' are: 'segment'.";
                    return Err(unsupported("timestamp_granularities", message.to_owned()));
                }
                other => {
                    return Err(Refusal::bad(ApiError::unknown_word("timestamp_granularities", other, &["segment"])));
                }
            }
        }
        let file = form.file.as_ref().ok_or_else(|| missing("file"))?;
        let kind = FileFormat::detect(file).ok_or_else(|| {
            wrong("file", "Invalid file format: the file is neither WAV nor MP3, which are the supported ones.".into())
        })?;
        let sound = kind.decode(file).map_err(|why| wrong("file", format!("Invalid 'file': {why}.")))?;
        if sound.ms() > MAX_MINUTES * 60_000 {
            let minutes = sound.ms() / 60_000;
            let message = format!("Invalid 'file': it lasts {minutes} minutes; at most {MAX_MINUTES} are taken.");
            return Err(wrong("file", message));
        }
        let field = |name| form.text(name).map(str::to_owned);
        Ok(Self { sound, language: field("language"), prompt: field("prompt"), format, stream })
    }
}

/// Answers a request.
pub(super) async fn respond(app: &Arc<App>, engine: Arc<dyn Engine>, request: Request) -> Result<Response, Refusal> {
    let (head, body) = request.into_parts();
    let body = read_body(body, MAX_BODY, CLIENT_TIMEOUT).await?;
    let form = Form::read(&head.headers, body).await?;
    // An hour of MP3 takes its time.
    let request = app.workers.decode(|| TranscriptionRequest::read(app, &*engine, &form)).await?;
    drop(form);
    let ms = request.sound.ms();
    let hints = Hints { language: request.language.clone(), prompt: request.prompt.clone() };
    let segments = engine.segments(request.sound.clone(), Arc::new(hints), app.workers.processors());
    let segments = segments.inspect_err(|error| tracing::error!("cannot transcribe: {error:#}")).boxed();
    if request.stream {
        return Ok(events(segments, ms));
    }
    let segments: Vec<Segment> = segments.try_collect().await.map_err(|error| Refusal::server(&unheard(&error)))?;
    let plain = |kind: &'static str, text: String| ([(CONTENT_TYPE, kind)], text).into_response();
    Ok(match request.format.as_str() {
        "text" => plain("text/plain; charset=utf-8", text(&segments) + "\n"),
        "srt" => plain("text/plain; charset=utf-8", subtitles::srt(&segments)),
        "vtt" => plain("text/vtt; charset=utf-8", subtitles::vtt(&segments)),
        "verbose_json" => Json(verbose(&segments, request.language.as_deref(), ms)).into_response(),
        _ => Json(json!({"text": text(&segments), "usage": usage(ms)})).into_response(),
    })
}

fn unheard(error: &anyhow::Error) -> String {
    format!("The server could not transcribe: {error}")
}

fn text(segments: &[Segment]) -> String {
    segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>().join(" ")
}

fn usage(ms: u64) -> Value {
    json!({"type": "duration", "seconds": ms.div_ceil(1000)})
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

/// The form with times. Its segments have fields of Whisper that mean nothing to another recogniser, but typed clients
/// cannot do without: there are no tokens, and probabilities are those of certainty.
fn verbose(segments: &[Segment], language: Option<&str>, ms: u64) -> Value {
    let segment = |(id, segment): (usize, &Segment)| {
        json!({"id": id, "seek": 0, "start": seconds(segment.start_ms), "end": seconds(segment.end_ms),
            "text": segment.text, "tokens": [], "temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 1.0,
            "no_speech_prob": 0.0})
    };
    let list: Vec<Value> = segments.iter().enumerate().map(segment).collect();
    json!({"task": "transcribe", "language": language.unwrap_or("english"), "duration": seconds(ms), "text": text(segments),
        "segments": list, "usage": usage(ms)})
}

/// The response whose body is events with the words of each segment.
fn events(mut segments: Segments, ms: u64) -> Response {
    let (sender, lines) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut whole = String::new();
        while let Some(segment) = segments.next().await {
            let line = match segment {
                Ok(segment) => {
                    let delta = if whole.is_empty() { segment.text } else { format!(" {}", segment.text) };
                    whole += &delta;
                    chunk(&json!({"type": "transcript.text.delta", "delta": delta}))
                }
                Err(error) => {
                    // Whoever is gone needs no more.
                    let _ = sender.send(Ok(error_line(&unheard(&error)))).await;
                    return;
                }
            };
            if sender.send(Ok(line)).await.is_err() {
                return;
            }
        }
        let done = json!({"type": "transcript.text.done", "text": whole, "usage": usage(ms)});
        let _ = sender.send(Ok(chunk(&done))).await;
    });
    stream_body(lines)
}
