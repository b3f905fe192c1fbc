// SPDX-License-Identifier: MPL-2.0

//! ITU-T G.711: the two logarithmic codes of telephony, one byte a sample, between them and samples of 16 bits.

pub use audio_codec_algorithms::{decode_alaw, decode_ulaw, encode_alaw, encode_ulaw};

#[cfg(test)]
mod tests {
    use super::*;

    /// Sample, byte and what the byte means: ends of the range, silence, segment borders.
    const ULAW: [(i16, u8, i16); 10] = [
        (0, 0xff, 0),
        (-1, 0x7f, 0),
        (8, 0xfe, 8),
        (100, 0xf2, 104),
        (1_000, 0xce, 988),
        (-1_000, 0x4e, -988),
        (10_000, 0x9c, 9_852),
        (-10_000, 0x1c, -9_852),
        (32_767, 0x80, 32_124),
        (-32_768, 0x00, -32_124),
    ];

    const ALAW: [(i16, u8, i16); 9] = [
        (0, 0xd5, 8),
        (-1, 0x55, -8),
        (100, 0xd3, 104),
        (1_000, 0xfa, 1_008),
        (-1_000, 0x7a, -1_008),
        (10_000, 0xb6, 9_984),
        (-10_000, 0x36, -9_984),
        (32_767, 0xaa, 32_256),
        (-32_768, 0x2a, -32_256),
    ];

    #[test]
    fn known_values_of_mu_law() {
        for (sample, byte, value) in ULAW {
            assert_eq!(encode_ulaw(sample), byte, "{sample}");
            assert_eq!(decode_ulaw(byte), value, "{byte:#x}");
        }
    }

    #[test]
    fn known_values_of_a_law() {
        for (sample, byte, value) in ALAW {
            assert_eq!(encode_alaw(sample), byte, "{sample}");
            assert_eq!(decode_alaw(byte), value, "{byte:#x}");
        }
    }

    #[test]
    fn every_byte_survives_being_decoded_and_encoded() {
        for byte in 0..=255u8 {
            assert_eq!(encode_alaw(decode_alaw(byte)), byte, "{byte:#x}");
            // µ-law has two zeros; the negative one becomes the positive one.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(encode_ulaw(decode_ulaw(byte)), expected, "{byte:#x}");
        }
    }

    #[test]
    fn the_error_is_within_half_a_step() {
        // Beyond this both codes clip.
        for sample in (-32_124..=32_124i16).step_by(7) {
            let tolerance = ((i32::from(sample).abs() + 132) / 32 + 2).max(8);
            let error = |value: i16| (i32::from(value) - i32::from(sample)).abs();
            assert!(error(decode_alaw(encode_alaw(sample))) <= tolerance, "{sample}");
            assert!(error(decode_ulaw(encode_ulaw(sample))) <= tolerance, "{sample}");
        }
    }
}
