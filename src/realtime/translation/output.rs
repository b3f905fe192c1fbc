// SPDX-License-Identifier: MPL-2.0

//! What a translation session gives out: the translated voice as one stream, and the text of both languages, each at its
//! position on the time line of the input.

use crate::audio::format_converter::Converter;
use crate::realtime::conversation::io::{Event, Output, TranscriptEvent};
use crate::realtime::conversation::transcript::lines::Line;
use crate::realtime::translation::Translation;
use crate::types::{OutputAudio, Speaker, Timing};
use bytes::{Bytes, BytesMut};
use openai_protocol::session::AudioFormat;
use openai_protocol::translation::OutputAudioDelta;
use serde_json::json;
use std::time::{Duration, Instant};

/// Name of the voice in the playback queue, where it is one endless item.
const ITEM_ID: &str = "translation";
/// Samples in a second where the server does not say.
const RATE: u32 = 24_000;
/// Text may come this much later than the voice. Text that is later still is stamped later.
const TEXT_MARGIN: Duration = Duration::from_secs(5);
/// Offline: no input for this long means that downstream waits for output that may not come.
const STANDSTILL: Duration = Duration::from_secs(5);

/// State of the voice.
#[derive(Debug, Default)]
pub(crate) struct TranslationOutput {
    /// The last `elapsed_ms`; a server may leave it out, and it never goes back.
    position_ms: u64,
    /// Running time before which nothing more begins.
    until: Duration,
    /// First byte of a sample that was cut in two.
    half: Option<u8>,
    /// Converts audio of another rate, which is noted here.
    converter: Option<(u32, Converter)>,
    /// The warning about audio of a wrong form was posted.
    warned: bool,
}

impl TranslationOutput {
    /// A new session counts from zero.
    pub fn session_lost(&mut self) {
        self.position_ms = 0;
        self.half = None;
    }

    /// The time line begins at 0 again.
    pub fn flush(&mut self) {
        self.until = Duration::ZERO;
        self.half = None;
    }

    /// Whole samples, with the half of one that came before.
    fn whole_samples(&mut self, data: Bytes) -> Bytes {
        let data = match self.half.take() {
            None => data,
            Some(half) => {
                let mut joined = BytesMut::with_capacity(data.len() + 1);
                joined.extend_from_slice(&[half]);
                joined.extend_from_slice(&data);
                joined.freeze()
            }
        };
        if data.len().is_multiple_of(2) {
            return data;
        }
        self.half = data.last().copied();
        data.slice(..data.len() - 1)
    }

    /// Audio in the format of `src`, and what is to be told of it.
    fn converted(&mut self, data: Bytes, rate: u32, channels: u32) -> (Bytes, Option<String>) {
        let data = if channels > 1 { first_channel(&data, channels as usize) } else { data };
        if rate == RATE && channels <= 1 {
            return (data, None);
        }
        let tell = !std::mem::replace(&mut self.warned, true);
        let told =
            |what: &str| tell.then(|| format!("the server's audio has {rate} Hz and {channels} channels: {what}"));
        if rate == RATE {
            return (data, told("the first channel is played"));
        }
        if self.converter.as_ref().is_none_or(|(from, _)| *from != rate) {
            let from = AudioFormat::Other(json!({"type": "audio/pcm", "rate": rate}));
            self.converter = Converter::new(&from, &AudioFormat::Pcm).map(|converter| (rate, converter));
        }
        match &mut self.converter {
            Some((_, converter)) => (converter.convert(&data).into(), told("it is converted")),
            None => (data, told("it cannot be converted, and is played as it comes")),
        }
    }
}

fn first_channel(data: &[u8], channels: usize) -> Bytes {
    data.chunks_exact(2 * channels).flat_map(|frame| [frame[0], frame[1]]).collect::<Vec<u8>>().into()
}

/// The message about a line that is complete.
pub(crate) fn final_transcript(role: Speaker, line: &Line) -> TranscriptEvent {
    TranscriptEvent {
        role,
        text: line.text.clone(),
        last: true,
        item_id: line.item_id.clone(),
        response_id: None,
        running_time: Some(line.at),
        duration: Some(line.duration),
    }
}

impl Translation {
    /// Running time of what the server tells at this position. It never goes back, and without one it stays.
    fn position(&mut self, elapsed_ms: Option<u64>) -> (u64, Duration) {
        let elapsed_ms = elapsed_ms.unwrap_or_default().max(self.output.position_ms);
        self.output.position_ms = elapsed_ms;
        (elapsed_ms, self.input.time_of_ms(elapsed_ms).unwrap_or_default())
    }

    /// `session.output_audio.delta`
    pub(crate) fn play(&mut self, event: OutputAudioDelta) {
        if event.format.as_deref().is_some_and(|format| format != "pcm16") {
            let format = event.format.unwrap_or_default();
            if !std::mem::replace(&mut self.output.warned, true) {
                let message = format!("the server's audio is '{format}' and not pcm16: it is left out");
                self.outbox.warn("other-output-format", message);
            }
            return;
        }
        let (elapsed_ms, not_before) = self.position(event.elapsed_ms);
        self.note_progress(elapsed_ms, not_before);
        let data = self.output.whole_samples(event.delta.0);
        let (rate, channels) = (event.sample_rate.unwrap_or(RATE), event.channels.unwrap_or(1).max(1));
        let (data, told) = self.output.converted(data, rate, channels);
        if let Some(told) = told {
            self.outbox.warn("other-output-format", told);
        }
        if !data.is_empty() {
            let item_id = ITEM_ID.to_owned();
            self.outbox.push(Output::Play(OutputAudio { item_id, content_index: 0, data, not_before }));
        }
        self.advance_gap(not_before);
    }

    /// The translation has come as far as this.
    fn note_progress(&mut self, elapsed_ms: u64, at: Duration) {
        self.has_carried = true;
        let measured = self.input.translated(elapsed_ms, self.now);
        if self.config.timing == Timing::Live
            && let Some(delay) = self.delay.came(measured, self.now)
        {
            self.outbox.notify(Event::TranslationDelay { delay, running_time: at });
        }
    }

    /// A piece of text.
    pub(crate) fn add_text(&mut self, role: Speaker, text: &str, elapsed_ms: Option<u64>) {
        if text.is_empty() {
            return;
        }
        self.has_carried = true;
        // The two languages do not come in one order, so that each piece has the position that the server gives it.
        let at = elapsed_ms.map_or(self.input.time_of_ms(self.output.position_ms), |ms| self.input.time_of_ms(ms));
        let (at, now) = (at.unwrap_or_default(), self.now);
        let lines = self.lines(role).add(text, at, now);
        lines.iter().for_each(|line| self.post_line(role, line));
        let item_id = self.lines(role).item_id();
        self.outbox.notify(Event::Transcript(TranscriptEvent {
            role,
            text: text.to_owned(),
            last: false,
            item_id,
            response_id: None,
            running_time: Some(at),
            duration: None,
        }));
        if let Some(open) = self.lines(role).open_from() {
            self.advance_text_gap(role, open);
        }
    }

    /// No voice begins before this running time.
    fn advance_gap(&mut self, until: Duration) {
        if self.config.timing == Timing::Live || until <= self.output.until {
            return;
        }
        self.output.until = until;
        self.outbox.push(Output::GapUntil(until));
        for role in [Speaker::User, Speaker::Assistant] {
            let open = self.lines(role).open_from().unwrap_or(Duration::MAX);
            self.advance_text_gap(role, open.min(until.saturating_sub(TEXT_MARGIN)));
        }
    }

    fn advance_text_gap(&mut self, role: Speaker, until: Duration) {
        self.outbox.push(Output::TextGapUntil(role, until));
    }

    /// Offline: when the output goes on although nothing was translated, because no input has come for too long.
    pub(crate) fn standstill_deadline(&self) -> Option<Instant> {
        let may_stand = self.config.timing == Timing::Offline && self.input.end() > Some(self.output.until);
        self.input.last_audio().filter(|_| may_stand && !self.has_ended).map(|last| last + STANDSTILL)
    }

    /// Lets the output go on where no input has come for too long: downstream may wait for it, and so keep the input back.
    pub(crate) fn end_standstill(&mut self) {
        if self.standstill_deadline().is_some_and(|deadline| self.now >= deadline) {
            self.advance_gap(self.input.end().unwrap_or_default());
        }
    }
}
