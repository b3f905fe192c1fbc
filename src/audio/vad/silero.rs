// SPDX-License-Identifier: MPL-2.0

//! Is somebody speaking? Silero, a small network, says it for every 32 milliseconds of sound.
//!
//! Four short spectra, four layers that boil them down to 128 numbers, a memory of 128 more, and a verdict between
//! 0 and 1. The weights are those of Silero VAD 6 (MIT, see `silero.LICENSE`), as `silero.py` writes them. Running the
//! network by hand takes these lines; a general runtime would be larger than the rest of the plugin.

use realfft::num_complex::Complex32;
use realfft::{RealFftPlanner, RealToComplex};
use std::f32::consts::TAU;
use std::sync::{Arc, LazyLock};

/// Samples at 16 kHz that one verdict stands for.
pub const FRAME: usize = 512;
/// Samples before the frame that are heard with it; as many behind it are its own, mirrored.
const CONTEXT: usize = 64;
const WINDOW: usize = 256;
const HOP: usize = 128;
const BINS: usize = WINDOW / 2 + 1;
const SPECTRA: usize = 4;
const MEMORY: usize = 128;
/// In steady noise the memory drifts until words are missed. After so many frames without speech it begins anew.
const FORGET: usize = 5 * 16_000 / FRAME;
/// Below this score a frame has no speech at all.
const NOTHING: f32 = 0.1;

static NETWORK: LazyLock<Network> = LazyLock::new(|| Network::read(include_bytes!("silero.bin")));

/// Weights and biases. Outputs are computed `LANES` at a time, which is how the weights are laid out.
struct Layer<const LANES: usize> {
    inputs: usize,
    biases: Vec<f32>,
    weights: Vec<[f32; LANES]>,
}

impl<const LANES: usize> Layer<LANES> {
    fn read(file: &mut &[u8], inputs: usize, outputs: usize) -> Self {
        let biases = take(file, outputs).map(f32::from_le_bytes).collect();
        let scales: Vec<f32> = take(file, outputs).map(f32::from_le_bytes).collect();
        let rows: Vec<i16> = take(file, inputs * outputs).map(i16::from_le_bytes).collect();
        let weight = |row: usize, output: usize| f32::from(rows[row * outputs + output]) * scales[output];
        let blocks = (0..outputs).step_by(LANES);
        let weights = blocks
            .flat_map(|first| (0..inputs).map(move |row| (row, first)))
            .map(|(row, first)| std::array::from_fn(|pad_queue| weight(row, first + pad_queue)))
            .collect();
        Self { inputs, biases, weights }
    }

    /// The outputs for each of the inputs, one after the other.
    fn run<const N: usize>(&self, inputs: [&[f32]; N], outputs: &mut [f32]) {
        let count = self.biases.len();
        let blocks = self.weights.chunks_exact(self.inputs).zip(self.biases.chunks_exact(LANES));
        for (first, (rows, biases)) in (0..count).step_by(LANES).zip(blocks) {
            let mut sums = [[0.0; LANES]; N];
            for (at, row) in rows.iter().enumerate() {
                for (sums, input) in sums.iter_mut().zip(inputs) {
                    let value = input[at];
                    sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += value * weight);
                }
            }
            for (sums, outputs) in sums.iter().zip(outputs.chunks_exact_mut(count)) {
                let outputs = &mut outputs[first..first + LANES];
                outputs.iter_mut().zip(sums.iter().zip(biases)).for_each(|(output, (sum, bias))| *output = sum + bias);
            }
        }
    }

    /// The same, with nothing below zero.
    fn run_relu<const N: usize>(&self, inputs: [&[f32]; N], outputs: &mut [f32]) {
        self.run(inputs, outputs);
        outputs.iter_mut().for_each(|output| *output = output.max(0.0));
    }
}

/// The next numbers of the file.
fn take<'a, const SIZE: usize>(file: &mut &'a [u8], count: usize) -> impl Iterator<Item = [u8; SIZE]> + use<'a, SIZE> {
    let (numbers, rest) = file.split_at(count * SIZE);
    *file = rest;
    numbers.as_chunks().0.iter().copied()
}

/// What all ears share.
struct Network {
    fft: Arc<dyn RealToComplex<f32>>,
    window: [f32; WINDOW],
    first: Layer<8>,
    second: Layer<16>,
    third: Layer<32>,
    fourth: Layer<32>,
    memory: Layer<32>,
    verdict: Layer<1>,
}

impl Network {
    fn read(mut file: &[u8]) -> Self {
        let network = Self {
            fft: RealFftPlanner::new().plan_fft_forward(WINDOW),
            window: std::array::from_fn(|n| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos()),
            first: Layer::read(&mut file, 3 * BINS, 128),
            second: Layer::read(&mut file, 3 * 128, 64),
            third: Layer::read(&mut file, 2 * 64, 64),
            fourth: Layer::read(&mut file, 64, 128),
            memory: Layer::read(&mut file, 128 + MEMORY, 4 * MEMORY),
            verdict: Layer::read(&mut file, MEMORY, 1),
        };
        debug_assert!(file.is_empty(), "the weights are of another network");
        network
    }
}

/// One stream's listener.
pub struct Silero {
    samples: [f32; CONTEXT + FRAME + CONTEXT],
    windowed: [f32; WINDOW],
    spectrum: Vec<Complex32>,
    scratch: Vec<Complex32>,
    /// The magnitudes of the spectra, with an empty one before and behind.
    magnitudes: [f32; (SPECTRA + 2) * BINS],
    /// What the first layer makes of them, with an empty piece before.
    first: [f32; (SPECTRA + 1) * 128],
    /// What the memory is given: the news, then what it said last.
    input: [f32; 128 + MEMORY],
    cell: [f32; MEMORY],
    /// Frames without speech, in a row.
    nothing: usize,
}

impl Silero {
    pub fn new() -> Self {
        Self {
            samples: [0.0; CONTEXT + FRAME + CONTEXT],
            windowed: [0.0; WINDOW],
            spectrum: NETWORK.fft.make_output_vec(),
            scratch: NETWORK.fft.make_scratch_vec(),
            magnitudes: [0.0; (SPECTRA + 2) * BINS],
            first: [0.0; (SPECTRA + 1) * 128],
            input: [0.0; 128 + MEMORY],
            cell: [0.0; MEMORY],
            nothing: 0,
        }
    }

    /// How sure it is, 0 to 1, that there is speech in the next frame of the stream.
    pub fn score(&mut self, frame: &[f32; FRAME]) -> f32 {
        self.look(frame);
        self.boil_down();
        let score = self.judge();
        self.nothing = if score < NOTHING { self.nothing + 1 } else { 0 };
        if self.nothing == FORGET {
            self.nothing = 0;
            self.input.fill(0.0);
            self.cell.fill(0.0);
        }
        score
    }

    fn look(&mut self, frame: &[f32; FRAME]) {
        const END: usize = CONTEXT + FRAME;
        self.samples.copy_within(FRAME..END, 0);
        self.samples[CONTEXT..END].copy_from_slice(frame);
        for n in 0..CONTEXT {
            self.samples[END + n] = self.samples[END - 2 - n];
        }
        let pieces = self.samples.windows(WINDOW).step_by(HOP);
        for (piece, magnitudes) in pieces.zip(self.magnitudes.chunks_exact_mut(BINS).skip(1)) {
            let weighted = piece.iter().zip(&NETWORK.window).map(|(sample, weight)| sample * weight);
            self.windowed.iter_mut().zip(weighted).for_each(|(to, sample)| *to = sample);
            let fft = &NETWORK.fft;
            let done = fft.process_with_scratch(&mut self.windowed, &mut self.spectrum, &mut self.scratch);
            debug_assert!(done.is_ok(), "the buffers are made by the transform itself");
            magnitudes.iter_mut().zip(&self.spectrum).for_each(|(to, bin)| *to = bin.norm());
        }
    }

    /// Each layer looks at three neighbours, the second and the third in steps of two.
    fn boil_down(&mut self) {
        let three = |first: usize| &self.magnitudes[first * BINS..][..3 * BINS];
        NETWORK.first.run_relu([three(0), three(1), three(2), three(3)], &mut self.first[128..]);
        let (mut second, mut third) = ([0.0; 2 * 64], [0.0; 64]);
        NETWORK.second.run_relu([&self.first[..3 * 128], &self.first[2 * 128..]], &mut second);
        NETWORK.third.run_relu([&second], &mut third);
        NETWORK.fourth.run_relu([&third], &mut self.input[..128]);
    }

    /// A long short-term memory: gates for what comes in, what is said, what stays, and the news itself.
    fn judge(&mut self) -> f32 {
        let mut gates = [0.0; 4 * MEMORY];
        NETWORK.memory.run([&self.input], &mut gates);
        let mut said = [0.0; MEMORY];
        for (n, cell) in self.cell.iter_mut().enumerate() {
            let gate = |which: usize| gates[which * MEMORY + n];
            *cell = sigmoid(gate(2)) * *cell + sigmoid(gate(0)) * gate(3).tanh();
            said[n] = sigmoid(gate(1)) * cell.tanh();
        }
        self.input[128..].copy_from_slice(&said);
        said.iter_mut().for_each(|value| *value = value.max(0.0));
        let mut verdict = [0.0];
        NETWORK.verdict.run([&said], &mut verdict);
        sigmoid(verdict[0])
    }
}

fn sigmoid(value: f32) -> f32 {
    1.0 / (1.0 + (-value).exp())
}
