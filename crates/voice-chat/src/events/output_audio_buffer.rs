// SPDX-License-Identifier: MPL-2.0

//! The events `output_audio_buffer.started`, `.stopped` and `.cleared`, which only WebRTC has.
//!
//! The server sends audio faster than it is played, so what a client hears is known from the audio that leaves the
//! element: silence is marked there. The samples that were received of each response say where one ends and the next
//! one begins when they are played without a pause.

use serde_json::{Value, json};
use std::collections::VecDeque;

/// Responses with audio that wait to be played; more are not told apart.
const MAX_RESPONSES: usize = 64;
/// So many samples, 20 ms, may be missing of a response that was played to its end, because a resampler rounds.
const ROUNDING: u64 = 480;

/// A response of which audio has come.
#[derive(Debug)]
struct Response {
    id: String,
    /// In samples.
    received: u64,
    /// In samples.
    played: u64,
    is_complete: bool,
}

/// Follows what is received and what is played.
#[derive(Debug, Default)]
pub struct OutputAudioBuffer {
    responses: VecDeque<Response>,
    /// The first response is being played.
    is_playing: bool,
    /// The response that was silenced last; the rest of its audio is not played.
    cleared: Option<String>,
}

impl OutputAudioBuffer {
    /// Audio of a response came from the server.
    pub fn received(&mut self, response_id: &str, samples: u64) {
        if self.cleared.as_deref() == Some(response_id) {
            return;
        }
        let has_room = self.responses.len() < MAX_RESPONSES;
        match self.responses.iter_mut().find(|response| response.id == response_id) {
            Some(response) => response.received += samples,
            None if has_room => self.responses.push_back(Response {
                id: response_id.to_owned(),
                received: samples,
                played: 0,
                is_complete: false,
            }),
            None => {}
        }
    }

    /// The server has sent all of a response. `Some`: it was already played to its end.
    pub fn complete(&mut self, response_id: &str) -> Option<Value> {
        let response = self.responses.iter_mut().find(|response| response.id == response_id)?;
        response.is_complete = true;
        // Played, and followed by silence since.
        let front = self.responses.front()?;
        let is_over = front.id == response_id
            && !self.is_playing
            && front.played > 0
            && front.played + ROUNDING >= front.received;
        if is_over { self.stop() } else { None }
    }

    /// So many samples of speech are played.
    pub fn played(&mut self, samples: u64) -> Vec<Value> {
        let mut events = Vec::new();
        let mut rest = samples;
        while rest > 0 {
            let Some(front) = self.responses.front_mut() else { break };
            if !self.is_playing && front.played == 0 {
                events.push(event("started", &front.id));
            }
            self.is_playing = true;
            let of_this = if front.is_complete { rest.min(front.received.saturating_sub(front.played)) } else { rest };
            front.played += of_this;
            rest -= of_this;
            if front.is_complete && front.played >= front.received {
                // Rounding of a resampler must not begin a response that is not there.
                if self.responses.len() == 1 {
                    break;
                }
                events.extend(self.stop());
            }
        }
        events
    }

    /// Silence is played. `Some`: a response has come to its end.
    pub fn silent(&mut self) -> Option<Value> {
        if !std::mem::take(&mut self.is_playing) {
            return None;
        }
        // Not complete: the server is slower than speech, and the response goes on.
        self.responses.front()?.is_complete.then(|| self.stop())?
    }

    /// What was not played will not be. `None`: there was nothing.
    pub fn cleared(&mut self) -> Option<Value> {
        self.is_playing = false;
        let last = self.responses.back().map(|response| response.id.clone());
        let front = self.responses.front().map(|response| response.id.clone());
        self.responses.clear();
        self.cleared = last.or(self.cleared.take());
        front.map(|id| event("cleared", &id))
    }

    /// A response was cancelled or has failed. `Some`: some of it was played.
    pub fn abandoned(&mut self, response_id: &str) -> Option<Value> {
        let place = self.responses.iter().position(|response| response.id == response_id)?;
        self.is_playing &= place > 0;
        let response = self.responses.remove(place)?;
        self.cleared = Some(response.id);
        (response.played > 0).then(|| event("cleared", response_id))
    }

    fn stop(&mut self) -> Option<Value> {
        self.is_playing = false;
        self.responses.pop_front().map(|response| event("stopped", &response.id))
    }
}

fn event(what: &str, response_id: &str) -> Value {
    json!({
        "type": format!("output_audio_buffer.{what}"),
        "event_id": crate::ids::event(),
        "response_id": response_id,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(events: impl IntoIterator<Item = &'a Value>) -> Vec<String> {
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        events
            .into_iter()
            .map(|event| {
                let what = text(&event["type"]).replace("output_audio_buffer.", "");
                format!("{what} {}", text(&event["response_id"]))
            })
            .collect()
    }

    #[test]
    fn a_response_starts_and_stops_once() {
        let mut buffer = OutputAudioBuffer::default();
        buffer.received("r1", 100);
        assert_eq!(told(&buffer.played(50)), ["started r1"]);
        assert_eq!(buffer.complete("r1"), None);
        assert!(buffer.played(50).is_empty());
        assert_eq!(told(&buffer.silent()), ["stopped r1"]);
        assert_eq!(buffer.silent(), None);
    }

    #[test]
    fn a_pause_of_the_server_does_not_stop_a_response() {
        let mut buffer = OutputAudioBuffer::default();
        buffer.received("r1", 100);
        assert_eq!(told(&buffer.played(100)), ["started r1"]);
        assert_eq!(buffer.silent(), None);
        buffer.received("r1", 100);
        assert!(buffer.played(100).is_empty(), "it has started already");
        assert_eq!(buffer.silent(), None);
        assert_eq!(told(&buffer.complete("r1")), ["stopped r1"], "the news of its end came after its end");
    }

    #[test]
    fn responses_without_a_pause_are_told_apart() {
        let mut buffer = OutputAudioBuffer::default();
        buffer.received("r1", 100);
        buffer.complete("r1");
        buffer.received("r2", 100);
        assert_eq!(told(&buffer.played(150)), ["started r1", "stopped r1", "started r2"]);
        buffer.complete("r2");
        assert!(buffer.played(60).is_empty(), "a few samples too many begin nothing");
        assert_eq!(told(&buffer.silent()), ["stopped r2"]);
    }

    #[test]
    fn a_response_that_was_cancelled_before_it_was_heard_is_forgotten() {
        let mut buffer = OutputAudioBuffer::default();
        buffer.received("r1", 100);
        assert_eq!(buffer.abandoned("r1"), None);
        buffer.received("r1", 100);
        buffer.received("r2", 100);
        assert_eq!(told(&buffer.played(10)), ["started r2"]);
        assert_eq!(told(&buffer.abandoned("r2")), ["cleared r2"]);
        assert_eq!(buffer.abandoned("r2"), None);
    }

    #[test]
    fn what_is_cleared_is_told_once_and_its_rest_is_not_played() {
        let mut buffer = OutputAudioBuffer::default();
        assert_eq!(buffer.cleared(), None);
        buffer.received("r1", 100);
        buffer.played(10);
        assert_eq!(told(&buffer.cleared()), ["cleared r1"]);
        buffer.received("r1", 100);
        assert!(buffer.played(10).is_empty());
        assert_eq!((buffer.cleared(), buffer.silent()), (None, None));
    }
}
