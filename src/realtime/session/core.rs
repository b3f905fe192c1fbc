// SPDX-License-Identifier: MPL-2.0

//! The core of a session: a conversation or a translation, behind the same inputs and outputs.

use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::{Conversation, Input, Loss, Output};
use crate::realtime::translation::Translation;
use openai_protocol::{ReadError, ServerEvent, translation};
use std::time::{Duration, Instant};

/// A message of the server.
#[derive(Debug)]
pub struct Message {
    /// For the core.
    pub input: Input,
    /// Fields that could not be read.
    pub left_out: Vec<String>,
}

/// The core, by the kind of session.
#[derive(Debug)]
pub enum Core {
    Conversation(Box<Conversation>),
    Translation(Box<Translation>),
}

/// Calls the method of the same name of either.
macro_rules! either {
    ($core:expr, $call:ident($($argument:expr),*)) => {
        match $core {
            Core::Conversation(core) => core.$call($($argument),*),
            Core::Translation(core) => core.$call($($argument),*),
        }
    };
}

impl Core {
    pub fn new(config: Config, now: Instant) -> Self {
        match config.translation {
            Some(_) => Self::Translation(Box::new(Translation::new(config, now))),
            None => Self::Conversation(Box::new(Conversation::new(config, now))),
        }
    }

    /// Reads a message of the server.
    pub fn read(&self, text: &str) -> Result<Message, ReadError> {
        Ok(match self {
            Self::Conversation(_) => {
                let (event, left_out) = ServerEvent::read(text)?;
                Message { input: Input::Server(Box::new(event)), left_out }
            }
            Self::Translation(_) => {
                let (event, left_out) = translation::ServerEvent::read(text)?;
                Message { input: Input::Translation(Box::new(event)), left_out }
            }
        })
    }

    pub fn handle(&mut self, input: Input, now: Instant) {
        either!(self, handle(input, now));
    }

    pub fn wake(&mut self, now: Instant) {
        either!(self, wake(now));
    }

    pub fn poll(&mut self) -> Option<Output> {
        either!(self, poll())
    }

    pub fn deadline(&self) -> Option<Instant> {
        either!(self, deadline())
    }

    pub fn wants_sound(&self, now: Instant) -> bool {
        either!(self, wants_sound(now))
    }

    /// A translation leaves frames out, and so takes them.
    pub fn wants_frames(&self, now: Instant) -> bool {
        match self {
            Self::Conversation(conversation) => conversation.wants_frames(now),
            Self::Translation(translation) => translation.wants_sound(now),
        }
    }

    /// The `type` of an event of the server.
    pub fn name(input: &Input) -> &str {
        match input {
            Input::Server(event) => event.name(),
            Input::Translation(event) => event.name(),
            _ => "",
        }
    }

    /// Whether the playback position is wanted before this input. A translation is not interrupted.
    pub fn needs_playback_position(&self, input: &Input, now: Instant) -> bool {
        match self {
            Self::Conversation(core) => core.may_interrupt(input) || core.wants_playback_position(now),
            Self::Translation(_) => false,
        }
    }

    pub fn wants_playback_position(&self, now: Instant) -> bool {
        matches!(self, Self::Conversation(core) if core.wants_playback_position(now))
    }

    pub fn awaits_server(&self) -> bool {
        either!(self, awaits_server())
    }

    pub fn set_standby(&mut self, there_is_one: bool) {
        either!(self, set_standby(there_is_one));
    }

    /// A conversation remembers what may not have arrived; a translation, what was not translated.
    pub fn server_heard(&mut self, at: Instant) {
        if let Self::Conversation(conversation) = self {
            conversation.server_heard(at);
        }
    }

    pub fn carried_turn(&self) -> bool {
        either!(self, carried_turn())
    }

    pub fn take_loss(&mut self) -> Option<Loss> {
        either!(self, take_loss())
    }

    pub fn done_until(&self) -> Option<Duration> {
        either!(self, done_until())
    }
}
