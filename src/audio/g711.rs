// SPDX-License-Identifier: MPL-2.0

//! G.711, as far as an ear needs it, and for a server that codes in another way than was asked for.

/// One sample of G.711 µ-law.
pub fn ulaw(code: u8) -> i16 {
    let code = !code;
    let magnitude = ((i16::from(code & 0x0f) << 3) + 0x84) << (code >> 4 & 7);
    if code & 0x80 == 0 { magnitude - 0x84 } else { 0x84 - magnitude }
}

/// One sample of G.711 A-law.
pub fn alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (exponent, mantissa) = (code >> 4 & 7, i16::from(code & 0x0f) << 4);
    let magnitude = if exponent == 0 { mantissa + 8 } else { (mantissa + 0x108) << (exponent - 1) };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

/// The µ-law code of a sample.
pub fn to_ulaw(sample: i16) -> u8 {
    let magnitude = i32::from(sample).abs().min(32_635) + 0x84;
    let exponent = (magnitude >> 8).checked_ilog2().map_or(0, |log| log + 1);
    let mantissa = magnitude >> (exponent + 3) & 0x0f;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent as u8) << 4 | mantissa as u8)
}

/// The A-law code of a sample.
pub fn to_alaw(sample: i16) -> u8 {
    let magnitude = if sample < 0 { -(i32::from(sample) + 1) } else { i32::from(sample) };
    let exponent = (magnitude >> 8).checked_ilog2().map_or(0, |log| log + 1);
    let mantissa = magnitude >> if exponent == 0 { 4 } else { exponent + 3 } & 0x0f;
    let sign = if sample < 0 { 0 } else { 0x80 };
    (sign | (exponent as u8) << 4 | mantissa as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn g711_decodes_to_the_standards_values() {
        assert_eq!([ulaw(0xff), ulaw(0x80), ulaw(0x00), ulaw(0x7f)], [0, 32124, -32124, 0]);
        assert_eq!([alaw(0xd5), alaw(0x55), alaw(0xaa), alaw(0x2a)], [8, -8, 32256, -32256]);
    }

    #[test]
    fn every_code_comes_back() {
        for code in 0..=255 {
            // The two zeros of µ-law are one sample.
            assert_eq!(ulaw(to_ulaw(ulaw(code))), ulaw(code), "{code:#x}");
            assert_eq!(to_alaw(alaw(code)), code, "{code:#x}");
        }
        assert_eq!(
            [to_ulaw(i16::MIN), to_ulaw(i16::MAX), to_alaw(i16::MIN), to_alaw(i16::MAX)],
            [0x00, 0x80, 0x2a, 0xaa]
        );
    }
}
