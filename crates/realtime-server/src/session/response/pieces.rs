// SPDX-License-Identifier: MPL-2.0

//! What is said, cut into deltas: words run ahead of their sound, and the limit of tokens ends both.

use crate::audio::{Sound, encode};
use crate::engine::SpeechChunk;
use crate::session::response::Writer;
use openai_protocol::ServerEvent;
use openai_protocol::server::{ResponseOutputAudioDelta, ResponseOutputAudioTranscriptDelta, ResponseOutputTextDelta};
use openai_protocol::session::AudioFormat;

/// Sound in one delta.
const DELTA_MS: usize = 200;
/// Words in one delta of an answer without sound.
const WORDS: usize = 4;

impl Writer {
    /// The events of a piece, words ahead of their sound; and what of the sound they hold, where they hold any. A
    /// piece that does not fit under the limit of tokens is cut off.
    pub fn piece(&mut self, piece: &SpeechChunk) -> (Vec<ServerEvent>, Option<Sound>) {
        // Pieces of written text bring their own white space.
        let is_apart = self.words.is_empty() || self.words.ends_with(char::is_whitespace);
        let text = if is_apart { piece.text.clone() } else { format!(" {}", piece.text) };
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        let format = self.format();
        let sound = piece.sound.as_ref().filter(|_| self.speaks()).map(|sound| sound.at(format.rate()));
        let samples = sound.as_ref().map_or(&[][..], |sound| &sound.samples);
        let chunk = format.rate() as usize * DELTA_MS / 1000;
        let chunks = if samples.is_empty() { words.len().div_ceil(WORDS) } else { samples.len().div_ceil(chunk) };
        let (mut events, mut said, mut sent) = (Vec::new(), 0, 0);
        for index in 0..chunks {
            if self.is_full() {
                break;
            }
            let until = (words.len() * (index + 1)).div_ceil(chunks);
            if until > said {
                events.push(self.words_delta(words[said..until].concat()));
                said = until;
            }
            let until = samples.len().min(sent + chunk);
            if until > sent {
                events.push(self.sound_delta(&format, &samples[sent..until]));
                self.sent += until - sent;
                sent = until;
            }
        }
        (events, sound.as_ref().map(|sound| Sound::new(sound.samples[..sent].to_vec(), sound.rate)))
    }

    /// Whether the limit of tokens is reached.
    pub fn is_full(&self) -> bool {
        let Some(limit) = self.max_tokens() else { return false };
        let output = self.output();
        output.text + output.audio >= limit
    }

    fn words_delta(&mut self, delta: String) -> ServerEvent {
        self.words.push_str(&delta);
        let (response_id, item_id, output_index) = self.place();
        if self.speaks() {
            ResponseOutputAudioTranscriptDelta { response_id, item_id, output_index, delta, ..Default::default() }
                .into()
        } else {
            ResponseOutputTextDelta { response_id, item_id, output_index, delta, ..Default::default() }.into()
        }
    }

    fn sound_delta(&self, format: &AudioFormat, samples: &[i16]) -> ServerEvent {
        let (response_id, item_id, output_index) = self.place();
        let delta = encode(format, samples).into();
        ResponseOutputAudioDelta { response_id, item_id, output_index, delta, ..Default::default() }.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::response::{Counts, Plan};
    use openai_protocol::session::{AudioOutput, MaxTokens, Modality};

    fn writer(modality: Modality, max_tokens: MaxTokens) -> Writer {
        Writer::new(Plan {
            conversation_id: Some("conv_1".into()),
            modalities: vec![modality],
            output: AudioOutput::default(),
            max_tokens,
            metadata: None,
            input: Counts::default(),
        })
    }

    fn piece(text: &str, ms: usize) -> SpeechChunk {
        SpeechChunk { text: text.into(), sound: Some(Sound::new(vec![7; ms * 24], 24_000)) }
    }

    fn unlimited() -> MaxTokens {
        MaxTokens::Word("inf".into())
    }

    #[test]
    fn words_run_ahead_of_their_sound_and_nothing_is_lost() {
        let mut writer = writer(Modality::Audio, unlimited());
        let (events, sound) = writer.piece(&piece("One two three.", 650));
        let names: Vec<_> =
            events.iter().map(|event| event.name().rsplit_once("output_").expect("a delta").1).collect();
        let (word, audio) = ("audio_transcript.delta", "audio.delta");
        assert_eq!(names, [word, audio, word, audio, word, audio, audio]);
        assert_eq!((sound.map(|sound| sound.ms()), writer.sent_ms()), (Some(650), 650));
        writer.piece(&piece("Four.", 100));
        assert_eq!((writer.words.as_str(), writer.sent_ms()), ("One two three. Four.", 750));
    }

    #[test]
    fn a_written_answer_has_no_sound() {
        let mut writer = writer(Modality::Text, unlimited());
        let (events, sound) = writer.piece(&piece("One two.", 500));
        assert!(events.iter().all(|event| event.name() == "response.output_text.delta") && sound.is_none());
        assert_eq!(writer.close()[0].name(), "response.output_text.done");
    }

    #[test]
    fn the_limit_of_tokens_ends_it() {
        let mut writer = writer(Modality::Audio, MaxTokens::Count(10));
        let (_, sound) = writer.piece(&piece("One two three four five six.", 5_000));
        assert!(writer.is_full() && sound.is_some_and(|sound| sound.ms() <= 600));
    }
}
