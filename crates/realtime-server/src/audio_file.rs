// SPDX-License-Identifier: MPL-2.0

//! Audio files of clients: WAV and MP3.

use crate::audio::Sound;
use audio_dsp::wav;

/// A file that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// RIFF/WAVE with PCM.
    Wav,
    /// MPEG audio, layer III.
    Mp3,
}

impl FileFormat {
    /// The format by the first bytes of a file; names of files say little.
    pub fn detect(file: &[u8]) -> Option<Self> {
        match file {
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E', ..] => Some(Self::Wav),
            [b'I', b'D', b'3', ..] => Some(Self::Mp3),
            // A frame's sync word, with MPEG's version and layer III.
            [0xff, second, ..] if second & 0xe6 == 0xe2 => Some(Self::Mp3),
            _ => None,
        }
    }

    /// Decodes a file, whose channels are mixed.
    pub fn decode(self, file: &[u8]) -> Result<Sound, String> {
        let (samples, rate) = match self {
            Self::Wav => {
                let wav = wav::read(file).map_err(|error| error.to_string())?;
                (wav.samples, wav.rate)
            }
            Self::Mp3 => decode_mp3(file)?,
        };
        // The rates that the engines' models and resamplers take.
        if !(4_000..=192_000).contains(&rate) {
            return Err(format!("its rate of {rate} Hz is not one of speech"));
        }
        Ok(Sound::new(samples, rate))
    }
}

/// Samples and their rate in Hz.
fn decode_mp3(file: &[u8]) -> Result<(Vec<i16>, u32), String> {
    let decoded = nanomp3::decode_all::<i16>(file);
    if decoded.format_changed {
        return Err("its rate or its number of channels changes within the file".into());
    }
    let samples = match decoded.channels {
        Some(nanomp3::Channels::Mono) => decoded.samples,
        Some(nanomp3::Channels::Stereo) => {
            let (pairs, _) = decoded.samples.as_chunks::<2>();
            pairs.iter().map(|[left, right]| left.midpoint(*right)).collect()
        }
        None => return Err("there is no MP3 audio in it".into()),
    };
    Ok((samples, decoded.sample_rate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_first_bytes() {
        let file = wav::header(16_000, 2);
        assert_eq!(FileFormat::detect(&file), Some(FileFormat::Wav));
        assert_eq!(FileFormat::detect(b"ID3\x04"), Some(FileFormat::Mp3));
        assert_eq!(FileFormat::detect(&[0xff, 0xfb, 0x90]), Some(FileFormat::Mp3));
        for other in [&b"OggS"[..], b"fLaC", b"RIFF\0\0\0\0AVI ", &[0xff, 0xf1, 0x50], b""] {
            assert_eq!(FileFormat::detect(other), None, "{other:?}");
        }
    }
}
