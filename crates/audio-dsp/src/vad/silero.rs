// SPDX-License-Identifier: MPL-2.0

//! Silero VAD, run by hand.
//!
//! The network is a short-time Fourier transform, four convolutions with ReLU, an LSTM of 128 cells and one output. The
//! weights are those of Silero VAD 6 (MIT, see `silero.LICENSE`), as `silero.py` writes them. Running the network by hand
//! takes these lines; a general runtime would be larger than a whole plugin.

use crate::vad::{FRAME, SAMPLE_RATE};
use fearless_simd::{Level, Simd, SimdBase, SimdFrom, dispatch, f32x16};
use microfft::real::rfft_256;
use std::f32::consts::TAU;
use std::fmt;
use std::sync::LazyLock;

/// Samples before the frame that are heard with it; as many behind it are its own, mirrored.
const CONTEXT: usize = 64;
/// Samples of one Fourier transform, and from one to the next.
const WINDOW: usize = 256;
const HOP: usize = 128;
const BINS: usize = WINDOW / 2 + 1;
/// Transforms in a frame.
const SPECTRA: usize = 4;
/// Outputs of the first convolution.
const CHANNELS: usize = 128;
/// Cells of the LSTM.
const CELLS: usize = 128;
/// In steady noise the LSTM's state drifts until words are missed. After so many frames without speech it is reset: 5 s.
const RESET_AFTER: usize = 5 * SAMPLE_RATE as usize / FRAME;
/// Below this probability a frame has no speech at all.
const NO_SPEECH: f32 = 0.1;
/// Samples beyond this magnitude, which are no audio, could leave a state that is not a number: they count as silence.
const MAX_SAMPLE: f32 = 1_000.0;

static NETWORK: LazyLock<Network> = LazyLock::new(|| Network::read(include_bytes!("silero.bin")));

/// Outputs of a layer that are computed at a time.
const LANES: usize = 32;

/// Values of [`LANES`] outputs beside each other, in whole cache lines.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Block([[f32; LANES / 2]; 2]);

/// Weights and biases of a layer.
///
/// The vectors are named, and as wide as those of the machine: the plugin is optimized for size when it is linked, and the
/// compiler then makes none by itself, not even in this crate. Each output is summed up in the order of the inputs and without
/// fused operations, so that every machine finds the same.
struct Layer {
    inputs: usize,
    biases: Vec<Block>,
    weights: Vec<Block>,
}

impl Layer {
    fn read(file: &mut &[u8], inputs: usize, outputs: usize) -> Self {
        let Weights { biases, weights } = Weights::read(file, inputs, outputs);
        let firsts = || (0..outputs).step_by(LANES);
        let rows = firsts().flat_map(|first| (0..inputs).map(move |row| row * outputs + first));
        Self {
            inputs,
            biases: firsts().map(|first| block(&biases[first..])).collect(),
            weights: rows.map(|first| block(&weights[first..])).collect(),
        }
    }

    /// The outputs for each of the inputs, one after the other.
    fn run<const N: usize>(&self, inputs: [&[f32]; N], outputs: &mut [f32]) {
        let level = Level::new();
        dispatch!(level, simd => self.sum_up(simd, inputs, outputs));
    }

    /// Like [`Self::run`], with nothing below zero.
    fn run_relu<const N: usize>(&self, inputs: [&[f32]; N], outputs: &mut [f32]) {
        self.run(inputs, outputs);
        outputs.iter_mut().for_each(|output| *output = output.max(0.0));
    }

    #[inline(always)]
    fn sum_up<S: Simd, const N: usize>(&self, simd: S, inputs: [&[f32]; N], outputs: &mut [f32]) {
        let count = self.biases.len() * LANES;
        let blocks = self.weights.chunks_exact(self.inputs).zip(&self.biases);
        let inputs = inputs.map(|input| &input[..self.inputs]);
        for (first, (rows, biases)) in (0..count).step_by(LANES).zip(blocks) {
            let biases = biases.0.map(|lanes| f32x16::simd_from(simd, lanes));
            let mut sums = [biases; N];
            for (n, row) in rows.iter().enumerate() {
                for (sums, input) in sums.iter_mut().zip(inputs) {
                    let value = f32x16::splat(simd, input[n]);
                    sums[0] += value * f32x16::simd_from(simd, row.0[0]);
                    sums[1] += value * f32x16::simd_from(simd, row.0[1]);
                }
            }
            for (sums, outputs) in sums.iter().zip(outputs.chunks_exact_mut(count)) {
                let (low, high) = outputs[first..first + LANES].split_at_mut(LANES / 2);
                sums[0].store_slice(low);
                sums[1].store_slice(high);
            }
        }
    }
}

/// The first [`LANES`] numbers.
fn block(numbers: &[f32]) -> Block {
    Block(std::array::from_fn(|half| std::array::from_fn(|lane| numbers[half * LANES / 2 + lane])))
}

/// A layer as it stands in the file.
struct Weights {
    biases: Vec<f32>,
    /// A row of outputs for each input.
    weights: Vec<f32>,
}

impl Weights {
    fn read(file: &mut &[u8], inputs: usize, outputs: usize) -> Self {
        let biases = take(file, outputs).map(f32::from_le_bytes).collect();
        let scales: Vec<f32> = take(file, outputs).map(f32::from_le_bytes).collect();
        let weights = take(file, inputs * outputs).map(i16::from_le_bytes);
        let weights = weights.zip(scales.iter().cycle()).map(|(weight, scale)| f32::from(weight) * scale).collect();
        Self { biases, weights }
    }
}

/// The next numbers of the file.
fn take<'a, const SIZE: usize>(file: &mut &'a [u8], count: usize) -> impl Iterator<Item = [u8; SIZE]> + use<'a, SIZE> {
    let (numbers, rest) = file.split_at(count * SIZE);
    *file = rest;
    numbers.as_chunks().0.iter().copied()
}

/// What all detectors share.
struct Network {
    window: [f32; WINDOW],
    convolutions: (Layer, Layer, Layer, Layer),
    /// All gates of the LSTM, each with a row for every input and every cell.
    gates: Layer,
    output: Weights,
}

impl Network {
    fn read(mut file: &[u8]) -> Self {
        let network = Self {
            window: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos()),
            convolutions: (
                Layer::read(&mut file, 3 * BINS, CHANNELS),
                Layer::read(&mut file, 3 * CHANNELS, 64),
                Layer::read(&mut file, 2 * 64, 64),
                Layer::read(&mut file, 64, 128),
            ),
            gates: Layer::read(&mut file, 128 + CELLS, 4 * CELLS),
            output: Weights::read(&mut file, CELLS, 1),
        };
        debug_assert!(file.is_empty(), "the weights are of another network");
        network
    }
}

/// The network's state for one stream.
pub(super) struct Silero {
    samples: [f32; CONTEXT + FRAME + CONTEXT],
    /// The magnitudes of the spectra, with an empty one before and behind.
    magnitudes: [f32; (SPECTRA + 2) * BINS],
    /// The first convolution's outputs, with an empty one before.
    first: [f32; (SPECTRA + 1) * CHANNELS],
    /// The LSTM's input: what is new, then its own last output.
    input: [f32; 128 + CELLS],
    cells: [f32; CELLS],
    /// Frames without speech, in a row.
    no_speech: usize,
}

impl fmt::Debug for Silero {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Silero").field("no_speech", &self.no_speech).finish_non_exhaustive()
    }
}

impl Silero {
    pub(super) fn new() -> Self {
        Self {
            samples: [0.0; CONTEXT + FRAME + CONTEXT],
            magnitudes: [0.0; (SPECTRA + 2) * BINS],
            first: [0.0; (SPECTRA + 1) * CHANNELS],
            input: [0.0; 128 + CELLS],
            cells: [0.0; CELLS],
            no_speech: 0,
        }
    }

    /// How probable it is that there is speech in the next frame of the stream.
    pub(super) fn probability(&mut self, frame: &[f32; FRAME]) -> f32 {
        self.transform(frame);
        self.convolve();
        let probability = self.recur();
        self.no_speech = if probability < NO_SPEECH { self.no_speech + 1 } else { 0 };
        if self.no_speech == RESET_AFTER {
            self.no_speech = 0;
            self.input.fill(0.0);
            self.cells.fill(0.0);
        }
        probability
    }

    /// The short-time Fourier transform.
    fn transform(&mut self, frame: &[f32; FRAME]) {
        const END: usize = CONTEXT + FRAME;
        self.samples.copy_within(FRAME..END, 0);
        let audio = |sample: &f32| if sample.abs() <= MAX_SAMPLE { *sample } else { 0.0 };
        self.samples[CONTEXT..END].iter_mut().zip(frame).for_each(|(to, sample)| *to = audio(sample));
        for n in 0..CONTEXT {
            self.samples[END + n] = self.samples[END - 2 - n];
        }
        let mut windowed = [0.0; WINDOW];
        let windows = self.samples.windows(WINDOW).step_by(HOP);
        for (samples, magnitudes) in windows.zip(self.magnitudes.chunks_exact_mut(BINS).skip(1)) {
            let weighted = samples.iter().zip(&NETWORK.window).map(|(sample, weight)| sample * weight);
            windowed.iter_mut().zip(weighted).for_each(|(to, sample)| *to = sample);
            let spectrum = rfft_256(&mut windowed);
            // The highest frequency has no phase, and is packed beside the lowest one.
            let ([lowest, ..], highest) = (*spectrum, spectrum[0].im);
            magnitudes.iter_mut().zip(spectrum.iter()).for_each(|(to, bin)| *to = bin.norm_sqr().sqrt());
            magnitudes[0] = lowest.re.abs();
            magnitudes[BINS - 1] = highest.abs();
        }
    }

    /// Each convolution has three taps, the second and the third a stride of two. Taps that only meet padding are left
    /// out.
    fn convolve(&mut self) {
        let three = |first: usize| &self.magnitudes[first * BINS..][..3 * BINS];
        let layers = &NETWORK.convolutions;
        // In pairs, which share the weights in registers.
        let (early, late) = self.first[CHANNELS..].split_at_mut(2 * CHANNELS);
        layers.0.run_relu([three(0), three(1)], early);
        layers.0.run_relu([three(2), three(3)], late);
        let (mut second, mut third) = ([0.0; 2 * 64], [0.0; 64]);
        layers.1.run_relu([&self.first[..3 * CHANNELS], &self.first[2 * CHANNELS..]], &mut second);
        layers.2.run_relu([&second], &mut third);
        layers.3.run_relu([&third], &mut self.input[..128]);
    }

    /// The LSTM and the output.
    fn recur(&mut self) -> f32 {
        let mut gates = [0.0; 4 * CELLS];
        NETWORK.gates.run([&self.input], &mut gates);
        let mut output = [0.0; CELLS];
        for (n, cell) in self.cells.iter_mut().enumerate() {
            // In the order of ONNX: input, output, forget, cell.
            let [input, out, forget, new] = [0, 1, 2, 3].map(|gate| gates[gate * CELLS + n]);
            *cell = sigmoid(forget) * *cell + sigmoid(input) * tanh(new);
            output[n] = sigmoid(out) * tanh(*cell);
        }
        self.input[128..].copy_from_slice(&output);
        let Weights { biases, weights } = &NETWORK.output;
        let products = output.iter().zip(weights).map(|(value, weight)| value.max(0.0) * weight);
        sigmoid(products.fold(biases[0], |sum, product| sum + product))
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}

/// Faster than that of the standard library, whose precision near zero is not needed here.
fn tanh(value: f32) -> f32 {
    2.0 * sigmoid(2.0 * value) - 1.0
}
