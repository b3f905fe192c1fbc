// SPDX-License-Identifier: MPL-2.0

//! What came out of a dialogue, by kind.

use crate::realtime::conversation::tests::dialogue::Dialogue;
use crate::realtime::conversation::{Event, Output};
use crate::types::Speaker;
use serde_json::{Value, json};

/// What came out of a dialogue.
pub struct Came(pub Vec<Output>);

impl Came {
    pub fn of(dialogue: &mut Dialogue) -> Self {
        Self(dialogue.take_all())
    }

    /// Milliseconds of speech at 24 kHz.
    pub fn speech(&self) -> u64 {
        let bytes = |output: &Output| if let Output::Play(speech) = output { speech.data.len() } else { 0 };
        self.0.iter().map(bytes).sum::<usize>() as u64 / 48
    }

    pub fn sent(&self, name: &str) -> Vec<Value> {
        let event = |output: &Output| match output {
            Output::Send(event) if event.name() == name => Some(json!(event)),
            _ => None,
        };
        self.0.iter().filter_map(event).collect()
    }

    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.0.iter().filter_map(|output| if let Output::Event(event) = output { Some(event) } else { None })
    }

    pub fn warnings(&self) -> Vec<&str> {
        self.events()
            .filter_map(|event| match event {
                Event::Warning(warning) => warning.code.as_deref(),
                _ => None,
            })
            .collect()
    }

    /// The ends of answers, and why.
    pub fn ends(&self) -> Vec<(&str, Option<&str>)> {
        self.events()
            .filter_map(|event| match event {
                Event::Response(response) if response.state != "created" => {
                    Some((response.state.as_str(), response.reason.as_deref()))
                }
                _ => None,
            })
            .collect()
    }

    pub fn first_audio(&self) -> Vec<Option<u128>> {
        self.events()
            .filter_map(|event| match event {
                Event::Response(response) if response.state != "created" => {
                    Some(response.first_audio.map(|time| time.as_millis()))
                }
                _ => None,
            })
            .collect()
    }

    pub fn calls(&self) -> Vec<(&str, &str)> {
        self.events()
            .filter_map(|event| match event {
                Event::FunctionCall(call) => Some((call.name.as_str(), call.arguments.as_str())),
                _ => None,
            })
            .collect()
    }

    pub fn wholes(&self) -> Vec<&str> {
        self.events()
            .filter_map(|event| match event {
                Event::Transcript(words) if words.last && words.role == Speaker::Assistant => Some(words.text.as_str()),
                _ => None,
            })
            .collect()
    }
}
