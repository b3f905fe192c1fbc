// SPDX-License-Identifier: MPL-2.0

//! Video frames: which ones are sent, and when.
//!
//! Of each `video_sink` pad only the newest frame is kept, so frames never queue up. It is sent when `frame-policy` says
//! so and nothing more urgent has to wait for it; one whose time has passed meanwhile is posted as skipped.

use crate::realtime::conversation::config::{Config, FramePolicy};
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::io::{Event, FrameEvent, FrameState};
use crate::realtime::conversation::video::image_items::{ImageItems, SentImages, TypedText};
use crate::realtime::conversation::video::new_frame::{Fingerprint, NewFrame};
use crate::types::{Frame, Timing};
use openai_protocol::client::ConversationItemCreate;
use openai_protocol::items::{Item, Role};
use std::time::{Duration, Instant};

/// Largest event in bytes; servers take somewhat more.
const MAX_MESSAGE: usize = 15_000_000;

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
    image_items: ImageItems,
    /// Position of the input.
    position: Duration,
    /// The send queue is congested.
    is_behind: bool,
    warned: bool,
}

/// What the rest of the conversation is doing, as far as frames depend on it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameSituation {
    /// The user speaks, or has pushed to talk.
    pub is_in_turn: bool,
    /// Running time of the end of the input audio.
    pub audio_end: Duration,
    /// Responses may be requested.
    pub may_respond: bool,
    /// `requests-per-minute` holds requests back.
    pub is_rate_limited: bool,
    /// A response is requested or under way.
    pub is_response_pending: bool,
    /// When playback of the model ends, as far as known.
    pub plays_until: Option<Instant>,
}

impl VideoInput {
    /// The time line begins at 0 again; older frames are dropped.
    pub fn reset(&mut self) {
        self.position = Duration::ZERO;
        for camera in &mut self.cameras {
            (camera.newest, camera.due, camera.waits) = (None, None, None);
        }
    }

    pub fn unplugged(&mut self, pad: &str) {
        self.cameras.retain(|camera| camera.pad.as_deref() != Some(pad));
    }

    /// Number of pads.
    pub fn pads(&self) -> usize {
        self.cameras.len()
    }

    /// Position of the input: of the newest audio or frame.
    pub fn position(&self) -> Duration {
        self.position
    }

    pub fn set_position(&mut self, position: Duration) {
        self.position = position;
    }

    /// Whether the send queue is congested.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    pub fn set_behind(&mut self, is_behind: bool) {
        self.is_behind = is_behind;
    }

    /// A new frame; it replaces the one before it. Returns whether it was taken.
    pub fn on_frame(&mut self, frame: Frame, situation: &FrameSituation, ctx: &mut Ctx) -> bool {
        if ctx.config.is_transcription_only() {
            if !std::mem::replace(&mut self.warned, true) {
                ctx.warn("no-frames", "a session that only writes down looks at no pictures: they are dropped");
            }
            return false;
        }
        self.position = frame.at;
        let interval = interval_of(&frame, ctx.config);
        // Offline: audio has ended in the middle of a turn, and video goes on. If more audio were to come, it would have
        // come before this frame.
        let by_turn = ctx.config.frames.policy == FramePolicy::Turn && ctx.config.timing == Timing::Offline;
        let is_late = by_turn && situation.is_in_turn && frame.at > situation.audio_end;
        let camera = self.camera(frame.pad.as_deref(), ctx.now);
        if is_late && camera.newest.is_some() {
            return false;
        }
        let before = camera.newest.take();
        if before.as_ref().is_some_and(|before| frame.at < before.at) {
            (camera.due, camera.waits) = (None, None);
        }
        // Further away than the interval: the time line began again.
        camera.due = camera.due.filter(|due| *due <= frame.at + interval);
        let at = frame.at;
        camera.newest = Some(frame);
        camera.arrived = ctx.now;
        if let Some((since, reason)) = camera.waits.filter(|(since, _)| at >= *since + interval) {
            camera.waits = Some((since + interval, reason));
            if let Some(before) = before {
                post_skipped(&before, reason, ctx);
            }
        }
        true
    }

    /// The frame of a pad that is due, unless it is unchanged, has to wait, or is skipped.
    pub fn take_due(&mut self, index: usize, situation: &FrameSituation, ctx: &mut Ctx) -> Option<NewFrame> {
        if !self.is_due(index, situation.is_in_turn, ctx) {
            return None;
        }
        let respond = ctx.config.frames.respond && situation.may_respond;
        if respond && situation.is_rate_limited {
            self.drop_newest(index, "limit", ctx);
        } else if let Some(reason) = self.has_to_wait(respond, situation, ctx) {
            let camera = self.cameras.get_mut(index)?;
            let since = camera.newest.as_ref().map(|frame| frame.at).unwrap_or_default();
            camera.waits.get_or_insert((since, reason));
        } else {
            return self.take_newest(index, ctx);
        }
        None
    }

    fn is_due(&self, index: usize, is_in_turn: bool, ctx: &Ctx) -> bool {
        let Some(camera) = self.cameras.get(index).filter(|_| sends_by_interval(ctx.config, is_in_turn)) else {
            return false;
        };
        let Some(frame) = &camera.newest else { return false };
        let reached = match ctx.config.timing {
            Timing::Live => frame.at + ctx.now.saturating_duration_since(camera.arrived),
            Timing::Offline => self.position,
        };
        camera.due.is_none_or(|due| reached >= due)
    }

    /// Why no frame may be sent now. Live, one with a response waits until the last response was played.
    fn has_to_wait(&self, respond: bool, situation: &FrameSituation, ctx: &Ctx) -> Option<&'static str> {
        if ctx.config.timing == Timing::Offline {
            None
        } else if self.is_behind {
            Some("behind")
        } else {
            (respond && (situation.is_response_pending || situation.plays_until.is_some())).then_some("busy")
        }
    }

    /// When a frame becomes due, or may be sent, without another input.
    pub fn deadline(&self, situation: &FrameSituation, config: &Config) -> Option<Instant> {
        if config.timing == Timing::Offline || !sends_by_interval(config, situation.is_in_turn) {
            return None;
        }
        let deadline = |camera: &Camera| {
            let frame = camera.newest.as_ref()?;
            match camera.waits {
                Some(_) => situation.plays_until.filter(|_| !situation.is_response_pending && !self.is_behind),
                None => Some(camera.arrived + camera.due?.saturating_sub(frame.at)),
            }
        };
        self.cameras.iter().filter_map(deadline).min()
    }

    /// The newest frame of a pad at the end of a turn, with `frame-policy=turn`.
    pub fn take_for_turn(&mut self, index: usize, ctx: &mut Ctx) -> Option<NewFrame> {
        if ctx.config.frames.policy != FramePolicy::Turn {
            return None;
        }
        if self.is_behind && ctx.config.timing == Timing::Live {
            self.drop_newest(index, "behind", ctx);
            return None;
        }
        self.take_newest(index, ctx)
    }

    /// No pad has a frame that was not sent.
    pub fn has_no_frame(&self) -> bool {
        self.cameras.iter().all(|camera| camera.newest.is_none())
    }

    /// Takes a pad's newest frame, unless it is unchanged.
    pub fn take_newest(&mut self, index: usize, ctx: &mut Ctx) -> Option<NewFrame> {
        let camera = self.cameras.get_mut(index)?;
        let frame = camera.newest.take()?;
        camera.used(frame.at, interval_of(&frame, ctx.config));
        let last = camera.last.as_ref().filter(|last| self.image_items.holds(&last.item_id)).map(|last| &last.look);
        match Fingerprint::of_changed(&frame, last, ctx.config.frames.dedupe) {
            Ok(look) => Some(NewFrame { frame, camera: Some((index, look)) }),
            Err(reason) => {
                post_skipped(&frame, reason, ctx);
                None
            }
        }
    }

    fn drop_newest(&mut self, index: usize, reason: &'static str, ctx: &mut Ctx) {
        let Some(camera) = self.cameras.get_mut(index) else { return };
        let Some(frame) = camera.newest.take() else { return };
        camera.used(frame.at, interval_of(&frame, ctx.config));
        post_skipped(&frame, reason, ctx);
    }

    /// Sends images in one item, with the user's text about them.
    pub fn send(&mut self, frames: Vec<NewFrame>, text: Option<TypedText>, ctx: &mut Ctx) -> SentImages {
        let (item_id, sent) = self.image_items.send(&frames, text, ctx);
        for (index, look) in frames.into_iter().filter_map(|frame| frame.camera) {
            if let Some(camera) = self.cameras.get_mut(index) {
                camera.last = Some(SentFrame { item_id: item_id.clone(), look });
            }
        }
        sent
    }

    /// Sends a text message, with the newest frames in the same item.
    pub fn send_with_text(&mut self, text: TypedText, mut frames: Vec<NewFrame>, ctx: &mut Ctx) -> SentImages {
        let most = ctx.config.frames.most;
        let too_many = if most > 0 { frames.len().saturating_sub(most) } else { 0 };
        for too_many in frames.drain(..too_many) {
            post_skipped(&too_many.frame, "too-many", ctx);
        }
        let mut sent = SentImages::default();
        let length = |frames: &[NewFrame]| frames.iter().map(|new| new.frame.file.len().div_ceil(3) * 4).sum::<usize>();
        // What is too large for one event is sent before it.
        while length(&frames) + text.text.len() > MAX_MESSAGE && !frames.is_empty() {
            let first = frames.remove(0);
            sent.add(self.send(vec![first], None, ctx));
        }
        if frames.is_empty() {
            let item = Item::message(Role::User, text.text);
            ctx.send(ConversationItemCreate { item, ..Default::default() });
        } else {
            sent.add(self.send(frames, Some(text), ctx));
        }
        sent
    }

    /// See [`ImageItems::remove_old`].
    pub fn remove_old(&mut self, ctx: &mut Ctx) -> SentImages {
        self.image_items.remove_old(ctx)
    }

    /// See [`ImageItems::refused`].
    pub fn refused(&mut self, event_id: &str, ctx: &mut Ctx) -> Option<TypedText> {
        self.image_items.refused(event_id, ctx)
    }

    /// See [`ImageItems::session_lost`].
    pub fn session_lost(&mut self, ctx: &mut Ctx) {
        self.image_items.session_lost(ctx);
    }

    /// See [`ImageItems::replay`].
    pub fn replay(&mut self, ctx: &mut Ctx) {
        self.image_items.replay(ctx);
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

fn interval_of(frame: &Frame, config: &Config) -> Duration {
    frame.interval.unwrap_or(config.frames.interval)
}

/// Whether frames are sent by interval now.
fn sends_by_interval(config: &Config, is_in_turn: bool) -> bool {
    match config.frames.policy {
        FramePolicy::Interval => true,
        FramePolicy::Speech => is_in_turn,
        FramePolicy::Turn | FramePolicy::Manual => false,
    }
}

fn post_skipped(frame: &Frame, reason: &'static str, ctx: &mut Ctx) {
    ctx.notify(Event::Frame(FrameEvent {
        state: FrameState::Skipped { reason },
        pad: frame.pad.clone(),
        item_id: None,
        at: Some(frame.at),
        size: frame.file.len(),
    }));
}
