// SPDX-License-Identifier: MPL-2.0

//! Video frames beside audio and responses: when they may be sent, and which responses they ask for.

use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::video::frames::FrameSituation;
use crate::realtime::conversation::video::image_items::{SentImages, TypedText};
use crate::realtime::conversation::video::new_frame::NewFrame;
use crate::realtime::conversation::{Conversation, Phase};
use crate::types::{Frame, Timing};
use std::time::Instant;

impl Conversation {
    fn frame_situation(&self) -> FrameSituation {
        FrameSituation {
            is_in_turn: self.turns.is_speaking() || self.is_pushed_to_talk(),
            audio_end: self.audio_input.end(),
            may_respond: self.limits.may_respond(&self.config),
            is_rate_limited: self.limits.waits_until(&self.config, self.now).is_some(),
            is_response_pending: self.scheduler.is_pending(),
            plays_until: self.plays_until(),
        }
    }

    /// Push to talk, with audio in the current turn.
    fn is_pushed_to_talk(&self) -> bool {
        matches!(self.config.detection, Detection::Manual) && self.audio_input.uncommitted() > 0
    }

    /// When playback of the model ends, as far as known.
    pub(crate) fn plays_until(&self) -> Option<Instant> {
        let until = self.responses.plays_until(self.config.output.rate(), self.now, self.last_response_progress);
        until.filter(|until| *until > self.now)
    }

    /// A frame of a `video_sink` pad.
    pub(crate) fn on_frame(&mut self, frame: Frame) {
        if self.drain.has_begun() {
            return;
        }
        self.audio_input.pace_frame(frame.at, &self.config, self.now);
        let (at, situation) = (frame.at, self.frame_situation());
        let is_taken = self.frames.on_frame(frame, &situation, &mut ctx!(self));
        if is_taken && self.config.timing == Timing::Offline && self.audio_input.heard().samples() == 0 {
            self.advance_gap_until(at);
        }
    }

    /// Sends the frames that are due. One with a response makes the next one wait.
    pub(crate) fn send_due_frames(&mut self) {
        for index in 0..self.frames.pads() {
            let situation = self.frame_situation();
            if let Some(frame) = self.frames.take_due(index, &situation, &mut ctx!(self)) {
                self.send_frame(frame, self.config.frames.respond);
            }
        }
    }

    pub(crate) fn frames_deadline(&self) -> Option<Instant> {
        self.frames.deadline(&self.frame_situation(), &self.config)
    }

    /// A turn has ended: sends the newest frames before it is answered.
    pub(crate) fn frames_for_turn(&mut self) {
        for index in 0..self.frames.pads() {
            if let Some(frame) = self.frame_for_turn(index) {
                self.send_frame(frame, self.responds_to_frames_of_turns());
            }
        }
    }

    fn frame_for_turn(&mut self, index: usize) -> Option<NewFrame> {
        if matches!(self.phase, Phase::Ready) { self.frames.take_for_turn(index, &mut ctx!(self)) } else { None }
    }

    /// Frames of a turn are answered with the turn, if turns are answered at all.
    fn responds_to_frames_of_turns(&self) -> bool {
        self.config.frames.respond && !self.config.create_response
    }

    /// Sends a text message, with the newest frames if they go with turns. Returns whether those ask for a response.
    pub(crate) fn send_text_with_frames(&mut self, text: String, respond: bool) -> bool {
        let frames: Vec<_> = (0..self.frames.pads()).filter_map(|index| self.frame_for_turn(index)).collect();
        let respond = respond || !frames.is_empty() && self.responds_to_frames_of_turns();
        let sent = self.frames.send_with_text(TypedText { text, respond }, frames, &mut ctx!(self));
        self.follow_images(sent, false);
        respond
    }

    /// `send-frame`: sends this frame, or the newest one of each pad.
    pub(crate) fn frame_requested(&mut self, frame: Option<Frame>) {
        let respond = self.config.frames.respond;
        if self.config.is_transcription_only() {
            return self.warn("no-frames", "a session that only writes down looks at no pictures");
        }
        if let Some(frame) = frame {
            return self.send_frame(NewFrame { frame, camera: None }, respond);
        }
        if self.frames.has_no_frame() {
            self.warn("no-frame", "no camera has seen anything since the last picture was sent");
        }
        for index in 0..self.frames.pads() {
            if let Some(frame) = self.frames.take_newest(index, &mut ctx!(self)) {
                self.send_frame(frame, respond);
            }
        }
    }

    fn send_frame(&mut self, frame: NewFrame, respond: bool) {
        let sent = self.frames.send(vec![frame], None, &mut ctx!(self));
        self.follow_images(sent, respond);
    }

    fn follow_images(&mut self, sent: SentImages, respond: bool) {
        sent.expected_errors.into_iter().for_each(|event_id| self.expected_errors.add(event_id));
        if sent.newest.is_none() {
            return;
        }
        self.last_progress = self.now;
        if respond && self.limits.may_respond(&self.config) {
            self.await_response_from(sent.newest);
            self.scheduler.request(None);
        }
    }

    /// `max-frames` may have changed.
    pub(crate) fn remove_old_frames(&mut self) {
        let removed = self.frames.remove_old(&mut ctx!(self));
        self.follow_images(removed, false);
    }

    /// The server has refused an event. If it was an item with images and text, the response to that is requested again.
    pub(crate) fn frame_refused(&mut self, event_id: &str) {
        let text = self.frames.refused(event_id, &mut ctx!(self));
        if text.is_some_and(|text| text.respond) && self.limits.may_respond(&self.config) {
            self.scheduler.retry_request();
        }
    }
}
