// SPDX-License-Identifier: MPL-2.0

//! A dialogue with a session: what a client says, what the session says, and the answers that it asks for. The engine is
//! the echo, driven by hand.

use crate::engine::{Answer, Engine};
use crate::engines::echo::Echo;
use crate::processors::Processors;
use crate::session::{Job, Opening, Output, Session, Work};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{FutureExt, StreamExt};
use openai_protocol::session::SessionKind;
use serde_json::{Value, from_str, json};
use std::sync::Arc;
use std::time::Instant;

/// A session, what it said, and the answers that it asked for.
pub struct Dialogue {
    pub session: Session,
    said: Vec<Value>,
    pub answers: Vec<(String, Answer)>,
    pub hearings: Vec<String>,
    /// Parts of open turns whose words are wanted.
    pub parts: Vec<(String, usize)>,
    /// The sounds that are listened to before it is sure that their words are wanted, in ms.
    pub ahead: Vec<u64>,
    pub stopped: Vec<String>,
    pub now: Instant,
}

impl Dialogue {
    /// A realtime session, or one that only writes down.
    pub fn new(kind: SessionKind) -> Self {
        Self::opened(Opening { kind, model: "gpt-realtime".into(), expires_at: 1, preset: None, beta: false })
    }

    /// A realtime session with another engine, whose answers are still the echo's.
    pub fn with(engine: Arc<dyn Engine>) -> Self {
        let (kind, model) = (SessionKind::Realtime, "gpt-realtime".into());
        Self::begun(Session::new(engine, &Opening { kind, model, expires_at: 1, preset: None, beta: false }))
    }

    fn opened(opening: Opening) -> Self {
        Self::begun(Session::new(Arc::new(Echo), &opening))
    }

    fn begun(session: Session) -> Self {
        let (said, answers, hearings, parts, ahead, stopped) = Default::default();
        let mut dialogue = Self { session, said, answers, hearings, parts, ahead, stopped, now: Instant::now() };
        dialogue.drain();
        assert!(dialogue.names()[0].ends_with("session.created"));
        dialogue
    }

    /// One that speaks the beta.
    pub fn beta(kind: SessionKind) -> Self {
        Self::opened(Opening { kind, model: "gpt-realtime".into(), expires_at: 1, preset: None, beta: true })
    }

    /// Takes what the session wants.
    pub fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Send(event) => self.said.push(from_str(&event).expect("JSON")),
                Output::Start(Job::Answer { response_id, prompt }) => {
                    self.answers.push((response_id, Echo.answer(prompt, &Processors::with(1))));
                }
                Output::Start(Job::Transcribe { item_id, .. }) => self.hearings.push(item_id),
                Output::Start(Job::TranscribePart { item_id, part, .. }) => self.parts.push((item_id, part)),
                Output::Start(Job::Listen { sound, .. }) => self.ahead.push(sound.ms()),
                Output::Stop(id) => self.stopped.push(id),
                Output::Close(code, reason) => self.said.push(json!({"type": "close", "code": code, "reason": reason})),
            }
        }
    }

    /// The client says something.
    pub fn say(&mut self, event: Value) {
        self.session.handle(&event.to_string(), self.now);
        while self.session.listen(self.now) {
            self.drain();
        }
        self.drain();
    }

    /// Samples of the user.
    pub fn append(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)}));
    }

    /// Speech and silence, in milliseconds.
    pub fn speak(&mut self, speech: usize, silence: usize) {
        self.append(&[vec![8_000; speech * 24], vec![0; silence * 24]].concat());
    }

    /// The engine makes the next piece of the oldest answer, or ends it.
    pub fn work(&mut self) {
        let (id, answer) = self.answers.first_mut().expect("an answer is asked for");
        let work = match answer.next().now_or_never().expect("the echo never waits") {
            Some(said) => Work::ResponsePart(id.clone(), said.expect("words")),
            None => Work::Answered(self.answers.remove(0).0, Ok(())),
        };
        self.session.work(work, self.now);
        self.drain();
    }

    /// The types of what was said since the last call.
    pub fn names(&mut self) -> Vec<String> {
        let names = |event: Value| event["type"].as_str().unwrap_or_default().to_string();
        std::mem::take(&mut self.said).into_iter().map(names).collect()
    }

    /// All of what was said since the last call.
    pub fn events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.said)
    }

    /// The codes of errors since the last call, and which events they name.
    pub fn errors(&mut self) -> Vec<(String, Option<String>)> {
        let text = |value: &Value| value.as_str().map(str::to_string);
        let errors = self.events().into_iter().filter(|event| event["type"] == "error");
        errors
            .map(|event| (text(&event["error"]["code"]).unwrap_or_default(), text(&event["error"]["event_id"])))
            .collect()
    }
}

/// A dialogue of the usual kind.
pub fn realtime() -> Dialogue {
    Dialogue::new(SessionKind::Realtime)
}

/// Equal types in a row count once.
pub fn squeezed(mut names: Vec<String>) -> Vec<String> {
    names.dedup();
    names
}

/// How a spoken answer ends.
pub const END: [&str; 7] = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
];
