// SPDX-License-Identifier: MPL-2.0

//! An answer as it is put together of its pieces: text, audio, calls, usage.

use audio_dsp::pcm::{to_f32, to_i16};
use audio_dsp::{resample, wav};
use bytes::{Bytes, BytesMut};
use openai_protocol::chat::{AnswerAudio, Chunk, Completion, CompletionUsage, Function, ToolCall, ToolCallDelta};

/// What `src` has.
pub const RATE: u32 = 24_000;
/// Calls of one answer.
const MAX_CALLS: u32 = 128;
/// How much of an answer is kept.
const MAX_LEN: usize = 256 << 20;

/// An answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// The server's name for it.
    pub id: Option<String>,
    /// Text, or the refusal.
    pub text: String,
    /// What the audio says.
    pub transcript: String,
    /// Samples of 16 bits, 24 kHz, mono, that were not taken yet.
    pub audio: BytesMut,
    /// The server's name for the audio, and until when it knows it, in seconds since 1970.
    pub audio_id: Option<String>,
    pub audio_expires: Option<i64>,
    /// Why it ended.
    pub finish_reason: Option<String>,
    /// What it cost.
    pub usage: Option<CompletionUsage>,
    calls: Vec<ToolCall>,
    is_refusal: bool,
    received: usize,
}

/// Why an answer is given up.
#[derive(Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// It has no end.
    TooLong,
    /// Its audio is in a form that cannot be played.
    Audio(String),
}

impl Answer {
    /// Adds a piece.
    pub fn add(&mut self, chunk: Chunk) -> Result<(), AnswerFault> {
        self.id = self.id.take().or(chunk.id);
        self.usage = chunk.usage.or(self.usage.take());
        // Only one answer is asked for.
        for choice in chunk.choices.into_iter().filter(|choice| choice.index == 0) {
            let delta = choice.message;
            self.add_text(delta.content, delta.refusal);
            if let Some(mut audio) = delta.audio {
                let data = audio.data.take().map(|data| data.0).unwrap_or_default();
                self.received += data.len();
                self.audio.extend_from_slice(&data);
                self.note_audio(audio);
            }
            delta.tool_calls.into_iter().for_each(|call| self.add_call(call));
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        }
        if self.received > MAX_LEN { Err(AnswerFault::TooLong) } else { Ok(()) }
    }

    /// Takes a whole answer. Its audio is a file.
    pub fn set(&mut self, completion: Completion) -> Result<(), AnswerFault> {
        (self.id, self.usage) = (completion.id, completion.usage);
        for choice in completion.choices.into_iter().filter(|choice| choice.index == 0) {
            let message = choice.message;
            self.finish_reason = choice.finish_reason;
            self.add_text(message.content, message.refusal);
            message.tool_calls.into_iter().for_each(|call| self.add_call(call));
            if let Some(mut audio) = message.audio {
                let data = audio.data.take().map(|data| data.0).unwrap_or_default();
                self.note_audio(audio);
                if !data.is_empty() {
                    self.audio.extend_from_slice(&decoded(&data).map_err(AnswerFault::Audio)?);
                }
            }
        }
        Ok(())
    }

    fn add_text(&mut self, content: Option<String>, refusal: Option<String>) {
        self.is_refusal |= refusal.as_ref().is_some_and(|text| !text.is_empty());
        for text in [content, refusal].into_iter().flatten() {
            self.received += text.len();
            self.text.push_str(&text);
        }
    }

    fn note_audio(&mut self, audio: AnswerAudio) {
        self.audio_id = audio.id.or(self.audio_id.take());
        self.audio_expires = audio.expires_at.or(self.audio_expires);
        if let Some(text) = audio.transcript {
            self.received += text.len();
            self.transcript.push_str(&text);
        }
    }

    /// Pieces of a call have its number; servers that send calls whole may leave it out, and then each is a new one.
    fn add_call(&mut self, delta: ToolCallDelta) {
        let is_new = delta.function.name.as_ref().is_some_and(|name| !name.is_empty());
        let last = (self.calls.len() as u32).saturating_sub(u32::from(!is_new));
        let index = delta.index.unwrap_or(last);
        if index >= MAX_CALLS {
            return;
        }
        let empty =
            || ToolCall { id: String::new(), function: Function { name: String::new(), arguments: String::new() } };
        while self.calls.len() <= index as usize {
            self.calls.push(empty());
        }
        let call = &mut self.calls[index as usize];
        if let Some(id) = delta.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(name) = delta.function.name {
            call.function.name.push_str(&name);
        }
        let arguments = delta.function.arguments.unwrap_or_default();
        self.received += arguments.len();
        call.function.arguments.push_str(&arguments);
    }

    /// The calls, each with an identifier of its own.
    pub fn calls(&self, request_id: &str) -> Vec<ToolCall> {
        let named = self.calls.iter().enumerate().filter(|(_, call)| !call.function.name.is_empty());
        let complete = named.map(|(index, call)| {
            let mut call = call.clone();
            if call.id.is_empty() {
                call.id = format!("call_{request_id}_{index}");
            }
            if call.function.arguments.trim().is_empty() {
                call.function.arguments = "{}".into();
            }
            call
        });
        complete.collect()
    }

    /// Whole samples that were not taken yet.
    pub fn take_audio(&mut self) -> Bytes {
        let whole = self.audio.len() / 2 * 2;
        self.audio.split_to(whole).freeze()
    }

    /// What it says, spoken or written.
    pub fn words(&self) -> &str {
        if self.transcript.is_empty() { &self.text } else { &self.transcript }
    }

    /// Whether the model has refused to answer.
    pub fn is_refusal(&self) -> bool {
        self.is_refusal
    }

    /// Whether words, audio or calls have come.
    pub fn has_content(&self) -> bool {
        self.received > 0 || !self.calls.is_empty()
    }

    /// Whether anything has come.
    pub fn is_empty(&self) -> bool {
        !self.has_content() && self.audio.is_empty() && self.finish_reason.is_none()
    }
}

/// The samples of an audio file, at the rate of `src`.
fn decoded(file: &[u8]) -> Result<Vec<u8>, String> {
    let wav = wav::read(file).map_err(|error| {
        format!(
            "the answer's audio cannot be played: {error}; ask for WAV (extra={{\"audio\":{{\"format\":\"wav\"}}}})"
        )
    })?;
    let bytes = |samples: &mut dyn Iterator<Item = i16>| samples.flat_map(i16::to_le_bytes).collect();
    if wav.rate == RATE {
        return Ok(bytes(&mut wav.samples.into_iter()));
    }
    let samples: Vec<f32> = wav.samples.into_iter().map(to_f32).collect();
    let samples = resample::resample(&samples, wav.rate, RATE)
        .map_err(|error| format!("the answer's audio cannot be played: {error}"))?;
    Ok(bytes(&mut samples.into_iter().map(to_i16)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use openai_protocol::chat::StreamEvent;
    use serde_json::{Value, json};

    fn chunk(delta: Value, reason: Value) -> Chunk {
        let text = json!({"id": "c1", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}).to_string();
        match StreamEvent::read(&text).expect("a chunk").0 {
            StreamEvent::Chunk(chunk) => *chunk,
            StreamEvent::Done => panic!("a chunk expected"),
        }
    }

    #[test]
    fn half_a_sample_waits_for_the_other_half() {
        let mut answer = Answer::default();
        answer.add(chunk(json!({"audio": {"id": "a", "data": "AQID"}}), Value::Null)).expect("short");
        assert_eq!(answer.take_audio()[..], [1, 2]);
        answer.add(chunk(json!({"audio": {"data": "BA==", "transcript": "Hi"}}), Value::Null)).expect("short");
        answer.add(chunk(json!({"audio": {"transcript": " there", "expires_at": 9}}), json!("stop"))).expect("short");
        assert_eq!((&answer.take_audio()[..], answer.words()), (&[3u8, 4][..], "Hi there"));
        assert_eq!((answer.audio_id.as_deref(), answer.audio_expires), (Some("a"), Some(9)));
    }

    #[test]
    fn calls_come_in_pieces_or_whole() {
        let mut pieces = Answer::default();
        for call in [
            json!({"index": 0, "id": "c1", "function": {"name": "a", "arguments": ""}}),
            json!({"index": 1, "id": "c2", "function": {"name": "b"}}),
            json!({"index": 0, "function": {"arguments": "{\"x\":"}}),
            json!({"index": 0, "function": {"arguments": "1}"}}),
        ] {
            pieces.add(chunk(json!({"tool_calls": [call]}), Value::Null)).expect("short");
        }
        let told: Vec<_> = pieces.calls("r").into_iter().map(|call| (call.id, call.function.arguments)).collect();
        assert_eq!(told, [("c1".into(), "{\"x\":1}".into()), ("c2".into(), "{}".into())]);
        let mut whole = Answer::default();
        let calls =
            json!([{"function": {"name": "a", "arguments": "{}"}}, {"function": {"name": "b", "arguments": "{}"}}]);
        whole.add(chunk(json!({ "tool_calls": calls }), json!("tool_calls"))).expect("short");
        let told: Vec<_> = whole.calls("r").into_iter().map(|call| (call.id, call.function.name)).collect();
        assert_eq!(told, [("call_r_0".into(), "a".into()), ("call_r_1".into(), "b".into())]);
    }

    #[test]
    fn a_whole_answer_has_a_file() {
        let mut file = wav::header(RATE, 4).to_vec();
        file.extend([1, 0, 2, 0]);
        assert_eq!(decoded(&file), Ok(vec![1, 0, 2, 0]));
        let mut file = wav::header(48_000, 9_600).to_vec();
        file.extend([0; 9_600]);
        assert_eq!(decoded(&file).map(|data| data.len()), Ok(4_800));
        assert!(decoded(b"ID3").is_err_and(|why| why.contains("WAV")));
    }
}
