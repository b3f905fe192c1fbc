// SPDX-License-Identifier: MPL-2.0

//! What a second of conversation costs on the way in and out, without network and pipeline.
//!
//!     cargo bench
//!
//! For counts that do not depend on the machine's load: `valgrind --tool=callgrind target/release/deps/audio_path-… --bench append`.

use bytes::Bytes;
use gstopenairealtime::audio::vad::VadConfig;
use gstopenairealtime::queue::timeline::{Next, Timeline};
use gstopenairealtime::realtime::conversation::config::FrameConfig;
use gstopenairealtime::realtime::conversation::config::{Config, Detection};
use gstopenairealtime::realtime::conversation::{Conversation, Input};
use gstopenairealtime::types::AudioChunk;
use gstopenairealtime::types::{OutputAudio, Timing};
use openai_protocol::session::AudioFormat;
use openai_protocol::{ServerEvent, Session, client};
use std::time::{Duration, Instant};

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

fn conversation(detection: Detection) -> (Conversation, Instant) {
    let now = Instant::now();
    let config = Config {
        session: Session::default(),
        translation: None,
        model: "gpt-realtime".into(),
        detection,
        timing: Timing::Live,
        input: AudioFormat::Pcm,
        output: AudioFormat::Pcm,
        create_response: true,
        interrupt_response: true,
        respond_on_eos: true,
        drain_timeout: Duration::from_secs(30),
        tool_timeout: None,
        time_of_day: Duration::ZERO,
        alignment_threshold: Duration::from_millis(40),
        discont_wait: Duration::from_secs(1),
        max_speed: 0.0,
        transcribes: true,
        requests_per_minute: 0,
        max_cost: 0.0,
        reconnects: false,
        max_session_duration: Duration::ZERO,
        replays_frames: false,
        server_responds: true,
        frames: FrameConfig::default(),
    };
    let mut conversation = Conversation::new(config, now);
    conversation.handle(Input::Connected { timeout: Duration::from_secs(10) }, now);
    let ready = ServerEvent::from_json(r#"{"type":"session.updated","session":{}}"#).expect("an event");
    conversation.handle(Input::Server(Box::new(ready)), now);
    while conversation.poll().is_some() {}
    (conversation, now)
}

/// One piece of the user's sound through the decisions.
fn hear(bencher: divan::Bencher, detection: Detection) {
    let (mut conversation, now) = conversation(detection);
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
