// SPDX-License-Identifier: MPL-2.0

//! Source pads that carry text: words with their place on the timeline, or the events of the wire.
//!
//! Each has a thread and a bounded queue of its own, so that a muxer that waits for one pad never holds up another.
//! Text is rare: between two pieces GAP events tell downstream how far the time has come. The last piece of a message
//! ends with a line break, the others with a space, so that a terminal shows one message a line.

use crate::media::clock_wait::ClockWaiter;
use crate::media::errors;
use crate::media::recorder;
use crate::types::Timing;
use crate::types::TraceEvent;
use crate::types::{Speaker, TimedText};
use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a released pad's thread may take before what is downstream of it is flushed.
const MAX_LEAVE_WAIT: Duration = Duration::from_millis(200);

/// What waits at most. Beyond that a live stream loses its oldest, and offline whoever brings more has to wait.
const WAITING: usize = 4096;
/// How many events that pass may wait beyond that.
const PASSING: usize = 1024;
/// Lead of a live stream's GAP events over the clock, so that no picture waits for it, and their interval. Speech never
/// begins nearer to the clock than this.
const AHEAD: Duration = Duration::from_millis(20);
/// How often it does where its words may be late, or nobody shows it beside pictures.
const STEP: Duration = Duration::from_millis(100);

/// What goes out.
#[derive(Clone, Debug)]
pub enum TextItem {
    /// Somebody's words.
    Words(TimedText),
    /// An event of the wire.
    Event(TraceEvent),
    /// Nothing will begin before this running time.
    Quiet(Duration),
    /// A serialized event that passes.
    Passing(gst::Event),
}

#[derive(Debug, Default)]
struct State {
    timing: Option<Timing>,
    waiting: VecDeque<TextItem>,
    ended: bool,
    stopped: bool,
    /// The streaming thread is through, or was never there.
    left: bool,
    dropped: u64,
}

/// What the streaming thread alone knows.
#[derive(Debug, Default)]
pub struct Stream {
    began: bool,
    told_speaker: bool,
    position: gst::ClockTime,
    /// By how much the words of a message are late that came after their time.
    shift: gst::ClockTime,
}

impl Stream {
    /// Where words stand. All words of a message are late alike, so that they do not all stand at one time.
    fn shifted(&mut self, at: gst::ClockTime) -> gst::ClockTime {
        let late = self.position.saturating_sub(at);
        self.shift = if late.is_zero() { gst::ClockTime::ZERO } else { self.shift.max(late) };
        at.saturating_add(self.shift)
    }
}

/// The stream of one pad.
pub struct TextSrcTask {
    pad: gst::Pad,
    pace: Arc<ClockWaiter>,
    group: gst::GroupId,
    /// What the pad answers to LATENCY: live, the stream stays so far behind the clock.
    latency: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

impl TextSrcTask {
    /// A stream that has not begun. What comes live is stamped as it is, if it comes within `latency`.
    pub fn new(
        pad: gst::Pad,
        pace: Arc<ClockWaiter>,
        group: gst::GroupId,
        latency: Duration,
        timing: Option<Timing>,
    ) -> Self {
        Self {
            pad,
            pace,
            group,
            latency,
            state: Mutex::new(State { timing, ..State::default() }),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pad that it feeds.
    pub fn pad(&self) -> &gst::Pad {
        &self.pad
    }

    /// It is known now whether the stream is live.
    pub fn set_timing(&self, timing: Timing) {
        self.state().timing = Some(timing);
        self.changed.notify_all();
    }

    /// Brings something to be sent.
    pub fn push(&self, item: TextItem) {
        if !self.pad.is_linked() {
            // Nobody could ever take it out again.
            return;
        }
        let mut state = self.state();
        let full = |state: &mut State| {
            state.waiting.len() >= WAITING && state.timing == Some(Timing::Offline) && !state.stopped && !state.ended
        };
        state = self.changed.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
        if state.waiting.len() >= WAITING {
            state.waiting.pop_front();
            state.dropped += 1;
        }
        if !state.stopped && !state.ended {
            state.waiting.push_back(item);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Brings an event that passes. That never waits: its thread is another stream's. False where there is no room.
    pub fn push_event(&self, event: gst::Event) -> bool {
        if !self.pad.is_linked() {
            return true;
        }
        let mut state = self.state();
        if state.stopped || state.ended {
            return true;
        }
        let has_room = state.waiting.len() < WAITING + PASSING;
        if has_room {
            state.waiting.push_back(TextItem::Passing(event));
        }
        drop(state);
        self.changed.notify_all();
        has_room
    }

    /// No more will come.
    pub fn finish(&self) {
        self.state().ended = true;
        self.changed.notify_all();
    }

    /// Ends every wait, now and later.
    pub fn stop(&self) {
        self.state().stopped = true;
        self.changed.notify_all();
    }

    /// Ends the stream of a pad that is about to be released. Where its thread is held up downstream, as by a sink that
    /// prerolls, that is flushed: releasing a pad must not wait for ever. Returns the peer that was sent FLUSH_START, and
    /// is to get FLUSH_STOP when the pad is inactive.
    pub fn leave(&self) -> Option<gst::Pad> {
        self.stop();
        if self.wait_until_left(MAX_LEAVE_WAIT) || recorder::downstream_of(&self.pad).is_some() {
            return None;
        }
        let peer = self.pad.peer()?;
        peer.send_event(gst::event::FlushStart::new());
        Some(peer)
    }

    /// Waits until the streaming thread is through after a stop. False where it is held up downstream for so long.
    fn wait_until_left(&self, limit: Duration) -> bool {
        let state = self.state();
        let waited = self.changed.wait_timeout_while(state, limit, |state| !state.left);
        waited.unwrap_or_else(PoisonError::into_inner).0.left
    }

    /// How many pieces were lost since this was asked last.
    pub fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.state().dropped)
    }

    /// One turn of the streaming thread. False when it is over.
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
            self.begin();
            return true;
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
                let until = self.pace.now().map(|now| clock_time((now + ahead).saturating_sub(self.latency)));
                self.gap_until(until, stream);
                true
            }
        }
    }

    /// How far ahead of the clock, less the latency, a live stream tells its time, and how often.
    fn lead(&self) -> (Duration, Duration) {
        if !self.pad.is_linked() {
            (Duration::ZERO, STEP)
        } else if self.latency > STEP * 2 {
            (STEP + AHEAD, STEP)
        } else {
            (AHEAD, AHEAD)
        }
    }

    /// Sends what stands before every stream, and a gap, so that sinks need not wait for the first words.
    fn begin(&self) {
        let stream_id = crate::media::stream_id(&self.pad, &self.pad.name());
        let start = gst::event::StreamStart::builder(&stream_id).group_id(self.group);
        self.pad.push_event(start.flags(gst::StreamFlags::SPARSE).build());
        self.pad.push_event(gst::event::Caps::new(&self.pad.pad_template_caps()));
        self.pad.push_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
        self.pad.push_event(gst::event::Gap::builder(gst::ClockTime::ZERO).build());
    }

    fn send(&self, item: TextItem, stream: &mut Stream) -> bool {
        let now = || self.pace.now().map(clock_time);
        match item {
            TextItem::Quiet(until) => {
                self.gap_until(Some(clock_time(until)), stream);
                true
            }
            TextItem::Passing(event) => {
                self.pad.push_event(event);
                true
            }
            TextItem::Event(event) => {
                let side = if event.from_server { 's' } else { 'c' };
                let line =
                    format!("{{\"dir\":\"{side}\",\"t\":{:.3},\"ev\":{}}}\n", event.time.as_secs_f64(), event.json);
                self.push_buffer(line, now(), None, stream)
            }
            TextItem::Words(words) => {
                let role = match words.role {
                    Speaker::User => "user",
                    Speaker::Assistant => "assistant",
                };
                if !std::mem::replace(&mut stream.told_speaker, true) {
                    self.tell(gst::Structure::builder("rstranscribe/speaker-change").field("speaker", role).build());
                }
                let at = words.at.map(clock_time).or_else(now);
                let ends_well = words.text.ends_with(char::is_whitespace);
                let text = match (words.last, ends_well) {
                    (true, _) => format!("{}\n", words.text.trim_end()),
                    (false, _) if words.duration.is_none() || ends_well => words.text,
                    (false, _) => format!("{} ", words.text),
                };
                let text = if words.duration.is_some() { text.trim_start().to_owned() } else { text };
                let at = at.map(|at| stream.shifted(at));
                let goes_on = self.push_buffer(text, at, words.duration.map(clock_time), stream);
                if words.last {
                    stream.shift = gst::ClockTime::ZERO;
                }
                if goes_on && words.last {
                    self.tell(gst::Structure::new_empty("rstranscribe/final-transcript"));
                }
                goes_on
            }
        }
    }

    /// An event of the family of transcribing elements.
    fn tell(&self, structure: gst::Structure) {
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
        // Time does not run backwards, whatever comes late.
        let at = at.map(|at| at.max(stream.position));
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(at);
            buffer.set_duration(duration);
        }
        stream.position = at.unwrap_or(stream.position);
        match self.pad.push(buffer) {
            Ok(_) | Err(gst::FlowError::NotLinked | gst::FlowError::Flushing) => true,
            Err(error) => {
                if error != gst::FlowError::Eos
                    && let Some(element) = self.pad.parent_element()
                {
                    errors::post_flow_error(&element, error);
                }
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
