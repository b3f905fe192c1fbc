// SPDX-License-Identifier: MPL-2.0

//! What people want to know of a conversation, whether it was read from messages of the element or from events of the wire.

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

/// The stages of a turn, in seconds on one clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Latency {
    stages: Vec<(&'static str, f64)>,
}

impl Latency {
    /// Adds a stage, if it was reached.
    pub fn reached(&mut self, name: &'static str, time: Option<f64>) {
        self.stages.extend(time.map(|time| (name, time)));
    }

    /// From the first stage to the last; `None` with fewer than two.
    pub fn total(&self) -> Option<f64> {
        let ([(_, first), ..], [.., (_, last)]) = (&*self.stages, &*self.stages) else { return None };
        (self.stages.len() > 1).then_some(last - first)
    }

    /// Whether there are two stages at least, and none is more than `max_lead` seconds before the one that it follows.
    pub fn is_in_order(&self, max_lead: f64) -> bool {
        self.total().is_some_and(|total| total >= 0.0) && self.steps().all(|(_, seconds)| seconds >= -max_lead)
    }

    /// Each stage but the first with the seconds since the one before.
    pub fn steps(&self) -> impl Iterator<Item = (&'static str, f64)> {
        self.stages.windows(2).map(|pair| (pair[1].0, pair[1].1 - pair[0].1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_of_a_latency_add_up() {
        let mut latency = Latency::default();
        for (name, time) in
            [("end of speech", Some(2.1)), ("committed", Some(2.3)), ("left out", None), ("audio", Some(2.5))]
        {
            latency.reached(name, time);
        }
        assert_eq!(latency.steps().map(|(name, _)| name).collect::<Vec<_>>(), ["committed", "audio"]);
        assert!((latency.total().unwrap_or_default() - 0.4).abs() < 1e-9);
        let mut one = Latency::default();
        one.reached("end of speech", Some(1.0));
        assert_eq!(one.total(), None);
    }
}
