// SPDX-License-Identifier: MPL-2.0

//! The user's side: sound on its way to the server, and the turns that are found in it.
//!
//! Sound passes three points. It is *handed in*: holes in its timestamps are filled with silence, and it queues while
//! an answer has to be waited for. It is *heard*, by the element's own ear where that finds the turns. It is *sent*,
//! which moves the server's clock.

use crate::audio::sample_clock::{SampleClock, samples_to_time, time_to_samples};
use crate::audio::vad::{TurnDetector, VadEvent};
use crate::realtime::conversation::config::{Config, Detection, MAX_DETECTION_DELAY, MIN_COMMIT};
use crate::realtime::conversation::input::audio_align::{AudioAligner, Tolerance};
use crate::realtime::conversation::input::uncommitted::UncommittedAudio;
use crate::realtime::conversation::{Conversation, Event, Output, Phase};
use crate::types::Speaker;
use crate::types::{AudioChunk, Timing};
use bytes::Bytes;
use openai_protocol::Base64;
use openai_protocol::client::{InputAudioBufferAppend, InputAudioBufferClear, InputAudioBufferCommit};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Silence in a hole beyond the one that ends a turn, so that a detection surely finds the end.
const FILL_MARGIN: Duration = Duration::from_millis(500);
/// Input has stopped when it is later than bursts may be by this much.
const STALL_MARGIN: Duration = Duration::from_millis(500);
/// How far input that came late may catch up with the speed that is set.
const MAX_CATCH_UP: Duration = Duration::from_millis(200);
/// How often it is told that no text comes.
const TEXT_GAP_STEP: Duration = Duration::from_secs(1);
/// The longest that a low speed makes one piece of sound wait.
const MAX_PACING_WAIT: Duration = Duration::from_secs(86_400);

/// What was heard and sent so far.
#[derive(Debug)]
pub(crate) struct AudioInput {
    /// All that was taken from the input.
    pub heard: SampleClock,
    /// All that was appended: the server's clock.
    pub sent: SampleClock,
    /// Up to here, in samples of `sent`, everything has become messages or was given up.
    committed: u64,
    /// What was appended and is not committed, as far as it is remembered.
    pub uncommitted_audio: UncommittedAudio,
    /// The end of what was handed in.
    place: AudioAligner,
    /// When sound was handed in last, or could be again.
    pub last_sound: Option<Instant>,
    /// Nothing has come since silence was put in place of sound that had stopped.
    stalled: bool,
    /// Handed in, and waiting for an answer to end.
    waiting: VecDeque<AudioChunk>,
    turn_detector: Option<TurnDetector>,
    /// Where in `heard` the ear began to count.
    ear_began: u64,
    /// Where in `heard` the next sound of the turn in hand was.
    next_of_turn: u64,
    /// No more sound is wanted before, where a speed is set.
    free_at: Instant,
    /// Up to here on the timeline, frames have been reckoned with.
    seen: Option<Duration>,
    /// Up to here, the output was told to be settled.
    pub quiet: Duration,
    /// A standstill was told.
    pub told_standstill: bool,
}

impl AudioInput {
    pub fn new(config: &Config, now: Instant) -> Self {
        let rate = config.input.rate();
        let mut audio_input = Self {
            heard: SampleClock::new(rate),
            sent: SampleClock::new(rate),
            committed: 0,
            uncommitted_audio: UncommittedAudio::default(),
            place: AudioAligner::default(),
            last_sound: None,
            told_standstill: false,
            stalled: false,
            waiting: VecDeque::new(),
            turn_detector: None,
            ear_began: 0,
            next_of_turn: 0,
            free_at: now,
            seen: None,
            quiet: Duration::ZERO,
        };
        audio_input.forget(config);
        audio_input
    }

    /// Forgets what is not sent yet.
    fn forget(&mut self, config: &Config) {
        self.waiting.clear();
        self.forget_turn(config);
    }

    /// Forgets the turn in hand.
    pub fn forget_turn(&mut self, config: &Config) {
        self.ear_began = self.heard.samples();
        self.make_turn_detector(config);
    }

    fn make_turn_detector(&mut self, config: &Config) {
        self.turn_detector = match &config.detection {
            Detection::Local(settings) => Some(TurnDetector::new(settings, config.input.clone())),
            Detection::Server { .. } | Detection::Manual => None,
        };
    }

    /// The input's format is another one from here on.
    pub fn change_format(&mut self, config: &Config) {
        let rate = config.input.rate();
        self.heard.change_rate(rate);
        self.sent.change_rate(rate);
        self.committed = self.sent.samples();
        self.uncommitted_audio = UncommittedAudio::default();
        self.forget(config);
    }

    /// Another server counts from zero. Gives back what it has to hear again.
    pub fn restart_clock(&mut self, rate: u32) -> Vec<AudioChunk> {
        self.sent = SampleClock::new(rate);
        self.committed = 0;
        self.uncommitted_audio.take()
    }

    /// Somebody else finds the turns from here on.
    pub fn change_detection(&mut self, config: &Config) {
        self.ear_began = self.heard.samples();
        self.make_turn_detector(config);
    }

    /// Nothing waits that was handed in already.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When more sound may be handed in, where a speed is set.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (self.free_at > now).then_some(self.free_at)
    }

    /// Running time at the end of what was handed in.
    pub fn end(&self) -> Duration {
        self.place.end.unwrap_or_default()
    }

    /// Appended and not committed.
    pub fn uncommitted(&self) -> u64 {
        self.sent.samples().saturating_sub(self.committed)
    }

    /// Where that begins.
    pub fn uncommitted_from(&self) -> Option<Duration> {
        self.sent.time_of(self.committed)
    }

    /// Reckons with so much sound, the end of which was handed in last. Where a frame stood before, that was done.
    fn pace_sound(&mut self, length: Duration, config: &Config, now: Instant) {
        let seen = self.seen.zip(self.place.end).map(|(seen, end)| {
            let begin = end.saturating_sub(length);
            seen.min(end).saturating_sub(begin)
        });
        self.pace(length.saturating_sub(seen.unwrap_or_default()), config, now);
    }

    /// Reckons with what lies between this frame and the sound and frames before it.
    pub fn pace_frame(&mut self, at: Duration, config: &Config, now: Instant) {
        let before = self.seen.max(self.place.end);
        self.seen = self.seen.max(Some(at));
        self.pace(before.map_or(Duration::ZERO, |before| at.saturating_sub(before)), config, now);
    }

    /// Reckons with so much input at the speed that is set.
    fn pace(&mut self, length: Duration, config: &Config, now: Instant) {
        if config.timing == Timing::Offline && config.max_speed.is_finite() && config.max_speed > 0.0 {
            let seconds = length.as_secs_f64() / config.max_speed;
            let wait = Duration::try_from_secs_f64(seconds).map_or(MAX_PACING_WAIT, |wait| wait.min(MAX_PACING_WAIT));
            let earliest = now.checked_sub(MAX_CATCH_UP).unwrap_or(now);
            self.free_at = self.free_at.max(earliest) + wait;
        }
    }
}

fn silence(format: &AudioFormat, length: Duration) -> Bytes {
    let samples = time_to_samples(length, format.rate()) as usize;
    vec![format.silence()[0]; samples * format.sample_size()].into()
}

impl Conversation {
    /// The user said something (or was silent). It is taken as soon as no answer has to be waited for.
    pub(crate) fn push_audio(&mut self, mut sound: AudioChunk) {
        let format = &self.config.input;
        let samples = sound.data.len() / format.sample_size();
        if samples == 0 || self.drain.has_begun() || !matches!(self.phase, Phase::Ready) {
            return;
        }
        sound.data.truncate(samples * format.sample_size());
        let length = samples_to_time(samples as u64, format.rate());
        let tolerance = Tolerance {
            threshold: self.config.alignment_threshold,
            wait: self.config.discont_wait,
            exact: self.config.timing == Timing::Offline,
        };
        let audio_input = &mut self.audio_input;
        let was_stalled = std::mem::take(&mut audio_input.stalled);
        audio_input.last_sound = Some(self.now);
        if was_stalled {
            audio_input.place.expect_break();
        }
        let is_first = audio_input.place.end.is_none();
        let mut placed = audio_input.place.align(&sound, format, tolerance);
        sound.at = Some(placed.at);
        // Push to talk has no holes between its turns, and a stall has got its silence already.
        let is_manual = matches!(self.config.detection, Detection::Manual);
        let fills = !was_stalled && (!is_manual || audio_input.uncommitted() > 0);
        let filled = if fills { placed.hole.min(self.longest_fill()) } else { Duration::ZERO };
        if !filled.is_zero() {
            let silence = silence(&self.config.input, filled);
            self.audio_input.waiting.push_back(AudioChunk { data: silence, at: None });
        }
        self.frames.position = placed.at;
        if is_first && tolerance.exact {
            placed.hole = placed.at;
        }
        self.audio_input.waiting.push_back(sound);
        self.audio_input.pace_sound(filled + length, &self.config, self.now);
        self.tell_placed(&placed, filled, was_stalled || is_manual || is_first);
    }

    /// Whether the network takes less than is to be sent; sound waits outside meanwhile.
    pub(crate) fn is_behind(&mut self, behind: bool) {
        self.frames.is_behind = behind;
        self.audio_input.last_sound = self.audio_input.last_sound.map(|_| self.now);
    }

    /// The next timestamp is right, whatever was counted.
    pub(crate) fn timestamps_break(&mut self) {
        self.audio_input.place.expect_break();
    }

    /// So much silence stands for any hole: what ends a turn. More would only delay the words behind it.
    fn longest_fill(&self) -> Duration {
        let silence = match &self.config.detection {
            Detection::Server { silence } => *silence,
            Detection::Local(settings) => settings.silence,
            Detection::Manual => Duration::ZERO,
        };
        silence + FILL_MARGIN
    }

    /// Live, when input that has stopped in the middle of a turn gets the silence that ends it.
    pub(crate) fn stall_deadline(&self) -> Option<Instant> {
        let may_stall = self.config.timing == Timing::Live
            && !matches!(self.config.detection, Detection::Manual)
            && self.turns.speaking
            && !self.audio_input.stalled
            // Then sound waits outside.
            && !self.frames.is_behind
            && !self.drain.has_begun();
        let wait = (self.config.discont_wait + STALL_MARGIN).max(self.longest_fill());
        self.audio_input.last_sound.filter(|_| may_stall).map(|last| last + wait)
    }

    /// Nothing has come for so long that the user's turn has to end.
    pub(crate) fn fill_stall(&mut self) {
        if self.stall_deadline().is_none_or(|deadline| self.now < deadline) {
            return;
        }
        self.audio_input.stalled = true;
        let length = self.longest_fill();
        let silence = silence(&self.config.input, length);
        self.audio_input.place.advance(length);
        self.audio_input.waiting.push_back(AudioChunk { data: silence, at: None });
        self.tell_stall(length);
    }

    /// Takes what was handed in, as long as no answer has to be waited for.
    pub(crate) fn process_audio(&mut self) {
        while !self.holds_input() {
            let Some(sound) = self.audio_input.waiting.pop_front() else { return };
            if self.audio_input.turn_detector.is_some() {
                self.process_with_vad(sound);
            } else {
                let samples = sound.data.len() / self.config.input.sample_size();
                self.audio_input.heard.advance(samples as u64, sound.at);
                self.append(sound);
            }
            self.advance_gap();
            self.send_due_request();
        }
    }

    /// The ear stops at the end of each turn, and so does the input if an answer is owed.
    fn process_with_vad(&mut self, sound: AudioChunk) {
        let size = self.config.input.sample_size();
        let AudioChunk { mut data, mut at } = sound;
        while let Some(turn_detector) = self.audio_input.turn_detector.as_mut().filter(|_| !data.is_empty()) {
            let mut heard = Vec::new();
            let taken = data.split_to(turn_detector.push(&data, &mut heard));
            self.audio_input.heard.advance((taken.len() / size) as u64, at.take());
            self.on_vad_event(heard);
            if self.holds_input() && !data.is_empty() {
                self.audio_input.waiting.push_front(AudioChunk { data, at: None });
                return;
            }
        }
    }

    fn on_vad_event(&mut self, heard: Vec<VadEvent>) {
        for what in heard {
            match what {
                VadEvent::SpeechStarted(sample) => {
                    self.audio_input.next_of_turn = self.audio_input.ear_began + sample;
                    let start = self.audio_input.heard.time_of(self.audio_input.next_of_turn);
                    self.begin_turn(None, start);
                }
                VadEvent::Audio(data) => {
                    let at = self.audio_input.heard.time_of(self.audio_input.next_of_turn);
                    self.audio_input.next_of_turn += (data.len() / self.config.input.sample_size()) as u64;
                    self.append(AudioChunk { data: data.into(), at });
                }
                VadEvent::SpeechStopped(sample) => {
                    let end = self.audio_input.heard.time_of(self.audio_input.ear_began + sample);
                    self.end_turn(None, end);
                    self.commit();
                    self.request_response_for_turn();
                }
            }
        }
    }

    /// Offline: tells up to where the output is settled, because no answer can begin before.
    fn advance_gap(&mut self) {
        let settled = self.settled();
        self.advance_gap_until(settled);
    }

    /// The same, where it is known up to where.
    pub(crate) fn advance_gap_until(&mut self, settled: Duration) {
        let is_known = self.config.timing == Timing::Offline && !self.holds_input();
        if is_known && settled > self.audio_input.quiet {
            self.audio_input.quiet = settled;
            self.outbox.push(Output::GapUntil(settled));
        }
    }

    /// Tells up to where no text of either side begins any more, a second at a time. Live the model's words come in
    /// time, and nothing need be told of them.
    pub(crate) fn advance_text_gap(&mut self) {
        if !matches!(self.phase, Phase::Ready) {
            return;
        }
        let live = self.config.timing == Timing::Live;
        let heard = || self.audio_input.heard.end().unwrap_or_default().saturating_sub(MAX_DETECTION_DELAY);
        let quiet = if live { heard() } else { self.audio_input.quiet };
        let user = self.turns.pending_from().map_or(quiet, |from| from.min(quiet));
        self.advance_gap_of(Speaker::User, user);
        if !live {
            let spoken = quiet.max(self.responses.end());
            let model = self.captions.pending_from(&self.responses).map_or(spoken, |from| from.min(spoken));
            let model = if self.scheduler.is_pending() { model.min(self.responses.next_from()) } else { model };
            self.advance_gap_of(Speaker::Assistant, model);
        }
    }

    fn advance_gap_of(&mut self, speaker: Speaker, until: Duration) {
        let so_far = &mut self.text_gap[usize::from(speaker == Speaker::Assistant)];
        if until >= *so_far + TEXT_GAP_STEP {
            *so_far = until;
            self.outbox.push(Output::TextGapUntil(speaker, until));
        }
    }

    pub(crate) fn append(&mut self, sound: AudioChunk) {
        let samples = (sound.data.len() / self.config.input.sample_size()) as u64;
        if samples > 0 {
            self.remember(samples, &sound);
            self.audio_input.sent.advance(samples, sound.at);
            self.send(InputAudioBufferAppend { audio: Base64(sound.data), ..Default::default() });
        }
    }

    /// Another session may have to hear it again.
    fn remember(&mut self, samples: u64, sound: &AudioChunk) {
        if self.config.reconnects {
            let keep = self.remembers();
            let sent = self.audio_input.sent.samples();
            self.audio_input.uncommitted_audio.add(sent, samples, sound.clone(), self.now, keep);
        }
    }

    /// Adds so much silence behind what was said.
    pub(crate) fn append_silence(&mut self, length: Duration) {
        self.append(AudioChunk { data: silence(&self.config.input, length), at: None });
    }

    /// Makes the sound so far the message of the newest turn.
    pub(crate) fn commit(&mut self) {
        self.frames_for_turn();
        let so_far = self.audio_input.sent.duration(self.audio_input.uncommitted());
        if so_far < MIN_COMMIT {
            self.append_silence(MIN_COMMIT - so_far);
        }
        let said = self.audio_input.uncommitted_audio.take();
        self.remember_turn(None, said);
        self.all_is_committed();
        let event_id = self.send(InputAudioBufferCommit::default());
        self.turns.committed_by(event_id);
    }

    /// Nothing of what was appended so far waits to be committed.
    pub(crate) fn all_is_committed(&mut self) {
        self.audio_input.committed = self.audio_input.sent.samples();
        self.audio_input.uncommitted_audio = UncommittedAudio::default();
    }

    /// A server's turn ends at this place on its clock. Gives back what was said in it, as far as that is remembered.
    pub(crate) fn committed_up_to(&mut self, milliseconds: u64) -> Vec<AudioChunk> {
        let end = self.audio_input.sent.sample_at_ms(milliseconds);
        self.audio_input.committed = self.audio_input.committed.max(end);
        self.audio_input.uncommitted_audio.take_before(end, self.config.input.rate())
    }

    /// A server's turn begins at this place on its clock, and what was there before is in none.
    pub(crate) fn turn_begins_at(&mut self, milliseconds: u64) {
        let start = self.audio_input.sent.sample_at_ms(milliseconds);
        self.audio_input.uncommitted_audio.take_before(start, self.config.input.rate());
    }

    /// No more sound will come: the turn in hand ends here.
    pub(crate) fn finish_audio_input(&mut self) {
        let mut heard = Vec::new();
        if let Some(turn_detector) = &mut self.audio_input.turn_detector {
            turn_detector.finish(&mut heard);
        }
        self.on_vad_event(heard);
    }

    /// Upstream was flushed: the turn in hand is forgotten, time may begin anew, and the stream is not at its end.
    pub(crate) fn flushed(&mut self) {
        self.forget_turn();
        (self.audio_input.place, self.audio_input.seen) = (AudioAligner::default(), None);
        self.audio_input.quiet = Duration::ZERO;
        self.text_gap = [Duration::ZERO; 2];
        self.responses.forget_time();
        self.frames.forget();
        self.drain.reset();
    }

    /// What was not committed is forgotten on both sides.
    pub(crate) fn forget_turn(&mut self) {
        if let Some(turn) = self.turns.drop_open() {
            let running_time = self.audio_input.heard.end();
            self.notify(Event::Speech { active: false, item_id: turn.item_id, running_time });
        }
        if matches!(self.phase, Phase::Ready) && self.audio_input.uncommitted() > 0 {
            self.all_is_committed();
            self.send(InputAudioBufferClear::default());
        }
        self.audio_input.forget(&self.config);
    }
}
