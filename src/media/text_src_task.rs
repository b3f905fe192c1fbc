// SPDX-License-Identifier: MPL-2.0

//! Task of a source pad for text: transcripts with timestamps, or wire events.
//!
//! Each pad has a thread and a bounded queue of its own, so that a muxer that waits for one pad does not block another.
//! Streams are sparse: GAP events between buffers tell downstream how far the running time has come.

use crate::media::clock_wait::ClockWaiter;
use crate::media::errors;
use crate::media::recorder;
use crate::media::text_item::{TextItem, buffer_text, event_line, role};
use crate::types::Timing;
use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long the release of a pad waits for its streaming thread before it flushes what is downstream.
const RELEASE_TIMEOUT: Duration = Duration::from_millis(200);

/// Maximum number of queued items: live the oldest is dropped, offline the producer waits.
const MAX_ITEMS: usize = 4096;
/// Maximum number of serialized events that may be queued beyond that.
const MAX_EVENTS: usize = 1024;
/// Lead of live GAP events over the clock, and their interval, so that video that is shown with the text does not wait for
/// it. Speech never starts closer to the clock than this.
const GAP_LEAD: Duration = Duration::from_millis(20);
/// Interval of GAP events if the pad has a latency, which covers it, or no peer.
const RELAXED_GAP_INTERVAL: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct State {
    timing: Option<Timing>,
    /// There is input, so that the stream may begin.
    started: bool,
    waiting: VecDeque<TextItem>,
    ended: bool,
    stopped: bool,
    /// The streaming thread has ended.
    left: bool,
    dropped: u64,
}

/// State of the streaming thread.
#[derive(Debug, Default)]
pub struct Stream {
    began: bool,
    /// `rstranscribe/speaker-change` was sent.
    has_speaker: bool,
    position: gst::ClockTime,
    /// By how much the rest of a message is moved because its beginning came too late.
    shift: gst::ClockTime,
}

impl Stream {
    /// The timestamp of a piece of text. All pieces of a late message are moved alike, so that they keep their distances.
    fn shifted(&mut self, at: gst::ClockTime) -> gst::ClockTime {
        let late = self.position.saturating_sub(at);
        self.shift = if late.is_zero() { gst::ClockTime::ZERO } else { self.shift.max(late) };
        at.saturating_add(self.shift)
    }
}

/// The task of one pad.
pub struct TextSrcTask {
    pad: gst::Pad,
    clock_wait: Arc<ClockWaiter>,
    group: gst::GroupId,
    /// The pad's answer to LATENCY; live, the stream stays behind the clock by this much.
    latency: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

impl TextSrcTask {
    /// A task that was not started. Live text that comes within `latency` keeps its timestamp.
    pub fn new(
        pad: gst::Pad,
        clock_wait: Arc<ClockWaiter>,
        group: gst::GroupId,
        latency: Duration,
        timing: Option<Timing>,
    ) -> Self {
        Self {
            pad,
            clock_wait,
            group,
            latency,
            state: Mutex::new(State { timing, ..State::default() }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pad.
    pub fn pad(&self) -> &gst::Pad {
        &self.pad
    }

    /// Says whether the stream is live.
    pub fn set_timing(&self, timing: Timing) {
        self.state().timing = Some(timing);
        self.changed.notify_all();
    }

    /// Lets an offline stream begin, because there is input. A live stream begins as soon as it is known to be live.
    pub fn start(&self) {
        self.state().started = true;
        self.changed.notify_all();
    }

    /// Queues an item. Offline this waits for room.
    pub fn push(&self, item: TextItem) {
        if !self.pad.is_linked() {
            // The task would push it nowhere.
            return;
        }
        let mut state = self.state();
        let full = |state: &mut State| {
            state.waiting.len() >= MAX_ITEMS && state.timing == Some(Timing::Offline) && !state.stopped && !state.ended
        };
        state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        if state.waiting.len() >= MAX_ITEMS {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        if !state.stopped && !state.ended {
            state.waiting.push_back(item);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Queues a serialized event without waiting, because it comes from another stream's thread. False if too many are
    /// queued.
    pub fn push_event(&self, event: gst::Event) -> bool {
        if !self.pad.is_linked() {
            return true;
        }
        let mut state = self.state();
        if state.stopped || state.ended {
            return true;
        }
        let has_room = state.waiting.len() < MAX_ITEMS + MAX_EVENTS;
        if has_room {
            state.waiting.push_back(TextItem::Passing(event));
        }
        drop(state);
        self.changed.notify_all();
        has_room
    }

    /// Ends the stream with EOS behind the queue.
    pub fn finish(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Ends all waits for good.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Ends the stream of a pad that is being released. If its thread is blocked downstream, as by a sink that prerolls, the
    /// peer is flushed, because a release must not block for ever. Returns the peer that was sent FLUSH_START and needs
    /// FLUSH_STOP once the pad is inactive.
    pub fn leave(&self) -> Option<gst::Pad> {
        self.stop();
        if self.wait_until_left(RELEASE_TIMEOUT) || recorder::downstream_of(&self.pad).is_some() {
            return None;
        }
        let peer = self.pad.peer()?;
        peer.send_event(gst::event::FlushStart::new());
        Some(peer)
    }

    /// Waits until the streaming thread has ended after a stop. False if it has not within `limit`.
    fn wait_until_left(&self, limit: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, limit, |state| !state.left);
        waited.unwrap_or_else(PoisonError::into_inner).0.left
    }

    /// The number of items that were dropped since the last call.
    pub fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.state().dropped)
    }

    /// One iteration of the streaming thread. False if the task has to pause.
    pub fn iterate(&self, stream: &mut Stream) -> bool {
        let goes_on = self.take_turn(stream);
        if !goes_on {
            self.state().left = true;
            self.changed.notify_all();
        }
        goes_on
    }

    fn take_turn(&self, stream: &mut Stream) -> bool {
        if !std::mem::replace(&mut stream.began, true) {
            return self.begin();
        }
        let state = self.state();
        let idle = |state: &mut State| state.waiting.is_empty() && !state.ended && !state.stopped;
        let mut state = match state.timing {
            Some(Timing::Live) => {
                self.changed.wait_timeout_while(state, self.lead().1, idle).unwrap_or_else(PoisonError::into_inner).0
            }
            _ => self.changed.wait_while(state, idle).unwrap_or_else(PoisonError::into_inner),
        };
        if state.stopped {
            return false;
        }
        let (item, ended) = (state.waiting.pop_front(), state.ended);
        drop(state);
        self.changed.notify_all();
        match item {
            Some(item) => self.send(item, stream),
            None if ended => {
                self.pad.push_event(gst::event::Eos::new());
                false
            }
            None => {
                let ahead = self.lead().0;
                let until = self.clock_wait.now().map(|now| clock_time((now + ahead).saturating_sub(self.latency)));
                self.gap_until(until, stream);
                true
            }
        }
    }

    /// Lead of live GAP events over the clock less the latency, and their interval.
    fn lead(&self) -> (Duration, Duration) {
        if !self.pad.is_linked() {
            (Duration::ZERO, RELAXED_GAP_INTERVAL)
        } else if self.latency > RELAXED_GAP_INTERVAL * 2 {
            (RELAXED_GAP_INTERVAL + GAP_LEAD, RELAXED_GAP_INTERVAL)
        } else {
            (GAP_LEAD, GAP_LEAD)
        }
    }

    /// Waits until the stream may begin. False if it was stopped before.
    fn wait_for_start(&self) -> bool {
        let too_early =
            |state: &mut State| !state.started && state.timing != Some(Timing::Live) && !state.ended && !state.stopped;
        !self.changed.wait_while(self.state(), too_early).unwrap_or_else(PoisonError::into_inner).stopped
    }

    /// Pushes STREAM_START, CAPS, SEGMENT, and a GAP with which sinks preroll before the first text. False if the stream was
    /// stopped before.
    ///
    /// Offline, not before there is input: sinks that preroll at once leave it to an upstream `decodebin` to complete the
    /// change to PAUSED. It does so without the lock that keeps a change to PLAYING behind a sink's, and GStreamer 1.22 then
    /// may mark a pipeline that plays as one that does not (`posted_playing` in gstbin.c), which never forwards EOS.
    fn begin(&self) -> bool {
        if !self.wait_for_start() {
            return false;
        }
        let stream_id = crate::media::stream_id(&self.pad, &self.pad.name());
        let start = gst::event::StreamStart::builder(&stream_id).group_id(self.group);
        self.pad.push_event(start.flags(gst::StreamFlags::SPARSE).build());
        self.pad.push_event(gst::event::Caps::new(&self.pad.pad_template_caps()));
        self.pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        self.pad.push_event(gst::event::Gap::builder(gst::ClockTime::ZERO).build());
        true
    }

    fn send(&self, item: TextItem, stream: &mut Stream) -> bool {
        let now = || self.clock_wait.now().map(clock_time);
        match item {
            TextItem::GapUntil(until) => {
                self.gap_until(Some(clock_time(until)), stream);
                true
            }
            TextItem::Passing(event) => {
                self.pad.push_event(event);
                true
            }
            TextItem::Event(event) => self.push_buffer(event_line(&event), now(), None, stream),
            TextItem::Words(words) => {
                if !std::mem::replace(&mut stream.has_speaker, true) {
                    let event = gst::Structure::builder("rstranscribe/speaker-change");
                    self.push_custom_event(event.field("speaker", role(words.role)).build());
                }
                let at = words.at.map(clock_time).or_else(now).map(|at| stream.shifted(at));
                let pushed = self.push_buffer(buffer_text(&words), at, words.duration.map(clock_time), stream);
                if words.last {
                    stream.shift = gst::ClockTime::ZERO;
                }
                if pushed && words.last {
                    self.push_custom_event(gst::Structure::new_empty("rstranscribe/final-transcript"));
                }
                pushed
            }
        }
    }

    /// Pushes an event that the transcribers of gst-plugins-rs send as well.
    fn push_custom_event(&self, structure: gst::Structure) {
        self.pad.push_event(gst::event::CustomDownstream::new(structure));
    }

    fn gap_until(&self, time: Option<gst::ClockTime>, stream: &mut Stream) {
        if let Some(length) = time.and_then(|time| time.checked_sub(stream.position)).filter(|l| !l.is_zero()) {
            self.pad.push_event(gst::event::Gap::builder(stream.position).duration(length).build());
            stream.position += length;
        }
    }

    fn push_buffer(
        &self,
        text: String,
        at: Option<gst::ClockTime>,
        duration: Option<gst::ClockTime>,
        stream: &mut Stream,
    ) -> bool {
        let mut buffer = gst::Buffer::from_slice(text.into_bytes());
        // Timestamps never go back.
        let at = at.map(|at| at.max(stream.position));
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(at);
            buffer.set_duration(duration);
        }
        stream.position = at.unwrap_or(stream.position);
        match self.pad.push(buffer) {
            Ok(_) | Err(gst::FlowError::NotLinked | gst::FlowError::Flushing) => true,
            Err(error) => {
                errors::post_flow_error(&self.pad, error);
                false
            }
        }
    }
}

fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_come_late_keep_their_distances() {
        let ms = gst::ClockTime::from_mseconds;
        let mut stream = Stream { position: ms(3000), ..Stream::default() };
        let mut stamp = |at| {
            stream.position = stream.shifted(ms(at));
            stream.position
        };
        assert_eq!([stamp(500), stamp(900), stamp(1500)], [ms(3000), ms(3400), ms(4000)]);
        assert_eq!(stamp(5000), ms(5000), "what comes in time is not moved");
    }
}
