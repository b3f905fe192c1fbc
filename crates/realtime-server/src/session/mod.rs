// SPDX-License-Identifier: MPL-2.0

//! A session: the rules of the protocol, without a socket, a clock or a thread.
//!
//! Client events, steps of listening and results of work go in; server events, work to do and the wish to close come
//! out of [`Session::poll`], in the order in which they must happen. Whoever drives it (see `connection.rs`) sends,
//! works and waits. The files here are the parts of a session: `read` with its tables checks what a client says, `beta`
//! spells it the old way for who wants that, `config` holds what it set, `input` hears with the `detector`,
//! `conversation` remembers each `entry`, `response` writes an answer by its `plan`, `usage` counts. `listening`,
//! `items`, `answering` and `calling` put them together.

mod beta;
mod canned_response;
mod client_schema;
mod config;
mod conversation;
pub mod detector;
mod function_calls;
pub mod input;
mod input_audio;
mod item;
mod items;
mod open_turn;
mod partial_text;
mod read;
mod response;
mod response_config;
mod responses;
pub mod schema;
#[cfg(test)]
mod tests;
mod transcription;
pub mod usage;

use crate::api_error::ApiError;
pub use crate::session::canned_response::whole_answer;
pub use crate::session::read::{Bad, MAX_APPEND, MAX_EVENT_ID, bad_audio, cut_audio, long_audio};

use crate::audio::Sound;
use crate::engine::{Engine, Hints, Prompt, ResponsePart, Utterance};
use crate::ids;
use crate::session::beta::Beta;
use crate::session::config::Config;
use crate::session::conversation::Conversation;
use crate::session::input::Input;
use crate::session::open_turn::OpenTurn;
use crate::session::partial_text::PartialText;
use crate::session::read::read;
use crate::session::response::Writer;
use crate::session::usage::Meter;
use openai_protocol::server::{SessionCreated, SessionUpdated};
use openai_protocol::session::SessionKind;
use openai_protocol::{self, ClientEvent, ServerEvent, client};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;

/// Whether this text is an event that a session can follow.
pub fn takes_client_event(text: &str) -> bool {
    read(text).is_ok()
}

/// What a session wants of whoever drives it.
#[derive(Debug)]
pub enum Output {
    /// Send this event, as JSON.
    Send(String),
    /// Do this work beside everything else.
    Start(Job),
    /// The answer of this name is not wanted any more.
    Stop(String),
    /// Close with this code and reason.
    Close(u16, String),
}

/// Work that takes its time.
#[derive(Debug)]
pub enum Job {
    /// Make an answer; comes back as [`Work::ResponsePart`]s and one [`Work::Answered`].
    Answer {
        /// Its name.
        response_id: String,
        /// What to answer to.
        prompt: Prompt,
    },
    /// Find the words in a sound; comes back as [`Work::Heard`].
    Transcribe {
        /// The message that it belongs to.
        item_id: String,
        /// The sound.
        utterance: Utterance,
    },
    /// Find the words in a part of a turn that goes on; comes back as [`Work::PartHeard`].
    TranscribePart {
        /// The message that the turn will be.
        item_id: String,
        /// The number of the part.
        part: usize,
        /// The sound of the part.
        utterance: Utterance,
    },
    /// Find the words in a sound before it is sure that they are wanted; nothing comes back.
    Listen {
        /// The sound.
        sound: Sound,
        /// What is known of its words.
        hints: Arc<Hints>,
        /// Where the words go, as long as somebody wants them there.
        words: Weak<OnceCell<String>>,
    },
}

/// What became of a job.
#[derive(Debug)]
pub enum Work {
    /// The next part of an answer.
    ResponsePart(String, ResponsePart),
    /// An answer is complete, or why it is not.
    Answered(String, Result<(), String>),
    /// The words of a message, or why there are none.
    Heard(String, Result<String, String>),
    /// The words of a part of a turn, or why there are none.
    PartHeard(String, usize, Result<String, String>),
}

/// How a session begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// What it is for.
    pub kind: SessionKind,
    /// The model of the URL.
    pub model: String,
    /// Unix time in seconds at which it will be ended.
    pub expires_at: u64,
    /// What a client secret brought along, without a model.
    pub preset: Option<openai_protocol::Session>,
    /// It speaks the beta of the protocol.
    pub beta: bool,
}

/// A session.
pub struct Session {
    engine: Arc<dyn Engine>,
    beta: Option<Beta>,
    conversation_id: String,
    config: Config,
    input: Input,
    /// Turns are found here, and not by the client.
    finds_turns: bool,
    /// The turn that the user is in.
    turn: Option<OpenTurn>,
    /// What was told of the words of turns before their end, by their messages.
    partial_texts: HashMap<String, PartialText>,
    /// Where on the input's clock the silence of both sides began; `None` once it was answered.
    idle_since: Option<u64>,
    conversation: Conversation,
    writers: Vec<Writer>,
    meter: Meter,
    /// The model was heard.
    spoken: bool,
    out: VecDeque<Output>,
}

impl Session {
    /// A session with its defaults, over which the preset is put. It says `session.created` first.
    pub fn new(engine: Arc<dyn Engine>, opening: &Opening) -> Self {
        let Opening { kind, model, expires_at, preset, beta } = opening;
        let mut config = Config::new(kind, model, &ids::new("sess_"), *expires_at);
        let preset = preset.as_ref().filter(|preset| preset.kind.as_ref() == Some(kind));
        if let Some(Err(refusal)) = preset.map(|preset| config.update(preset, false)) {
            tracing::warn!("the configuration of a secret was not taken: {refusal:?}");
        }
        let mut session = Self {
            engine,
            beta: beta.then(Beta::default),
            conversation_id: ids::new("conv_"),
            input: Input::new(config.input_format().rate()),
            config,
            finds_turns: false,
            turn: None,
            partial_texts: HashMap::new(),
            idle_since: Some(0),
            conversation: Conversation::default(),
            writers: Vec::new(),
            meter: Meter::default(),
            spoken: false,
            out: VecDeque::new(),
        };
        session.configure_vad();
        session.send(SessionCreated { session: session.config.session(), ..Default::default() });
        session
    }

    /// The configuration that a session will begin with.
    pub fn preview(opening: &Opening) -> Result<openai_protocol::Session, ApiError> {
        let Opening { kind, model, expires_at, preset, .. } = opening;
        let mut config = Config::new(kind, model, &ids::new("sess_"), *expires_at);
        preset.as_ref().map_or(Ok(()), |preset| config.update(preset, false))?;
        Ok(config.session())
    }

    /// Checks a session's configuration that is to be kept for later.
    pub fn check_request(value: &Value) -> Result<(), ApiError> {
        crate::session::client_schema::SESSION_REQUEST.check(value, "session")
    }

    /// What is to be done next.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Takes one message of the client.
    pub fn handle(&mut self, text: &str, now: Instant) {
        // Events are handled in order, so all sound before this one is heard first.
        while self.listen(now) {}
        let event = match &mut self.beta {
            Some(beta) => beta.read(text),
            None => read(text),
        };
        match event {
            Ok(event) => {
                let event_id = event.event_id().map(str::to_owned);
                if let Err(refusal) = self.follow(event, now) {
                    self.refuse(refusal, event_id.as_deref());
                }
            }
            Err(bad) => self.refuse(bad.refusal, bad.event_id.as_deref()),
        }
    }

    /// Takes a binary message, which the protocol does not know.
    pub fn handle_binary(&mut self) {
        let message = "Binary messages are not supported; events are JSON in text messages.";
        self.refuse(ApiError::new("invalid_event", message), None);
    }

    /// The session has lasted as long as it may.
    pub fn expire(&mut self, after: Duration) {
        let message = lifetime(after);
        self.refuse(ApiError::new("session_expired", message.clone()), None);
        self.out.push_back(Output::Close(1001, message));
    }

    fn follow(&mut self, event: ClientEvent, now: Instant) -> Result<(), ApiError> {
        match event {
            ClientEvent::SessionUpdate(event) => self.update(&event),
            ClientEvent::InputAudioBufferAppend(event) => self.append(&event.audio.0),
            ClientEvent::InputAudioBufferCommit(_) => self.commit(),
            ClientEvent::InputAudioBufferClear(_) => {
                self.clear();
                Ok(())
            }
            ClientEvent::OutputAudioBufferClear(_) => {
                let message = "'output_audio_buffer.clear' is only for WebRTC and SIP sessions.";
                Err(ApiError::new("invalid_value", message).at("type"))
            }
            ClientEvent::ConversationItemCreate(event) => self.create_item(event),
            ClientEvent::ConversationItemRetrieve(event) => self.retrieve_item(&event.item_id),
            ClientEvent::ConversationItemTruncate(event) => self.truncate_item(event),
            ClientEvent::ConversationItemDelete(event) => self.delete_item(event.item_id),
            ClientEvent::ResponseCreate(event) => self.create_response(event.response.unwrap_or_default(), false),
            ClientEvent::ResponseCancel(event) => self.cancel_response(event.response_id.as_deref(), now),
            event => Err(ApiError::unknown_word("type", event.name(), ClientEvent::NAMES)),
        }
    }

    fn update(&mut self, event: &client::SessionUpdate) -> Result<(), ApiError> {
        if self.is_answering() && self.config.changes_speed(&event.session) {
            let message = "Cannot update the speed while a response is in progress.";
            return Err(ApiError::new("invalid_value", message).at("session.audio.output.speed"));
        }
        self.check_language(&event.session)?;
        self.config.update(&event.session, self.spoken)?;
        if event.session.instructions.is_some() || event.session.tools.is_some() {
            self.meter.forget_prefix();
        }
        self.configure_vad();
        self.send(SessionUpdated { session: self.config.session(), ..Default::default() });
        self.list_remote_tools(event.session.tools.as_deref().unwrap_or_default());
        Ok(())
    }

    /// A language that the engine does not understand would be written down as nonsense of another one.
    fn check_language(&self, update: &openai_protocol::Session) -> Result<(), ApiError> {
        let input = update.audio.as_ref().and_then(|audio| audio.input.as_ref());
        let wanted = input.and_then(|input| input.transcription.value()?.language.as_deref()).unwrap_or_default();
        let Some(known) = self.engine.language().filter(|_| !wanted.is_empty()) else { return Ok(()) };
        let is_known = wanted.split(['-', '_']).next().is_some_and(|language| language.eq_ignore_ascii_case(known));
        if is_known {
            return Ok(());
        }
        let message = format!(
            "This server understands speech in the language '{known}' only, not '{wanted}'. Leave the language out, or start the server with --stt-url and a model that understands it."
        );
        Err(ApiError::new("invalid_value", message).at("session.audio.input.transcription.language"))
    }

    fn refuse(&mut self, refusal: ApiError, event_id: Option<&str>) {
        self.send(refusal.event(event_id));
    }

    fn send(&mut self, event: impl Into<ServerEvent>) {
        let mut event = event.into();
        event.set_event_id(ids::new("event_"));
        let text = match &mut self.beta {
            Some(beta) => beta.tell(&event).map(|event| event.to_string()),
            None => Some(event.to_json()),
        };
        self.out.extend(text.map(Output::Send));
    }
}

/// What a client is told whose session has lasted so long.
pub fn lifetime(after: Duration) -> String {
    let (count, unit) = match after.as_millis() {
        ms if ms >= 60_000 && ms % 60_000 == 0 => (ms / 60_000, "minute"),
        ms if ms >= 1_000 && ms % 1_000 == 0 => (ms / 1_000, "second"),
        ms => (ms, "millisecond"),
    };
    let after = format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    format!("Your session hit the maximum duration of {after}.")
}
