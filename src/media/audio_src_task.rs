// SPDX-License-Identifier: MPL-2.0

//! Task of the source pad `src`: takes the output audio piece by piece from the playout queue, stamps and pushes it.
//!
//! Live, it is paced by the clock, a short lead ahead of it, and pushes silence where there is no speech. Offline, it pushes
//! each piece as soon as it cannot change any more.

use crate::audio::sample_clock;
use crate::media::clock_wait::{ClockWaiter, WaitError};
use crate::media::downstream_flush::DownstreamFlush;
use crate::media::errors;
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

/// Duration of a live buffer of speech.
const SPEECH_DURATION: Duration = Duration::from_millis(20);
/// Duration of a live buffer of silence; longer, because each one wakes this thread and those downstream.
const SILENCE_DURATION: Duration = Duration::from_millis(40);
/// Duration of an offline buffer.
const OFFLINE_DURATION: Duration = Duration::from_millis(100);
/// A live stream that is late by more than this and the pipeline's latency jumps to the present.
const MAX_LATENESS: Duration = Duration::from_secs(1);

/// How far ahead of the clock silence may end, whatever the lead is: an answer that arrives cannot begin before that.
const MAX_SILENCE_AHEAD: Duration = Duration::from_millis(60);

/// Maximum number of serialized events that wait for a stream that is blocked downstream.
const MAX_EVENTS: usize = 1024;

#[derive(Debug, Default)]
struct State {
    /// Known when the session starts.
    timing: Option<Timing>,
    stopped: bool,
    /// Serialized events to be pushed before the next buffer.
    events: VecDeque<gst::Event>,
}

/// State of the streaming thread.
#[derive(Debug, Default)]
pub struct Stream {
    timing: Option<Timing>,
    began: bool,
    has_segment: bool,
    /// The first buffer was pushed.
    has_prerolled: bool,
    /// The next buffer continues the last one, so that it is no DISCONT.
    is_continuous: bool,
    /// Position behind the last buffer.
    end: u64,
}

/// Settings and handlers of the task.
pub struct AudioSrcSettings {
    /// Output caps.
    pub caps: gst::Caps,
    /// Format that the caps stand for.
    pub format: AudioFormat,
    /// How far ahead of the clock buffers are pushed.
    pub lead: Duration,
    /// Latency of the stream: its distance behind the clock.
    pub delay: Duration,
    /// Whether silence is pushed as GAP events.
    pub gaps: bool,
    /// Called for every item that starts, with its running time.
    pub on_item_started: Box<dyn Fn(String, Duration) + Send + Sync>,
    /// Called after EOS.
    pub on_eos: Box<dyn Fn() + Send + Sync>,
}

/// The task of one source pad.
pub struct AudioSrcTask {
    pad: gst::Pad,
    playout: Arc<Playout>,
    settings: AudioSrcSettings,
    silence: Bytes,
    /// Clock waits of the task.
    pub clock_wait: Arc<ClockWaiter>,
    /// Group of the streams of all source pads.
    pub group: gst::GroupId,
    latency: Arc<AtomicU64>,
    flush: DownstreamFlush,
    state: Mutex<State>,
    changed: Condvar,
    /// Last flow return, if it was an error; returned to upstream.
    flow: OnceLock<gst::FlowError>,
}

impl AudioSrcTask {
    /// A task that was not started. `latency` is the pipeline's, in nanoseconds.
    pub fn new(
        pad: gst::Pad,
        playout: Arc<Playout>,
        clock_wait: Arc<ClockWaiter>,
        latency: Arc<AtomicU64>,
        settings: AudioSrcSettings,
        flush: DownstreamFlush,
    ) -> Self {
        // Speech does not wait until the next buffer of silence is due.
        let waiter = Arc::downgrade(&clock_wait);
        playout.set_speech_handler(move || {
            if let Some(waiter) = waiter.upgrade() {
                waiter.wake();
            }
        });
        let longest = samples(OFFLINE_DURATION, &settings.format) as usize * settings.format.sample_size();
        let silence = Bytes::from(vec![settings.format.silence()[0]; longest]);
        Self {
            pad,
            playout,
            settings,
            flush,
            silence,
            clock_wait,
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

    /// Starts the stream, which waits until it is known whether it is live.
    pub fn set_timing(&self, timing: Timing) {
        self.state().timing = Some(timing);
        self.changed.notify_all();
    }

    /// Flow return for upstream.
    pub fn flow(&self) -> Result<gst::FlowSuccess, gst::FlowError> {
        self.flow.get().map_or(Ok(gst::FlowSuccess::Ok), |error| Err(*error))
    }

    /// Queues a serialized event, which the streaming thread pushes before the next buffer. False if too many are queued.
    pub fn push_event(&self, event: gst::Event) -> bool {
        if !self.pad.is_linked() {
            return true;
        }
        let mut state = self.state();
        let has_room = state.events.len() < MAX_EVENTS;
        if has_room {
            state.events.push_back(event);
        }
        has_room
    }

    /// The pad.
    pub fn pad(&self) -> &gst::Pad {
        &self.pad
    }

    fn send_events(&self) {
        let events = std::mem::take(&mut self.state().events);
        for event in events {
            self.pad.push_event(event);
        }
    }

    /// Whether a cut is followed by a flush, as the pad is linked now.
    pub fn may_flush(&self) -> bool {
        self.flush.may_flush()
    }

    /// Flushes downstream after a cut, also while the streaming thread is blocked there.
    pub fn flush_downstream(&self, since: Instant) {
        self.flush.start(since, || self.clock_wait.wake());
    }

    /// Ends all waits for good.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
        self.flush.stop();
        self.clock_wait.stop();
        self.playout.stop();
    }

    /// One iteration of the streaming thread. False if the task has to pause.
    pub fn iterate(&self, stream: &mut Stream) -> bool {
        let Some(timing) = stream.timing.or_else(|| self.wait_for_timing()) else { return false };
        stream.timing = Some(timing);
        if !std::mem::replace(&mut stream.began, true) {
            self.begin();
        }
        if let Some(cut) = self.playout.take_cut() {
            match self.flush.finish(cut) {
                // Running time goes on: there is a new segment, from 0.
                Some(true) => (stream.has_segment, stream.is_continuous) = (false, false),
                Some(false) => {}
                None => return false,
            }
        }
        if !std::mem::replace(&mut stream.has_segment, true) {
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.pad.push_event(gst::event::Segment::new(&segment));
        }
        self.send_events();
        match timing {
            Timing::Live => self.iterate_live(stream),
            Timing::Offline => {
                let Some(next) = self.playout.next_offline(samples(OFFLINE_DURATION, &self.settings.format)) else {
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
        // The first buffer does not wait, so that sinks preroll before the clock runs.
        if std::mem::replace(&mut stream.has_prerolled, true) {
            let (position, speaks) = self.playout.next_at();
            let lead = if speaks { self.settings.lead } else { self.silence_lead().0 };
            let due = (position + self.settings.delay).saturating_sub(lead);
            let late = match self.clock_wait.wait_until(due) {
                Ok(late) => (due + late).saturating_sub(position + self.settings.delay),
                Err(WaitError::Flushing | WaitError::Woken) => return true,
                Err(WaitError::Stopped) => return false,
            };
            let latency = Duration::from_nanos(self.latency.load(Ordering::Relaxed));
            if late > latency + MAX_LATENESS {
                self.playout.skip_to(position + late);
                stream.is_continuous = false;
            }
        }
        let [speech, silence] =
            [SPEECH_DURATION, self.silence_lead().1].map(|length| samples(length, &self.settings.format));
        match self.playout.next_live(speech, silence) {
            Some(next) => self.push(next, stream),
            None => true,
        }
    }

    /// Lead of a buffer of silence over the clock, and its duration.
    fn silence_lead(&self) -> (Duration, Duration) {
        let lead = self.settings.lead;
        let length = if lead + SPEECH_DURATION < MAX_SILENCE_AHEAD { SPEECH_DURATION } else { SILENCE_DURATION };
        (lead.min(MAX_SILENCE_AHEAD - length), length)
    }

    /// Pushes STREAM_START and CAPS.
    fn begin(&self) {
        let stream_id = crate::media::stream_id(&self.pad, "answer");
        self.pad.push_event(gst::event::StreamStart::builder(&stream_id).group_id(self.group).build());
        if !self.pad.push_event(gst::event::Caps::new(&self.settings.caps)) && self.pad.is_linked() {
            gst::debug!(gst::CAT_NEGOTIATION, obj = self.pad, "downstream does not take {}", self.settings.caps);
        }
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
        (self.settings.on_eos)();
    }

    fn push_piece(&self, piece: Piece, stream: &mut Stream) -> bool {
        let time = |position| sample_clock::samples_to_time(position, self.settings.format.rate());
        for (item_id, position) in piece.begins {
            (self.settings.on_item_started)(item_id, time(position));
        }
        let pts = clock_time(time(piece.position));
        let duration = clock_time(time(piece.position + piece.samples)) - pts;
        if piece.silent && self.settings.gaps {
            stream.is_continuous = false;
            self.pad.push_event(gst::event::Gap::builder(pts).duration(duration).build());
            return true;
        }
        let left_out = clock_time(time(stream.end));
        if stream.timing == Some(Timing::Offline) && pts > left_out {
            self.pad.push_event(gst::event::Gap::builder(left_out).duration(pts - left_out).build());
            stream.is_continuous = false;
        }
        stream.end = piece.position + piece.samples;
        let size = self.settings.format.sample_size();
        let data = if piece.silent { self.silence.slice(..piece.samples as usize * size) } else { piece.data };
        let mut buffer = gst::Buffer::from_slice(data);
        let is_continuous = std::mem::replace(&mut stream.is_continuous, true);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_duration(duration);
            buffer.set_offset(piece.position);
            buffer.set_offset_end(piece.position + piece.samples);
            if piece.silent {
                buffer.set_flags(gst::BufferFlags::GAP);
            }
            if !is_continuous {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        let result = self.pad.push(buffer);
        self.handle_flow(result, stream)
    }

    fn handle_flow(&self, result: Result<gst::FlowSuccess, gst::FlowError>, stream: &mut Stream) -> bool {
        match result {
            // Transcripts are of use without the audio.
            Ok(_) | Err(gst::FlowError::NotLinked) => true,
            // An application flushes downstream; a live stream goes on after that.
            Err(gst::FlowError::Flushing) => {
                (stream.has_segment, stream.is_continuous) = (false, false);
                stream.timing == Some(Timing::Live)
            }
            Err(error) => {
                errors::post_flow_error(&self.pad, error);
                // After the ERROR message, so that upstream's own error comes second.
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
