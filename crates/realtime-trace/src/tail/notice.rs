// SPDX-License-Identifier: MPL-2.0

//! What people want to know of a conversation, whether it was read from messages of the element or from events of the wire.

use crate::latency::Latency;
use openai_protocol::items::Role;

/// Something that is told.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// When, in seconds: running time of messages, time of a trace.
    pub time: Option<f64>,
    /// What.
    pub what: What,
}

/// What is told.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// The session is there.
    Ready {
        /// The model that answers, empty where it is not known.
        model: String,
    },
    /// The session was lost, or could not be had; a try follows.
    Reconnecting(String),
    /// The session ended for another reason than the end of the stream.
    Closed(String),
    /// A piece of a message.
    Piece {
        /// Whose.
        speaker: Speaker,
        /// The message that it belongs to.
        item: String,
        /// The piece.
        text: String,
    },
    /// The whole of a message.
    Message {
        /// Whose.
        speaker: Speaker,
        /// Its name.
        item: String,
        /// The text.
        text: String,
    },
    /// A message was interrupted after so many seconds.
    Interrupted {
        /// Seconds of its sound that were heard.
        heard: f64,
        /// The words that were heard, where they are known.
        words: Option<String>,
    },
    /// A picture of so many bytes was sent.
    Picture(u64),
    /// The model calls a function.
    Call {
        /// The function.
        name: String,
        /// Its arguments as JSON.
        arguments: String,
    },
    /// What a function gave back.
    Output {
        /// The function, empty where it is not known.
        name: String,
        /// The output.
        output: String,
    },
    /// A response ended without being complete: its state and why.
    NotCompleted(String, String),
    /// How long the turn waited, stage by stage.
    Latency(Latency),
    /// What the session has cost so far in US dollars.
    Cost(f64),
    /// Something is wrong, in the server's words.
    Error(String),
}

/// Whose words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// The user.
    User,
    /// The model.
    Model,
}

impl Speaker {
    /// Of a message's role; `None` for instructions.
    pub fn of(role: &Role) -> Option<Self> {
        match role {
            Role::User => Some(Self::User),
            Role::Assistant => Some(Self::Model),
            _ => None,
        }
    }
}
