// SPDX-License-Identifier: MPL-2.0

//! The way out: answers in the order of their segments, on the timeline of these.
//!
//! Text stands where its segment does, and is as long. Audio begins there, or behind the audio before it if that is
//! later; then its text stands with it.

use crate::audio::sample_clock::samples_to_time;
use crate::chat::conversation::Conversation;
use crate::chat::conversation::answer::{Answer, RATE};
use crate::chat::conversation::io::{Event, Output};
use crate::chat::conversation::turn::{Outcome, Stage, Turn};
use crate::error::{ErrorKind, Warning};
use crate::types::{OutputAudio, Speaker, TimedText};
use bytes::Bytes;
use std::time::Duration;

impl Conversation {
    /// Gives out what is known of the oldest answers, and ends the run when all is out.
    pub(super) fn emit(&mut self) {
        self.check_limits();
        while let Some(turn) = self.turns.front() {
            match turn.stage {
                Stage::Done(_) => {
                    if let Some(turn) = self.turns.pop_front() {
                        self.finish_turn(turn);
                    }
                }
                Stage::InFlight { .. } if self.config.live => {
                    self.play_so_far();
                    break;
                }
                _ => break,
            }
            if self.ended {
                return;
            }
        }
        if self.limits.is_spent() && !self.turns.iter().any(|turn| turn.in_flight().is_some()) {
            self.drop_waiting();
            return self.finish();
        }
        let quiet = match self.turns.front() {
            Some(turn) => turn.start,
            None if self.at_end => return self.finish(),
            None => self.segmenter.begin(),
        };
        if quiet > self.quiet_until {
            self.quiet_until = quiet;
            self.outputs.push_back(Output::Quiet(quiet));
        }
    }

    fn finish(&mut self) {
        self.ended = true;
        let end = self.segmenter.begin().max(self.played_until);
        self.outputs.push_back(Output::Finished(end));
    }

    /// No further request may be made.
    fn drop_waiting(&mut self) {
        for turn in std::mem::take(&mut self.turns) {
            let reason = Some("max-cost is reached".to_owned());
            let event = turn.request_event("cancelled", self.model_of(turn.target()), None, reason);
            self.event(Event::Request(event));
        }
    }

    /// Live, the audio of the oldest answer goes out as it comes.
    fn play_so_far(&mut self) {
        let Some(Turn { stage: Stage::InFlight { answer, .. }, .. }) = self.turns.front_mut() else { return };
        // What streams is raw audio; that of functions calls is not to be heard before it is known what they are.
        let audio = answer.take_audio();
        self.play(audio);
    }

    fn play(&mut self, data: Bytes) {
        let Some(turn) = self.turns.front_mut().filter(|_| !data.is_empty()) else { return };
        let samples = (data.len() / 2) as u64;
        if turn.played == 0 {
            self.played_until = self.played_until.max(turn.start);
        }
        (turn.is_out, turn.played) = (true, turn.played + samples);
        let audio = OutputAudio {
            item_id: format!("request-{}", turn.number),
            content_index: 0,
            data,
            not_before: self.played_until,
        };
        self.played_until += samples_to_time(samples, RATE);
        self.outputs.push_back(Output::Play(audio));
    }

    fn finish_turn(&mut self, mut turn: Turn) {
        let Stage::Done(outcome) = std::mem::replace(&mut turn.stage, Stage::Waiting) else { return };
        let Outcome { mut answer, response, error } = *outcome;
        let audio = answer.take_audio();
        let is_torn = !answer.audio.is_empty();
        self.turns.push_front(turn);
        // A part of an answer that has failed is no answer, unless it was heard already.
        let counts = error.is_none();
        if counts {
            self.play(audio);
        }
        let Some(turn) = self.turns.pop_front() else { return };
        if counts && is_torn {
            self.warn("torn-sample", "an answer's audio ends in the midst of a sample, of which half is left out");
        }
        if counts || turn.is_out {
            self.emit_text(&turn, &answer);
        }
        if response.state == "completed" || response.state == "incomplete" {
            let audio = answer.audio_id.clone().zip(answer.audio_expires);
            self.history.add(turn.messages, answer.words().to_owned(), audio);
        }
        if let Some(message) = response.error_message.clone().filter(|_| error.is_none()) {
            let code = response.error_code.clone().unwrap_or_default();
            self.warn(&code, message);
        }
        let warning = error.as_ref().map(|error| Warning {
            message: format!("{}: {}", response.request_id, error.failure),
            code: response.error_code.clone(),
            kind: error.body.kind.clone(),
            param: error.body.param.clone(),
            subject: None,
        });
        self.event(Event::Response(Box::new(response)));
        let Some(error) = error else {
            self.has_succeeded = true;
            return;
        };
        // What is refused at the very first is a matter of settings; later it is one of this segment. A server that is
        // lost is lost for all.
        let is_fatal = match error.failure.kind() {
            ErrorKind::Settings => !self.has_succeeded,
            ErrorKind::Lost => !turn.is_out,
            _ => true,
        };
        if is_fatal {
            return self.fail(error.failure);
        }
        warning.into_iter().for_each(|warning| self.event(Event::Warning(warning)));
    }

    fn emit_text(&mut self, turn: &Turn, answer: &Answer) {
        let text = answer.words().trim();
        if text.is_empty() {
            return;
        }
        let (at, duration) = if turn.played > 0 {
            let length = samples_to_time(turn.played, RATE);
            (self.played_until.saturating_sub(length), length)
        } else {
            (turn.start, turn.end - turn.start)
        };
        self.outputs.push_back(Output::Text(TimedText {
            role: Speaker::Assistant,
            item_id: format!("request-{}", turn.number),
            text: text.to_owned(),
            last: true,
            at: Some(at),
            duration: Some(duration).filter(|duration| *duration > Duration::ZERO),
        }));
    }
}
