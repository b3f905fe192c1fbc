// SPDX-License-Identifier: MPL-2.0

//! Server events: one `match` that leads each event to its handler, and the handler of audio.

use crate::realtime::conversation::Conversation;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::transcript::captions::ContentRef;
use openai_protocol::ServerEvent;
use openai_protocol::server::ResponseOutputAudioDelta;

impl Conversation {
    /// An event that came in. Those of a response may have to wait before they are handled.
    pub(crate) fn on_server_event(&mut self, event: ServerEvent) {
        let event = self.names.make_unique(event, self.session_generation);
        if event.name().starts_with("response.") {
            self.last_response_progress = self.now;
        }
        if !matches!(event, ServerEvent::Error(_) | ServerEvent::RateLimitsUpdated(_) | ServerEvent::Unknown(_)) {
            self.last_progress = self.now;
        }
        self.schedule(event);
    }

    /// Handles an event that need not wait.
    pub(crate) fn dispatch(&mut self, event: ServerEvent) {
        match event {
            ServerEvent::SessionCreated(event) => self.session_created(event.session),
            ServerEvent::SessionUpdated(event) => self.session_updated(event.session),
            ServerEvent::Error(event) => self.refused(event.error, &event.extra),
            ServerEvent::RateLimitsUpdated(event) => self.rate_limits(event.rate_limits),

            ServerEvent::InputAudioBufferSpeechStarted(event) => self.on_speech_started(event),
            ServerEvent::InputAudioBufferSpeechStopped(event) => self.on_speech_stopped(event),
            ServerEvent::InputAudioBufferCommitted(event) => self.committed(&event.item_id),
            ServerEvent::InputAudioBufferTimeoutTriggered(event) => self.on_idle_timeout(event),
            ServerEvent::TranscriptionDelta(event) => self.on_transcription_delta(event),
            ServerEvent::TranscriptionCompleted(event) => self.on_transcription_completed(event),
            ServerEvent::TranscriptionFailed(event) => self.on_transcription_failed(event),

            ServerEvent::ResponseCreated(event) => self.on_response_created(event.response),
            ServerEvent::ResponseDone(event) => self.on_response_done(event.response),
            ServerEvent::ResponseOutputItemAdded(event) => self.on_item_added(&event),
            ServerEvent::ResponseOutputItemDone(event) => self.on_item_done(&event),
            ServerEvent::ResponseOutputAudioDelta(event) => self.on_audio_delta(event),
            ServerEvent::ResponseOutputAudioDone(event) => self.on_audio_done(&event),
            ServerEvent::ResponseOutputAudioTranscriptDelta(event) => {
                self.on_text_delta(
                    ContentRef::spoken(event.response_id, event.item_id, event.content_index),
                    event.delta,
                );
            }
            ServerEvent::ResponseOutputAudioTranscriptDone(event) => {
                let content = ContentRef::spoken(event.response_id, event.item_id, event.content_index);
                self.on_text_done(&content, event.transcript);
            }
            ServerEvent::ResponseOutputTextDelta(event) => {
                self.on_text_delta(
                    ContentRef::written(event.response_id, event.item_id, event.content_index),
                    event.delta,
                );
            }
            ServerEvent::ResponseOutputTextDone(event) => {
                let content = ContentRef::written(event.response_id, event.item_id, event.content_index);
                self.on_text_done(&content, event.text);
            }
            ServerEvent::FunctionCallArgumentsDone(event) => self.call_arguments.arguments_done(event),
            ServerEvent::McpCallInProgress(event) => self.records.calls_tool(&event.item_id, true),
            ServerEvent::McpCallCompleted(event) => self.records.calls_tool(&event.item_id, false),
            ServerEvent::McpCallFailed(event) => self.records.calls_tool(&event.item_id, false),
            // The rest tells nothing that is not told by one of these as well. The trace and `raw-events` have it.
            _ => {}
        }
    }

    /// `response.output_audio.delta`. It stands here because it comes most often: the way of audio is short to read.
    fn on_audio_delta(&mut self, event: ResponseOutputAudioDelta) {
        if event.delta.0.is_empty() || self.responses.is_muted(&event.response_id) {
            return;
        }
        let format = self.records.format(&event.response_id).or_else(|| self.formats.output().cloned());
        let format = format.unwrap_or_else(|| self.config.output.clone());
        self.has_spoken = true;
        self.first_audio_received(&event.response_id);
        self.responses.audio_delta(event, &format, self.session_generation, &mut ctx!(self));
    }
}
