// SPDX-License-Identifier: MPL-2.0

//! The speaker's audio on its way to the server: aligned to the time line, in frames of 200 ms, silence included, because a
//! server counts appended audio and not time.
//!
//! What was sent is remembered until its translation has come, so that another session can go on in the midst of a sentence.

use crate::audio::sample_clock::{SampleClock, samples_to_time, time_to_samples};
use crate::realtime::conversation::config::Config;
use crate::realtime::conversation::context::Ctx;
use crate::realtime::conversation::input::audio_align::{AudioAligner, Placed, Tolerance};
use crate::realtime::conversation::input::audio_input::silence;
use crate::realtime::conversation::input::pacing::Pacing;
use crate::types::{AudioChunk, Timing};
use bytes::{Bytes, BytesMut};
use openai_protocol::session::AudioFormat;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The format of a translation session: 16-bit samples.
const FORMAT: AudioFormat = AudioFormat::Pcm;
const SAMPLE_SIZE: usize = 2;
/// The server's frame. Source: OpenAI's guide to translation sessions, "best in 200 ms chunks".
const FRAME: Duration = Duration::from_millis(200);
/// Longest silence in the place of audio that is missing. A sentence ends in it; more of it would only delay what follows.
const MAX_FILL: Duration = Duration::from_secs(2);
/// Input has stalled when it is this much later than `discont-wait` allows bursts to be.
const STALL_MARGIN: Duration = Duration::from_millis(500);
/// Peak above which a frame is taken for speech: -40 dBFS.
const SPEECH_PEAK: u16 = 328;
/// How much of what has no translation so far is remembered.
const MAX_REMEMBERED: Duration = Duration::from_secs(30);

/// Audio that was sent.
#[derive(Debug)]
struct Sent {
    /// Position of its first sample in what was appended to this session.
    position: u64,
    chunk: AudioChunk,
    when: Instant,
}

/// How audio was taken.
#[derive(Debug)]
pub(crate) struct Taken {
    pub placed: Placed,
    /// Silence before it.
    pub filled: Duration,
    /// A gap before it is normal.
    pub gap_is_expected: bool,
}

/// State of the input.
#[derive(Debug)]
pub(crate) struct TranslationInput {
    aligner: AudioAligner,
    /// Clock of the audio appended to this session, on which `elapsed_ms` counts.
    clock: SampleClock,
    /// Audio that is no whole frame so far, and the running time of its first sample.
    partial: BytesMut,
    partial_at: Duration,
    /// Frames to be sent.
    ready: VecDeque<AudioChunk>,
    /// Frames without a translation, oldest first.
    sent: VecDeque<Sent>,
    /// Length of audio that was sent, has no translation, and is not remembered any more.
    forgotten: Duration,
    last_audio: Option<Instant>,
    is_stalled: bool,
    pacing: Pacing,
}

impl TranslationInput {
    pub fn new(now: Instant) -> Self {
        Self {
            aligner: AudioAligner::default(),
            clock: SampleClock::new(FORMAT.rate()),
            partial: BytesMut::new(),
            partial_at: Duration::ZERO,
            ready: VecDeque::new(),
            sent: VecDeque::new(),
            forgotten: Duration::ZERO,
            last_audio: None,
            is_stalled: false,
            pacing: Pacing::new(now),
        }
    }

    /// With `max-speed`: when more audio may be taken.
    pub fn due(&self, now: Instant) -> Option<Instant> {
        self.pacing.due(now)
    }

    /// Running time of the end of the input, once there was any.
    pub fn end(&self) -> Option<Duration> {
        self.aligner.end
    }

    /// When audio was taken last, or could be again.
    pub fn last_audio(&self) -> Option<Instant> {
        self.last_audio
    }

    /// Running time of the oldest audio without a translation.
    pub fn untranslated_from(&self) -> Option<Duration> {
        self.sent.front().and_then(|sent| sent.chunk.at)
    }

    /// DISCONT: the next timestamp is believed.
    pub fn expect_discont(&mut self) {
        self.aligner.expect_break();
    }

    /// The time line begins at 0 again. What was not sent is dropped, and what was sent is not sent again.
    pub fn flush(&mut self) {
        self.all_is_translated();
        self.aligner = AudioAligner::default();
        self.partial.clear();
        self.ready.clear();
        self.pacing.reset();
    }

    /// Takes audio. `None` if there is no whole sample in it.
    pub fn push(&mut self, mut chunk: AudioChunk, ctx: &Ctx) -> Option<Taken> {
        let samples = chunk.data.len() / SAMPLE_SIZE;
        if samples == 0 {
            return None;
        }
        chunk.data.truncate(samples * SAMPLE_SIZE);
        let last = self.last_audio.replace(ctx.now);
        let has_paused = last.is_some_and(|last| ctx.now.saturating_duration_since(last) >= ctx.config.discont_wait);
        let was_stalled = std::mem::take(&mut self.is_stalled);
        if was_stalled {
            self.aligner.expect_break();
        }
        let is_first = self.aligner.end.is_none();
        let placed = self.aligner.align(
            &chunk,
            &FORMAT,
            Tolerance {
                threshold: ctx.config.alignment_threshold,
                wait: ctx.config.discont_wait,
                trusts_jumps: ctx.config.timing == Timing::Offline || has_paused,
            },
        );
        let filled = if was_stalled { Duration::ZERO } else { placed.hole.min(MAX_FILL) };
        if !filled.is_zero() {
            self.add(&silence(&FORMAT, filled).data, placed.at.saturating_sub(placed.hole));
        }
        self.add(&chunk.data, placed.at);
        let length = samples_to_time(samples as u64, FORMAT.rate());
        self.pacing.audio(filled + length, self.aligner.end, ctx.config, ctx.now);
        Some(Taken { placed, filled, gap_is_expected: was_stalled || is_first })
    }

    /// Appends audio to the frame that is being filled. Where it does not follow what is in it, the frame ends early, so that
    /// each frame lies in one piece on the time line.
    fn add(&mut self, data: &[u8], at: Duration) {
        let frame = time_to_samples(FRAME, FORMAT.rate()) as usize * SAMPLE_SIZE;
        let (mut data, mut at) = (data, at);
        let follows = |partial: &BytesMut, begin: Duration| {
            begin.saturating_add(length(partial)).abs_diff(at) < Duration::from_millis(1)
        };
        if !self.partial.is_empty() && !follows(&self.partial, self.partial_at) {
            self.end_frame();
        }
        while !data.is_empty() {
            if self.partial.is_empty() {
                self.partial_at = at;
            }
            let (now, rest) = data.split_at(data.len().min(frame - self.partial.len()));
            self.partial.extend_from_slice(now);
            at = at.saturating_add(length(now));
            data = rest;
            if self.partial.len() == frame {
                self.end_frame();
            }
        }
    }

    /// What is in the frame goes out as it is.
    pub fn end_frame(&mut self) {
        if !self.partial.is_empty() {
            let data = self.partial.split().freeze();
            self.ready.push_back(AudioChunk { data, at: Some(self.partial_at) });
        }
    }

    /// Live: when input that comes no more is followed by silence, so that what was said is translated to its end.
    pub fn stall_deadline(&self, config: &Config) -> Option<Instant> {
        let may_stall = config.timing == Timing::Live && !self.is_stalled;
        self.last_audio.filter(|_| may_stall).map(|last| last + config.discont_wait + STALL_MARGIN)
    }

    /// Fills a stall. Returns the length of the silence.
    pub fn fill_stall(&mut self) -> Duration {
        self.is_stalled = true;
        let at = self.aligner.end.unwrap_or_default();
        self.add(&silence(&FORMAT, MAX_FILL).data, at);
        self.end_frame();
        self.aligner.advance(MAX_FILL);
        MAX_FILL
    }

    /// Audio could not be taken so far; it has not stalled.
    pub fn could_not_be_taken(&mut self, now: Instant) {
        self.last_audio = self.last_audio.map(|_| now);
    }

    /// The next frame to be sent.
    pub fn take_frame(&mut self, now: Instant) -> Option<Bytes> {
        let chunk = self.ready.pop_front()?;
        let (data, position) = (chunk.data.clone(), self.clock.samples());
        self.clock.advance((data.len() / SAMPLE_SIZE) as u64, chunk.at);
        self.sent.push_back(Sent { position, chunk, when: now });
        let most = time_to_samples(MAX_REMEMBERED, FORMAT.rate());
        while self.sent.front().is_some_and(|first| self.clock.samples() - first.position > most) {
            if let Some(first) = self.sent.pop_front() {
                self.forgotten = self.forgotten.saturating_add(length(&first.chunk.data));
            }
        }
        Some(data)
    }

    /// Running time of a position that the server tells.
    pub fn time_of_ms(&self, elapsed_ms: u64) -> Option<Duration> {
        self.clock.time_of_ms(elapsed_ms)
    }

    /// The translation has come as far as this position. Returns how long ago the audio there was sent.
    pub fn translated(&mut self, elapsed_ms: u64, now: Instant) -> Option<Duration> {
        let position = self.clock.sample_at_ms(elapsed_ms);
        let end = |sent: &Sent| sent.position + (sent.chunk.data.len() / SAMPLE_SIZE) as u64;
        while self.sent.front().is_some_and(|first| end(first) <= position) {
            self.sent.pop_front();
        }
        self.forgotten = Duration::ZERO;
        let sent = self.sent.front().filter(|first| first.position <= position)?;
        Some(now.saturating_duration_since(sent.when))
    }

    /// Whether the newest audio is a pause of speech, or translated.
    pub fn ends_in_pause(&self) -> bool {
        let is_quiet = |sample: &[u8]| i16::from_le_bytes([sample[0], sample[1]]).unsigned_abs() < SPEECH_PEAK;
        self.sent.back().is_none_or(|newest| newest.chunk.data.chunks_exact(SAMPLE_SIZE).all(is_quiet))
    }

    /// Everything that was sent is translated.
    pub fn all_is_translated(&mut self) {
        self.sent.clear();
        self.forgotten = Duration::ZERO;
    }

    /// A new session counts from zero, and is sent again what has no translation. Returns the length of what is lost.
    pub fn restart(&mut self) -> Duration {
        self.clock = SampleClock::new(FORMAT.rate());
        for sent in std::mem::take(&mut self.sent).into_iter().rev() {
            self.ready.push_front(sent.chunk);
        }
        std::mem::take(&mut self.forgotten)
    }
}

/// Length of samples.
pub(crate) fn length(data: &[u8]) -> Duration {
    samples_to_time((data.len() / SAMPLE_SIZE) as u64, FORMAT.rate())
}
