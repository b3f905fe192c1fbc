// SPDX-License-Identifier: MPL-2.0

//! Input audio on its way to the server, and turn detection in it.
//!
//! Audio passes three points. It is *pushed*: gaps in its timestamps are filled with silence, and it queues while a
//! response has to be waited for. It is *heard* by the element's own VAD, if that detects the turns. It is *sent*,
//! which advances the server's sample clock.

use crate::audio::sample_clock::{SampleClock, samples_to_time, time_to_samples};
use crate::audio::vad::{TurnDetector, VadEvent};
use crate::realtime::conversation::config::{Config, Detection, MIN_COMMIT};
use crate::realtime::conversation::context::ctx;
use crate::realtime::conversation::input::audio_align::{AudioAligner, Tolerance};
use crate::realtime::conversation::input::uncommitted::UncommittedAudio;
use crate::realtime::conversation::{Conversation, Event, Phase};
use crate::types::{AudioChunk, Timing};
use bytes::Bytes;
use openai_protocol::Base64;
use openai_protocol::client::{InputAudioBufferAppend, InputAudioBufferClear, InputAudioBufferCommit};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Silence put into a gap beyond what ends a turn, so that every VAD finds the end.
const FILL_MARGIN: Duration = Duration::from_millis(500);
/// Input has stalled when it is this much later than `discont-wait` allows bursts to be.
const STALL_MARGIN: Duration = Duration::from_millis(500);
/// How far late input may catch up with `max-speed`.
const MAX_CATCH_UP: Duration = Duration::from_millis(200);
/// Longest wait of one piece of audio at a low `max-speed`.
const MAX_PACING_WAIT: Duration = Duration::from_secs(86_400);

/// State of the input audio.
#[derive(Debug)]
pub(crate) struct AudioInput {
    /// Clock of all input taken.
    pub heard: SampleClock,
    /// Clock of all audio appended: the server's `audio_start_ms` and `audio_end_ms` count on it.
    pub sent: SampleClock,
    /// Samples of `sent` up to which everything was committed or given up.
    committed: u64,
    /// Audio that was appended and is not committed, as far as it is remembered.
    pub uncommitted_audio: UncommittedAudio,
    /// Alignment of the end of the input.
    place: AudioAligner,
    /// When audio was pushed last, or could be again.
    pub last_sound: Option<Instant>,
    /// A stall was filled, and no audio has come since.
    stalled: bool,
    /// Pushed, and waiting for a response to end.
    waiting: VecDeque<AudioChunk>,
    turn_detector: Option<TurnDetector>,
    /// Sample of `heard` at which the VAD began to count.
    vad_start: u64,
    /// Sample of `heard` of the next audio of the current turn.
    next_of_turn: u64,
    /// With `max-speed`: no more input before this.
    free_at: Instant,
    /// Running time up to which frames count for `max-speed`.
    seen: Option<Duration>,
    /// Running time of the newest `GapUntil`.
    pub quiet: Duration,
    /// A warning about the standstill was posted.
    pub standstill_reported: bool,
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
            standstill_reported: false,
            stalled: false,
            waiting: VecDeque::new(),
            turn_detector: None,
            vad_start: 0,
            next_of_turn: 0,
            free_at: now,
            seen: None,
            quiet: Duration::ZERO,
        };
        audio_input.forget(config);
        audio_input
    }

    /// Drops what is not sent yet.
    fn forget(&mut self, config: &Config) {
        self.waiting.clear();
        self.forget_turn(config);
    }

    /// Drops the current turn.
    pub fn forget_turn(&mut self, config: &Config) {
        self.vad_start = self.heard.samples();
        self.make_turn_detector(config);
    }

    fn make_turn_detector(&mut self, config: &Config) {
        self.turn_detector = match &config.detection {
            Detection::Local(settings) => Some(TurnDetector::new(settings, config.input.clone())),
            Detection::Server { .. } | Detection::Manual => None,
        };
    }

    /// The input format changes.
    pub fn change_format(&mut self, config: &Config) {
        let rate = config.input.rate();
        self.heard.change_rate(rate);
        self.sent.change_rate(rate);
        self.committed = self.sent.samples();
        self.uncommitted_audio = UncommittedAudio::default();
        self.forget(config);
    }

    /// A new session counts from zero. Returns the audio that has to be sent to it again.
    pub fn restart_clock(&mut self, rate: u32) -> Vec<AudioChunk> {
        self.sent = SampleClock::new(rate);
        self.committed = 0;
        self.uncommitted_audio.take()
    }

    /// Turn detection changes.
    pub fn change_detection(&mut self, config: &Config) {
        self.vad_start = self.heard.samples();
        self.make_turn_detector(config);
    }

    /// No pushed audio waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// With `max-speed`: when more audio may be pushed.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        (self.free_at > now).then_some(self.free_at)
    }

    /// Running time at the end of the input.
    pub fn end(&self) -> Duration {
        self.place.end.unwrap_or_default()
    }

    /// Samples appended and not committed.
    pub fn uncommitted(&self) -> u64 {
        self.sent.samples().saturating_sub(self.committed)
    }

    /// Running time of the first of them.
    pub fn uncommitted_from(&self) -> Option<Duration> {
        self.sent.time_of(self.committed)
    }

    /// Accounts for audio at `max-speed`. What a frame has accounted for already does not count twice.
    fn pace_sound(&mut self, length: Duration, config: &Config, now: Instant) {
        let seen = self.seen.zip(self.place.end).map(|(seen, end)| {
            let begin = end.saturating_sub(length);
            seen.min(end).saturating_sub(begin)
        });
        self.pace(length.saturating_sub(seen.unwrap_or_default()), config, now);
    }

    /// Accounts for the time between this frame and the input before it.
    pub fn pace_frame(&mut self, at: Duration, config: &Config, now: Instant) {
        let before = self.seen.max(self.place.end);
        self.seen = self.seen.max(Some(at));
        self.pace(before.map_or(Duration::ZERO, |before| at.saturating_sub(before)), config, now);
    }

    /// Accounts for this much input.
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
    /// Takes audio of the user, as soon as no response has to be waited for.
    pub(crate) fn push_audio(&mut self, mut sound: AudioChunk) {
        let format = &self.config.input;
        let samples = sound.data.len() / format.sample_size();
        if samples == 0 || self.drain.has_begun() || !matches!(self.phase, Phase::Ready) {
            return;
        }
        sound.data.truncate(samples * format.sample_size());
        let length = samples_to_time(samples as u64, format.rate());
        let is_offline = self.config.timing == Timing::Offline;
        // Input that was away for longer than bursts are apart, as behind a closed valve, goes on where its timestamp
        // says. To wait until the difference has persisted would put the hole into the middle of the next word.
        let longest_burst = self.longest_burst();
        let audio_input = &mut self.audio_input;
        let last = audio_input.last_sound.replace(self.now);
        let has_paused = last.is_some_and(|last| self.now.saturating_duration_since(last) >= longest_burst);
        let tolerance = Tolerance {
            threshold: self.config.alignment_threshold,
            wait: self.config.discont_wait,
            trusts_jumps: is_offline || has_paused,
        };
        let was_stalled = std::mem::take(&mut audio_input.stalled);
        if was_stalled {
            audio_input.place.expect_break();
        }
        let is_first = audio_input.place.end.is_none();
        let mut placed = audio_input.place.align(&sound, format, tolerance);
        sound.at = Some(placed.at);
        // Between the turns of push to talk nothing is missing, and a stall was filled already.
        let is_manual = matches!(self.config.detection, Detection::Manual);
        let fills = !was_stalled && (!is_manual || audio_input.uncommitted() > 0);
        let filled = if fills { placed.hole.min(self.longest_fill()) } else { Duration::ZERO };
        if !filled.is_zero() {
            let silence = silence(&self.config.input, filled);
            self.audio_input.waiting.push_back(AudioChunk { data: silence, at: None });
        }
        self.frames.set_position(placed.at);
        if is_first && is_offline {
            placed.hole = placed.at;
        }
        self.audio_input.waiting.push_back(sound);
        self.audio_input.pace_sound(filled + length, &self.config, self.now);
        let is_expected = was_stalled || is_manual || is_first;
        self.alignment.aligned(&placed, filled, is_expected, &mut ctx!(self));
    }

    /// Whether the send queue is congested; audio waits in the input queue meanwhile.
    pub(crate) fn is_behind(&mut self, behind: bool) {
        self.frames.set_behind(behind);
        self.audio_input.last_sound = self.audio_input.last_sound.map(|_| self.now);
    }

    /// DISCONT: the next timestamp is believed.
    pub(crate) fn expect_discont(&mut self) {
        self.audio_input.place.expect_break();
    }

    /// Most silence put into a gap: what ends a turn. More would only delay the speech behind it.
    fn longest_fill(&self) -> Duration {
        let silence = match &self.config.detection {
            Detection::Server { silence } => *silence,
            Detection::Local(settings) => settings.silence,
            Detection::Manual => Duration::ZERO,
        };
        silence + FILL_MARGIN
    }

    /// Live: how far apart bursts of input may be without a pause of the input itself.
    fn longest_burst(&self) -> Duration {
        self.config.discont_wait + STALL_MARGIN
    }

    /// Live: when input that has stalled in the middle of a turn is filled with the silence that ends it.
    pub(crate) fn stall_deadline(&self) -> Option<Instant> {
        let may_stall = self.config.timing == Timing::Live
            && !matches!(self.config.detection, Detection::Manual)
            && self.turns.speaking
            && !self.audio_input.stalled
            // Then audio waits in the input queue.
            && !self.frames.is_behind()
            && !self.drain.has_begun();
        let wait = self.longest_burst().max(self.longest_fill());
        self.audio_input.last_sound.filter(|_| may_stall).map(|last| last + wait)
    }

    /// Fills a stall.
    pub(crate) fn fill_stall(&mut self) {
        if self.stall_deadline().is_none_or(|deadline| self.now < deadline) {
            return;
        }
        self.audio_input.stalled = true;
        let length = self.longest_fill();
        let silence = silence(&self.config.input, length);
        self.audio_input.place.advance(length);
        self.audio_input.waiting.push_back(AudioChunk { data: silence, at: None });
        self.alignment.stalled(length, &mut ctx!(self));
    }

    /// Sends pushed audio, as long as no response has to be waited for.
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

    /// Runs the VAD. It stops at the end of each turn, and so does the input if a response is owed.
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
                    self.audio_input.next_of_turn = self.audio_input.vad_start + sample;
                    let start = self.audio_input.heard.time_of(self.audio_input.next_of_turn);
                    self.begin_turn(None, start);
                }
                VadEvent::Audio(data) => {
                    let at = self.audio_input.heard.time_of(self.audio_input.next_of_turn);
                    self.audio_input.next_of_turn += (data.len() / self.config.input.sample_size()) as u64;
                    self.append(AudioChunk { data: data.into(), at });
                }
                VadEvent::SpeechStopped(sample) => {
                    let end = self.audio_input.heard.time_of(self.audio_input.vad_start + sample);
                    self.end_turn(None, end);
                    self.commit();
                    self.request_response_for_turn();
                }
            }
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

    /// Remembers audio that a next session may have to be sent again.
    fn remember(&mut self, samples: u64, sound: &AudioChunk) {
        if self.config.reconnects {
            let keep = self.remembers();
            let sent = self.audio_input.sent.samples();
            self.audio_input.uncommitted_audio.add(sent, samples, sound.clone(), self.now, keep);
        }
    }

    /// Appends silence.
    pub(crate) fn append_silence(&mut self, length: Duration) {
        self.append(AudioChunk { data: silence(&self.config.input, length), at: None });
    }

    /// Commits the audio so far as the newest turn.
    pub(crate) fn commit(&mut self) {
        self.frames_for_turn();
        let so_far = self.audio_input.sent.duration(self.audio_input.uncommitted());
        if so_far < MIN_COMMIT {
            self.append_silence(MIN_COMMIT - so_far);
        }
        let said = self.audio_input.uncommitted_audio.take();
        self.history.add_turn(None, said, &self.config);
        self.all_is_committed();
        let event_id = self.send(InputAudioBufferCommit::default());
        self.turns.committed_by(event_id);
    }

    /// Everything appended so far is committed.
    pub(crate) fn all_is_committed(&mut self) {
        self.audio_input.committed = self.audio_input.sent.samples();
        self.audio_input.uncommitted_audio = UncommittedAudio::default();
    }

    /// The server's VAD has ended a turn at this `audio_end_ms`. Returns the audio of the turn, as far as it is remembered.
    pub(crate) fn committed_up_to(&mut self, milliseconds: u64) -> Vec<AudioChunk> {
        let end = self.audio_input.sent.sample_at_ms(milliseconds);
        self.audio_input.committed = self.audio_input.committed.max(end);
        self.audio_input.uncommitted_audio.take_before(end, self.config.input.rate())
    }

    /// The server's VAD has begun a turn at this `audio_start_ms`. Audio before it is in no turn.
    pub(crate) fn turn_begins_at(&mut self, milliseconds: u64) {
        let start = self.audio_input.sent.sample_at_ms(milliseconds);
        self.audio_input.uncommitted_audio.take_before(start, self.config.input.rate());
    }

    /// End of the input: the current turn ends here.
    pub(crate) fn finish_audio_input(&mut self) {
        let mut heard = Vec::new();
        if let Some(turn_detector) = &mut self.audio_input.turn_detector {
            turn_detector.finish(&mut heard);
        }
        self.on_vad_event(heard);
    }

    /// Flush: drops the current turn and the time line, and cancels the drain.
    pub(crate) fn flushed(&mut self) {
        self.forget_turn();
        (self.audio_input.place, self.audio_input.seen) = (AudioAligner::default(), None);
        self.audio_input.quiet = Duration::ZERO;
        self.text_gap.reset();
        self.responses.forget_time();
        self.frames.reset();
        self.drain.reset();
    }

    /// Drops what is not committed here and at the server.
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
