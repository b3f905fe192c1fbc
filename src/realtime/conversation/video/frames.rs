// SPDX-License-Identifier: MPL-2.0

//! Video frames: which ones are sent, and when.
//!
//! Of each `video_sink` pad only the newest frame is kept, so frames never queue up. It is sent when `frame-policy` says
//! so and nothing more urgent has to wait for it; one whose time has passed meanwhile is posted as skipped.

use crate::audio::sample_clock::samples_to_time;
use crate::image::similarity::TileMeans;
use crate::realtime::conversation::config::Detection;
use crate::realtime::conversation::config::{Dedupe, FramePolicy};
use crate::realtime::conversation::io::{FrameEvent, FrameState};
use crate::realtime::conversation::response::audio_part::AudioPart;
use crate::realtime::conversation::video::image_items::ImageItems;
use crate::realtime::conversation::video::new_frame::{Fingerprint, NewFrame};
use crate::realtime::conversation::{Conversation, Event, Phase};
use crate::types::Frame;
use crate::types::Timing;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, Instant};

/// Longest time from a response's audio to its playback.
const PLAY_BEGINS: Duration = Duration::from_secs(1);

/// A `video_sink` pad.
#[derive(Debug)]
struct Camera {
    pad: Option<String>,
    /// Newest frame, if it was not sent.
    newest: Option<Frame>,
    /// When it came.
    arrived: Instant,
    /// Running time of the next due frame.
    due: Option<Duration>,
    /// Since which running time a due frame could not be sent, and why.
    waits: Option<(Duration, &'static str)>,
    /// Last frame sent.
    last: Option<SentFrame>,
}

/// A frame that was sent, for comparison with the next one.
#[derive(Debug)]
struct SentFrame {
    item_id: String,
    look: Fingerprint,
}

/// All `video_sink` pads.
#[derive(Debug, Default)]
pub(crate) struct VideoInput {
    cameras: Vec<Camera>,
    /// Images in the conversation.
    pub image_items: ImageItems,
    /// Position of the input.
    pub position: Duration,
    /// The send queue is congested.
    pub is_behind: bool,
    warned: bool,
}

impl VideoInput {
    /// The time line begins at 0 again; older frames are dropped.
    pub fn forget(&mut self) {
        self.position = Duration::ZERO;
        for camera in &mut self.cameras {
            (camera.newest, camera.due, camera.waits) = (None, None, None);
        }
    }

    pub fn unplugged(&mut self, pad: &str) {
        self.cameras.retain(|camera| camera.pad.as_deref() != Some(pad));
    }

    fn camera(&mut self, pad: Option<&str>, now: Instant) -> &mut Camera {
        let known = self.cameras.iter().position(|camera| camera.pad.as_deref() == pad);
        let index = known.unwrap_or_else(|| {
            let pad = pad.map(str::to_owned);
            self.cameras.push(Camera { pad, newest: None, arrived: now, due: None, waits: None, last: None });
            self.cameras.len() - 1
        });
        &mut self.cameras[index]
    }
}

impl Camera {
    /// The next frame is due one interval after this one was.
    fn used(&mut self, at: Duration, interval: Duration) {
        let in_step = self.due.filter(|due| *due <= at && at < *due + interval);
        self.due = Some(in_step.unwrap_or(at) + interval);
        (self.newest, self.waits) = (None, None);
    }
}

fn digest(file: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    file.hash(&mut hasher);
    hasher.finish()
}

impl Conversation {
    /// A new frame; it replaces the one before it.
    pub(crate) fn on_frame(&mut self, frame: Frame) {
        if self.drain.has_begun() {
            return;
        }
        self.audio_input.pace_frame(frame.at, &self.config, self.now);
        if self.config.is_transcription_only() {
            if !std::mem::replace(&mut self.frames.warned, true) {
                self.warn("no-frames", "a session that only writes down looks at no pictures: they are dropped");
            }
            return;
        }
        self.frames.position = frame.at;
        let interval = self.interval_of(&frame);
        let is_late = self.is_past_the_turn(frame.at);
        let camera = self.frames.camera(frame.pad.as_deref(), self.now);
        if is_late && camera.newest.is_some() {
            return;
        }
        let before = camera.newest.take();
        if before.as_ref().is_some_and(|before| frame.at < before.at) {
            (camera.due, camera.waits) = (None, None);
        }
        // Further away than the interval: the time line began again.
        camera.due = camera.due.filter(|due| *due <= frame.at + interval);
        let at = frame.at;
        camera.newest = Some(frame);
        camera.arrived = self.now;
        if let Some((since, reason)) = camera.waits.filter(|(since, _)| at >= *since + interval) {
            camera.waits = Some((since + interval, reason));
            if let Some(before) = before {
                self.skipped(&before, reason);
            }
        }
        if self.config.timing == Timing::Offline && self.audio_input.heard.samples() == 0 {
            self.advance_gap_until(at);
        }
    }

    /// Offline: audio has ended in the middle of a turn, and video goes on. If more audio were to come, it would have come
    /// before this frame.
    fn is_past_the_turn(&self, at: Duration) -> bool {
        let is_in_turn = self.turns.speaking || self.is_pushed_to_talk();
        let by_turn = self.config.frames.policy == FramePolicy::Turn && self.config.timing == Timing::Offline;
        by_turn && is_in_turn && at > self.audio_input.end()
    }

    /// Sends the frames that are due.
    pub(crate) fn send_due_frames(&mut self) {
        for index in 0..self.frames.cameras.len() {
            if !self.is_due(index) {
                continue;
            }
            let respond = self.config.frames.respond && self.limits.may_respond(&self.config);
            let limited = || self.limits.waits_until(&self.config, self.now).is_some();
            if respond && limited() {
                self.drop_newest(index, "limit");
            } else if let Some(reason) = self.has_to_wait(respond) {
                let since = self.frames.cameras[index].newest.as_ref().map(|frame| frame.at).unwrap_or_default();
                self.frames.cameras[index].waits.get_or_insert((since, reason));
            } else {
                self.send_newest(index, respond);
            }
        }
    }

    fn is_due(&self, index: usize) -> bool {
        let Some(camera) = self.frames.cameras.get(index) else { return false };
        let Some(frame) = camera.newest.as_ref().filter(|_| self.sends_by_interval()) else { return false };
        let reached = match self.config.timing {
            Timing::Live => frame.at + self.now.saturating_duration_since(camera.arrived),
            Timing::Offline => self.frames.position,
        };
        camera.due.is_none_or(|due| reached >= due)
    }

    /// Whether frames are sent by interval now.
    fn sends_by_interval(&self) -> bool {
        match self.config.frames.policy {
            FramePolicy::Interval => true,
            FramePolicy::Speech => self.turns.speaking || self.is_pushed_to_talk(),
            FramePolicy::Turn | FramePolicy::Manual => false,
        }
    }

    /// Push to talk, with audio in the current turn.
    fn is_pushed_to_talk(&self) -> bool {
        matches!(self.config.detection, Detection::Manual) && self.audio_input.uncommitted() > 0
    }

    /// Why no frame may be sent now. Live, one with a response waits until the last response was played.
    fn has_to_wait(&self, respond: bool) -> Option<&'static str> {
        if self.config.timing == Timing::Offline {
            None
        } else if self.frames.is_behind {
            Some("behind")
        } else {
            (respond && (self.scheduler.is_pending() || self.speaks_until().is_some())).then_some("busy")
        }
    }

    /// When playback of the model ends, as far as known.
    pub(crate) fn speaks_until(&self) -> Option<Instant> {
        let rate = self.config.output.rate();
        let end = |spoken: &AudioPart| match spoken.began {
            Some(began) => began + samples_to_time(spoken.received, rate),
            None if spoken.received > spoken.heard => self.last_response_progress + PLAY_BEGINS,
            None => self.now,
        };
        self.responses.spoken.iter().map(end).max().filter(|until| *until > self.now)
    }

    /// When a frame becomes due, or may be sent, without another input.
    pub(crate) fn frames_deadline(&self) -> Option<Instant> {
        if self.config.timing == Timing::Offline || !self.sends_by_interval() {
            return None;
        }
        let deadline = |camera: &Camera| {
            let frame = camera.newest.as_ref()?;
            match camera.waits {
                Some(_) => self.speaks_until().filter(|_| !self.scheduler.is_pending() && !self.frames.is_behind),
                None => Some(camera.arrived + camera.due?.saturating_sub(frame.at)),
            }
        };
        self.frames.cameras.iter().filter_map(deadline).min()
    }

    /// A turn has ended: sends the newest frames before it is answered.
    pub(crate) fn frames_for_turn(&mut self) {
        let respond = self.responds_to_frames_of_turns();
        for index in 0..self.frames.cameras.len() {
            if let Some(news) = self.news_for_turn(index) {
                self.send_images(vec![news], None, respond);
            }
        }
    }

    /// A text message: returns the newest frames, which become part of it, and whether they ask for a response by
    /// themselves.
    pub(crate) fn frames_for_text(&mut self) -> (Vec<NewFrame>, bool) {
        let news: Vec<_> = (0..self.frames.cameras.len()).filter_map(|index| self.news_for_turn(index)).collect();
        let respond = !news.is_empty() && self.responds_to_frames_of_turns();
        (news, respond)
    }

    /// Frames of a turn are answered with the turn, if turns are answered at all.
    fn responds_to_frames_of_turns(&self) -> bool {
        self.config.frames.respond && !self.config.create_response
    }

    /// The newest frame at the end of a turn.
    fn news_for_turn(&mut self, index: usize) -> Option<NewFrame> {
        if self.config.frames.policy != FramePolicy::Turn || !matches!(self.phase, Phase::Ready) {
            return None;
        }
        if self.frames.is_behind && self.config.timing == Timing::Live {
            self.drop_newest(index, "behind");
            return None;
        }
        self.take_newest(index)
    }

    /// `send-frame`: sends this frame, or the newest one of each pad.
    pub(crate) fn frame_requested(&mut self, frame: Option<Frame>) {
        let respond = self.config.frames.respond;
        if self.config.is_transcription_only() {
            return self.warn("no-frames", "a session that only writes down looks at no pictures");
        }
        if let Some(frame) = frame {
            self.send_images(vec![NewFrame { frame, camera: None }], None, respond);
            return;
        }
        if self.frames.cameras.iter().all(|camera| camera.newest.is_none()) {
            self.warn("no-frame", "no camera has seen anything since the last picture was sent");
        }
        for index in 0..self.frames.cameras.len() {
            self.send_newest(index, respond);
        }
    }

    fn interval_of(&self, frame: &Frame) -> Duration {
        frame.interval.unwrap_or(self.config.frames.interval)
    }

    /// Sends a pad's newest frame, unless it is unchanged.
    fn send_newest(&mut self, index: usize, respond: bool) {
        if let Some(news) = self.take_newest(index) {
            self.send_images(vec![news], None, respond);
        }
    }

    /// Takes a pad's newest frame, unless it is unchanged.
    fn take_newest(&mut self, index: usize) -> Option<NewFrame> {
        let frame = self.frames.cameras.get_mut(index)?.newest.take()?;
        let interval = self.interval_of(&frame);
        self.frames.cameras[index].used(frame.at, interval);
        match self.compare(index, &frame) {
            Ok(look) => Some(NewFrame { frame, camera: Some((index, look)) }),
            Err(reason) => {
                self.skipped(&frame, reason);
                None
            }
        }
    }

    /// Compares a frame with the one sent before it. Returns the fingerprint for the next comparison, or why the frame is
    /// not sent. What cannot be decoded counts as changed.
    fn compare(&self, index: usize, frame: &Frame) -> Result<Fingerprint, &'static str> {
        let last = self.frames.cameras[index].last.as_ref();
        let last = last.filter(|last| self.frames.image_items.holds(&last.item_id)).map(|last| &last.look);
        let (dedupe, digest) = (self.config.frames.dedupe, digest(&frame.file));
        if dedupe != Dedupe::None && last.is_some_and(|last| last.digest == digest) {
            return Err("same");
        }
        let Dedupe::Similar(most) = dedupe else { return Ok(Fingerprint { digest, tile_means: None }) };
        let tile_means = TileMeans::of(&frame.file, frame.media_type);
        let before = last.and_then(|last| last.tile_means.as_ref());
        let distance = tile_means.as_ref().zip(before).map(|(now, before)| now.distance(before));
        if distance.is_some_and(|distance| distance <= most) {
            Err("similar")
        } else {
            Ok(Fingerprint { digest, tile_means })
        }
    }

    /// A frame was sent.
    pub(crate) fn frame_sent(&mut self, news: NewFrame, item_id: &str) {
        if let Some((index, look)) = news.camera
            && let Some(camera) = self.frames.cameras.get_mut(index)
        {
            camera.last = Some(SentFrame { item_id: item_id.to_owned(), look });
        }
    }

    fn drop_newest(&mut self, index: usize, reason: &'static str) {
        let Some(frame) = self.frames.cameras.get_mut(index).and_then(|camera| camera.newest.take()) else { return };
        let interval = self.interval_of(&frame);
        self.frames.cameras[index].used(frame.at, interval);
        self.skipped(&frame, reason);
    }

    pub(crate) fn skipped(&mut self, frame: &Frame, reason: &'static str) {
        let event = FrameEvent {
            state: FrameState::Skipped { reason },
            pad: frame.pad.clone(),
            item_id: None,
            at: Some(frame.at),
            size: frame.file.len(),
        };
        self.notify(Event::Frame(event));
    }
}
