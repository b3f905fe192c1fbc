//! The model's side: answers as they come, their words, their sound, and what becomes of them when the user interrupts.

use super::events::{Played, ResponseNotice, Speaker, TranscriptNotice};
use super::uplink::samples_to_time;
use super::{Conversation, Detection, Notice, Output, Speech, Timing, budget};
use crate::protocol::client::{ConversationItemDelete, ConversationItemTruncate, ResponseCancel};
use crate::protocol::items::Status;
use crate::protocol::server::ResponseOutputAudioDelta;
use crate::protocol::{Response, ServerEvent};
use std::collections::VecDeque;
use std::time::Duration;

/// Spoken items that are remembered.
const SPOKEN: usize = 64;

/// A message of the model, as far as its sound goes.
#[derive(Debug, Default)]
struct Spoken {
    response_id: String,
    item_id: String,
    content_index: u32,
    /// Samples so far.
    received: u64,
    /// More may come.
    growing: bool,
    /// Where it begins on the output, once that is known.
    starts: Option<Duration>,
}

/// The model's answers.
#[derive(Debug, Default)]
pub(super) struct Answers {
    spoken: VecDeque<Spoken>,
    /// What the play-out told last.
    listener: Duration,
    heard: Vec<Played>,
    /// Responses whose further sound is not wanted.
    muted: VecDeque<String>,
    /// Requests of ours that a server may refuse without harm, because it was faster.
    harmless: VecDeque<String>,
    /// Offline: the end of the turn that is answered next.
    not_before: Duration,
    /// Offline: the end of all sound so far on the output.
    end: Duration,
    first_audio: Option<Duration>,
}

impl Answers {
    pub fn played(&mut self, now: Duration, items: Vec<Played>) {
        self.listener = now;
        self.heard = items;
    }

    pub fn began(&mut self, item_id: &str, at: Duration) {
        for spoken in self.spoken.iter_mut().filter(|spoken| spoken.item_id == item_id) {
            spoken.starts.get_or_insert(at);
        }
    }

    /// The next answer belongs to a turn that ended there.
    pub fn answer_from(&mut self, turn_end: Duration) {
        self.not_before = self.not_before.max(turn_end);
    }

    /// Nothing more will come of what is under way.
    pub fn give_up(&mut self) {
        self.spoken.iter_mut().for_each(|spoken| spoken.growing = false);
    }

    /// The end of the output so far, offline.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Whether an error is one that had to be reckoned with.
    pub fn expected(&mut self, event_id: &str, code: &str) -> bool {
        let ours = self.harmless.iter().any(|id| id == event_id);
        self.harmless.retain(|id| id != event_id);
        ours || code == "response_cancel_not_active"
    }

    fn harmless(&mut self, event_id: String) {
        if self.harmless.len() == SPOKEN {
            self.harmless.pop_front();
        }
        self.harmless.push_back(event_id);
    }

    fn is_muted(&self, response_id: &str) -> bool {
        self.muted.iter().any(|id| id == response_id)
    }

    fn mute(&mut self, response_id: &str) {
        if !self.is_muted(response_id) {
            if self.muted.len() == SPOKEN {
                self.muted.pop_front();
            }
            self.muted.push_back(response_id.to_owned());
        }
    }

    fn of(&mut self, response_id: &str, item_id: &str, content_index: u32) -> &mut Spoken {
        let found = self.spoken.iter().position(|s| s.item_id == item_id && s.content_index == content_index);
        let index = found.unwrap_or_else(|| {
            if self.spoken.len() == SPOKEN {
                self.spoken.pop_front();
            }
            self.spoken.push_back(Spoken {
                response_id: response_id.to_owned(),
                item_id: item_id.to_owned(),
                content_index,
                growing: true,
                ..Spoken::default()
            });
            self.spoken.len() - 1
        });
        &mut self.spoken[index]
    }
}

impl Conversation {
    /// What the server says of its answers, and of the words of both sides.
    pub(super) fn hear_answer(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::ResponseCreated(event) => self.response_created(event.response),
            ServerEvent::ResponseDone(event) => self.response_done(event.response),
            ServerEvent::ResponseOutputAudioDelta(event) => self.speech(event),
            ServerEvent::ResponseOutputAudioDone(event) => {
                self.answers.of(&event.response_id, &event.item_id, event.content_index).growing = false;
            }
            ServerEvent::ResponseOutputAudioTranscriptDelta(event) => {
                self.said(event.response_id, event.item_id, event.content_index, event.delta, false);
            }
            ServerEvent::ResponseOutputAudioTranscriptDone(event) => {
                self.said(event.response_id, event.item_id, event.content_index, event.transcript, true);
            }
            ServerEvent::ResponseOutputTextDelta(event) => {
                self.said(event.response_id, event.item_id, event.content_index, event.delta, false);
            }
            ServerEvent::ResponseOutputTextDone(event) => {
                self.said(event.response_id, event.item_id, event.content_index, event.text, true);
            }
            ServerEvent::TranscriptionDelta(event) => self.user_said(event.item_id, event.delta, false),
            ServerEvent::TranscriptionCompleted(event) => {
                self.turns.transcribed(&event.item_id);
                self.user_said(event.item_id, event.transcript, true);
            }
            ServerEvent::TranscriptionFailed(event) => {
                self.turns.transcribed(&event.item_id);
                let message = format!("what the user said could not be written down: {}", event.error.message);
                self.warn(event.error.code.as_deref().unwrap_or("transcription-failed"), message);
            }
            _ => {}
        }
    }

    fn response_created(&mut self, response: Response) {
        let id = response.id().to_owned();
        // Answers beside the conversation have no `conversation_id`; but some servers never tell it.
        let beside = response.conversation_id.is_none() && response.metadata.is_some() && !self.gate.expects();
        if !beside {
            self.gate.created(&id);
        }
        self.answers.first_audio = None;
        self.notify(Notice::Response(ResponseNotice {
            state: "created".into(),
            response_id: id,
            metadata: response.metadata,
            ..Default::default()
        }));
    }

    fn response_done(&mut self, response: Response) {
        let id = response.id().to_owned();
        self.gate.done(&id);
        self.answers.spoken.iter_mut().filter(|s| s.response_id == id).for_each(|s| s.growing = false);
        let details = response.status_details.unwrap_or_default();
        let state = match response.status {
            Some(Status::Other(name)) => name,
            Some(Status::Cancelled) => "cancelled".into(),
            Some(Status::Incomplete) => "incomplete".into(),
            Some(Status::Failed) => "failed".into(),
            Some(Status::Completed | Status::InProgress) | None => "completed".into(),
        };
        let error = details.error.unwrap_or_default();
        if state == "failed" {
            let code = error.code.as_deref().unwrap_or("response-failed");
            self.warn(code, format!("the model could not answer: {}", error.message));
        }
        let first_audio = self.answers.first_audio.take();
        self.notify(Notice::Response(ResponseNotice {
            state,
            response_id: id,
            reason: details.reason,
            error_code: error.code,
            error_message: Some(error.message).filter(|message| !message.is_empty()),
            first_audio,
            metadata: response.metadata,
        }));
        if let Some(usage) = response.usage {
            let cost = budget::cost(&self.config.model, &usage);
            self.total_cost += cost.unwrap_or_default();
            let total_cost = cost.map(|_| self.total_cost);
            self.notify(Notice::Usage { usage, cost, total_cost });
        }
    }

    fn speech(&mut self, event: ResponseOutputAudioDelta) {
        if self.answers.is_muted(&event.response_id) {
            return;
        }
        let format = &self.config.output;
        let samples = (event.delta.0.len() / format.sample_size()) as u64;
        let length = samples_to_time(samples, format.rate());
        if self.answers.first_audio.is_none()
            && let Some(ended) = self.gate.turn_ended.take()
        {
            self.answers.first_audio = Some(self.now.saturating_duration_since(ended));
        }
        let not_before = self.answers.not_before;
        let start = self.answers.end.max(not_before);
        self.answers.end = start + length;
        let offline = self.config.timing == Timing::Offline;
        let spoken = self.answers.of(&event.response_id, &event.item_id, event.content_index);
        spoken.received += samples;
        if offline {
            spoken.starts.get_or_insert(start);
        }
        self.output.push_back(Output::Play(Speech {
            item_id: event.item_id,
            content_index: event.content_index,
            data: event.delta.0,
            not_before: if offline { not_before } else { Duration::ZERO },
        }));
    }

    fn said(&mut self, response_id: String, item_id: String, content_index: u32, text: String, last: bool) {
        if self.answers.is_muted(&response_id) || (text.is_empty() && !last) {
            return;
        }
        let rate = self.config.output.rate();
        let spoken = self.answers.spoken.iter().find(|s| s.item_id == item_id && s.content_index == content_index);
        let running_time = spoken.and_then(|spoken| spoken.starts);
        let duration = spoken.filter(|spoken| !spoken.growing).map(|spoken| samples_to_time(spoken.received, rate));
        self.notify(Notice::Transcript(TranscriptNotice {
            role: Speaker::Assistant,
            text,
            last,
            item_id,
            response_id: Some(response_id),
            running_time,
            duration: duration.filter(|_| last),
        }));
    }

    fn user_said(&mut self, item_id: String, text: String, last: bool) {
        if text.is_empty() && !last {
            return;
        }
        let turn = self.turns.of(&item_id);
        let running_time = turn.and_then(|turn| turn.start);
        let duration = turn.and_then(|turn| turn.duration()).filter(|_| last);
        self.notify(Notice::Transcript(TranscriptNotice {
            role: Speaker::User,
            text,
            last,
            item_id,
            response_id: None,
            running_time,
            duration,
        }));
    }

    /// The user speaks over the model: silence at once, and the server learns what was really heard.
    pub(super) fn interrupt(&mut self) {
        let heard_of = |spoken: &Spoken| {
            let item = self.answers.heard.iter().find(|p| p.item_id == spoken.item_id && p.content_index == spoken.content_index);
            item.map_or(0, |played| played.heard)
        };
        let unheard: Vec<(String, String, u32, u64)> = self
            .answers
            .spoken
            .iter()
            .filter(|spoken| spoken.growing || heard_of(spoken) < spoken.received)
            .map(|s| (s.response_id.clone(), s.item_id.clone(), s.content_index, heard_of(s)))
            .collect();
        let active = self.gate.active().map(str::to_owned);
        if unheard.is_empty() && active.is_none() {
            return;
        }
        if let Some(active) = &active {
            self.answers.mute(active);
            if !matches!(self.config.detection, Detection::Server { .. }) {
                let id = self.send(ResponseCancel { response_id: Some(active.clone()), ..Default::default() });
                self.answers.harmless(id);
            }
        }
        self.output.push_back(Output::Cut);
        let rate = self.config.output.rate();
        let first = unheard.first().cloned();
        for (response_id, item_id, content_index, heard) in unheard {
            self.answers.mute(&response_id);
            let id = if heard == 0 {
                self.send(ConversationItemDelete { item_id: item_id.clone(), ..Default::default() })
            } else {
                let audio_end_ms = heard * 1000 / u64::from(rate);
                self.send(ConversationItemTruncate {
                    item_id: item_id.clone(),
                    content_index,
                    audio_end_ms,
                    ..Default::default()
                })
            };
            self.answers.harmless(id);
            let spoken = self.answers.of(&response_id, &item_id, content_index);
            (spoken.received, spoken.growing) = (heard, false);
        }
        if let Some((response_id, item_id, _, heard)) = first {
            self.notify(Notice::Interrupted {
                response_id: Some(response_id),
                item_id,
                heard: samples_to_time(heard, rate),
                running_time: self.answers.listener,
            });
        }
    }
}
