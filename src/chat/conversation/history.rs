// SPDX-License-Identifier: MPL-2.0

//! Earlier turns, as they go along with the next request.

use openai_protocol::chat::{AssistantAudio, RequestMessage};
use std::collections::VecDeque;

/// A spoken answer that expires sooner than this is told by its text: the request takes its time.
const EXPIRY_MARGIN: i64 = 60;

/// An answer.
#[derive(Debug)]
struct Answered {
    /// From the user's message to the answer, which is last and stands below.
    messages: Vec<RequestMessage>,
    text: String,
    audio: Option<(String, i64)>,
}

/// The newest turns.
#[derive(Debug)]
pub struct History {
    most: usize,
    turns: VecDeque<Answered>,
}

impl History {
    /// At most so many turns.
    pub fn new(most: usize) -> Self {
        Self { most, turns: VecDeque::new() }
    }

    /// A turn was answered. `audio` is the server's name for the spoken answer and until when it knows it.
    pub fn add(&mut self, messages: Vec<RequestMessage>, text: String, audio: Option<(String, i64)>) {
        if self.most == 0 || text.is_empty() && audio.is_none() {
            return;
        }
        self.turns.push_back(Answered { messages, text, audio });
        while self.turns.len() > self.most {
            self.turns.pop_front();
        }
    }

    /// All of them, oldest first.
    pub fn messages(&self, unix_time: i64) -> Vec<RequestMessage> {
        let turns = self.turns.iter().flat_map(|turn| {
            let known = turn.audio.as_ref().filter(|(_, expires)| *expires > unix_time + EXPIRY_MARGIN);
            let audio = known.map(|(id, _)| AssistantAudio { id: id.clone() });
            let content = audio.is_none().then(|| turn.text.clone());
            let answer = RequestMessage::Assistant { content, audio, tool_calls: Vec::new() };
            turn.messages.iter().cloned().chain([answer])
        });
        turns.collect()
    }
}
