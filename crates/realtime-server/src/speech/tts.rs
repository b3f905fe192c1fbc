// SPDX-License-Identifier: MPL-2.0

//! Speech synthesis with Hibari, a small English text-to-speech model.
//!
//! [`crate::speech::phonemes`] converts a sentence to phonemes, the model predicts spectral parameters, and
//! [`crate::speech::vocoder`] turns them into samples. A sentence is synthesised as a whole, because its intonation
//! depends on its end; only a very long one is split, at a comma if possible.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result};
use rten::{NodeId, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::speech::engine::Network;
use crate::speech::models::{ModelDir, ModelFile};
use crate::speech::phonemes::Phonemes;
use crate::speech::vocoder::{Description, Vocoder};

/// Maximum input length of the model, in phonemes.
const MAX_PHONEMES: usize = 400;

/// The silence before and after a sentence.
const PAUSE: i32 = 0;

/// The model. Can be shared between threads.
pub struct Hibari {
    network: Network,
    phoneme_ids: NodeId,
    speed: NodeId,
    outputs: [NodeId; 6],
    numbers: HashMap<char, i32>,
    phonemes: Phonemes,
    vocoder: Vocoder,
}

impl Hibari {
    pub fn load(dir: &ModelDir, pool: &Arc<ThreadPool>) -> Result<Self> {
        let network = Network::load(dir, ModelFile::HibariVoice, pool)?;
        let path = dir.file(ModelFile::HibariPhonemes);
        let numbers: HashMap<String, i32> = serde_json::from_slice(&dir.read(ModelFile::HibariPhonemes)?)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let node = |name| network.node(name);
        let outputs = [node("lh")?, node("theta")?, node("ln")?, node("lr")?, node("phi")?, node("f0")?];
        Ok(Self {
            phoneme_ids: node("ids")?,
            speed: node("speed")?,
            outputs,
            numbers: numbers.into_iter().filter_map(|(text, number)| Some((text.chars().next()?, number))).collect(),
            phonemes: Phonemes::load(dir, pool)?,
            vocoder: Vocoder::new(),
            network,
        })
    }

    /// Synthesises a sentence: 24 kHz, -1 to 1. Empty when the text has no phonemes.
    pub fn speak(&self, sentence: &str, speed: f32) -> Result<Vec<f32>> {
        let phonemes: Vec<char> =
            self.phonemes.of(sentence)?.chars().filter(|phoneme| self.numbers.contains_key(phoneme)).collect();
        if !phonemes.iter().any(|phoneme| phoneme.is_alphabetic()) {
            return Ok(Vec::new());
        }
        let mut sound = Vec::new();
        for part in portions(&phonemes) {
            sound.extend(self.sound(part, speed)?);
        }
        Ok(sound)
    }

    fn sound(&self, phonemes: &[char], speed: f32) -> Result<Vec<f32>> {
        let numbers = phonemes.iter().filter_map(|phoneme| self.numbers.get(phoneme).copied());
        let ids: Vec<i32> = std::iter::once(PAUSE).chain(numbers).chain([PAUSE]).collect();
        let ids = NdTensor::from_data([1, ids.len()], ids);
        let speed = NdTensor::from_data([1], vec![speed]);
        let inputs = vec![(self.phoneme_ids, ids.view().into()), (self.speed, speed.view().into())];
        let mut results = self.network.run(inputs, &self.outputs)?.into_iter();
        let mut next = || Ok::<_, anyhow::Error>(self.network.floats(results.next())?.to_vec());
        let description = Description {
            harmonics: next()?,
            phase: next()?,
            noise: next()?,
            free: next()?,
            free_phase: next()?,
            pitch: next()?,
        };
        self.vocoder.sound(&description)
    }
}

/// Splits text that is too long: after a comma or similar, else between words, else anywhere.
fn portions(mut phonemes: &[char]) -> Vec<&[char]> {
    let mut portions = Vec::new();
    while phonemes.len() > MAX_PHONEMES {
        let (most, _) = phonemes.split_at(MAX_PHONEMES);
        let behind = |wanted: fn(&char) -> bool| most.iter().rposition(wanted).filter(|at| *at > 0);
        let last = behind(|c| matches!(c, ',' | ';' | ':' | '—')).or_else(|| behind(|c| *c == ' '));
        let (portion, rest) = phonemes.split_at(last.map_or(MAX_PHONEMES, |at| at + 1));
        portions.push(portion);
        phonemes = rest;
    }
    portions.push(phonemes);
    portions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_divided_where_one_breathes() {
        let lengths = |text: &str| -> Vec<usize> {
            let chars: Vec<char> = text.chars().collect();
            let portions = portions(&chars);
            assert_eq!(portions.concat(), chars, "nothing is lost");
            portions.into_iter().map(<[char]>::len).collect()
        };
        assert_eq!(lengths("short"), [5]);
        assert_eq!(lengths(&format!("{},{}", "a".repeat(150), "b ".repeat(200))), [151, 400]);
        assert_eq!(lengths(&"word ".repeat(100)), [400, 100]);
        assert_eq!(lengths(&"a".repeat(1000)), [400, 400, 200]);
    }
}
