// SPDX-License-Identifier: MPL-2.0

//! Sound of the wire: how long it is, and how loud.

use audio_dsp::g711::{decode_alaw, decode_ulaw};
use openai_protocol::Session;
use openai_protocol::session::AudioFormat;

/// Formats of the sound of both sides, as sessions set them.
#[derive(Debug, Default)]
pub struct Formats {
    /// Of the user's.
    pub input: AudioFormat,
    /// Of the model's.
    pub output: AudioFormat,
}

impl Formats {
    /// Takes the formats that a session tells; others stay.
    pub fn set(&mut self, session: &Session) {
        if let Some(format) = session.input_format() {
            self.input = format;
        }
        if let Some(format) = session.output_format() {
            self.output = format;
        }
    }
}

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

/// The loudest sample of each piece of `piece` seconds, from 0 to 255 (the square root of the amplitude, so that quiet speech
/// is seen as well).
pub fn peaks(format: &AudioFormat, bytes: &[u8], piece: f64) -> Vec<u8> {
    let (rate, width) = rate_and_width(format);
    let samples_in_piece = ((f64::from(rate) * piece) as usize).max(1);
    bytes.chunks(samples_in_piece * width).map(|piece| peak(format, piece)).collect()
}

fn peak(format: &AudioFormat, bytes: &[u8]) -> u8 {
    let loudest = match format {
        AudioFormat::Pcmu => bytes.iter().map(|byte| decode_ulaw(*byte).unsigned_abs()).max(),
        AudioFormat::Pcma => bytes.iter().map(|byte| decode_alaw(*byte).unsigned_abs()).max(),
        _ => bytes.as_chunks::<2>().0.iter().map(|sample| i16::from_le_bytes(*sample).unsigned_abs()).max(),
    };
    ((f64::from(loudest.unwrap_or(0)) / 32_768.0).sqrt() * 255.0) as u8
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

    #[test]
    fn peaks_are_the_loudest_samples_of_the_pieces() {
        let samples = [0i16, 8192, 0, i16::MIN].map(i16::to_le_bytes).concat();
        assert_eq!(peaks(&AudioFormat::Pcm, &samples, 2.0 / 24_000.0), [127, 255]);
        // Silence of both codecs, and the loudest byte of each.
        assert!(peaks(&AudioFormat::Pcmu, &[0xff, 0x80], 1.0 / 8_000.0)[0] == 0);
        assert!(peaks(&AudioFormat::Pcma, &[0xd5, 0xaa], 1.0 / 8_000.0)[1] > 240);
    }
}
