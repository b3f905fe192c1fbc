// SPDX-License-Identifier: MPL-2.0

//! Stand-ins for sound in traces and scripts, so that nobody has to read or write base64.
//!
//! A string that is nothing but a stand-in is replaced by base64 before it is sent: `<pcm:500>` is half a second of
//! silence, `<tone:440:500>` of a 440 Hz tone, `<ramp:500>` of samples that count up from zero, so that every sample
//! can be told from its neighbours. All are PCM at 24 kHz unless `:pcmu` or `:pcma` is added.

use crate::audio::{Sound, encode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openai_protocol::session::AudioFormat;
use serde_json::Value;
use std::f32::consts::TAU;

/// The most that a stand-in may stand for: ten minutes.
const MAX_MS: u32 = 600_000;

/// The sound of a stand-in and its format; `None` where the text is none.
pub fn read(text: &str) -> Option<(Sound, AudioFormat)> {
    let inner = text.strip_prefix('<')?.strip_suffix('>')?;
    let mut words: Vec<&str> = inner.split(':').collect();
    let format = match *words.last()? {
        "pcmu" => AudioFormat::Pcmu,
        "pcma" => AudioFormat::Pcma,
        _ => AudioFormat::Pcm,
    };
    if format != AudioFormat::Pcm {
        words.pop();
    }
    let ms = words.last()?.parse::<u32>().ok().filter(|ms| *ms <= MAX_MS)?;
    let (rate, count) = (format.rate(), (format.rate() / 1000 * ms) as usize);
    let samples: Vec<i16> = match words.as_slice() {
        ["pcm", _] => vec![0; count],
        ["ramp", _] => (0..count).map(|i| (i % 0x8000) as i16).collect(),
        ["tone", hz, _] => {
            let hz: f32 = hz.parse().ok().filter(|hz: &f32| hz.is_finite())?;
            (0..count).map(|i| (8000.0 * (TAU * hz * i as f32 / rate as f32).sin()) as i16).collect()
        }
        _ => return None,
    };
    Some((Sound::new(samples, rate), format))
}

/// Replaces all stand-ins in an event.
pub fn expand(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((sound, format)) = read(text) {
                *text = STANDARD.encode(encode(&format, &sound.samples));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(expand),
        Value::Object(map) => map.values_mut().for_each(expand),
        _ => {}
    }
}

/// How many bytes the base64 or the stand-in of an append stands for.
pub fn audio_bytes(event: &Value) -> usize {
    let Some(text) = event["audio"].as_str() else { return 0 };
    match read(text) {
        Some((sound, format)) => sound.samples.len() * format.sample_size(),
        // What a client says need not be base64.
        None => (text.len() / 4 * 3).saturating_sub(text.bytes().rev().take(2).filter(|byte| *byte == b'=').count()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn stand_ins_become_sound() {
        let mut event = json!({"delta": "<pcm:10>", "list": ["<tone:440:10:pcmu>"], "text": "<not one>"});
        expand(&mut event);
        assert_eq!(event["delta"].as_str().map(str::len), Some(640));
        assert_eq!(event["list"][0].as_str().map(str::len), Some(108));
        assert_eq!(event["text"], "<not one>");
        let (ramp, _) = read("<ramp:1>").expect("a stand-in");
        assert_eq!(ramp.samples.as_slice(), (0..24).collect::<Vec<i16>>());
    }

    #[test]
    fn the_size_of_an_append_is_known_without_decoding() {
        for bytes in [0, 1, 2, 3, 480, 481] {
            let event = json!({"audio": STANDARD.encode(vec![0u8; bytes])});
            assert_eq!(audio_bytes(&event), bytes);
        }
        assert_eq!(audio_bytes(&json!({"audio": "<pcm:100>"})), 4_800);
        for garbage in ["", "=", "==", "A=="] {
            assert_eq!(audio_bytes(&json!({"audio": garbage})), 0, "{garbage}");
        }
    }
}
