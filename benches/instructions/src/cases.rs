// SPDX-License-Identifier: MPL-2.0

//! The cases that are counted: each prepares its input first, and takes one piece of it a run.

use crate::conversation::conversation;
use audio_dsp::vad::Vad;
use bytes::Bytes;
use gstopenairealtime::queue::timeline::Next;
use gstopenairealtime::realtime::conversation::config::{Detection, FrameConfig};
use gstopenairealtime::realtime::conversation::{Conversation, Input};
use gstopenairealtime::realtime::{InputQueue, Playout, Secret};
use gstopenairealtime::types::{AudioChunk, OutputAudio};
use openai_protocol::session::AudioFormat;
use openai_protocol::{ServerEvent, client};
use std::hint::black_box;
use std::io::{Read, Result, Write};
use std::time::Duration;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Message, WebSocket};

/// Runs of a case that are counted.
pub const RUNS: usize = 200;
/// Runs before, which are not.
pub const WARM_UP: usize = 20;

type Run = Box<dyn FnMut()>;

/// Its name, and what makes it.
type Case = (&'static str, fn() -> Run);

/// Every case by its name.
pub const CASES: &[Case] = &[
    ("append-encoding-20-ms", append_encoding),
    ("delta-decoding-100-ms", delta_decoding),
    ("secret-search-100-ms", secret_search),
    ("core-input-audio-20-ms", core_input_audio),
    ("core-audio-delta", core_audio_delta),
    ("core-transcript-delta", core_transcript_delta),
    ("core-wake", core_wake),
    ("input-queue-20-ms", input_queue),
    ("playout-20-ms", playout),
    ("vad-32-ms-of-24-khz", vad),
];

/// Samples (S16LE at 24 kHz) that are not silent.
fn pcm(milliseconds: usize) -> Bytes {
    (0..24 * milliseconds).flat_map(|n| ((n * 61 % 8_000) as i16).to_le_bytes()).collect::<Vec<u8>>().into()
}

/// A run for each of the inputs, which are made before.
fn each<T: 'static>(input: impl Fn(u64) -> T, mut run: impl FnMut(T) + 'static) -> Run {
    let inputs: Vec<T> = (0..(WARM_UP + RUNS) as u64).map(input).collect();
    let mut inputs = inputs.into_iter();
    Box::new(move || run(inputs.next().expect("an input for each run")))
}

/// A connection on which everything was received, and that takes what is sent.
struct Wire(std::io::Cursor<Vec<u8>>);

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Wire {
    fn write(&mut self, data: &[u8]) -> Result<usize> {
        black_box(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn socket(received: Vec<u8>) -> WebSocket<Wire> {
    WebSocket::from_raw_socket(Wire(std::io::Cursor::new(received)), Role::Client, None)
}

/// Samples to a masked WebSocket frame that is written.
fn append_encoding() -> Run {
    let (mut socket, data) = (socket(Vec::new()), pcm(20));
    each(
        |n| format!("evt_{n}"),
        move |id| {
            let text = client::append_json(Some(&id), black_box(&data));
            socket.send(Message::text(text)).expect("it is written");
        },
    )
}

/// The JSON of an audio delta.
fn delta_json(number: u64, milliseconds: usize) -> String {
    let mut text = format!(
        r#"{{"type":"response.output_audio.delta","event_id":"event_{number}","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":""#
    );
    openai_protocol::Base64::encode_into(&pcm(milliseconds), &mut text);
    text + "\"}"
}

/// A received WebSocket frame to a `GstBuffer`.
fn delta_decoding() -> Run {
    gst::init().expect("GStreamer");
    let mut received = Vec::new();
    for number in 0..(WARM_UP + RUNS) as u64 {
        let text = delta_json(number, 100);
        // FIN and text, no mask, a length of two bytes.
        received.extend_from_slice(&[0x81, 126]);
        received.extend_from_slice(&u16::try_from(text.len()).expect("a short text").to_be_bytes());
        received.extend_from_slice(text.as_bytes());
    }
    let mut socket = socket(received);
    Box::new(move || {
        let Message::Text(text) = socket.read().expect("a message") else { panic!("another kind of message") };
        match ServerEvent::read(&text) {
            Ok((ServerEvent::ResponseOutputAudioDelta(event), _)) => {
                black_box(gst::Buffer::from_slice(event.delta.0));
            }
            other => panic!("{other:?}"),
        }
    })
}

/// The search for a key in a delta, which holds none.
fn secret_search() -> Run {
    let key = format!("sk-proj-{}", "0aZ-9_bYxW8".repeat(14));
    let (secret, text) = (Secret::new(&key).expect("a key"), delta_json(1, 100));
    Box::new(move || assert!(secret.scrubbed_json(black_box(&text)).is_none()))
}

fn server_vad() -> Detection {
    Detection::Server { silence: Duration::from_millis(200) }
}

/// Inputs through a conversation, with its outputs taken.
fn core(input: impl Fn(u64) -> Input, begin: &[&str]) -> Run {
    let (mut conversation, now) = conversation(server_vad(), FrameConfig::default());
    for event in begin {
        let event = ServerEvent::from_json(event).expect("an event");
        conversation.handle(Input::Server(Box::new(event)), now);
        while conversation.poll().is_some() {}
    }
    each(input, move |input| {
        conversation.handle(input, now);
        black_box(conversation.deadline());
        take_outputs(&mut conversation);
    })
}

fn take_outputs(conversation: &mut Conversation) {
    while let Some(output) = conversation.poll() {
        black_box(output);
    }
}

fn core_input_audio() -> Run {
    let data = pcm(20);
    core(move |n| Input::Audio(AudioChunk { data: data.clone(), at: Some(Duration::from_millis(20 * n)) }), &[])
}

const RESPONSE: [&str; 2] = [
    r#"{"type":"response.created","response":{"id":"resp_1","status":"in_progress"}}"#,
    r#"{"type":"response.output_item.added","response_id":"resp_1","output_index":0,"item":{"id":"item_1","type":"message","role":"assistant"}}"#,
];

/// A server event as the conversation takes it.
fn server_event(json: &str) -> Input {
    Input::Server(Box::new(ServerEvent::from_json(json).expect("an event")))
}

fn core_audio_delta() -> Run {
    core(|n| server_event(&delta_json(n, 100)), &RESPONSE)
}

fn core_transcript_delta() -> Run {
    let event = |n| {
        format!(
            r#"{{"type":"response.output_audio_transcript.delta","event_id":"event_{n}","response_id":"resp_1","item_id":"item_1","output_index":0,"content_index":0,"delta":" words"}}"#
        )
    };
    core(move |n| server_event(&event(n)), &RESPONSE)
}

/// A deadline at which nothing is due.
fn core_wake() -> Run {
    let (mut conversation, now) = conversation(server_vad(), FrameConfig::default());
    Box::new(move || {
        conversation.wake(now);
        black_box(conversation.deadline());
        take_outputs(&mut conversation);
    })
}

/// Into the queue by a streaming thread, out of it by the session.
fn input_queue() -> Run {
    let (queue, data) = (InputQueue::default(), pcm(20));
    each(
        move |n| AudioChunk { data: data.clone(), at: Some(Duration::from_millis(20 * n)) },
        move |chunk| {
            queue.push_audio(chunk).expect("it takes sound");
            black_box(queue.take(true, true).expect("what was queued"));
        },
    )
}

/// Into the timeline by the session, out of it by the task of the source pad.
fn playout() -> Run {
    let (playout, data) = (Playout::new(AudioFormat::Pcm, false, || None), pcm(20));
    each(
        move |_| OutputAudio {
            item_id: "item_1".into(),
            content_index: 0,
            data: data.clone(),
            not_before: Duration::ZERO,
        },
        move |speech| {
            playout.play(speech);
            match playout.next_live(480, 480) {
                Some(Next::Piece(piece)) if !piece.silent => drop(black_box(piece)),
                other => panic!("{other:?}"),
            }
        },
    )
}

fn vad() -> Run {
    let mut vad = Vad::new(24_000).expect("a usual rate");
    let samples: Vec<f32> = (0..768u16).map(|n| f32::from(n * 61 % 800) / 1_600.0 - 0.25).collect();
    Box::new(move || {
        black_box(vad.push(black_box(&samples)));
    })
}
