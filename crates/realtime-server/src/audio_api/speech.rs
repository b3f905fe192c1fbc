// SPDX-License-Identifier: MPL-2.0

//! Speaks a text, sentence by sentence: the first one is on its way while the second is made.

use crate::api_error::ApiError;
use crate::audio_api::{WAITING, check_model, missing, unsupported, wrong};
use crate::engine::Engine;
use crate::http_error::Refusal;
use crate::request_body::{read_body, read_json};
use crate::session::usage;
use crate::speech::sentences;
use crate::sse::{chunk, error_line, stream_body};
use crate::state::{App, CLIENT_TIMEOUT};
use audio_dsp::wav;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// The rate of the speech.
const RATE: u32 = 24_000;
/// The longest text, as at OpenAI.
const MAX_CHARS: usize = 4_096;
/// A body holds such a text in any spelling, and instructions.
const MAX_BODY: usize = 1 << 20;
/// The formats that are made here, and those of OpenAI.
const FORMATS: &[&str] = &["wav", "pcm"];
const ALL_FORMATS: &[&str] = &["mp3", "opus", "aac", "flac", "wav", "pcm"];

/// A request for speech.
#[derive(Debug)]
struct SpeechRequest {
    model: String,
    input: String,
    voice: Option<String>,
    is_wav: bool,
    speed: f32,
    as_events: bool,
}

impl SpeechRequest {
    fn read(value: &Value) -> Result<Self, Refusal> {
        let text = |param: &str| match &value[param] {
            Value::String(text) if !text.trim().is_empty() => Ok(text.clone()),
            Value::Null => Err(missing(param)),
            _ => Err(wrong(param, format!("Invalid '{param}': expected a string that is not empty."))),
        };
        let (model, input) = (text("model")?, text("input")?);
        let chars = input.chars().count();
        if chars > MAX_CHARS {
            let message =
                format!("Invalid 'input': string too long. Expected at most {MAX_CHARS} characters, but got {chars}.");
            return Err(Refusal::bad(ApiError::new("string_above_max_length", message).at("input")));
        }
        let voice = match &value["voice"]["id"] {
            Value::String(id) => id.clone(),
            _ => text("voice")?,
        };
        let word = |param: &str, default: &'static str| match &value[param] {
            Value::Null => Ok(default.to_owned()),
            Value::String(word) => Ok(word.clone()),
            _ => Err(wrong(param, format!("Invalid '{param}': expected a string."))),
        };
        let format = word("response_format", "wav")?;
        if !ALL_FORMATS.contains(&format.as_str()) {
            return Err(Refusal::bad(ApiError::unknown_word("response_format", format, FORMATS)));
        }
        if !FORMATS.contains(&format.as_str()) {
            let message = format!(
                "Unsupported value: this server makes no '{format}'. Supported values of 'response_format' are: 'wav' and 'pcm'."
            );
            return Err(unsupported("response_format", message));
        }
        let stream_format = word("stream_format", "audio")?;
        if !["audio", "sse"].contains(&stream_format.as_str()) {
            return Err(Refusal::bad(ApiError::unknown_word("stream_format", stream_format, &["audio", "sse"])));
        }
        let speed = match &value["speed"] {
            Value::Null => 1.0,
            speed => speed.as_f64().filter(|speed| (0.25..=4.0).contains(speed)).ok_or_else(|| {
                wrong("speed", format!("Invalid 'speed': expected a number from 0.25 to 4.0, but got {speed}."))
            })?,
        };
        Ok(Self {
            model,
            input,
            voice: Some(voice),
            is_wav: format == "wav",
            speed: speed as f32,
            as_events: stream_format == "sse",
        })
    }
}

/// The sound of a text, made while it is asked for.
struct Reading {
    app: Arc<App>,
    engine: Arc<dyn Engine>,
    rest: VecDeque<String>,
    voice: Option<String>,
    speed: f32,
    samples: usize,
}

impl Reading {
    /// The samples of the next sentence as bytes.
    async fn next(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let Some(sentence) = self.rest.pop_front() else { return Ok(None) };
        let processors = self.app.workers.processors();
        let sound = self.engine.speak(sentence, self.voice.clone(), self.speed, processors).await?.at(RATE);
        self.samples += sound.samples.len();
        Ok(Some(sound.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect()))
    }
}

/// Answers a request.
pub(super) async fn respond(app: &Arc<App>, engine: Arc<dyn Engine>, request: Request) -> Result<Response, Refusal> {
    let body = read_body(request.into_body(), MAX_BODY, CLIENT_TIMEOUT).await?;
    let request = SpeechRequest::read(&read_json(&body)?)?;
    check_model(app, &request.model)?;
    let rest = sentences(&request.input).map(|sentence| sentence.trim().to_owned()).collect();
    let mut reading =
        Reading { app: app.clone(), engine, rest, voice: request.voice.clone(), speed: request.speed, samples: 0 };
    // What fails at once is refused; later there is nothing left but to break off.
    let first =
        reading.next().await.map_err(|error| Refusal::server(&format!("The server could not speak: {error}")))?;
    let first = first.unwrap_or_default();
    if request.as_events {
        return Ok(events(reading, first, &request));
    }
    Ok(file(reading, first, request.is_wav))
}

/// The response whose body is the file. Its length is not known when its header is sent, which WAV tells with the
/// greatest number.
fn file(reading: Reading, first: Vec<u8>, is_wav: bool) -> Response {
    let header = if is_wav { wav::header(RATE, u32::MAX).to_vec() } else { Vec::new() };
    let begin = [header, first].concat();
    let pieces = stream::unfold((Some(begin), reading), |(begin, mut reading)| async move {
        if let Some(begin) = begin {
            return Some((Ok(Bytes::from(begin)), (None, reading)));
        }
        let next = reading.next().await.transpose()?;
        let piece = next.map(Bytes::from).map_err(|error| {
            tracing::warn!("a text was not spoken to its end: {error:#}");
            io::Error::other(error)
        });
        Some((piece, (None, reading)))
    });
    let kind = if is_wav { "audio/wav" } else { "audio/pcm" };
    ([(CONTENT_TYPE, kind)], Body::from_stream(pieces)).into_response()
}

/// The response whose body is events with the sound in base64.
fn events(mut reading: Reading, first: Vec<u8>, request: &SpeechRequest) -> Response {
    let input = usage::text(&request.input);
    let header = if request.is_wav { wav::header(RATE, u32::MAX).to_vec() } else { Vec::new() };
    let (sender, lines) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        let mut next = Ok(Some([header, first].concat()));
        loop {
            let line = match next {
                Ok(Some(piece)) => chunk(&json!({"type": "speech.audio.delta", "audio": STANDARD.encode(piece)})),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!("a text was not spoken to its end: {error:#}");
                    // Whoever is gone needs no more.
                    let _ = sender.send(Ok(error_line(&format!("The server could not speak: {error}")))).await;
                    return;
                }
            };
            if sender.send(Ok(line)).await.is_err() {
                return;
            }
            next = reading.next().await;
        }
        let output = usage::assistant_audio(reading.samples as u64 * 1000 / u64::from(RATE));
        let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
        let _ = sender.send(Ok(chunk(&json!({"type": "speech.audio.done", "usage": usage})))).await;
    });
    stream_body(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_have_defaults() {
        let request = SpeechRequest::read(&json!({"model": "tts-1", "input": "Hello.", "voice": {"id": "voice_1"}}));
        let request = request.ok().expect("a request");
        assert!(request.is_wav && !request.as_events && request.speed == 1.0, "{request:?}");
    }
}
