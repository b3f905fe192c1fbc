// SPDX-License-Identifier: MPL-2.0

//! What a second of conversation costs on the way in and out, without network and pipeline.
//!
//!     cargo bench
//!
//! For counts that do not depend on the machine's load see `benches/instructions`.

#[path = "instructions/src/conversation.rs"]
mod conversation;

use bytes::Bytes;
use conversation::conversation;
use gstopenairealtime::audio::vad::VadConfig;
use gstopenairealtime::queue::timeline::{Next, Timeline};
use gstopenairealtime::realtime::conversation::Input;
use gstopenairealtime::realtime::conversation::config::{Detection, FrameConfig};
use gstopenairealtime::types::{AudioChunk, OutputAudio};
use openai_protocol::session::AudioFormat;
use openai_protocol::{ServerEvent, client};
use std::time::Duration;

fn main() {
    divan::main();
}

/// 20 ms of sound that is not silent.
fn piece() -> Bytes {
    (0..480i16).flat_map(|n| (n * 61).to_le_bytes()).collect::<Vec<u8>>().into()
}

#[divan::bench]
fn append_as_json(bencher: divan::Bencher) {
    let piece = piece();
    bencher.bench(|| client::append_json(Some("evt_123"), divan::black_box(&piece)));
}

#[divan::bench(args = [20, 100, 400])]
fn read_a_delta(bencher: divan::Bencher, milliseconds: usize) {
    let mut text = String::from(
        r#"{"type":"response.output_audio.delta","event_id":"event_1","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":""#,
    );
    openai_protocol::Base64::encode_into(&vec![7; milliseconds * 48], &mut text);
    text.push_str("\"}");
    bencher.bench(|| ServerEvent::from_json(divan::black_box(&text)).expect("an event"));
}

/// One piece of the user's sound through the decisions.
fn hear(bencher: divan::Bencher, detection: Detection) {
    let (mut conversation, now) = conversation(detection, FrameConfig::default());
    let (data, mut at) = (piece(), Duration::ZERO);
    bencher.bench_local(|| {
        conversation.handle(Input::Audio(AudioChunk { data: data.clone(), at: Some(at) }), now);
        at += Duration::from_millis(20);
        while let Some(output) = conversation.poll() {
            divan::black_box(output);
        }
    });
}

#[divan::bench]
fn hear_20_ms_for_a_server(bencher: divan::Bencher) {
    hear(bencher, Detection::Server { silence: Duration::from_millis(200) });
}

#[divan::bench]
fn hear_20_ms_with_the_own_ear(bencher: divan::Bencher) {
    let settings =
        VadConfig { threshold: 0.5, prefix: Duration::from_millis(300), silence: Duration::from_millis(500) };
    hear(bencher, Detection::Local(settings));
}

#[divan::bench]
fn play_20_ms(bencher: divan::Bencher) {
    let mut timeline = Timeline::new(AudioFormat::Pcm, false);
    let data: Bytes = vec![7; 19_200].into();
    bencher.bench_local(|| {
        if timeline.queued() < 480 {
            timeline.play(OutputAudio {
                item_id: "item".into(),
                content_index: 0,
                data: data.clone(),
                not_before: Duration::ZERO,
            });
        }
        match timeline.next_live(480) {
            Next::Piece(piece) => divan::black_box(piece.samples),
            other => panic!("{other:?}"),
        }
    });
}
