// SPDX-License-Identifier: MPL-2.0

//! The engine that says back what it heard, for tests of sound and time.
//!
//! It understands nothing and does not pretend to: the transcript of its answer only says how long the user spoke,
//! and the transcript of the user is empty. The sound comes back sample for sample, unless the formats of the two
//! directions differ. Its ear is a level meter, so a test decides with the loudness of a tone what counts as speech.

use crate::audio::Sound;
use crate::engine::{
    Answer, Engine, Hints, Part, Prompt, ResponsePart, Segments, SpeechChunk, Spoken, Translates, TurnDetector, Words,
};
use crate::processors::Processors;
use futures_util::{FutureExt, StreamExt, future, stream};
use openai_protocol::items::Role;
use std::f32::consts::TAU;
use std::sync::Arc;

/// The engine.
#[derive(Debug, Default)]
pub struct Echo;

impl Engine for Echo {
    fn turn_detector(&self, rate: u32) -> Box<dyn TurnDetector> {
        Box::new(Level::new(rate))
    }

    fn understands(&self) -> bool {
        false
    }

    fn translates(&self) -> Translates {
        Translates::Back
    }

    fn transcribe(&self, _: Sound, _: Arc<Hints>, _: &Processors) -> Words {
        future::ready(Ok(String::new())).boxed()
    }

    fn segments(&self, _: Sound, _: Arc<Hints>, _: &Processors) -> Segments {
        stream::empty().boxed()
    }

    fn speak(&self, sentence: String, _: Option<String>, speed: f32, _: &Processors) -> Spoken {
        let words = sentence.split_whitespace().count().min(600);
        future::ready(Ok(tone((words as f32 * 100.0 / speed) as u32))).boxed()
    }

    fn answer(&self, prompt: Prompt, _: &Processors) -> Answer {
        let mut piece = answer_to(&prompt);
        if !prompt.speak {
            piece.sound = None;
        }
        stream::iter([Ok(ResponsePart::Speech(piece))]).boxed()
    }
}

/// The user's last words, said back: spoken ones as they sounded, written ones as a tone.
fn answer_to(prompt: &Prompt) -> SpeechChunk {
    let last = prompt.turns.iter().rev().find(|turn| turn.role == Role::User);
    let parts = last.map(|turn| turn.parts.as_slice()).unwrap_or_default();
    let sound = parts.iter().find_map(|part| match part {
        Part::Sound(utterance) => Some(&utterance.sound),
        _ => None,
    });
    let text = parts.iter().find_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    match (sound, text) {
        (Some(sound), _) => {
            let text = format!("You spoke for {} seconds.", seconds(sound.ms()));
            SpeechChunk { text, sound: Some(sound.clone()) }
        }
        (None, Some(text)) => {
            let text = format!("You wrote: {text}");
            let words = text.split_whitespace().count() as u32;
            SpeechChunk { text, sound: Some(tone(words.min(600) * 100)) }
        }
        (None, None) => SpeechChunk { text: "I heard nothing.".into(), sound: Some(tone(300)) },
    }
}

/// Milliseconds as seconds, without zeros that say nothing.
fn seconds(ms: u64) -> String {
    let text = format!("{}.{:03}", ms / 1000, ms % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_string()
}

/// A quiet 440 Hz at 24 kHz.
fn tone(ms: u32) -> Sound {
    let sample = |i: u32| (3000.0 * (TAU * 440.0 * i as f32 / 24_000.0).sin()) as i16;
    Sound::new((0..24 * ms).map(sample).collect(), 24_000)
}

/// An ear that takes loud for speech: -60 dBFS is 0, -40 dBFS is 0.5, -20 dBFS is 1, over frames of 20 ms.
#[derive(Debug)]
struct Level {
    frame: usize,
    energy: f64,
    count: usize,
}

impl Level {
    const FRAME_MS: u32 = 20;

    fn new(rate: u32) -> Self {
        Self { frame: (rate * Self::FRAME_MS / 1000) as usize, energy: 0.0, count: 0 }
    }
}

impl TurnDetector for Level {
    fn frame_ms(&self) -> u64 {
        Self::FRAME_MS.into()
    }

    fn hear(&mut self, samples: &[i16]) -> Vec<f32> {
        let mut probabilities = Vec::new();
        for &sample in samples {
            self.energy += (f64::from(sample) / 32_768.0).powi(2);
            self.count += 1;
            if self.count == self.frame {
                let level = 10.0 * (self.energy / self.frame as f64).max(1e-12).log10();
                probabilities.push(((level + 60.0) / 40.0).clamp(0.0, 1.0) as f32);
                (self.energy, self.count) = (0.0, 0);
            }
        }
        probabilities
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Turn, Utterance};
    use futures_util::TryStreamExt;

    #[test]
    fn the_ear_is_a_level_meter() {
        let mut ear = Level::new(24_000);
        assert!(ear.hear(&[0; 479]).is_empty());
        assert_eq!(ear.hear(&[0; 1]), [0.0]);
        // A square wave of amplitude 327.68 is -40 dBFS.
        let half = ear.hear(&[328; 480]);
        assert!((half[0] - 0.5).abs() < 0.01, "{half:?}");
        assert_eq!(ear.hear(&[30_000; 960]), [1.0, 1.0]);
    }

    #[test]
    fn the_sound_comes_back_and_the_words_say_how_long_it_was() {
        let sound = Sound::new((0..30_000).map(|i| i as i16).collect(), 24_000);
        let turn = Turn { role: Role::User, parts: vec![Part::Sound(Utterance::new(sound.clone()))] };
        let prompt = Prompt { turns: vec![turn], speak: true, ..Default::default() };
        let pieces: Vec<_> = Echo
            .answer(prompt, &Processors::with(1))
            .try_collect()
            .now_or_never()
            .expect("it never waits")
            .expect("an answer");
        let [ResponsePart::Speech(piece)] = pieces.as_slice() else { panic!("one piece: {pieces:?}") };
        assert_eq!(piece.text, "You spoke for 1.25 seconds.");
        assert_eq!(piece.sound.as_ref(), Some(&sound));
    }
}
