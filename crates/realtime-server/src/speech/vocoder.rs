// SPDX-License-Identifier: MPL-2.0

//! The vocoder: turns predicted spectral parameters into samples.
//!
//! Every 12.5 ms the model predicts three layers of a spectrum: the filter of a harmonic source (log magnitude and
//! phase), the log magnitude of noise, and a component with its own phase. The source is synthesised from the pitch
//! curve, the layers are added, and an inverse STFT with overlap-add gives 24 kHz audio. The noise has a fixed seed, so
//! a sentence always gives the same samples.

use std::f32::consts::{PI, TAU};
use std::sync::Arc;

use anyhow::{Result, ensure};
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

/// The sampling rate.
pub const RATE: usize = 24_000;

/// FFT size.
const WINDOW: usize = 1200;
/// Hop size.
const HOP: usize = 300;
/// Number of frequency bins.
const BINS: usize = WINDOW / 2 + 1;

/// A lower pitch, in hertz, marks an unvoiced frame.
const LOWEST_PITCH: f32 = 40.0;
/// Maximum frequency of harmonics, in hertz.
const HIGHEST_HARMONIC: f32 = 11_000.0;

/// The model's output. All fields but `pitch` have a value for each bin and frame, with all frames of the lowest bin
/// first.
pub struct Description {
    /// Log magnitude of the harmonics.
    pub harmonics: Vec<f32>,
    /// Phase of the harmonics, not wrapped.
    pub phase: Vec<f32>,
    /// Log magnitude of the noise.
    pub noise: Vec<f32>,
    /// Log magnitude of the component with its own phase.
    pub free: Vec<f32>,
    /// Phase of that component.
    pub free_phase: Vec<f32>,
    /// Pitch in hertz of each frame.
    pub pitch: Vec<f32>,
}

/// The planned FFTs. Can be shared between threads.
pub struct Vocoder {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
    window: Vec<f32>,
}

impl Vocoder {
    pub fn new() -> Self {
        let mut planner = RealFftPlanner::new();
        let window = (0..WINDOW).map(|n| 0.5 - 0.5 * (TAU * n as f32 / WINDOW as f32).cos()).collect();
        Self { forward: planner.plan_fft_forward(WINDOW), inverse: planner.plan_fft_inverse(WINDOW), window }
    }

    /// Synthesises `description`, from -1 to 1.
    pub fn sound(&self, description: &Description) -> Result<Vec<f32>> {
        let frames = description.pitch.len();
        let Description { harmonics, phase, noise, free, free_phase, .. } = description;
        let complete = [harmonics, phase, noise, free, free_phase].iter().all(|part| part.len() == frames * BINS);
        ensure!(complete, "the voice described a sound in an unexpected way");
        let pulses = pulses(&description.pitch);
        let mut sum = vec![0.0; (frames + WINDOW / HOP) * HOP];
        let mut weight = vec![0.0; sum.len()];
        let mut samples = self.forward.make_input_vec();
        let mut spectrum = self.forward.make_output_vec();
        let mut random = Random::new();
        // A sine has the magnitude of half the window's sum; this scale makes it 1.
        let scale = 4.0 / WINDOW as f32;
        for frame in 0..frames {
            let start = frame * HOP;
            for (n, (sample, window)) in samples.iter_mut().zip(&self.window).enumerate() {
                *sample = mirrored(&pulses, start + n) * window * scale;
            }
            self.forward.process(&mut samples, &mut spectrum)?;
            for (bin, value) in spectrum.iter_mut().enumerate() {
                let at = bin * frames + frame;
                *value = *value * Complex32::from_polar(loudness(harmonics[at]), phase[at].tanh() * PI)
                    + random.complex() * loudness(noise[at])
                    + Complex32::from_polar(loudness(free[at]), free_phase[at]);
            }
            // The first and last bin of a real signal are real.
            spectrum[0].im = 0.0;
            spectrum[BINS - 1].im = 0.0;
            self.inverse.process(&mut spectrum, &mut samples)?;
            for (n, (sample, window)) in samples.iter().zip(&self.window).enumerate() {
                sum[start + n] += sample / WINDOW as f32 * window;
                weight[start + n] += window * window;
            }
        }
        let range = WINDOW / 2..WINDOW / 2 + frames * HOP;
        Ok(sum[range.clone()].iter().zip(&weight[range]).map(|(sample, weight)| sample / weight.max(1e-11)).collect())
    }
}

/// Log magnitude to magnitude, limited so that a faulty prediction is not excessively loud.
fn loudness(logarithm: f32) -> f32 {
    logarithm.min(7.0).exp()
}

/// The sample at `position` of a signal padded by half a window, mirrored, at both ends.
fn mirrored(signal: &[f32], position: usize) -> f32 {
    let last = signal.len().saturating_sub(1);
    let index = position.abs_diff(WINDOW / 2);
    let index = if index > last { (2 * last).saturating_sub(index) } else { index };
    signal.get(index).copied().unwrap_or(0.0)
}

/// The harmonic source: a pulse train with all harmonics of the pitch at equal amplitude.
fn pulses(pitch: &[f32]) -> Vec<f32> {
    let mut pulses = Vec::with_capacity(pitch.len() * HOP);
    // In turns. Double precision, because it accumulates over a sentence.
    let mut phase = 0.0_f64;
    for (frame, &here) in pitch.iter().enumerate() {
        let before = pitch[frame.saturating_sub(1)];
        let after = pitch.get(frame + 1).copied().unwrap_or(here);
        for sample in 0..HOP {
            let offset = (sample as f32 + 0.5) / HOP as f32 - 0.5;
            let (from, to, part) = if offset < 0.0 { (before, here, offset + 1.0) } else { (here, after, offset) };
            let raw = from * (1.0 - part) + to * part;
            let hertz = raw.max(LOWEST_PITCH);
            phase = (phase + f64::from(hertz) / RATE as f64).fract();
            pulses.push(if raw > LOWEST_PITCH { pulse(phase as f32 * TAU, hertz) } else { 0.0 });
        }
    }
    pulses
}

/// The sum of `cos(h * angle)` over all harmonics `h`, in closed form.
fn pulse(angle: f32, hertz: f32) -> f32 {
    let harmonics = (HIGHEST_HARMONIC / hertz).floor() + 0.5;
    let divisor = 2.0 * (angle * 0.5).sin();
    let ratio = if divisor.abs() <= 2e-3 { harmonics } else { (harmonics * angle).sin() / divisor };
    ratio - 0.5
}

/// Generator of normally distributed noise (xorshift and Box-Muller).
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }

    /// Uniform in the open interval from 0 to 1.
    fn uniform(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        ((self.0 >> 41) as f32 + 0.5) / (1_u64 << 23) as f32
    }

    fn complex(&mut self) -> Complex32 {
        let radius = (-2.0 * self.uniform().ln()).sqrt();
        Complex32::from_polar(radius, self.uniform() * TAU)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description(frames: usize, pitch: f32) -> Description {
        let all = |value| vec![value; frames * BINS];
        Description {
            harmonics: all(-4.0),
            phase: all(0.0),
            noise: all(-9.0),
            free: all(-20.0),
            free_phase: all(0.0),
            pitch: vec![pitch; frames],
        }
    }

    #[test]
    fn a_pitch_is_heard_as_that_pitch() {
        let sound = Vocoder::new().sound(&description(80, 200.0)).expect("a complete description");
        assert_eq!(sound.len(), RATE);
        let period = |lag: usize| sound[6000..12_000].iter().zip(&sound[6000 + lag..]).map(|(a, b)| a * b).sum::<f32>();
        let best = (80..200).max_by(|a, b| period(*a).total_cmp(&period(*b)));
        assert_eq!(best, Some(120), "24 000 samples / 200 Hz");
    }

    #[test]
    fn one_frame_or_none_is_no_trouble() {
        let vocoder = Vocoder::new();
        assert_eq!(vocoder.sound(&description(1, 120.0)).expect("one frame").len(), HOP);
        assert!(vocoder.sound(&description(0, 120.0)).expect("no frame").is_empty());
        let mut broken = description(3, 120.0);
        broken.noise.pop();
        assert!(vocoder.sound(&broken).is_err());
    }
}
