// SPDX-License-Identifier: MPL-2.0

//! Input audio on its way to the server, and turn detection in it.
//!
//! Audio passes three points. It is *pushed*: gaps in its timestamps are filled with silence, and it queues while a
//! response has to be waited for. It is *heard* by the element's own VAD, if that detects the turns. It is *sent*,
//! which advances the server's sample clock.

use crate::audio::sample_clock::{SampleClock, samples_to_time, time_to_samples};
use crate::realtime::conversation::config::{Config, Detection, MIN_COMMIT};
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::input::audio_align::{AudioAligner, Placed, Tolerance};
use crate::realtime::conversation::input::local_vad::{Detected, LocalVad};
use crate::realtime::conversation::input::pacing::Pacing;
use crate::realtime::conversation::input::uncommitted::{Keep, UncommittedAudio};
use crate::types::{AudioChunk, Timing};
use bytes::Bytes;
use openai_protocol::Base64;
use openai_protocol::client::InputAudioBufferAppend;
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Silence put into a gap beyond what ends a turn, so that every VAD finds the end.
const FILL_MARGIN: Duration = Duration::from_millis(500);
/// Input has stalled when it is this much later than `discont-wait` allows bursts to be.
const STALL_MARGIN: Duration = Duration::from_millis(500);

/// State of the input audio.
#[derive(Debug)]
pub(crate) struct AudioInput {
    /// Clock of all input taken.
    heard: SampleClock,
    /// Clock of all audio appended: the server's `audio_start_ms` and `audio_end_ms` count on it.
    sent: SampleClock,
    /// Samples of `sent` up to which everything was committed or given up.
    committed: u64,
    /// Audio that was appended and is not committed, as far as it is remembered.
    uncommitted_audio: UncommittedAudio,
    /// Alignment of the end of the input.
    aligner: AudioAligner,
    /// When audio was pushed last, or could be again.
    last_audio: Option<Instant>,
    /// A stall was filled, and no audio has come since.
    stalled: bool,
    /// Pushed, and waiting for a response to end.
    waiting: VecDeque<AudioChunk>,
    vad: LocalVad,
    pacing: Pacing,
}

/// How audio was pushed.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub placed: Placed,
    /// Silence before it.
    pub filled: Duration,
    /// A gap before it is normal.
    pub gap_is_expected: bool,
}

impl AudioInput {
    pub fn new(config: &Config, now: Instant) -> Self {
        let rate = config.input.rate();
        let mut audio_input = Self {
            heard: SampleClock::new(rate),
            sent: SampleClock::new(rate),
            committed: 0,
            uncommitted_audio: UncommittedAudio::default(),
            aligner: AudioAligner::default(),
            last_audio: None,
            stalled: false,
            waiting: VecDeque::new(),
            vad: LocalVad::default(),
            pacing: Pacing::new(now),
        };
        audio_input.change_detection(config);
        audio_input
    }

    /// Drops what is not sent yet.
    pub fn drop_waiting(&mut self, config: &Config) {
        self.waiting.clear();
        self.change_detection(config);
    }

    /// Turn detection changes, or begins anew.
    pub fn change_detection(&mut self, config: &Config) {
        self.vad.reset(self.heard.samples(), config);
    }

    /// The input format changes.
    pub fn change_format(&mut self, config: &Config) {
        let rate = config.input.rate();
        self.heard.change_rate(rate);
        self.sent.change_rate(rate);
        self.all_is_committed();
        self.drop_waiting(config);
    }

    /// A new session counts from zero. Returns the audio that has to be sent to it again.
    pub fn restart_clock(&mut self, rate: u32) -> Vec<AudioChunk> {
        self.sent = SampleClock::new(rate);
        self.committed = 0;
        self.uncommitted_audio.take()
    }

    /// The time line begins at 0 again.
    pub fn reset_time(&mut self) {
        self.aligner = AudioAligner::default();
        self.pacing.reset();
    }

    /// No pushed audio waits.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// With `max-speed`: when more audio may be pushed.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        self.pacing.due(now)
    }

    /// With `max-speed`: accounts for a frame.
    pub fn pace_frame(&mut self, at: Duration, config: &Config, now: Instant) {
        self.pacing.frame(at, self.aligner.end, config, now);
    }

    /// Running time at the end of the input.
    pub fn end(&self) -> Duration {
        self.aligner.end.unwrap_or_default()
    }

    /// Clock of all input taken.
    pub fn heard(&self) -> &SampleClock {
        &self.heard
    }

    /// Clock of all audio appended.
    pub fn sent(&self) -> &SampleClock {
        &self.sent
    }

    /// When audio was pushed last, or could be again.
    pub fn last_audio(&self) -> Option<Instant> {
        self.last_audio
    }

    /// Audio could not be pushed so far; it has not stalled.
    pub fn could_not_be_pushed(&mut self, now: Instant) {
        self.last_audio = self.last_audio.map(|_| now);
    }

    /// DISCONT: the next timestamp is believed.
    pub fn expect_discont(&mut self) {
        self.aligner.expect_break();
    }

    /// Takes audio, aligned by its timestamp. `None` if there is no whole sample in it.
    pub fn push(&mut self, mut chunk: AudioChunk, ctx: &Ctx) -> Option<Pushed> {
        let format = &ctx.config.input;
        let samples = chunk.data.len() / format.sample_size();
        if samples == 0 {
            return None;
        }
        chunk.data.truncate(samples * format.sample_size());
        let length = samples_to_time(samples as u64, format.rate());
        let is_offline = ctx.config.timing == Timing::Offline;
        // Input that was away for longer than bursts are apart, as behind a closed valve, goes on where its timestamp
        // says. To wait until the difference has persisted would put the gap into the middle of the next word.
        let last = self.last_audio.replace(ctx.now);
        let has_paused = last.is_some_and(|last| ctx.now.saturating_duration_since(last) >= longest_burst(ctx.config));
        let tolerance = Tolerance {
            threshold: ctx.config.alignment_threshold,
            wait: ctx.config.discont_wait,
            trusts_jumps: is_offline || has_paused,
        };
        let was_stalled = std::mem::take(&mut self.stalled);
        if was_stalled {
            self.aligner.expect_break();
        }
        let is_first = self.aligner.end.is_none();
        let mut placed = self.aligner.align(&chunk, format, tolerance);
        chunk.at = Some(placed.at);
        // Between the turns of push to talk nothing is missing, and a stall was filled already.
        let is_manual = matches!(ctx.config.detection, Detection::Manual);
        let fills = !was_stalled && (!is_manual || self.uncommitted() > 0);
        let filled = if fills { placed.hole.min(longest_fill(ctx.config)) } else { Duration::ZERO };
        if !filled.is_zero() {
            self.waiting.push_back(silence(format, filled));
        }
        if is_first && is_offline {
            placed.hole = placed.at;
        }
        self.waiting.push_back(chunk);
        self.pacing.audio(filled + length, self.aligner.end, ctx.config, ctx.now);
        Some(Pushed { placed, filled, gap_is_expected: was_stalled || is_manual || is_first })
    }

    /// Live: when input that has stalled in the middle of a turn is filled with the silence that ends it.
    pub fn stall_deadline(&self, config: &Config) -> Option<Instant> {
        let may_stall =
            config.timing == Timing::Live && !matches!(config.detection, Detection::Manual) && !self.stalled;
        let wait = longest_burst(config).max(longest_fill(config));
        self.last_audio.filter(|_| may_stall).map(|last| last + wait)
    }

    /// Fills a stall. Returns the length of the silence.
    pub fn fill_stall(&mut self, config: &Config) -> Duration {
        self.stalled = true;
        let length = longest_fill(config);
        self.aligner.advance(length);
        self.waiting.push_back(silence(&config.input, length));
        length
    }

    /// Takes the next audio that was pushed.
    pub fn take_waiting(&mut self) -> Option<AudioChunk> {
        self.waiting.pop_front()
    }

    /// The rest of audio that was taken, which has to wait.
    pub fn put_back(&mut self, chunk: AudioChunk) {
        self.waiting.push_front(chunk);
    }

    /// Whether the element's own VAD detects the turns.
    pub fn has_vad(&self) -> bool {
        self.vad.is_on()
    }

    /// Audio is taken that no VAD of the element hears.
    pub fn hear(&mut self, chunk: &AudioChunk, config: &Config) {
        let samples = chunk.data.len() / config.input.sample_size();
        self.heard.advance(samples as u64, chunk.at);
    }

    /// Runs the element's own VAD over audio. See [`LocalVad::detect`].
    pub fn detect(&mut self, chunk: AudioChunk, config: &Config) -> (Vec<Detected>, Option<AudioChunk>) {
        self.vad.detect(chunk, &mut self.heard, config)
    }

    /// End of the input: the current turn ends here.
    pub fn finish(&mut self, config: &Config) -> Vec<Detected> {
        self.vad.finish(&self.heard, config)
    }

    /// `input_audio_buffer.append`. `keep`: what is remembered of it for another session.
    pub fn append(&mut self, chunk: AudioChunk, keep: Keep, ctx: &mut Ctx) {
        let samples = (chunk.data.len() / ctx.config.input.sample_size()) as u64;
        if samples == 0 {
            return;
        }
        if ctx.config.reconnects {
            self.uncommitted_audio.add(self.sent.samples(), samples, chunk.clone(), ctx.now, keep);
        }
        self.sent.advance(samples, chunk.at);
        ctx.send(InputAudioBufferAppend { audio: Base64(chunk.data), ..Default::default() });
    }

    /// Samples appended and not committed.
    pub fn uncommitted(&self) -> u64 {
        self.sent.samples().saturating_sub(self.committed)
    }

    /// Running time of the first of them.
    pub fn uncommitted_from(&self) -> Option<Duration> {
        self.sent.time_of(self.committed)
    }

    /// How much is missing of the shortest audio that can be committed.
    pub fn missing_for_commit(&self) -> Duration {
        MIN_COMMIT.saturating_sub(self.sent.duration(self.uncommitted()))
    }

    /// Samples remembered of the audio that is not committed.
    pub fn remembered(&self) -> u64 {
        self.uncommitted_audio.samples()
    }

    /// Remembers no more than this.
    pub fn keep(&mut self, keep: Keep) {
        self.uncommitted_audio.keep(keep);
    }

    /// Everything appended so far is committed. Returns the remembered part of it.
    pub fn take_committed(&mut self) -> Vec<AudioChunk> {
        let audio = self.uncommitted_audio.take();
        self.all_is_committed();
        audio
    }

    /// Everything appended so far is committed or given up.
    pub fn all_is_committed(&mut self) {
        self.committed = self.sent.samples();
        self.uncommitted_audio = UncommittedAudio::default();
    }

    /// The server's VAD has ended a turn at this `audio_end_ms`. Returns the audio of the turn, as far as it is remembered.
    pub fn committed_up_to(&mut self, milliseconds: u64, rate: u32) -> Vec<AudioChunk> {
        let end = self.sent.sample_at_ms(milliseconds);
        self.committed = self.committed.max(end);
        self.uncommitted_audio.take_before(end, rate)
    }

    /// The server's VAD has begun a turn at this `audio_start_ms`. Audio before it is in no turn.
    pub fn turn_begins_at(&mut self, milliseconds: u64, rate: u32) {
        let start = self.sent.sample_at_ms(milliseconds);
        self.uncommitted_audio.take_before(start, rate);
    }
}

/// Silence of this length.
pub(crate) fn silence(format: &AudioFormat, length: Duration) -> AudioChunk {
    let samples = time_to_samples(length, format.rate()) as usize;
    let data: Bytes = vec![format.silence()[0]; samples * format.sample_size()].into();
    AudioChunk { data, at: None }
}

/// Most silence put into a gap: what ends a turn. More would only delay the speech behind it.
fn longest_fill(config: &Config) -> Duration {
    let silence = match &config.detection {
        Detection::Server { silence } => *silence,
        Detection::Local(settings) => settings.silence,
        Detection::Manual => Duration::ZERO,
    };
    silence + FILL_MARGIN
}

/// Live: how far apart bursts of input may be without a pause of the input itself.
fn longest_burst(config: &Config) -> Duration {
    config.discont_wait + STALL_MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::realtime::conversation::context::tests::Fixture;

    fn chunk(milliseconds: usize, at: u64) -> AudioChunk {
        let data = vec![0; milliseconds * 48].into();
        AudioChunk { data, at: Some(Duration::from_millis(at)) }
    }

    fn keep_all(now: Instant) -> Keep {
        Keep { samples: u64::MAX, since: now, most: u64::MAX }
    }

    #[test]
    fn a_gap_is_filled_with_no_more_silence_than_ends_a_turn() {
        let mut fixture = Fixture::new(Timing::Offline);
        let mut input = AudioInput::new(&fixture.config, fixture.now);
        input.push(chunk(100, 0), &fixture.ctx());
        let pushed = input.push(chunk(100, 60_000), &fixture.ctx());
        let fill = longest_fill(&fixture.config);
        assert!(pushed.is_some_and(|pushed| pushed.filled == fill && pushed.placed.hole > fill));
        let lengths: Vec<_> = std::iter::from_fn(|| input.take_waiting()).map(|chunk| chunk.data.len()).collect();
        assert_eq!(lengths, [4_800, fill.as_millis() as usize * 48, 4_800]);
    }

    #[test]
    fn a_stall_is_filled_once() {
        let mut fixture = Fixture::new(Timing::Live);
        let mut input = AudioInput::new(&fixture.config, fixture.now);
        assert_eq!(input.stall_deadline(&fixture.config), None, "nothing has come so far");
        input.push(chunk(100, 0), &fixture.ctx());
        assert!(input.stall_deadline(&fixture.config) > Some(fixture.now));
        input.fill_stall(&fixture.config);
        assert_eq!(input.stall_deadline(&fixture.config), None);
        input.push(chunk(100, 9_000), &fixture.ctx());
        assert!(input.stall_deadline(&fixture.config).is_some());
    }

    #[test]
    fn what_is_committed_is_not_remembered() {
        let mut fixture = Fixture::new(Timing::Live);
        fixture.config.reconnects = true;
        let mut input = AudioInput::new(&fixture.config, fixture.now);
        for at in [0, 100] {
            let keep = keep_all(fixture.now);
            input.append(chunk(100, at), keep, &mut fixture.ctx());
        }
        assert_eq!((input.uncommitted(), input.remembered()), (4_800, 4_800));
        assert_eq!(input.committed_up_to(50, 24_000).len(), 1);
        assert_eq!((input.uncommitted(), input.remembered()), (3_600, 3_600));
        assert_eq!(input.missing_for_commit(), Duration::ZERO);
        input.take_committed();
        assert_eq!((input.uncommitted(), input.remembered(), input.missing_for_commit()), (0, 0, MIN_COMMIT));
        assert_eq!(fixture.sent(), ["input_audio_buffer.append"; 2]);
    }
}
