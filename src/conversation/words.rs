//! What both sides say, in words: told piece by piece, and whole at the end.

use super::events::{Speaker, TranscriptNotice};
use super::uplink::samples_to_time;
use super::{Conversation, Notice};
use crate::protocol::ServerEvent;

impl Conversation {
    /// The words that the server hears and says.
    pub(super) fn hear_words(&mut self, event: ServerEvent) {
        match event {
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
}
