// SPDX-License-Identifier: MPL-2.0

//! Between samples of 16 bits and floating point.

/// A sample of 16 bits, as a number from -1 to 1.
pub fn to_f32(sample: i16) -> f32 {
    f32::from(sample) / 32_768.0
}

/// The nearest sample of 16 bits; what is too loud is clipped.
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
