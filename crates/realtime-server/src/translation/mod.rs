// SPDX-License-Identifier: MPL-2.0

//! A translation session: sound goes in, and its translation comes out as sound and text, without turns, items or
//! responses.
//!
//! `read` checks what a client says, `config` holds what it set. What comes out depends on the engine: the sound that
//! went in (`loopback`), or what an `interpreter` makes of it. All places are milliseconds on the time line of the
//! appended sound, in steps of 200, and depend on the sound alone, never on how fast it comes or how long the work takes.

mod config;
mod interpreter;
mod loopback;
mod read;
#[cfg(test)]
mod tests;

pub use crate::translation::config::check_request;

use crate::api_error::ApiError;
use crate::audio::{decode, encode};
use crate::client_session::ClientSession;
use crate::engine::{Engine, Translates};
use crate::ids;
use crate::session::{Output, Work, cut_audio, lifetime};
use crate::translation::config::Config;
use crate::translation::interpreter::Interpreter;
use crate::translation::loopback::Loopback;
use crate::translation::read::read;
use openai_protocol::Base64;
use openai_protocol::session::AudioFormat;
use openai_protocol::translation::{
    ClientEvent, OutputAudioDelta, OutputTranscriptDelta, ServerEvent, Session, SessionClosed, SessionCreated,
    SessionUpdated,
};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Samples in a second, in both directions.
const RATE: u32 = 24_000;
/// The steps in which places are told.
const STEP_MS: u64 = 200;
/// Samples of a step.
const FRAME: usize = RATE as usize * STEP_MS as usize / 1000;

/// How a session begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The model of the URL.
    pub model: String,
    /// Unix time in seconds at which it will be ended.
    pub expires_at: u64,
    /// What a client secret brought along.
    pub preset: Option<Session>,
}

/// Who makes the translation.
enum Translator {
    Loopback(Loopback),
    Interpreter(Box<Interpreter>),
}

/// A session.
pub struct Translation {
    engine: Arc<dyn Engine>,
    config: Config,
    translator: Translator,
    /// The client has ended its input.
    is_closing: bool,
    /// The session has said its last word.
    is_closed: bool,
    out: VecDeque<Output>,
}

impl Translation {
    /// A session with its defaults, over which the preset is put. It says `session.created` first.
    pub fn new(engine: Arc<dyn Engine>, opening: &Opening) -> Result<Self, ApiError> {
        let translator = match engine.translates() {
            Translates::Not(why) => return Err(ApiError::new("invalid_model", why)),
            Translates::Back => Translator::Loopback(Loopback::default()),
            Translates::Words => Translator::Interpreter(Box::new(Interpreter::new(engine.turn_detector(RATE)))),
        };
        let config = Config::open(&*engine, opening)?;
        let mut session =
            Self { engine, config, translator, is_closing: false, is_closed: false, out: VecDeque::new() };
        session.send(SessionCreated { session: session.config.session(), ..Default::default() });
        Ok(session)
    }

    /// The configuration that a session will begin with.
    pub fn preview(engine: &dyn Engine, opening: &Opening) -> Result<Session, ApiError> {
        match engine.translates() {
            Translates::Not(why) => Err(ApiError::new("invalid_model", why)),
            Translates::Back | Translates::Words => Ok(Config::open(engine, opening)?.session()),
        }
    }

    fn follow(&mut self, event: ClientEvent) -> Result<(), ApiError> {
        if self.is_closing {
            let message = "The session is being closed; nothing more can be sent.";
            return Err(ApiError::new("invalid_value", message).at("type"));
        }
        match event {
            ClientEvent::SessionUpdate(event) => {
                self.config.update(&*self.engine, &event.session)?;
                self.send(SessionUpdated { session: self.config.session(), ..Default::default() });
                Ok(())
            }
            ClientEvent::InputAudioBufferAppend(event) => self.append(&event.audio.0),
            ClientEvent::Close(_) => {
                self.is_closing = true;
                match &mut self.translator {
                    Translator::Loopback(loopback) => loopback.finish(),
                    Translator::Interpreter(interpreter) => interpreter.finish(&mut self.out),
                }
                Ok(())
            }
            event => Err(ApiError::unknown_word("type", event.name(), ClientEvent::NAMES)),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        if !bytes.len().is_multiple_of(2) {
            return Err(cut_audio());
        }
        let samples = decode(&AudioFormat::Pcm, bytes);
        match &mut self.translator {
            Translator::Loopback(loopback) => loopback.append(&samples),
            Translator::Interpreter(interpreter) => interpreter.append(&samples)?,
        }
        Ok(())
    }

    /// Tells what the translator has made by now, and the end where nothing follows.
    fn tell(&mut self) {
        let wants_original = self.config.wants_original();
        let (events, is_done) = match &mut self.translator {
            Translator::Loopback(loopback) => (loopback.take(wants_original), true),
            Translator::Interpreter(interpreter) => {
                let events = interpreter.take(&mut self.out, self.config.language(), wants_original);
                (events, interpreter.is_done())
            }
        };
        events.into_iter().for_each(|event| self.send(event));
        if self.is_closing && is_done && !self.is_closed {
            self.is_closed = true;
            self.send(SessionClosed::default());
            self.out.push_back(Output::Close(1000, String::new()));
        }
    }

    fn refuse(&mut self, refusal: ApiError, event_id: Option<&str>) {
        let mut event = refusal.event(event_id);
        event.set_event_id(ids::new("event_"));
        self.out.push_back(Output::Send(event.to_json()));
    }

    fn send(&mut self, event: impl Into<ServerEvent>) {
        let mut event = event.into();
        event.set_event_id(ids::new("event_"));
        self.out.push_back(Output::Send(event.to_json()));
    }
}

impl ClientSession for Translation {
    fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn handle(&mut self, text: &str, now: Instant) {
        // Events are handled in order, so all sound before this one is heard first.
        while self.listen(now) {}
        match read(text) {
            Ok(event) => {
                let event_id = event.event_id().map(str::to_owned);
                if let Err(refusal) = self.follow(event) {
                    self.refuse(refusal, event_id.as_deref());
                }
            }
            Err(bad) => self.refuse(bad.refusal, bad.event_id.as_deref()),
        }
        self.tell();
    }

    fn handle_binary(&mut self) {
        let message = "Binary messages are not supported; events are JSON in text messages.";
        self.refuse(ApiError::new("invalid_event", message), None);
    }

    fn listen(&mut self, _: Instant) -> bool {
        let Translator::Interpreter(interpreter) = &mut self.translator else { return false };
        interpreter.listen(&mut self.out)
    }

    fn work(&mut self, work: Work, _: Instant) {
        let Translator::Interpreter(interpreter) = &mut self.translator else { return };
        if let Err(refusal) = interpreter.work(work, &mut self.out) {
            self.refuse(refusal, None);
        }
        self.tell();
    }

    fn expire(&mut self, after: Duration) {
        let message = lifetime(after);
        self.refuse(ApiError::new("session_expired", message.clone()), None);
        self.out.push_back(Output::Close(1001, message));
    }
}

/// A place as it is told.
fn step(ms: u64) -> Option<u64> {
    Some(ms - ms % STEP_MS)
}

fn output_text(delta: String, place_ms: u64) -> ServerEvent {
    OutputTranscriptDelta { delta, elapsed_ms: step(place_ms), ..Default::default() }.into()
}

fn output_audio(samples: &[i16], place_ms: u64) -> ServerEvent {
    let delta = Base64(encode(&AudioFormat::Pcm, samples).into());
    let (elapsed_ms, format) = (step(place_ms), Some("pcm16".into()));
    let (sample_rate, channels) = (Some(RATE), Some(1));
    OutputAudioDelta { delta, elapsed_ms, sample_rate, channels, format, ..Default::default() }.into()
}
