// SPDX-License-Identifier: MPL-2.0

//! Sample rate conversion of a mono stream, by a polyphase FIR filter.
//!
//! An output sample lies between input samples at one of a few positions, the phases, which the two rates determine.
//! For each phase the taps of a windowed-sinc low-pass are computed once. The stream comes in pieces of any size and
//! gives the same samples as if it had come at once.

use fearless_simd::{Level, Simd, SimdBase, SimdFrom, dispatch, f32x16};
use std::f64::consts::PI;

/// Zero crossings of the sinc on each side of its centre: what decides on sharpness, cost and delay.
const ZERO_CROSSINGS: usize = 32;
/// Of the Kaiser window: 70 dB of stop band attenuation …
const BETA: f64 = 6.76;
/// … with a transition band of this part of the lower rate. It ends where aliases would begin.
const TRANSITION: f64 = 0.068;
/// Taps are added up in so many independent sums, which are a vector or several.
const LANES: usize = 16;
/// The most taps of all phases together: 44.1 to 16 kHz takes 30,000.
const MAX_TAPS: usize = 1 << 18;

/// The two rates are zero, or have a ratio that takes too large a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("audio cannot be resampled from {from} Hz to {to} Hz")]
pub struct UnsupportedRates {
    from: u32,
    to: u32,
}

/// The taps between two rates, and how to walk through them.
#[derive(Debug)]
struct Filter {
    /// The taps of all phases, one phase behind the other.
    taps: Vec<f32>,
    /// Input samples on each side of an output sample: half the taps of a phase, which are a multiple of [`LANES`].
    half: usize,
    phases: usize,
    /// How many phases further the next output sample lies.
    step: usize,
}

impl Filter {
    /// `None` if it would be too large.
    fn new(from: u32, to: u32) -> Option<Self> {
        let divisor = gcd(from, to);
        let (phases, step) = ((to / divisor) as usize, (from / divisor) as usize);
        let half = (ZERO_CROSSINGS * step.max(phases)).div_ceil(phases).next_multiple_of(LANES / 2);
        if phases.checked_mul(2 * half)? > MAX_TAPS {
            return None;
        }
        let lower = f64::from(to.min(from)) / f64::from(from);
        let cutoff = (1.0 - TRANSITION) * lower;
        let taps = (0..phases).flat_map(|phase| {
            let centre = (half - 1) as f64 + phase as f64 / phases as f64;
            let taps: Vec<f64> =
                (0..2 * half).map(|tap| windowed_sinc(tap as f64 - centre, cutoff, half as f64)).collect();
            // So that a constant stays what it is, whatever the phase.
            let gain: f64 = taps.iter().sum();
            taps.into_iter().map(move |tap| (tap / gain) as f32)
        });
        Some(Self { taps: taps.collect(), half, phases, step })
    }

    fn taps(&self, phase: usize) -> &[f32] {
        &self.taps[phase * 2 * self.half..][..2 * self.half]
    }

    /// Adds the output samples whose windows are complete, from this phase on. Returns the first sample of the next window, and
    /// its phase.
    #[inline(always)]
    fn run<S: Simd>(&self, simd: S, samples: &[f32], mut phase: usize, output: &mut Vec<f32>) -> (usize, usize) {
        let mut first = 0;
        while let Some(window) = samples.get(first..first + 2 * self.half) {
            output.push(dot(simd, window, self.taps(phase)));
            phase += self.step;
            first += phase / self.phases;
            phase %= self.phases;
        }
        (first, phase)
    }
}

/// A resampler for one stream.
#[derive(Debug)]
pub struct Resampler {
    from: u32,
    to: u32,
    /// `None` when nothing is to be done.
    filter: Option<Filter>,
    /// Whether the output is aligned with the input, or late by the filter's delay.
    aligned: bool,
    /// Input samples that are still needed, from the first one of the next output sample on.
    pending: Vec<f32>,
    phase: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A resampler whose output is aligned with its input: sample 0 stays sample 0. What comes out lags behind what
    /// went in until the stream is flushed.
    pub fn new(from: u32, to: u32) -> Result<Self, UnsupportedRates> {
        Self::with_alignment(from, to, true)
    }

    /// A resampler that gives as much as it is given: after n input samples there were n · to / from, rounded up. For
    /// that the stream is shifted by [`Resampler::delay`], which is silent.
    pub fn causal(from: u32, to: u32) -> Result<Self, UnsupportedRates> {
        Self::with_alignment(from, to, false)
    }

    fn with_alignment(from: u32, to: u32, aligned: bool) -> Result<Self, UnsupportedRates> {
        let unsupported = UnsupportedRates { from, to };
        if from == 0 || to == 0 {
            return Err(unsupported);
        }
        let filter = if from == to { None } else { Some(Filter::new(from, to).ok_or(unsupported)?) };
        let mut new = Self { from, to, filter, aligned, pending: Vec::new(), phase: 0, taken: 0, given: 0 };
        new.reset();
        Ok(new)
    }

    /// The filter's delay in samples of the input: between 1 and 4 ms for the usual rates.
    pub fn delay(&self) -> usize {
        self.filter.as_ref().map_or(0, |filter| filter.half)
    }

    /// Takes samples, and adds those that are ready to `output`.
    pub fn push(&mut self, samples: &[f32], output: &mut Vec<f32>) {
        self.taken += samples.len() as u64;
        let Some(filter) = &self.filter else {
            self.given += samples.len() as u64;
            return output.extend_from_slice(samples);
        };
        self.pending.extend_from_slice(samples);
        let before = output.len();
        let level = Level::new();
        let (first, phase) = dispatch!(level, simd => filter.run(simd, &self.pending, self.phase, output));
        self.phase = phase;
        self.given += (output.len() - before) as u64;
        // A window is longer than a step: the next one begins within what there is, or right behind it.
        self.pending.drain(..first);
    }

    /// Adds what is left at the end of the stream. All together is then as long, in time, as what went in. The
    /// resampler begins a new stream after that.
    pub fn flush(&mut self, output: &mut Vec<f32>) {
        let due = (u128::from(self.taken) * u128::from(self.to)).div_ceil(u128::from(self.from));
        let missing = usize::try_from(due - u128::from(self.given)).unwrap_or_default();
        let length = output.len() + missing;
        if missing > 0 {
            self.push(&vec![0.0; self.delay()], output);
        }
        output.truncate(length);
        self.reset();
    }

    fn reset(&mut self) {
        let silence =
            self.filter.as_ref().map_or(0, |filter| if self.aligned { filter.half - 1 } else { 2 * filter.half - 1 });
        self.pending.clear();
        self.pending.resize(silence, 0.0);
        (self.phase, self.taken, self.given) = (0, 0, 0);
    }
}

/// A whole recording at another rate.
pub fn resample(samples: &[f32], from: u32, to: u32) -> Result<Vec<f32>, UnsupportedRates> {
    let mut resampler = Resampler::new(from, to)?;
    let mut output = Vec::new();
    resampler.push(samples, &mut output);
    resampler.flush(&mut output);
    Ok(output)
}

#[inline(always)]
fn dot<S: Simd>(simd: S, samples: &[f32], taps: &[f32]) -> f32 {
    let mut sums = f32x16::splat(simd, 0.0);
    for (samples, taps) in samples.as_chunks::<LANES>().0.iter().zip(taps.as_chunks::<LANES>().0) {
        sums += f32x16::simd_from(simd, *samples) * f32x16::simd_from(simd, *taps);
    }
    let mut lanes = [0.0; LANES];
    sums.store_slice(&mut lanes);
    lanes.iter().sum()
}

/// An ideal low-pass, `offset` samples from its centre, cut to `half` samples on each side by a Kaiser window.
/// `cutoff` is a part of half the sampling rate.
fn windowed_sinc(offset: f64, cutoff: f64, half: f64) -> f64 {
    let angle = PI * offset * cutoff;
    let sinc = if angle == 0.0 { 1.0 } else { angle.sin() / angle };
    let inside = 1.0 - (offset / half).powi(2);
    cutoff * sinc * bessel_i0(BETA * inside.max(0.0).sqrt()) / bessel_i0(BETA)
}

/// The modified Bessel function of the first kind, of order zero.
fn bessel_i0(x: f64) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for n in 1..50 {
        term *= (x / 2.0 / f64::from(n)).powi(2);
        sum += term;
    }
    sum
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f32::consts::TAU;

    const RATES: [u32; 6] = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000];

    fn tone(rate: u32, hertz: f32, seconds: f32) -> Vec<f32> {
        (0..(rate as f32 * seconds) as usize)
            .map(|n| (n as f32 * hertz / rate as f32).fract() * TAU)
            .map(f32::sin)
            .collect()
    }

    fn in_pieces(mut resampler: Resampler, samples: &[f32], piece: usize) -> Vec<f32> {
        let mut output = Vec::new();
        samples.chunks(piece).for_each(|piece| resampler.push(piece, &mut output));
        resampler.flush(&mut output);
        output
    }

    fn loudest(samples: &[f32]) -> f32 {
        samples.iter().fold(0.0, |loudest, sample| loudest.max(sample.abs()))
    }

    /// The largest difference, the first and the last 10 ms aside.
    fn difference(rate: u32, one: &[f32], other: &[f32]) -> f32 {
        let edge = rate as usize / 100;
        let differences: Vec<f32> = one.iter().zip(other).map(|(a, b)| a - b).collect();
        loudest(&differences[edge..differences.len() - edge])
    }

    #[test]
    fn a_tone_stays_where_and_what_it_is_between_any_two_rates() {
        for from in RATES {
            for to in RATES {
                for hertz in [100.0, 1_000.0, 3_300.0] {
                    let output = resample(&tone(from, hertz, 0.2), from, to).expect("usual rates");
                    let expected = tone(to, hertz, 0.2);
                    assert_eq!(output.len(), expected.len(), "{from} to {to}");
                    let error = difference(to, &output, &expected);
                    assert!(error < 0.002, "{hertz} Hz, {from} to {to}: {error}");
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_removed() {
        for (from, to, hertz) in [(24_000, 8_000, 4_400.0), (24_000, 16_000, 9_000.0), (48_000, 16_000, 11_000.0)] {
            let output = resample(&tone(from, hertz, 0.2), from, to).expect("usual rates");
            let rest = loudest(&output[to as usize / 100..to as usize / 10]);
            assert!(rest < 0.001, "{hertz} Hz, {from} to {to}: {rest}");
        }
    }

    #[test]
    fn pieces_make_no_difference() {
        for (from, to) in [(24_000, 16_000), (8_000, 16_000), (44_100, 16_000), (8_000, 24_000), (24_000, 24_000)] {
            let sound = tone(from, 300.0, 0.2);
            let whole = resample(&sound, from, to).expect("usual rates");
            for piece in [1, 7, 160, 999] {
                let resampler = Resampler::new(from, to).expect("usual rates");
                assert_eq!(in_pieces(resampler, &sound, piece), whole, "{from} to {to}, pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_causal_stream_is_complete_with_each_piece_and_late_by_the_delay() {
        for from in RATES {
            let sound = tone(from, 300.0, 0.3);
            let mut resampler = Resampler::causal(from, 16_000).expect("usual rates");
            let (mut output, mut taken) = (Vec::new(), 0);
            for piece in sound.chunks(333) {
                taken += piece.len();
                resampler.push(piece, &mut output);
                assert_eq!(output.len(), (taken * 16_000).div_ceil(from as usize), "{from}");
            }
            assert!(resampler.delay() * 1_000 <= from as usize * 4, "{from}: more than 4 ms");
            let late: Vec<f32> = std::iter::repeat_n(0.0, resampler.delay()).chain(sound).collect();
            let expected = resample(&late, from, 16_000).expect("usual rates");
            assert!(difference(16_000, &output, &expected) < 1e-5, "{from}");
        }
    }

    #[test]
    fn a_stream_is_as_long_as_before_and_another_one_may_follow() {
        for (from, to) in [(24_000, 16_000), (8_000, 24_000), (24_000, 8_000), (22_050, 48_000), (16_000, 16_000)] {
            let mut resampler = Resampler::new(from, to).expect("usual rates");
            for length in [0, 1, 2, 3, 1_000, 2_400] {
                let mut output = Vec::new();
                resampler.push(&vec![0.5; length], &mut output);
                resampler.flush(&mut output);
                assert_eq!(output.len(), (length * to as usize).div_ceil(from as usize), "{length}, {from} to {to}");
            }
        }
    }

    #[test]
    fn a_constant_stays_constant() {
        let output = resample(&[0.5; 4_410], 44_100, 16_000).expect("usual rates");
        assert!(output[200..1_400].iter().all(|sample| (sample - 0.5).abs() < 1e-6));
    }

    #[test]
    fn rates_without_a_sensible_filter_are_refused() {
        for (from, to) in [(0, 16_000), (16_000, 0), (0, 0), (8_000, 44_101), (u32::MAX, 1), (1, u32::MAX)] {
            assert_eq!(Resampler::new(from, to).err(), Some(UnsupportedRates { from, to }));
        }
        assert!(Resampler::new(11_025, 48_000).is_ok());
        let error = Resampler::new(0, 16_000).expect_err("there is no such rate");
        assert_eq!(error.to_string(), "audio cannot be resampled from 0 Hz to 16000 Hz");
    }
}
