// SPDX-License-Identifier: MPL-2.0

//! "Work through my files": no clock, a file in, a file out, the same every time.

use crate::support::folder::Folder;
use crate::support::pipeline::{Pipeline, Tap, media, recording};
use crate::support::server::Server;
use crate::support::wer::{plain, word_errors};
use gst::prelude::*;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

#[test]
fn the_answer_in_the_file_is_the_answer_in_the_messages() {
    let server = Server::start(&[]);
    let folder = Folder::new();
    let answer = folder.join("answer.wav");
    let mut asking = Pipeline::new(&format!(
        "{} ! openairealtime uri={} timing=offline ! wavenc ! filesink location={}",
        recording("lv0870.wav"),
        server.base(),
        answer.display()
    ));
    asking.run_to_end().stop();
    let said = asking.words("assistant");
    assert!(!said.is_empty());

    let mut listening = Pipeline::new(&format!(
        "filesrc location={} ! wavparse ! openairealtime uri={} timing=offline create-response=false ! fakesink",
        answer.display(),
        server.base()
    ));
    listening.run_to_end().stop();
    let heard = listening.words("user");
    let errors = word_errors(&said, &heard);
    assert!(errors * 10 <= plain(&said).len(), "said: {said}\nheard: {heard}");
}

#[test]
fn an_answer_begins_where_its_turn_ends_and_nothing_is_lost() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai uri={} timing=offline ! fakesink",
        recording("goforward.wav"),
        server.base()
    ));
    let tap = pipeline.tap("ai");
    let input = pipeline.element("ai").static_pad("audio_sink").expect("a pad");
    let spoken = crate::support::pipeline::Tap::on(&input);
    pipeline.run_to_end();
    tap.assert_unbroken(24_000, 2);

    let turns = pipeline.all("speech");
    let time = |index: usize| turns[index].get::<u64>("running-time").expect("a time");
    assert_eq!(turns.len(), 2, "one turn");
    // Times are cut to whole nanoseconds, so the sample is the nearest one.
    let sample = |time: u64| ((time as u128 * 24_000 + 500_000_000) / 1_000_000_000) as usize * 2;
    let (question, answer) = (spoken.sound(), tap.sound());
    let (start, end) = (sample(time(0)), sample(time(1)).min(question.len()));
    // The echo is the turn, sample for sample, and it stands right behind it.
    let turn = &question[start..end];
    assert!(answer[..end].iter().all(|byte| *byte == 0), "silence while the user speaks");
    assert_eq!(&answer[end..end + turn.len()], turn);
    assert_eq!(answer.len(), end + turn.len());
}

#[test]
fn two_runs_give_the_same_bytes_and_times() {
    let server = Server::start(&["--engine", "echo"]);
    let run = || {
        let mut pipeline = Pipeline::new(&format!(
            "{} ! openairealtime name=ai uri={} timing=offline vad-silence-duration=300000000 ! fakesink",
            recording("jfk.wav"),
            server.base()
        ));
        let tap = pipeline.tap("ai");
        pipeline.run_to_end();
        tap.outs().into_iter().map(|out| (out.pts, out.flags, out.data)).collect::<Vec<_>>()
    };
    assert!(run() == run());
}

#[test]
fn files_are_worked_through_faster_than_they_play() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline =
        Pipeline::new(&format!("{} ! openairealtime uri={} ! fakesink", recording("jfk.wav"), server.base()));
    let began = Instant::now();
    pipeline.run_to_end();
    assert!(!pipeline.all("response").is_empty());
    // 11 s of question and as much of answer; only a stream that keeps step with a clock takes so long.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn silence_and_nothing_at_all_end_well() {
    let server = Server::start(&[]);
    for source in [
        "audiotestsrc wave=silence num-buffers=100",
        "audiotestsrc wave=silence num-buffers=1",
        "audiotestsrc num-buffers=0",
    ] {
        let mut pipeline = Pipeline::new(&format!(
            "{source} ! audioconvert ! audioresample ! openairealtime uri={} timing=offline ! fakesink",
            server.base()
        ));
        pipeline.run_to_end();
        assert_eq!(pipeline.all("response").len(), 0, "{source}");
        assert_eq!(pipeline.warnings(), Vec::<String>::new(), "{source}");
    }
}

#[test]
fn without_a_listener_the_words_are_told_and_the_stream_ends() {
    let server = Server::start(&[]);
    let mut pipeline =
        Pipeline::new(&format!("{} ! openairealtime uri={} timing=offline", recording("goforward.wav"), server.base()));
    pipeline.run_to_end();
    assert!(pipeline.words("assistant").contains("orward"), "{}", pipeline.words("assistant"));
}

#[test]
fn push_to_talk_answers_at_the_end_of_the_file_once() {
    let server = Server::start(&[]);
    for (respond, answers) in [(true, 1), (false, 0)] {
        let mut pipeline = Pipeline::new(&format!(
            "{} ! openairealtime uri={} turn-detection=none respond-on-eos={respond} ! fakesink",
            recording("goforward.wav"),
            server.base()
        ));
        pipeline.run_to_end();
        let completed = pipeline.all("response").iter().filter(|s| s.get::<&str>("state") == Ok("completed")).count();
        assert_eq!(completed, answers, "respond-on-eos={respond}");
        assert!(pipeline.words("user").to_lowercase().contains("forward"));
    }
}

#[test]
fn gaps_leave_the_answers_alone() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai uri={} timing=offline silence=gaps ! fakesink",
        recording("goforward.wav"),
        server.base()
    ));
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    let outs = tap.outs();
    assert!(!outs.is_empty());
    assert!(outs.iter().all(|out| !out.flags.contains(gst::BufferFlags::GAP)));
    assert!(outs[0].pts > gst::ClockTime::ZERO, "the answer stands behind the question");
}

#[test]
fn sources_that_are_not_live_are_offline_without_being_told() {
    let server = Server::start(&["--engine", "echo"]);
    for (live, expected) in [(false, false), (true, true)] {
        let mut pipeline = Pipeline::new(&format!(
            "audiotestsrc wave=silence is-live={live} num-buffers=50 ! audioconvert ! audioresample \
             ! openairealtime name=ai uri={} ! fakesink",
            server.base()
        ));
        pipeline.play();
        pipeline.until_told("session", |s| s.get::<&str>("state") == Ok("ready"));
        let mut query = gst::query::Latency::new();
        assert!(pipeline.element("ai").static_pad("src").expect("a pad").query(&mut query));
        assert_eq!(query.result().0, expected, "is-live={live}");
    }
}

#[test]
fn sound_after_the_end_is_refused_and_holds_nothing_up() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai uri={} timing=offline ! fakesink",
        recording("goforward.wav"),
        server.base()
    ));
    pipeline.run_to_end();
    let pad = pipeline.element("ai").static_pad("audio_sink").expect("a pad");
    pad.send_event(gst::event::FlushStart::new());
    pad.send_event(gst::event::FlushStop::new(false));
    pad.send_event(gst::event::Segment::new(&gst::FormattedSegment::<gst::ClockTime>::new()));
    for _ in 0..200 {
        let buffer = gst::Buffer::from_slice(vec![0u8; 960]);
        assert_eq!(pad.chain(buffer), Err(gst::FlowError::Eos));
    }
}

#[test]
fn progress_is_told_by_every_pad_and_through_the_element() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai uri={} timing=offline ! fakesink ai.text_src ! fakesink async=false",
        recording("goforward.wav"),
        server.base()
    ));
    let element = pipeline.element("ai");
    assert_eq!(element.static_pad("src").expect("a pad").query_position::<gst::ClockTime>(), None, "nothing runs");
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    let end = tap.outs().last().map(|out| out.pts + out.duration).expect("sound");
    for pad in ["src", "text_src"] {
        let pad = element.static_pad(pad).expect("a pad");
        assert_eq!(pad.query_position::<gst::ClockTime>(), Some(end));
        assert_eq!(pad.query_duration::<gst::ClockTime>(), Some(end), "longer than the input");
        assert_eq!(pad.query_position::<gst::format::Bytes>(), None);
    }
    assert_eq!(element.query_position::<gst::ClockTime>(), Some(end));
    assert_eq!(pipeline.pipeline.query_position::<gst::ClockTime>(), Some(end), "as gst-launch-1.0 asks");
    assert_eq!(pipeline.pipeline.query_duration::<gst::ClockTime>(), Some(end));
}

#[test]
fn before_anything_is_said_the_input_tells_how_long_it_will_be() {
    let server = Server::script(
        "hello\nexpect session.update {\"session\": \"$wish\"}\nsend session.updated {\"session\": \"$wish\"}",
    );
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai uri={} timing=offline ! wavenc ! fakesink async=false",
        recording("jfk.wav"),
        server.base()
    ));
    let input = Tap::on(&pipeline.element("ai").static_pad("audio_sink").expect("a pad"));
    pipeline.play();
    pipeline.until_told("session", |s| s.get::<&str>("state") == Ok("ready"));
    // The session may be ready before the head of the file was read.
    input.wait_for(1);
    assert_eq!(pipeline.pipeline.query_duration::<gst::ClockTime>(), Some(gst::ClockTime::from_seconds(11)));
    // Some of it may be through already.
    let position = pipeline.element("ai").query_position::<gst::ClockTime>().expect("a position");
    assert!(position < gst::ClockTime::from_seconds(11), "{position}");
}

#[test]
fn silence_that_is_left_out_is_time_all_the_same() {
    let server = Server::start(&["--engine", "echo"]);
    let file = std::env::temp_dir().join(format!("openairealtime-gaps-{}", std::process::id()));
    // A film begins with its first sample, whatever its time is; the picture is there from the beginning.
    let picture = "videotestsrc num-buffers=30 ! video/x-raw,framerate=10/1 ! jpegenc ! film.";
    let mp4_picture = picture.replace("jpegenc", "openh264enc ! h264parse");
    for (out, video) in [
        ("audiorate ! wavenc", ""),
        ("opusenc ! matroskamux name=film", picture),
        ("voaacenc ! mp4mux name=film", &mp4_picture),
    ] {
        let mut pipeline = Pipeline::new(&format!(
            "{} ! openairealtime name=ai uri={} timing=offline silence=gaps ! audioconvert ! audioresample ! {out} \
             ! filesink location={} {video}",
            recording("goforward.wav"),
            server.base(),
            file.display()
        ));
        let tap = pipeline.tap("ai");
        pipeline.run_to_end().stop();
        let outs = tap.outs();
        let (begin, end) = (outs[0].pts, outs.last().map(|out| out.pts + out.duration).expect("sound"));
        assert!(begin > gst::ClockTime::from_seconds(2), "the question is left out");
        let mut playing = Pipeline::new(&format!(
            "filesrc location={} ! decodebin caps=audio/x-raw expose-all-streams=false ! audioconvert \
             ! audio/x-raw,format=S16LE ! fakesink name=end",
            file.display()
        ));
        let pad = playing.element("end").static_pad("sink").expect("a pad");
        let played = crate::support::pipeline::Tap::on(&pad);
        playing.run_to_end();
        let segment = pad.sticky_event::<gst::event::Segment>(0).expect("a segment");
        let segment = segment.segment().downcast_ref::<gst::ClockTime>().expect("of time").clone();
        let time = |time| segment.to_running_time(time).expect("in the segment");
        let is = played.outs().last().map(|out| time(out.pts + out.duration)).expect("sound");
        // A frame of the coder, at most.
        assert!(is.absdiff(end) <= gst::ClockTime::from_mseconds(100), "{out}: {is} for {end}");
        let loud = |out: &&crate::support::pipeline::Out| {
            out.data.as_chunks().0.iter().any(|sample| i16::from_le_bytes(*sample).unsigned_abs() > 1_000)
        };
        let first = played.outs().iter().find(loud).map(|out| time(out.pts)).expect("an answer");
        assert!(first >= begin, "{out}: the answer stands at {first}, not before {begin}");
    }
    std::fs::remove_file(&file).expect("removed");
}

/// GstBin notes that it was paused after it has told so. Who sets it to PLAYING in between would never hear of the end,
/// if the element did not wait for the thread that still tells.
#[test]
fn the_end_is_told_where_upstream_links_late_and_nothing_is_linked_behind() {
    let server = Server::start(&["--engine", "echo"]);
    let mut pipeline = Pipeline::new(&format!(
        "filesrc location={} ! decodebin ! audioconvert ! audioresample ! openairealtime uri={}",
        media("goforward.wav"),
        server.base()
    ));
    let (paused, is_paused) = mpsc::channel();
    let (plays, is_playing) = mpsc::channel();
    let (paused, is_playing) = (Mutex::new(paused), Mutex::new(is_playing));
    let bus = pipeline.pipeline.bus().expect("a bus");
    bus.set_sync_handler(move |_, message| {
        if let gst::MessageView::StateChanged(change) = message.view()
            && message.src().is_some_and(|source| source.is::<gst::Pipeline>())
            && change.current() == gst::State::Paused
            && change.old() == gst::State::Ready
        {
            // The application is as fast as can be, and this thread as slow.
            paused.lock().expect("no panic").send(()).expect("the test waits");
            let _ = is_playing.lock().expect("no panic").recv_timeout(Duration::from_millis(300));
        }
        gst::BusSyncReply::Pass
    });
    pipeline.pipeline.set_state(gst::State::Paused).expect("paused");
    is_paused.recv_timeout(Duration::from_secs(60)).expect("paused");
    pipeline.play();
    // Nobody listens where the handler did not wait to the end.
    let _ = plays.send(());
    pipeline.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
}
