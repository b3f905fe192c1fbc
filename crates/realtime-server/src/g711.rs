// SPDX-License-Identifier: MPL-2.0

//! ITU-T G.711: the two logarithmic codes of telephony, one byte a sample.
//!
//! Both cut the range of a sample into eight segments, each twice as wide as the one below, with sixteen steps in
//! each. µ-law works on 14 bits with a bias of 33, A-law on 13 bits; on the wire µ-law is inverted and A-law has every
//! other bit inverted. Samples here are 16 bits wide, as everywhere in this server.

/// Added to a magnitude of 16 bits before its segment is looked for (33 in G.711's 14 bits).
const BIAS: i32 = 132;

/// A sample as one byte of µ-law.
pub fn ulaw_encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + BIAS;
    let segment = 31 - magnitude.leading_zeros() as i32 - 7;
    let step = (magnitude >> (segment + 3)) & 0x0f;
    !(sign | (segment << 4) as u8 | step as u8)
}

/// The sample of one byte of µ-law.
pub fn ulaw_decode(byte: u8) -> i16 {
    let byte = !byte;
    let (segment, step) = (i32::from(byte >> 4) & 7, i32::from(byte & 0x0f));
    let magnitude = (((step << 3) + BIAS) << segment) - BIAS;
    (if byte & 0x80 == 0 { magnitude } else { -magnitude }) as i16
}

/// A sample as one byte of A-law.
pub fn alaw_encode(sample: i16) -> u8 {
    // Negative values are counted from -1, so that both signs have equally many steps.
    let (sign, magnitude) = if sample >= 0 { (0x80, i32::from(sample)) } else { (0, !i32::from(sample)) };
    let magnitude = magnitude >> 3;
    let code = if magnitude < 32 {
        magnitude >> 1
    } else {
        let segment = 31 - magnitude.leading_zeros() as i32 - 4;
        (segment << 4) | ((magnitude >> segment) & 0x0f)
    };
    (sign | code as u8) ^ 0x55
}

/// The sample of one byte of A-law.
pub fn alaw_decode(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let (segment, step) = (i32::from(byte >> 4) & 7, i32::from(byte & 0x0f));
    // The middle of the step.
    let magnitude = if segment == 0 { (step << 4) + 8 } else { ((step << 4) + 0x108) << (segment - 1) };
    (if byte & 0x80 == 0 { -magnitude } else { magnitude }) as i16
}

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
            assert_eq!(ulaw_encode(sample), byte, "{sample}");
            assert_eq!(ulaw_decode(byte), value, "{byte:#x}");
        }
    }

    #[test]
    fn known_values_of_a_law() {
        for (sample, byte, value) in ALAW {
            assert_eq!(alaw_encode(sample), byte, "{sample}");
            assert_eq!(alaw_decode(byte), value, "{byte:#x}");
        }
    }

    #[test]
    fn every_byte_survives_being_decoded_and_encoded() {
        for byte in 0..=255u8 {
            assert_eq!(alaw_encode(alaw_decode(byte)), byte, "{byte:#x}");
            // µ-law has two zeros; the negative one becomes the positive one.
            let expected = if byte == 0x7f { 0xff } else { byte };
            assert_eq!(ulaw_encode(ulaw_decode(byte)), expected, "{byte:#x}");
        }
    }

    #[test]
    fn the_error_is_within_half_a_step() {
        // Beyond this both codes clip.
        for sample in (-32_124..=32_124i16).step_by(7) {
            let tolerance = ((i32::from(sample).abs() + BIAS) / 32 + 2).max(8);
            let far = |value: i16| (i32::from(value) - i32::from(sample)).abs();
            assert!(far(alaw_decode(alaw_encode(sample))) <= tolerance, "{sample}");
            assert!(far(ulaw_decode(ulaw_encode(sample))) <= tolerance, "{sample}");
        }
    }
}
