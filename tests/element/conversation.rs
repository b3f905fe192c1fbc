// SPDX-License-Identifier: MPL-2.0

//! "I speak, it answers": conversations in step with the clock.

use crate::support::pipeline::{Pipeline, SILENCE, Tap, recording};
use crate::support::server::Server;
use gst::prelude::*;

#[test]
fn a_spoken_question_is_answered_while_the_pipeline_plays() {
    let server = Server::start(&[]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai timing=live uri={} ! fakesink sync=true",
        recording("goforward.wav"),
        server.base()
    ));
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    assert!(pipeline.words("user").to_lowercase().contains("forward"), "{}", pipeline.words("user"));
    assert!(pipeline.words("assistant").to_lowercase().contains("forward"), "{}", pipeline.words("assistant"));
    tap.assert_unbroken(24_000, 2);
    assert_eq!(pipeline.warnings(), Vec::<String>::new());

    let began = pipeline.all("speech");
    assert_eq!(began.iter().map(|s| s.get::<bool>("active")).collect::<Vec<_>>(), [Ok(true), Ok(false)]);
    let states: Vec<_> = pipeline.all("session").iter().map(|s| s.get::<String>("state").expect("a state")).collect();
    assert_eq!(states, ["connecting", "ready", "closed"]);
    let answers: Vec<_> = pipeline.all("response").iter().map(|s| s.get::<String>("state").expect("a state")).collect();
    assert_eq!(answers, ["created", "completed"]);
    assert_eq!(pipeline.all("usage").len(), 1);

    let turns = pipeline.all("turn");
    let [turn] = &turns[..] else { panic!("one turn, not {turns:?}") };
    let time = |stage: &&str| turn.get::<u64>(*stage).unwrap_or_else(|error| panic!("{error}: {turn}"));
    let stages = ["speech-end", "committed", "response-created", "first-delta", "first-audio"];
    assert!(stages.iter().map(time).is_sorted(), "{turn}");
    assert!(time(&"first-heard") > time(&"speech-end"), "{turn}");
    assert!(turn.get::<&str>("item-id").is_ok() && turn.get::<&str>("response-id").is_ok(), "{turn}");
    assert!(!turn.has_field("silenced"), "{turn}");
}

#[test]
fn what_the_server_sends_is_what_comes_out_sample_for_sample() {
    // Two deltas of an odd length, so that they do not fit into the pieces.
    let server = Server::script(
        r#"
hello
expect session.update
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
wait audio 300ms
send input_audio_buffer.speech_started {"audio_start_ms": 40, "item_id": "item_u"}
send input_audio_buffer.speech_stopped {"audio_end_ms": 220, "item_id": "item_u"}
send input_audio_buffer.committed {"item_id": "item_u", "previous_item_id": null}
send response.created {"response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
send response.output_audio.delta {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0, "delta": "<tone:500:333>"}
send response.output_audio.delta {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0, "delta": "<tone:700:271>"}
send response.output_audio.done {"response_id": "resp_1", "item_id": "item_a", "output_index": 0, "content_index": 0}
send response.done {"response": {"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "output": []}}
"#,
    );
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} transcription-model=\"\" ! fakesink sync=true",
        server.base()
    ));
    let tap = pipeline.tap("ai");
    let input = input_of(&pipeline);
    pipeline.play();
    let began = pipeline.until_told("speech", |s| s.get::<bool>("active") == Ok(true));
    let first = first_sample(&input);
    assert_eq!(began.get::<u64>("running-time"), Ok(first + 40_000_000));
    let ended = pipeline.until_told("speech", |s| s.get::<bool>("active") == Ok(false));
    assert_eq!(ended.get::<u64>("running-time"), Ok(first + 220_000_000));
    pipeline.until_told("response", |s| s.get::<&str>("state") == Ok("completed"));
    wait_for(&tap, |tap| {
        let outs = tap.outs();
        let first = outs.iter().position(|out| !out.flags.contains(gst::BufferFlags::GAP));
        first.is_some_and(|first| outs[first..].iter().any(|out| out.flags.contains(gst::BufferFlags::GAP)))
    });
    pipeline.stop();
    tap.assert_unbroken(24_000, 2);

    let outs = tap.outs();
    for out in &outs {
        let silent = out.data.iter().all(|byte| *byte == 0);
        assert_eq!(out.flags.contains(gst::BufferFlags::GAP), silent, "silence is flagged, and nothing else is");
    }
    let sound: Vec<u8> = outs.into_iter().flat_map(|out| out.data).collect();
    let samples: Vec<i16> = sound.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect();
    let first = samples.iter().position(|s| *s != 0).expect("sound");
    let last = samples.iter().rposition(|s| *s != 0).expect("sound");
    let played = last - first + 1;
    let sent = (333 + 271) * 24;
    // A tone may begin and end with a sample of zero.
    assert!((sent - 48..=sent).contains(&played), "{sent} samples were sent, {played} came out");
}

#[test]
fn sinks_play_before_the_model_has_said_anything() {
    let server =
        Server::script("hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\n");
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! openairealtime name=ai uri={} ! queue ! audioconvert ! fakesink name=heard sync=true \
         audiotestsrc is-live=true ! fakesink name=other sync=true",
        server.base()
    ));
    let other = Tap::on(&pipeline.element("other").static_pad("sink").expect("a sink pad"));
    let heard = Tap::on(&pipeline.element("heard").static_pad("sink").expect("a sink pad"));
    pipeline.play();
    pipeline.until("PLAYING", |message| match message.view() {
        gst::MessageView::StateChanged(change) => {
            change.current() == gst::State::Playing && message.src().is_some_and(|src| src.is::<gst::Pipeline>())
        }
        _ => false,
    });
    wait_for(&heard, |tap| tap.outs().len() > 20);
    assert!(!other.outs().is_empty());
}

#[test]
fn the_first_words_wait_for_the_session_and_are_not_lost() {
    // The server takes its time; then it must hear everything from the first sample on.
    let server = Server::script(
        "hello\nexpect session.update\nwait 400ms\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\nwait audio 900ms\n\
         send input_audio_buffer.speech_started {\"audio_start_ms\": 0, \"item_id\": \"u\"}\n",
    );
    let mut pipeline =
        Pipeline::new(&format!("{SILENCE} ! openairealtime name=ai uri={} ! fakesink sync=true", server.base()));
    let input = input_of(&pipeline);
    pipeline.play();
    let began = pipeline.until_told("speech", |s| s.get::<bool>("active") == Ok(true));
    assert_eq!(began.get::<u64>("running-time"), Ok(first_sample(&input)));
}

#[test]
fn progress_is_told_from_the_first_try_to_the_session() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime uri={} ! fakesink", server.base()));
    pipeline.play();
    let progress = |kind| {
        move |message: &gst::Message| match message.view() {
            gst::MessageView::Progress(progress) => {
                let (found, code, _) = progress.get();
                found == kind && code == "connect"
            }
            _ => false,
        }
    };
    pipeline.until("progress", progress(gst::ProgressType::Start));
    pipeline.until("progress", progress(gst::ProgressType::Complete));
}

#[test]
fn the_latency_query_is_answered_honestly() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!("{SILENCE} ! openairealtime name=ai uri={} ! fakesink", server.base()));
    pipeline.play();
    pipeline.until_told("session", |s| s.get::<&str>("state") == Ok("ready"));
    let mut query = gst::query::Latency::new();
    assert!(pipeline.element("ai").static_pad("src").expect("a pad").query(&mut query));
    assert_eq!(query.result(), (true, gst::ClockTime::ZERO, None));
}

#[test]
fn telephony_goes_through_without_transcoding() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! audio/x-raw,rate=8000,channels=1 ! mulawenc ! openairealtime name=ai timing=offline uri={} \
         ! audio/x-mulaw ! fakesink",
        recording("goforward.wav"),
        server.base()
    ));
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    tap.assert_unbroken(8_000, 1);
    assert!(tap.outs().iter().any(|out| !out.flags.contains(gst::BufferFlags::GAP)), "the echo is heard");
    let silent =
        tap.outs().into_iter().find(|out| out.flags.contains(gst::BufferFlags::GAP)).expect("silence before it");
    assert!(silent.data.iter().all(|byte| *byte == 0xff), "silence in µ-law is 0xff");
}

/// Watches what goes into the element.
fn input_of(pipeline: &Pipeline) -> Tap {
    Tap::on(&pipeline.element("ai").static_pad("audio_sink").expect("a sink pad"))
}

/// Where the input begins: a live source does not begin at zero.
fn first_sample(input: &Tap) -> u64 {
    input.outs().first().expect("sound").pts.nseconds()
}

/// Waits until what came out fits; new buffers are looked at as they come.
#[track_caller]
fn wait_for(tap: &Tap, fits: impl Fn(&Tap) -> bool) {
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !fits(tap) {
        assert!(std::time::Instant::now() < limit, "it never came");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
