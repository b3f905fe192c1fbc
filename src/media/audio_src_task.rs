// SPDX-License-Identifier: MPL-2.0

//! The source pad's stream: takes the answer's timeline piece by piece, stamps it and pushes it.
//!
//! Live, there is a piece for every moment, paced to the clock with a small lead; offline, a piece goes out as soon as
//! it cannot change any more. Everything comes from the streaming thread but FLUSH_START, which must get through while
//! that thread is held up in a sink: it comes from whoever knows of the cut, and the thread goes on behind it.

use crate::audio::sample_clock;
use crate::media::clock_wait::{ClockWaiter, WaitError};
use crate::media::errors;
use crate::queue::playout::Cut;
use crate::queue::playout::Playout;
use crate::queue::timeline::{Next, Piece};
use crate::types::Timing;
use bytes::Bytes;
use gst::prelude::*;
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The length of a piece.
const LIVE_PIECE: Duration = Duration::from_millis(20);
/// The same while nothing is said: each piece is a wake-up of this thread, and of those downstream.
const SILENT_PIECE: Duration = Duration::from_millis(40);
const OFFLINE_PIECE: Duration = Duration::from_millis(100);
/// A live stream that has fallen behind by more than this (and the pipeline's latency) catches up with a jump.
const TOO_LATE: Duration = Duration::from_secs(1);

/// The end of silence that is out is not further ahead of the clock than this, whatever the lead is: an answer could not
/// begin before it.
const SILENT_REACH: Duration = Duration::from_millis(60);

/// How many events wait at most; a stream that stands still takes no more.
const MOST_EVENTS: usize = 1024;

#[derive(Debug, Default)]
struct State {
    /// Live or offline, once that is known.
    timing: Option<Timing>,
    stopped: bool,
    /// Of each cut behind which the stream has not gone on, whether FLUSH_START is out.
    cuts: VecDeque<bool>,
    /// Serialized events that go out in front of the next piece.
    events: VecDeque<gst::Event>,
    /// It was told that there is no flush.
    told_kept: bool,
}

/// What the streaming thread alone knows of the stream.
#[derive(Debug, Default)]
pub struct Stream {
    timing: Option<Timing>,
    began: bool,
    has_segment: bool,
    /// The first piece is out.
    has_piece: bool,
    /// The next buffer goes on where the last one ended.
    goes_on: bool,
    /// The position behind the last piece.
    end: u64,
}

/// Finds the element downstream of a pad that a flush would destroy.
pub type FindRecorder = Box<dyn Fn(&gst::Pad) -> Option<gst::Element> + Send + Sync>;

/// What a source is for.
pub struct AudioSrcSettings {
    /// The caps of what it pushes.
    pub caps: gst::Caps,
    /// The format in the caps.
    pub format: AudioFormat,
    /// How far ahead of the clock pieces go out.
    pub lead: Duration,
    /// Whether silence is left out.
    pub gaps: bool,
    /// Whether a cut silences what is downstream already.
    pub flushes: bool,
    /// The element downstream that a flush would destroy, if there is one now.
    pub keeps: FindRecorder,
    /// Called once, when a cut is not followed by a flush because of that element.
    pub kept: Box<dyn Fn(&gst::Element) + Send + Sync>,
    /// Called for every item that begins, with its running time.
    pub began: Box<dyn Fn(String, Duration) + Send + Sync>,
    /// Called when the model is silent, with the time that this took.
    pub silenced: Box<dyn Fn(Duration) + Send + Sync>,
    /// Called when the stream is at its end.
    pub ended: Box<dyn Fn() + Send + Sync>,
}

/// The stream of one source pad.
pub struct AudioSrcTask {
    pad: gst::Pad,
    playout: Arc<Playout>,
    settings: AudioSrcSettings,
    silence: Bytes,
    /// The source's own pace.
    pub pace: Arc<ClockWaiter>,
    /// All streams of one element are of one group.
    pub group: gst::GroupId,
    latency: Arc<AtomicU64>,
    state: Mutex<State>,
    changed: Condvar,
    /// What downstream said at the end, for upstream to hear.
    flow: OnceLock<gst::FlowError>,
}

impl AudioSrcTask {
    /// A stream that has not begun. `latency` is the pipeline's, in nanoseconds.
    pub fn new(
        pad: gst::Pad,
        playout: Arc<Playout>,
        pace: Arc<ClockWaiter>,
        latency: Arc<AtomicU64>,
        settings: AudioSrcSettings,
    ) -> Self {
        // Speech does not wait until the next piece of silence is due.
        let waiter = Arc::downgrade(&pace);
        playout.set_speech_handler(move || {
            if let Some(waiter) = waiter.upgrade() {
                waiter.wake();
            }
        });
        let longest = samples(OFFLINE_PIECE, &settings.format) as usize * settings.format.sample_size();
        let silence = Bytes::from(vec![settings.format.silence()[0]; longest]);
        Self {
            pad,
            playout,
            settings,
            silence,
            pace,
            group: gst::GroupId::next(),
            latency,
            state: Mutex::default(),
            changed: Condvar::new(),
            flow: OnceLock::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is known now whether the stream is live.
    pub fn set_timing(&self, timing: Timing) {
        self.state().timing = Some(timing);
        self.changed.notify_all();
    }

    /// What downstream said last, if it was not good.
    pub fn flow(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.flow.get().map_or(Ok(gst::FlowSuccess::Ok), |error| Err(*error))
    }

    /// A serialized event goes out in front of the next piece, from the streaming thread. False where the stream
    /// stands still and has no room for it.
    pub fn push_event(&self, event: gst::Event) -> bool {
        if !self.pad.is_linked() {
            return true;
        }
        let mut state = self.state();
        let has_room = state.events.len() < MOST_EVENTS;
        if has_room {
            state.events.push_back(event);
        }
        has_room
    }

    /// The pad that it feeds.
    pub fn pad(&self) -> &gst::Pad {
        &self.pad
    }

    fn send_events(&self) {
        let events = std::mem::take(&mut self.state().events);
        for event in events {
            self.pad.push_event(event);
        }
    }

    /// Whether a cut is followed by a flush, as the links are now.
    pub fn may_flush(&self) -> bool {
        self.settings.flushes && (self.settings.keeps)(&self.pad).is_none()
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
        self.pace.stop();
        self.playout.stop();
    }

    /// One turn of the streaming thread. False when it is over.
    pub fn iterate(&self, stream: &mut Stream) -> bool {
        let Some(timing) = stream.timing.or_else(|| self.wait_for_timing()) else { return false };
        stream.timing = Some(timing);
        if !std::mem::replace(&mut stream.began, true) {
            self.begin();
        }
        if let Some(cut) = self.playout.take_cut()
            && !self.finish_flush(cut, stream)
        {
            return false;
        }
        if !std::mem::replace(&mut stream.has_segment, true) {
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.pad.push_event(gst::event::Segment::new(&segment));
        }
        self.send_events();
        match timing {
            Timing::Live => self.iterate_live(stream),
            Timing::Offline => {
                let Some(next) = self.playout.next_offline(samples(OFFLINE_PIECE, &self.settings.format)) else {
                    return false;
                };
                self.push(next, stream)
            }
        }
    }

    fn wait_for_timing(&self) -> Option<Timing> {
        let state = self.state();
        let state = self.changed.wait_while(state, |state| state.timing.is_none() && !state.stopped);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.timing.filter(|_| !state.stopped)
    }

    fn iterate_live(&self, stream: &mut Stream) -> bool {
        // The very first piece goes out at once, so that sinks preroll before the clock runs.
        if std::mem::replace(&mut stream.has_piece, true) {
            let (position, speaks) = self.playout.next_at();
            let lead = if speaks { self.settings.lead } else { self.silent_pace().0 };
            let due = position.saturating_sub(lead);
            let late = match self.pace.wait_until(due) {
                Ok(late) => (due + late).saturating_sub(position),
                Err(WaitError::Flushing | WaitError::Nudged) => return true,
                Err(WaitError::Stopped) => return false,
            };
            let latency = Duration::from_nanos(self.latency.load(Ordering::Relaxed));
            if late > latency + TOO_LATE {
                self.playout.skip_to(position + late);
                stream.goes_on = false;
            }
        }
        let [speech, silence] = [LIVE_PIECE, self.silent_pace().1].map(|length| samples(length, &self.settings.format));
        match self.playout.next_live(speech, silence) {
            Some(next) => self.push(next, stream),
            None => true,
        }
    }

    /// Lead of a piece of silence over the clock, and its length.
    fn silent_pace(&self) -> (Duration, Duration) {
        let lead = self.settings.lead;
        let length = if lead + LIVE_PIECE < SILENT_REACH { LIVE_PIECE } else { SILENT_PIECE };
        (lead.min(SILENT_REACH - length), length)
    }

    /// Sends what stands before every stream.
    fn begin(&self) {
        let stream_id = crate::media::stream_id(&self.pad, "answer");
        self.pad.push_event(gst::event::StreamStart::builder(&stream_id).group_id(self.group).build());
        if !self.pad.push_event(gst::event::Caps::new(&self.settings.caps)) && self.pad.is_linked() {
            gst::debug!(gst::CAT_NEGOTIATION, obj = self.pad, "downstream does not take {}", self.settings.caps);
        }
    }

    /// There was a cut: silences what is downstream, also while the streaming thread is held up there.
    pub fn silence(&self, since: Instant) {
        let keeper = if self.settings.flushes { (self.settings.keeps)(&self.pad) } else { None };
        let flushes = self.settings.flushes && keeper.is_none();
        if flushes {
            self.pad.push_event(gst::event::FlushStart::new());
            (self.settings.silenced)(since.elapsed());
        }
        self.state().cuts.push_back(flushes);
        self.changed.notify_all();
        self.pace.wake();
        let Some(keeper) = keeper else { return };
        let is_told = std::mem::replace(&mut self.state().told_kept, true);
        if !is_told {
            (self.settings.kept)(&keeper);
        }
    }

    /// Goes on behind a cut; running time does as well. False where the stream was stopped meanwhile.
    fn finish_flush(&self, cut: Cut, stream: &mut Stream) -> bool {
        let state = self.state();
        let is_open = |state: &mut State| state.cuts.is_empty() && !state.stopped;
        let mut state = self.changed.wait_while(state, is_open).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return false;
        }
        let flushed = state.cuts.pop_front().unwrap_or_default();
        drop(state);
        if !flushed {
            (self.settings.silenced)(cut.since.elapsed());
            return true;
        }
        self.pad.push_event(gst::event::FlushStop::builder(false).build());
        (stream.has_segment, stream.goes_on) = (false, false);
        true
    }

    fn push(&self, next: Next, stream: &mut Stream) -> bool {
        match next {
            Next::Piece(piece) => self.push_piece(piece, stream),
            Next::Wait => true,
            Next::End => {
                self.end();
                false
            }
        }
    }

    fn end(&self) {
        self.send_events();
        self.pad.push_event(gst::event::Eos::new());
        (self.settings.ended)();
    }

    fn push_piece(&self, piece: Piece, stream: &mut Stream) -> bool {
        let time = |position| sample_clock::samples_to_time(position, self.settings.format.rate());
        for (item_id, position) in piece.begins {
            (self.settings.began)(item_id, time(position));
        }
        let pts = clock_time(time(piece.position));
        let duration = clock_time(time(piece.position + piece.samples)) - pts;
        if piece.silent && self.settings.gaps {
            stream.goes_on = false;
            self.pad.push_event(gst::event::Gap::builder(pts).duration(duration).build());
            return true;
        }
        let left_out = clock_time(time(stream.end));
        if stream.timing == Some(Timing::Offline) && pts > left_out {
            self.pad.push_event(gst::event::Gap::builder(left_out).duration(pts - left_out).build());
            stream.goes_on = false;
        }
        stream.end = piece.position + piece.samples;
        let size = self.settings.format.sample_size();
        let data = if piece.silent { self.silence.slice(..piece.samples as usize * size) } else { piece.data };
        let mut buffer = gst::Buffer::from_slice(data);
        let goes_on = std::mem::replace(&mut stream.goes_on, true);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_duration(duration);
            buffer.set_offset(piece.position);
            buffer.set_offset_end(piece.position + piece.samples);
            if piece.silent {
                buffer.set_flags(gst::BufferFlags::GAP);
            }
            if !goes_on {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        let result = self.pad.push(buffer);
        self.handle_flow(result, stream)
    }

    fn handle_flow(&self, result: Result<gst::FlowSuccess, gst::FlowError>, stream: &mut Stream) -> bool {
        match result {
            // Nobody listens (yet); the words are told all the same.
            Ok(_) | Err(gst::FlowError::NotLinked) => true,
            // Somebody else flushes downstream. A live stream goes on behind that.
            Err(gst::FlowError::Flushing) => {
                (stream.has_segment, stream.goes_on) = (false, false);
                stream.timing == Some(Timing::Live)
            }
            Err(error) => {
                if error != gst::FlowError::Eos
                    && let Some(element) = self.pad.parent_element()
                {
                    if error == gst::FlowError::NotNegotiated {
                        let (is, wished) = (&self.settings.caps, self.pad.peer_query_caps(None));
                        errors::post_not_negotiated(&element, &self.pad.name(), is, &wished);
                    } else {
                        errors::post_flow_error(&element, error);
                    }
                }
                // Upstream hears it after the application.
                let _ = self.flow.set(error);
                self.end();
                false
            }
        }
    }
}

fn samples(time: Duration, format: &AudioFormat) -> u64 {
    sample_clock::time_to_samples(time, format.rate())
}

fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.as_nanos() as u64)
}
