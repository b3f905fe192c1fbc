// SPDX-License-Identifier: MPL-2.0

//! Conversion between 16-bit and floating-point samples.

/// A 16-bit sample as a number from -1 to 1.
pub fn to_f32(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// The nearest 16-bit sample, clipped.
pub fn to_i16(sample: f32) -> i16 {
    // A cast from floating point saturates.
    (sample * 32_768.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_survives_and_loud_ones_clip() {
        assert!((i16::MIN..=i16::MAX).all(|sample| to_i16(to_f32(sample)) == sample));
        assert_eq!([to_i16(1.0), to_i16(-7.0), to_i16(f32::NAN)], [i16::MAX, i16::MIN, 0]);
    }
}
