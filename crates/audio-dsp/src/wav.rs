// SPDX-License-Identifier: MPL-2.0

//! WAV files of 16 bit samples: the header that makes one of samples, and the samples of one.

/// The length of [`header`].
pub const HEADER_LEN: usize = 44;

/// The header of a mono file with so many bytes of 16 bit little-endian samples at `rate` per second behind it.
pub fn header(rate: u32, data_len: u32) -> [u8; HEADER_LEN] {
    let mut header = [0; HEADER_LEN];
    let fields: [&[u8]; 13] = [
        b"RIFF",
        &data_len.saturating_add(HEADER_LEN as u32 - 8).to_le_bytes(),
        b"WAVE",
        b"fmt ",
        &16u32.to_le_bytes(),
        &1u16.to_le_bytes(),
        &1u16.to_le_bytes(),
        &rate.to_le_bytes(),
        &rate.saturating_mul(2).to_le_bytes(),
        &2u16.to_le_bytes(),
        &16u16.to_le_bytes(),
        b"data",
        &data_len.to_le_bytes(),
    ];
    let mut at = 0;
    for field in fields {
        header[at..at + field.len()].copy_from_slice(field);
        at += field.len();
    }
    header
}

/// The audio of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wav {
    /// Samples per second.
    pub rate: u32,
    /// Mono samples; several channels are mixed.
    pub samples: Vec<i16>,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WavError {
    /// It does not begin as a WAV file does.
    NotWav,
    /// It has no format, or no audio.
    Incomplete,
    /// Its samples are coded in a way that is not read here.
    Unsupported {
        /// The number of the coding; 1 is PCM.
        coding: u16,
        /// Bits of a sample.
        bits: u16,
    },
}

impl std::fmt::Display for WavError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotWav => f.write_str("it is no WAV file"),
            Self::Incomplete => f.write_str("the WAV file breaks off"),
            Self::Unsupported { coding, bits } => {
                write!(f, "the WAV file has coding {coding} with {bits} bits, and only PCM of 16 bits is read")
            }
        }
    }
}

impl std::error::Error for WavError {}

/// Reads a file. The length of the audio is believed only as far as the file goes: streamed files tell none.
pub fn read(file: &[u8]) -> Result<Wav, WavError> {
    let word = |at: usize| Some(u16::from_le_bytes(file.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(WavError::NotWav);
    }
    let (mut at, mut format) = (12usize, None);
    while let (Some(name), Some(length)) = (file.get(at..at + 4), long(at + 4)) {
        let body = at + 8;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if name == b"fmt " {
            let mut coding = word(body).ok_or(WavError::Incomplete)?;
            // The extensible form has the coding in its GUID.
            if coding == 0xfffe {
                coding = word(body + 24).ok_or(WavError::Incomplete)?;
            }
            let channels = word(body + 2).ok_or(WavError::Incomplete)?;
            let rate = long(body + 4).ok_or(WavError::Incomplete)?;
            let bits = word(body + 14).ok_or(WavError::Incomplete)?;
            format = Some((coding, channels, rate, bits));
        }
        if name == b"data" {
            let (coding, channels, rate, bits) = format.ok_or(WavError::Incomplete)?;
            if coding != 1 || bits != 16 || channels == 0 || rate == 0 {
                return Err(WavError::Unsupported { coding, bits });
            }
            let end = body.saturating_add(length).min(file.len());
            let samples = file[body..end].as_chunks::<2>().0.iter().map(|two| i16::from_le_bytes(*two));
            let samples = match channels {
                1 => samples.collect(),
                _ => mixed(&samples.collect::<Vec<_>>(), usize::from(channels)),
            };
            return Ok(Wav { rate, samples });
        }
        at = body.saturating_add(length).saturating_add(length % 2);
    }
    Err(WavError::Incomplete)
}

fn mixed(samples: &[i16], channels: usize) -> Vec<i16> {
    let mean = |frame: &[i16]| frame.iter().map(|sample| i32::from(*sample)).sum::<i32>() / channels as i32;
    samples.chunks_exact(channels).map(|frame| mean(frame) as i16).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut file = header(44_100, 6).to_vec();
        file.extend([1, 0, 255, 255, 3, 0]);
        assert_eq!(read(&file), Ok(Wav { rate: 44_100, samples: vec![1, -1, 3] }));
        // A streamed file: its length is not known when the header goes out.
        let mut streamed = header(24_000, u32::MAX).to_vec();
        streamed.extend([1, 0, 2, 0]);
        assert_eq!(read(&streamed).expect("a file").samples, [1, 2]);
    }

    #[test]
    fn channels_are_mixed_and_unknown_chunks_skipped() {
        let mut file = header(8_000, 8).to_vec();
        file[22] = 2;
        let mut with_list = file[..12].to_vec();
        with_list.extend(b"LIST\x03\0\0\0abc\0");
        with_list.extend(&file[12..]);
        with_list.extend([10, 0, 20, 0, 0, 0, 255, 255]);
        assert_eq!(read(&with_list).expect("a file").samples, [15, 0]);
    }

    #[test]
    fn what_is_none_is_refused() {
        assert_eq!(read(b""), Err(WavError::NotWav));
        assert_eq!(read(&header(8_000, 0)[..30]), Err(WavError::Incomplete));
        let mut float = header(8_000, 0);
        (float[20], float[34]) = (3, 32);
        assert_eq!(read(&float), Err(WavError::Unsupported { coding: 3, bits: 32 }));
        (0..HEADER_LEN).for_each(|length| assert!(read(&header(8_000, 4)[..length]).is_err()));
    }
}
