// SPDX-License-Identifier: MPL-2.0

//! Speech recognition with Moonshine, a small English encoder-decoder model.
//!
//! The encoder processes the audio once; the decoder generates the text token by token, with key-value caches for the
//! tokens before. The model generates text even for silence, so callers check for speech first. Two limits end a
//! runaway generation: a maximum number of tokens per second of audio, and detection of repetition.

use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use rten::{NodeId, ThreadPool, Value, ValueOrView};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};

use crate::speech::engine::Network;
use crate::speech::models::{ModelDir, ModelFile};

/// The sampling rate.
pub const RATE: usize = 16_000;

/// Minimum input length: the receptive field of the encoder's first layer.
const MIN_SAMPLES: usize = RATE / 4;

/// Limit of generated tokens, above the rate of fast speech.
const TOKENS_PER_SECOND: f32 = 6.5;

const START: i32 = 1;
const END: i32 = 2;

/// The model. Can be shared between threads.
pub struct Moonshine {
    encoder: Network,
    decoder: Network,
    tokens: Vec<Vec<u8>>,
    samples: NodeId,
    samples_mask: Option<NodeId>,
    wiring: Wiring,
}

/// The decoder's inputs and outputs.
struct Wiring {
    token: NodeId,
    encoded: NodeId,
    encoded_mask: Option<NodeId>,
    use_cache: NodeId,
    logits: NodeId,
    /// Self-attention caches, which grow with every token.
    of_text: Vec<CacheSlot>,
    /// Cross-attention caches, computed once with the first token.
    of_sound: Vec<CacheSlot>,
    /// Number of heads and head dimension of every cache.
    cache_sides: [usize; 2],
}

/// A cache: the input for its state and the output with the next state.
struct CacheSlot {
    input: NodeId,
    output: NodeId,
}

impl Moonshine {
    pub fn load(dir: &ModelDir, pool: &Arc<ThreadPool>) -> Result<Self> {
        let encoder = Network::load(dir, ModelFile::MoonshineEncoder, pool)?;
        let decoder = Network::load(dir, ModelFile::MoonshineDecoder, pool)?;
        let path = dir.file(ModelFile::MoonshineTokens);
        let tokens = read_tokens(&dir.read(ModelFile::MoonshineTokens)?)
            .ok_or_else(|| anyhow!("cannot read {}: it ends in the middle of a token", path.display()))?;
        let samples = encoder.node("input_values")?;
        let samples_mask = encoder.inputs().find(|(name, _)| *name == "attention_mask").map(|(_, id)| id);
        ensure!(encoder.outputs().count() == 1, "{} has more than one output", encoder.name());
        let wiring = Wiring::of(&decoder)?;
        Ok(Self { encoder, decoder, tokens, samples, samples_mask, wiring })
    }

    /// Recognises `pcm` (16 kHz, mono), which should be speech of at most about twenty seconds.
    pub fn transcribe(&self, pcm: &[f32]) -> Result<String> {
        let mut samples: Vec<f32> = pcm.iter().map(|sample| if sample.is_finite() { *sample } else { 0.0 }).collect();
        samples.resize(samples.len().max(MIN_SAMPLES), 0.0);
        let limit = (samples.len() as f32 / RATE as f32 * TOKENS_PER_SECOND) as usize + 4;
        let encoded = self.encode(samples)?;
        let written = self.decode(&encoded, limit)?;
        Ok(self.text(&written))
    }

    fn encode(&self, samples: Vec<f32>) -> Result<Encoded> {
        let count = samples.len();
        let samples = NdTensor::from_data([1, count], samples);
        let mask = NdTensor::full([1, count], 1);
        let mut inputs = vec![(self.samples, samples.view().into())];
        inputs.extend(self.samples_mask.map(|id| (id, mask.view().into())));
        let output = self.encoder.outputs().next().map(|(_, id)| id).context("the encoder has no output")?;
        let mut results = self.encoder.run(inputs, &[output])?;
        Ok(Encoded { states: self.encoder.floats(results.pop())?, mask })
    }

    fn decode(&self, encoded: &Encoded, limit: usize) -> Result<Vec<i32>> {
        let wiring = &self.wiring;
        let mut of_text = wiring.empty_caches(&wiring.of_text);
        let mut of_sound = wiring.empty_caches(&wiring.of_sound);
        let mut written = Vec::new();
        let mut last = START;
        while written.len() < limit {
            let first = written.is_empty();
            let token = NdTensor::from_data([1, 1], vec![last]);
            let use_cache = NdTensor::from_data([1], vec![i32::from(!first)]);
            let mut inputs: Vec<(NodeId, ValueOrView)> = vec![
                (wiring.token, token.view().into()),
                (wiring.encoded, encoded.states.view().into()),
                (wiring.use_cache, use_cache.view().into()),
            ];
            inputs.extend(wiring.encoded_mask.map(|id| (id, encoded.mask.view().into())));
            inputs.extend(wiring.of_text.iter().zip(of_text.drain(..)).map(|(slot, cache)| (slot.input, cache.into())));
            let lent = wiring.of_sound.iter().zip(&of_sound);
            inputs.extend(lent.map(|(slot, cache)| (slot.input, cache.as_view().into())));

            let mut wanted = vec![wiring.logits];
            wanted.extend(wiring.of_text.iter().map(|slot| slot.output));
            if first {
                wanted.extend(wiring.of_sound.iter().map(|slot| slot.output));
            }
            let mut results = self.decoder.run(inputs, &wanted)?.into_iter();
            last = likeliest(&self.decoder.floats(results.next())?.to_vec());
            of_text.extend(results.by_ref().take(wiring.of_text.len()));
            if first {
                of_sound = results.collect();
            }
            if last == END {
                break;
            }
            written.push(last);
            if let Some(honest) = before_loop(&written) {
                written.truncate(honest);
                break;
            }
        }
        Ok(written)
    }

    fn text(&self, written: &[i32]) -> String {
        let pieces = written.iter().filter_map(|&token| self.tokens.get(usize::try_from(token).ok()?));
        let bytes: Vec<u8> = pieces.flatten().copied().collect();
        // Tokens use U+2581 for a space.
        String::from_utf8_lossy(&bytes).replace('\u{2581}', " ").trim().to_owned()
    }
}

/// The encoder's output.
struct Encoded {
    states: Tensor<f32>,
    mask: NdTensor<i32, 2>,
}

impl Wiring {
    fn of(decoder: &Network) -> Result<Self> {
        let (mut of_text, mut of_sound) = (Vec::new(), Vec::new());
        for (name, input) in decoder.inputs() {
            if let Some(rest) = name.strip_prefix("past_key_values.") {
                let output = decoder.node(&format!("present.{rest}"))?;
                let caches = if rest.contains(".encoder.") { &mut of_sound } else { &mut of_text };
                caches.push(CacheSlot { input, output });
            }
        }
        let first = of_text.first().with_context(|| format!("{} has no caches", decoder.name()))?.input;
        let cache_sides = [decoder.side(first, 1)?, decoder.side(first, 3)?];
        let optional = |wanted| decoder.inputs().find(|(name, _)| *name == wanted).map(|(_, id)| id);
        Ok(Self {
            token: decoder.node("input_ids")?,
            encoded: decoder.node("encoder_hidden_states")?,
            encoded_mask: optional("encoder_attention_mask"),
            use_cache: decoder.node("use_cache_branch")?,
            logits: decoder.node("logits")?,
            of_text,
            of_sound,
            cache_sides,
        })
    }

    fn empty_caches(&self, slots: &[CacheSlot]) -> Vec<Value> {
        let [heads, numbers] = self.cache_sides;
        slots.iter().map(|_| Value::from(Tensor::<f32>::zeros(&[1, heads, 0, numbers]))).collect()
    }
}

/// The token with the highest score.
fn likeliest(scores: &[f32]) -> i32 {
    let best = scores.iter().enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
    best.and_then(|(index, _)| i32::try_from(index).ok()).unwrap_or(END)
}

/// The length of the text up to the end of the first repetition, when the generation has begun to loop.
fn before_loop(written: &[i32]) -> Option<usize> {
    (1..=written.len() / 3).find_map(|period| {
        // People do say "no, no, no", so short loops count only after more repetitions.
        let rounds = 3.max(9_usize.div_ceil(period));
        let looped = period.checked_mul(rounds).filter(|len| *len <= written.len())?;
        let tail = &written[written.len() - looped..];
        tail[period..].iter().zip(tail).all(|(a, b)| a == b).then(|| written.len() - looped + period)
    })
}

/// Reads the list of tokens: for each its length in one or two bytes, then its bytes.
fn read_tokens(mut file: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut tokens = Vec::new();
    while let Some((&first, rest)) = file.split_first() {
        file = rest;
        let mut len = usize::from(first);
        if len >= 128 {
            let (&second, rest) = file.split_first()?;
            file = rest;
            len = usize::from(second) * 128 + len - 128;
        }
        let (token, rest) = file.split_at_checked(len)?;
        tokens.push(token.to_vec());
        file = rest;
    }
    Some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_circle_is_cut_and_a_repetition_is_not() {
        assert_eq!(before_loop(&[7, 1, 2, 3, 1, 2, 3, 1, 2, 3]), Some(4));
        assert_eq!(before_loop(&[5, 5, 5, 5]), None, "no, no, no, no");
        assert_eq!(before_loop(&[4, 5, 5, 5, 5, 5, 5, 5, 5, 5]), Some(2));
        assert_eq!(before_loop(&[1, 2, 1, 2, 1, 2]), None, "row, row, row your boat");
        assert_eq!(before_loop(&[]), None);
    }

    #[test]
    fn tokens_are_read_or_refused() {
        assert_eq!(read_tokens(&[0, 2, b'h', b'i']), Some(vec![vec![], b"hi".to_vec()]));
        let mut long = vec![0x80 | 2, 1];
        long.extend([b'x'; 130]);
        assert_eq!(read_tokens(&long), Some(vec![vec![b'x'; 130]]));
        assert_eq!(read_tokens(&long[..100]), None);
        assert_eq!(read_tokens(&[200]), None);
    }
}
