// SPDX-License-Identifier: MPL-2.0

//! Sound of the wire.

use openai_protocol::session::AudioFormat;

/// Samples in a second, and bytes in a sample.
fn rate_and_width(format: &AudioFormat) -> (u32, usize) {
    match format {
        AudioFormat::Pcmu | AudioFormat::Pcma => (8_000, 1),
        AudioFormat::Pcm | AudioFormat::Other(_) => (format.pcm_rate().unwrap_or(24_000), 2),
    }
}

/// How long so many bytes sound.
pub fn seconds(format: &AudioFormat, bytes: usize) -> f64 {
    let (rate, width) = rate_and_width(format);
    (bytes / width) as f64 / f64::from(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_as_long_as_their_format_says() {
        assert_eq!(seconds(&AudioFormat::Pcm, 48_000), 1.0);
        assert_eq!(seconds(&AudioFormat::Pcmu, 8_000), 1.0);
        let other = AudioFormat::Other(serde_json::json!({"type": "audio/pcm", "rate": 16000}));
        assert_eq!(seconds(&other, 16_000), 0.5);
    }
}
