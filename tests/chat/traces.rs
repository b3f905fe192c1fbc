// SPDX-License-Identifier: MPL-2.0

//! Answers in the order and form in which OpenAI's servers send them: the transcript before its audio, a piece of audio that
//! ends within a sample, the time at which the answer expires behind the end, comments that keep the connection open.

use crate::raw_server::{RawServer, response, stream_with};
use crate::support::pipeline::Pipeline;
use crate::{all, audio_tap, spoken, text_tap, texts, typed};
use audio_dsp::wav::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Samples of which no two bytes nearby are the same.
fn samples() -> Vec<u8> {
    (0..12_000_u32).flat_map(|index| ((index * 7_919 % 60_000) as u16).wrapping_sub(30_000).to_le_bytes()).collect()
}

/// The trace, with samples where it says `<pcm:FROM:TO>` or `<wav:FROM:TO>` (bytes).
fn trace(name: &str) -> String {
    let path = format!("{}/tests/chat/traces/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut text = std::fs::read_to_string(path).expect("a trace");
    let samples = samples();
    while let Some(begin) = text.find('<') {
        let end = begin + text[begin..].find('>').expect("an end");
        let parts: Vec<&str> = text[begin + 1..end].split(':').collect();
        let [kind, from, to] = parts[..] else { panic!("{parts:?}") };
        let bytes = &samples[from.parse().expect("a number")..to.parse().expect("a number")];
        let bytes =
            if kind == "wav" { [&header(24_000, bytes.len() as u32)[..], bytes].concat() } else { bytes.to_vec() };
        text.replace_range(begin..=end, &STANDARD.encode(bytes));
    }
    text
}

fn assert_is_the_answer(answer: Vec<u8>, properties: &str) {
    let server = RawServer::answering(answer);
    let mut pipeline: Pipeline =
        typed("What is this?", &server.base(), &format!("modalities=text-and-audio {properties}"));
    let (text, audio) = (text_tap(&pipeline), audio_tap(&pipeline));
    pipeline.run_to_end();
    assert!(spoken(&audio) == samples(), "every sample");
    let said: Vec<u8> = text.outs().into_iter().flat_map(|out| out.data).collect();
    assert_eq!(String::from_utf8_lossy(&said).trim_end(), "A red bicycle.");
    assert_eq!(texts(&pipeline, "response", "text"), ["A red bicycle."]);
    assert_eq!(texts(&pipeline, "response", "finish-reason"), ["stop"]);
    let usage = &all(&pipeline, "usage")[0];
    assert_eq!((usage.get::<u64>("input-audio"), usage.get::<u64>("output-audio")), (Ok(30), Ok(14)));
    assert_eq!(pipeline.warnings(), [""; 0]);
}

#[test]
fn a_stream_gives_the_right_bytes() {
    let events = trace("spoken.sse");
    assert_is_the_answer(stream_with(events.as_bytes(), ""), "");
    // Some proxies and servers end lines in another way.
    assert_is_the_answer(stream_with(events.replace('\n', "\r\n").as_bytes(), ""), "");
}

#[test]
fn a_whole_answer_gives_the_right_bytes() {
    let body = trace("spoken.json");
    assert_is_the_answer(response("200 OK", "Content-Type: application/json\r\n", body.as_bytes()), "stream=off");
}
