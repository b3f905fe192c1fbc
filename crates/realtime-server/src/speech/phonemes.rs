// SPDX-License-Identifier: MPL-2.0

//! Grapheme-to-phoneme conversion for English.
//!
//! The text is normalised first ([`crate::speech::text_normalization`]). A lexicon with part-of-speech rules
//! (`misaki-rs`) gives the phonemes of the words; a small network predicts those of words that it lacks, such as names.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use misaki_rs::fallback::FallbackError;
use misaki_rs::{Fallback, G2P, Language};
use rten::{NodeId, ThreadPool};
use rten_tensor::NdTensor;
use rten_tensor::prelude::*;

use crate::speech::engine::Network;
use crate::speech::models::{ModelDir, ModelFile};

/// Lexicon and network. Can be shared between threads.
pub struct Phonemes {
    lexicon: G2P,
}

impl Phonemes {
    pub fn load(dir: &ModelDir, pool: &Arc<ThreadPool>) -> Result<Self> {
        let spelling = Spelling::load(dir, pool)?;
        Ok(Self { lexicon: G2P::with_fallback(Language::EnglishUS, Some(Box::new(spelling))) })
    }

    /// The phonemes of a text, with spaces between words and the punctuation.
    pub fn of(&self, text: &str) -> Result<String> {
        let words = crate::speech::text_normalization::words(text);
        if words.is_empty() {
            return Ok(words);
        }
        let (phonemes, _) = self.lexicon.g2p(&words).map_err(|error| anyhow!("cannot pronounce {words:?}: {error}"))?;
        // The lexicon has two symbols for "t" where the synthesis model has other ones.
        Ok(phonemes.replace('ɾ', "T").replace('ʔ', "t"))
    }
}

/// The network for words that are not in the lexicon.
struct Spelling {
    network: Network,
    input: NodeId,
    output: NodeId,
    letters: HashMap<char, i32>,
    phonemes: Vec<char>,
    max_letters: usize,
}

impl Spelling {
    fn load(dir: &ModelDir, pool: &Arc<ThreadPool>) -> Result<Self> {
        let path = dir.file(ModelFile::HibariLetters);
        let (letters, phonemes, max_letters) = read_letters(&dir.read(ModelFile::HibariLetters)?)
            .with_context(|| format!("cannot read {}", path.display()))?;
        let network = Network::load(dir, ModelFile::HibariSpelling, pool)?;
        let only = |mut nodes: Vec<NodeId>| {
            let node = nodes.pop().filter(|_| nodes.is_empty());
            node.ok_or_else(|| anyhow!("{} should have one input and one output", network.name()))
        };
        let input = only(network.inputs().map(|(_, id)| id).collect())?;
        let output = only(network.outputs().map(|(_, id)| id).collect())?;
        Ok(Self { network, input, output, letters, phonemes, max_letters })
    }

    fn pronounce(&self, word: &str) -> Result<String> {
        let letters: Vec<i32> =
            word.chars().filter_map(|letter| self.letters.get(&letter).copied()).take(self.max_letters).collect();
        if letters.is_empty() {
            return Ok(String::new());
        }
        let letters = NdTensor::from_data([1, letters.len()], letters);
        let mut results = self.network.run(vec![(self.input, letters.view().into())], &[self.output])?;
        let mut numbers = self.network.integers(results.pop())?;
        // CTC decoding: repeated phonemes are one, and 0 is the blank.
        numbers.dedup();
        let phoneme = |number: i32| self.phonemes.get(usize::try_from(number).ok()?.checked_sub(1)?);
        Ok(numbers.into_iter().filter_map(phoneme).collect())
    }
}

impl Fallback for Spelling {
    fn phonemize(&self, word: &str) -> Result<String, FallbackError> {
        self.pronounce(word).map_err(|error| {
            tracing::warn!("cannot spell {word:?}: {error:#}");
            FallbackError::NoPhonemes { word: word.to_owned() }
        })
    }
}

type Letters = (HashMap<char, i32>, Vec<char>, usize);

/// Reads the two alphabets; ids start at 1.
fn read_letters(file: &[u8]) -> Result<Letters> {
    let json: serde_json::Value = serde_json::from_slice(file)?;
    let alphabet = |name: &str| -> Result<Vec<char>> {
        let letters = json[name].as_array().with_context(|| format!("there is no list named {name:?}"))?;
        let letter = |value: &serde_json::Value| value.as_str()?.chars().next();
        letters.iter().map(|value| letter(value).with_context(|| format!("{value} is no letter"))).collect()
    };
    let max = json["maxlen"].as_u64().context("there is no number named \"maxlen\"")?;
    Ok((alphabet("in")?.into_iter().zip(1..).collect(), alphabet("out")?, usize::try_from(max)?))
}
