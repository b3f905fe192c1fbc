//! The source pad's stream: takes the answer's timeline piece by piece, stamps it and pushes it.
//!
//! Live, there is a piece for every moment, paced to the clock with a small lead; offline, a piece goes out as soon as
//! it cannot change any more. A cut silences what is downstream: FLUSH_START comes from the thread that decided it,
//! everything after that from the streaming thread, in order.

use super::pace::{Ended, Pace};
use crate::conversation::Timing;
use crate::conversation::playout::{Next, Piece};
use crate::link::Playout;
use crate::protocol::session::AudioFormat;
use bytes::Bytes;
use gst::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The length of a piece.
const LIVE_PIECE: Duration = Duration::from_millis(20);
const OFFLINE_PIECE: Duration = Duration::from_millis(100);
/// A live stream that has fallen behind by more than this (and the pipeline's latency) catches up with a jump.
const TOO_LATE: Duration = Duration::from_secs(1);

/// How far a cut has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Cut {
    #[default]
    None,
    /// FLUSH_START is on its way.
    Begun,
    /// It has arrived: the streaming thread ends the flush.
    Flushed,
}

#[derive(Debug, Default)]
struct State {
    /// Live or offline, once that is known.
    timing: Option<Timing>,
    started: bool,
    first: bool,
    needs_segment: bool,
    discont: bool,
    cut: Cut,
    stopped: bool,
    group: Option<gst::GroupId>,
    /// What downstream said last, for upstream to hear.
    flow: Option<gst::FlowError>,
}

/// What a source is for.
pub struct SourceSettings {
    /// The caps of what it pushes.
    pub caps: gst::Caps,
    /// The format in the caps.
    pub format: AudioFormat,
    /// How far ahead of the clock pieces go out.
    pub lead: Duration,
    /// Whether silence is left out.
    pub gaps: bool,
    /// Called for every item that begins, with its running time.
    pub began: Box<dyn Fn(String, Duration) + Send + Sync>,
    /// Called when the stream is at its end.
    pub ended: Box<dyn Fn() + Send + Sync>,
}

/// The stream of one source pad.
pub struct Source {
    pad: gst::Pad,
    playout: Arc<Playout>,
    settings: SourceSettings,
    silence: Bytes,
    /// The source's own pace.
    pub pace: Arc<Pace>,
    latency: Arc<AtomicU64>,
    state: Mutex<State>,
    changed: Condvar,
}

impl Source {
    /// A stream that has not begun. `latency` is the pipeline's, in nanoseconds.
    pub fn new(
        pad: gst::Pad,
        playout: Arc<Playout>,
        pace: Arc<Pace>,
        latency: Arc<AtomicU64>,
        settings: SourceSettings,
    ) -> Self {
        let longest = samples(OFFLINE_PIECE, &settings.format) as usize * settings.format.sample_size();
        let silence = Bytes::from(vec![settings.format.silence()[0]; longest]);
        let state = State { first: true, needs_segment: true, discont: true, ..State::default() };
        Self { pad, playout, settings, silence, pace, latency, state: Mutex::new(state), changed: Condvar::new() }
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
        self.state().flow.map_or(Ok(gst::FlowSuccess::Ok), Err)
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
        self.pace.stop();
        self.playout.stop();
    }

    /// Silences what is downstream. Returns when downstream is flushing.
    pub fn cut(&self) {
        {
            let mut state = self.state();
            if !state.started || state.stopped || state.cut != Cut::None {
                return;
            }
            state.cut = Cut::Begun;
        }
        self.pad.push_event(gst::event::FlushStart::new());
        self.state().cut = Cut::Flushed;
        self.changed.notify_all();
    }

    /// One turn of the streaming thread. False when it is over.
    pub fn iterate(&self) -> bool {
        let Some(timing) = self.wait_for_timing() else { return false };
        if !self.begin() || !self.end_cut() {
            return false;
        }
        match timing {
            Timing::Live => self.iterate_live(),
            Timing::Offline => {
                let Some(next) = self.playout.next_offline(samples(OFFLINE_PIECE, &self.settings.format)) else {
                    return false;
                };
                self.push(next)
            }
        }
    }

    fn wait_for_timing(&self) -> Option<Timing> {
        let state = self.state();
        let state = self.changed.wait_while(state, |state| state.timing.is_none() && !state.stopped);
        let state = state.unwrap_or_else(PoisonError::into_inner);
        state.timing.filter(|_| !state.stopped)
    }

    fn iterate_live(&self) -> bool {
        let position = self.playout.position();
        // The very first piece goes out at once, so that sinks preroll before the clock runs.
        if !std::mem::take(&mut self.state().first) {
            match self.pace.wait_until(position.saturating_sub(self.settings.lead)) {
                Ok(()) => {}
                Err(Ended::Flushing) => return true,
                Err(Ended::Stopped) => return false,
            }
            let latency = Duration::from_nanos(self.latency.load(Ordering::Relaxed));
            let late = self.pace.now().map(|now| now.saturating_sub(position)).unwrap_or_default();
            if late > latency + TOO_LATE {
                self.playout.skip_to(position + late);
                self.state().discont = true;
            }
        }
        let piece = samples(LIVE_PIECE, &self.settings.format);
        let next = self.playout.next_live(piece);
        self.push(next)
    }

    /// Sends the sticky events, once.
    fn begin(&self) -> bool {
        let group = {
            let mut state = self.state();
            if state.started {
                return true;
            }
            state.started = true;
            *state.group.get_or_insert_with(gst::GroupId::next)
        };
        let stream_id = self.pad.create_stream_id(
            &self.pad.parent_element().unwrap_or_else(|| unreachable!("the pad of an element")),
            Some("answer"),
        );
        self.pad.push_event(gst::event::StreamStart::builder(&stream_id).group_id(group).build());
        if !self.pad.push_event(gst::event::Caps::new(&self.settings.caps))
            && self.pad.is_linked()
            && !self.state().stopped
        {
            gst::debug!(gst::CAT_NEGOTIATION, obj = self.pad, "downstream does not take {}", self.settings.caps);
        }
        true
    }

    /// Ends a flush that was begun elsewhere.
    fn end_cut(&self) -> bool {
        let state = self.state();
        let state = self.changed.wait_while(state, |state| state.cut == Cut::Begun && !state.stopped);
        let mut state = state.unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return false;
        }
        if std::mem::take(&mut state.cut) == Cut::Flushed {
            (state.needs_segment, state.discont) = (true, true);
            drop(state);
            self.pad.push_event(gst::event::FlushStop::builder(false).build());
            state = self.state();
        }
        if std::mem::take(&mut state.needs_segment) {
            drop(state);
            let segment = gst::FormattedSegment::<gst::ClockTime>::new();
            self.pad.push_event(gst::event::Segment::new(&segment));
        }
        true
    }

    fn push(&self, next: Next) -> bool {
        match next {
            Next::Piece(piece) => self.push_piece(piece),
            Next::Wait => true,
            Next::End => {
                self.pad.push_event(gst::event::Eos::new());
                (self.settings.ended)();
                false
            }
        }
    }

    fn push_piece(&self, mut piece: Piece) -> bool {
        let time = |position| crate::conversation::uplink::samples_to_time(position, self.settings.format.rate());
        for (item_id, position) in std::mem::take(&mut piece.begins) {
            (self.settings.began)(item_id, time(position));
        }
        let pts = clock_time(time(piece.position));
        let duration = clock_time(time(piece.position + piece.samples)) - pts;
        if piece.silent && self.settings.gaps {
            self.state().discont = true;
            self.pad.push_event(gst::event::Gap::builder(pts).duration(duration).build());
            return true;
        }
        let size = self.settings.format.sample_size();
        let data = if piece.silent { self.silence.slice(..piece.samples as usize * size) } else { piece.data };
        let mut buffer = gst::Buffer::from_slice(data);
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_duration(duration);
            buffer.set_offset(piece.position);
            buffer.set_offset_end(piece.position + piece.samples);
            if piece.silent {
                buffer.set_flags(gst::BufferFlags::GAP);
            }
            if std::mem::take(&mut self.state().discont) {
                buffer.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        let result = self.pad.push(buffer);
        self.judge(result)
    }

    fn judge(&self, result: Result<gst::FlowSuccess, gst::FlowError>) -> bool {
        match result {
            // Nobody listens (yet); the words are told all the same.
            Ok(_) | Err(gst::FlowError::NotLinked) => true,
            Err(gst::FlowError::Flushing) => {
                let state = self.state();
                state.cut != Cut::None && !state.stopped
            }
            Err(error) => {
                self.state().flow = Some(error);
                if let Some(element) = self.pad.parent_element()
                    && matches!(
                        error,
                        gst::FlowError::NotNegotiated | gst::FlowError::Error | gst::FlowError::NotSupported
                    )
                {
                    let text = format!("streaming stopped, reason {error}");
                    gst::element_error!(element, gst::StreamError::Failed, ("Internal data stream error."), ["{text}"]);
                }
                self.pad.push_event(gst::event::Eos::new());
                (self.settings.ended)();
                false
            }
        }
    }
}

fn samples(time: Duration, format: &AudioFormat) -> u64 {
    crate::conversation::uplink::time_to_samples(time, format.rate())
}

fn clock_time(time: Duration) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(time.as_nanos() as u64)
}
