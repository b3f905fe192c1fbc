// SPDX-License-Identifier: MPL-2.0

//! "My files are not all alike": segments, seeks, holes, formats that change, and what cannot be heard.

use crate::support::pipeline::{Pipeline, Tap, media, recording};
use crate::support::server::Server;
use gst::prelude::*;

/// An upstream that pushes whatever a test wants to.
struct Upstream<'a> {
    _server: &'a Server,
    pipeline: Pipeline,
    pad: gst::Pad,
    tap: Tap,
}

impl<'a> Upstream<'a> {
    fn new(server: &'a Server) -> Self {
        Self::with(server, "")
    }

    /// With more properties of the element.
    fn with(server: &'a Server, properties: &str) -> Self {
        let pipeline = Pipeline::new(&format!(
            "openairealtime name=ai timing=offline {properties} uri={} ! fakesink async=false",
            server.base()
        ));
        let pad = gst::Pad::new(gst::PadDirection::Src);
        pad.link(&pipeline.element("ai").static_pad("audio_sink").expect("a pad")).expect("linked");
        pad.set_active(true).expect("active");
        let tap = pipeline.tap("ai");
        let mut upstream = Self { _server: server, pipeline, pad, tap };
        upstream.pipeline.play();
        assert!(upstream.pad.push_event(gst::event::StreamStart::new("test")));
        upstream.caps("audio/x-raw,format=S16LE,rate=24000,channels=1,layout=interleaved");
        upstream
    }

    fn caps(&self, caps: &str) {
        let caps: gst::Caps = caps.parse().expect("caps");
        assert!(self.pad.push_event(gst::event::Caps::new(&caps)));
    }

    fn segment(&self, start: u64, stop: Option<u64>, base: u64, rate: f64) -> bool {
        let mut segment = gst::FormattedSegment::<gst::ClockTime>::new();
        segment.set_rate(rate);
        segment.set_start(gst::ClockTime::from_mseconds(start));
        segment.set_time(gst::ClockTime::from_mseconds(start));
        segment.set_stop(stop.map(gst::ClockTime::from_mseconds));
        segment.set_base(gst::ClockTime::from_mseconds(base));
        self.pad.push_event(gst::event::Segment::new(&segment))
    }

    /// Pushes sound in pieces of 20 ms, the first of them stamped with these milliseconds.
    fn say(&self, at: u64, sound: &[u8]) -> Result<(), gst::FlowError> {
        for (index, piece) in sound.chunks(960).enumerate() {
            let mut buffer = gst::Buffer::from_slice(piece.to_vec());
            let pts = gst::ClockTime::from_mseconds(at + 20 * index as u64);
            buffer.get_mut().expect("new").set_pts(pts);
            self.pad.push(buffer)?;
        }
        Ok(())
    }

    fn end(&mut self) {
        assert!(self.pad.push_event(gst::event::Eos::new()));
        self.pipeline.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
    }

    /// Begin and end of each turn, in milliseconds.
    fn turns(&self) -> Vec<(u64, u64)> {
        let times: Vec<u64> = self
            .pipeline
            .all("speech")
            .iter()
            .map(|speech| speech.get::<u64>("running-time").expect("a time") / 1_000_000)
            .collect();
        times.chunks_exact(2).map(|two| (two[0], two[1])).collect()
    }
}

/// A sentence of 2.8 s at 24 kHz, from 0.5 s to 2 s of which somebody speaks, and so much silence.
fn sentence(silence: usize) -> Vec<u8> {
    let file = std::fs::read(media("goforward.wav")).expect("a recording");
    let samples = file[44..].as_chunks::<2>().0.as_chunks::<2>().0;
    let mut sound: Vec<u8> = samples.iter().flat_map(|[a, b]| [*a, *b, *b]).flatten().collect();
    sound.truncate(sound.len() / 960 * 960);
    sound.extend(vec![0; silence * 48]);
    sound
}

fn length(sound: &[u8]) -> u64 {
    sound.len() as u64 / 48
}

fn echo() -> Server {
    Server::start(&["--engine", "echo"])
}

#[test]
fn speech_at_another_speed_is_refused() {
    let server = echo();
    for rate in [2.0, -1.0] {
        let mut upstream = Upstream::new(&server);
        upstream.segment(0, Some(10_000), 0, rate);
        assert_eq!(upstream.say(0, &[0; 960]), Err(gst::FlowError::Error));
        let error = upstream.pipeline.run_to_error();
        assert!(error.matches(gst::StreamError::Format), "{error}");
        assert!(error.to_string().contains(&format!("rate {rate}")), "{error}");
    }
}

#[test]
fn a_segment_cuts_what_lies_outside() {
    let server = echo();
    let mut upstream = Upstream::new(&server);
    let sound = sentence(2_000);
    // The sentence stands at 10 s; all before 10 s and behind 11 s is cut off.
    assert!(upstream.segment(10_000, Some(11_000), 0, 1.0));
    upstream.say(8_000, &vec![0; 2_000 * 48]).expect("taken");
    upstream.say(10_000, &sound).expect("taken");
    upstream.end();
    let turns = upstream.turns();
    assert_eq!(turns.len(), 1, "{turns:?}");
    assert!(turns[0].1 <= 1_000, "{turns:?}");
}

#[test]
fn a_later_segment_goes_on_in_running_time() {
    let server = echo();
    let mut upstream = Upstream::new(&server);
    let sound = sentence(2_000);
    assert!(upstream.segment(0, None, 0, 1.0));
    upstream.say(0, &sound).expect("taken");
    // Another part of the file, that plays behind the first.
    assert!(upstream.segment(60_000, None, length(&sound), 1.0));
    upstream.say(60_000, &sound).expect("taken");
    upstream.end();
    let turns = upstream.turns();
    assert_eq!(turns.len(), 2, "{turns:?}");
    let shift = turns[1].0 - turns[0].0;
    assert!(shift.abs_diff(length(&sound)) <= 20, "{turns:?}: as far apart as the segments");
    upstream.tap.assert_unbroken(24_000, 2);
}

#[test]
fn pieces_that_overlap_are_heard_in_full_and_their_timestamps_are_told() {
    let sound = sentence(2_000);
    let whole = {
        let server = echo();
        let mut upstream = Upstream::new(&server);
        upstream.segment(0, None, 0, 1.0);
        upstream.say(0, &sound).expect("taken");
        upstream.end();
        upstream.tap.sound()
    };
    let server = echo();
    let mut upstream = Upstream::new(&server);
    upstream.segment(0, None, 0, 1.0);
    for second in 0..=length(&sound) / 1_000 {
        // A second and a half of every second, and empty buffers.
        let begin = (second * 48_000) as usize;
        upstream.say(second * 1_000, &sound[begin..(begin + 72_000).min(sound.len())]).expect("taken");
        upstream.pad.push(gst::Buffer::new()).expect("taken");
    }
    upstream.end();
    // Without DISCONT nobody knows which of the two is right, so nothing is left out.
    assert!(upstream.tap.sound().len() >= whole.len());
    let warnings = upstream.pipeline.warnings();
    assert!(warnings.iter().any(|text| text.contains("timestamps")), "{warnings:?}");
}

#[test]
fn samples_that_are_cut_between_buffers_are_heard_whole() {
    let sound = sentence(2_000);
    let server = echo();
    let heard = |size: usize| {
        let mut upstream = Upstream::new(&server);
        upstream.segment(0, None, 0, 1.0);
        // As a socket brings them: the first is stamped, and the others follow.
        for (index, piece) in sound.chunks(size).enumerate() {
            let mut buffer = gst::Buffer::from_slice(piece.to_vec());
            if index == 0 {
                buffer.get_mut().expect("new").set_pts(gst::ClockTime::ZERO);
            }
            upstream.pad.push(buffer).expect("taken");
        }
        upstream.end();
        upstream.tap.sound()
    };
    let whole = heard(960);
    assert!(whole.iter().any(|byte| *byte != 0));
    assert!(heard(961) == whole, "an answer that echoes the same samples");
}

#[test]
fn a_gap_of_hours_is_no_matter() {
    let server = echo();
    let mut upstream = Upstream::new(&server);
    let sound = sentence(2_000);
    upstream.segment(0, None, 0, 1.0);
    upstream.say(0, &sound).expect("taken");
    let gap = gst::ClockTime::from_seconds(3_600);
    let event = gst::event::Gap::builder(gst::ClockTime::from_mseconds(length(&sound))).duration(gap).build();
    assert!(upstream.pad.push_event(event));
    upstream.say(length(&sound) + gap.mseconds(), &sound).expect("taken");
    upstream.end();
    let turns = upstream.turns();
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert!((turns[1].0 - turns[0].0).abs_diff(length(&sound) + gap.mseconds()) <= 20, "{turns:?}");
}

#[test]
fn a_file_may_go_on_in_another_format() {
    let server = echo();
    let mut upstream = Upstream::new(&server);
    let sound = sentence(2_000);
    upstream.segment(0, None, 0, 1.0);
    upstream.say(0, &sound).expect("taken");
    upstream.caps("audio/x-mulaw,rate=8000,channels=1");
    // What was said is in the old format still, so this is silence behind it.
    let mut buffer = gst::Buffer::from_slice(vec![0xff; 8_000]);
    buffer.get_mut().expect("new").set_pts(gst::ClockTime::from_mseconds(length(&sound)));
    upstream.pad.push(buffer).expect("taken");
    upstream.caps("audio/x-raw,format=S16LE,rate=24000,channels=1,layout=interleaved");
    upstream.say(length(&sound) + 1_000, &sound).expect("taken");
    upstream.end();
    let turns = upstream.turns();
    assert_eq!(turns.len(), 2, "{turns:?}");
    assert!((turns[1].0 - turns[0].0).abs_diff(length(&sound) + 1_000) <= 20, "{turns:?}");
    assert_eq!(upstream.pipeline.warnings(), Vec::<String>::new());
}

#[test]
fn a_flushing_seek_drops_the_turn_in_hand_and_goes_on() {
    let server = echo();
    let mut upstream = Upstream::new(&server);
    let sound = sentence(2_000);
    upstream.segment(0, None, 0, 1.0);
    // To the middle of the words.
    upstream.say(0, &sound[..1_400 * 48]).expect("taken");
    upstream.pipeline.until_told("speech", |speech| speech.get::<bool>("active") == Ok(true));
    assert!(upstream.pad.push_event(gst::event::FlushStart::new()));
    assert!(upstream.pad.push_event(gst::event::FlushStop::new(true)));
    assert!(upstream.segment(5_000, None, 0, 1.0));
    upstream.say(5_000, &sound).expect("taken");
    upstream.end();
    let answers = upstream.pipeline.all("response");
    let completed = answers.iter().filter(|answer| answer.get::<&str>("state") == Ok("completed")).count();
    assert_eq!(completed, 1, "only the turn behind the seek");
    let sessions = upstream.pipeline.all("session");
    assert_eq!(sessions.iter().filter(|s| s.get::<&str>("state") == Ok("ready")).count(), 1, "one conversation");
}

#[test]
fn files_can_be_sought_before_and_while_they_are_worked_through() {
    let server = echo();
    let flags = [gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT, gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE];
    for (flags, plays) in flags.into_iter().flat_map(|flags| [(flags, false), (flags, true)]) {
        let mut pipeline = Pipeline::new(&format!(
            "{} ! openairealtime name=ai uri={} timing=offline max-speed=20 ! fakesink async=false",
            recording("jfk.wav"),
            server.base()
        ));
        let input = pipeline.element("ai").static_pad("audio_sink").expect("a pad");
        let (sender, is_read) = std::sync::mpsc::channel();
        input.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
            // The file can be sought as soon as its head is read.
            if info.event().is_some_and(|event| event.type_() == gst::EventType::Segment) {
                let _ = sender.send(());
            }
            gst::PadProbeReturn::Ok
        });
        pipeline.pipeline.set_state(if plays { gst::State::Playing } else { gst::State::Paused }).expect("begun");
        pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
        is_read.recv_timeout(std::time::Duration::from_secs(60)).expect("a segment");
        let seek = gst::event::Seek::new(
            1.0,
            flags,
            gst::SeekType::Set,
            gst::ClockTime::from_seconds(4),
            gst::SeekType::None,
            gst::ClockTime::NONE,
        );
        assert!(input.push_event(seek), "{flags:?}");
        pipeline.run_to_end();
        let last = pipeline.all("speech").last().and_then(|speech| speech.get::<u64>("running-time").ok());
        // 7 s are left of 11 s.
        assert!(last.is_some_and(|at| at <= 7_100_000_000), "{flags:?}, plays: {plays}: {last:?}");
        let answers = pipeline.all("response");
        assert!(answers.iter().any(|answer| answer.get::<&str>("state") == Ok("completed")));
    }
}

#[test]
fn an_error_says_how_far_it_got() {
    // One turn is answered, the next one is not.
    let server = Server::script(
        r#"
hello
expect session.update {"session": "$wish"}
send session.updated {"session": "$wish"}
await input_audio_buffer.commit
send input_audio_buffer.committed {"item_id": "u1"}
send conversation.item.input_audio_transcription.completed
  {"item_id": "u1", "content_index": 0, "transcript": "go forward"}
await response.create
respond "Gone." <tone:440:500>
await response.create
drop
"#,
    );
    let mut upstream = Upstream::with(&server, "max-reconnects=0");
    let sound = sentence(2_000);
    upstream.segment(0, None, 0, 1.0);
    upstream.say(0, &sound).expect("taken");
    let pad = upstream.pad.clone();
    let rest = std::thread::spawn(move || {
        for index in 0u64.. {
            let at = index * 20;
            let begin = at as usize * 48 % sound.len();
            let mut buffer = gst::Buffer::from_slice(sound[begin..begin + 960].to_vec());
            buffer.get_mut().expect("new").set_pts(gst::ClockTime::from_mseconds(length(&sound) + at));
            if pad.push(buffer).is_err() {
                return;
            }
        }
    });
    let pipeline = &mut upstream.pipeline;
    let message = pipeline.until("an error", |message| message.type_() == gst::MessageType::Error);
    let gst::MessageView::Error(error) = message.view() else { unreachable!("asked for") };
    assert!(error.error().matches(gst::ResourceError::Read), "{}", error.error());
    let at = error.details().and_then(|details| details.get::<u64>("running-time").ok()).expect("a place");
    let closed = pipeline.all("session").into_iter().rfind(|s| s.get::<&str>("state") == Ok("closed"));
    assert_eq!(closed.and_then(|closed| closed.get::<u64>("running-time").ok()), Some(at));
    rest.join().expect("no panic");
    // There the turn begins that is not answered: another run that seeks there misses nothing.
    let turns: Vec<u64> = pipeline
        .all("speech")
        .iter()
        .filter(|speech| speech.get::<bool>("active") == Ok(true))
        .filter_map(|speech| speech.get::<u64>("running-time").ok())
        .collect();
    assert_eq!(turns.get(1), Some(&at), "{turns:?}");
}

#[test]
fn a_clip_in_one_live_buffer_is_heard_whole() {
    let server = echo();
    let mut upstream = Upstream::with(&server, "timing=live");
    upstream.segment(0, None, 0, 1.0);
    let clip = sentence(2_000).repeat(3);
    let mut buffer = gst::Buffer::from_slice(clip);
    buffer.get_mut().expect("new").set_pts(gst::ClockTime::ZERO);
    upstream.pad.push(buffer).expect("taken");
    upstream.end();
    assert_eq!(upstream.turns().len(), 3);
    let warnings = upstream.pipeline.warnings();
    assert!(warnings.iter().all(|text| !text.contains("left out")), "{warnings:?}");
}

#[test]
fn a_pipeline_without_a_clock_counts_from_its_start() {
    let server = echo();
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime name=ai timing=live uri={} ! fakesink sync=false",
        recording("goforward.wav"),
        server.base()
    ));
    pipeline.pipeline.use_clock(None::<&gst::Clock>);
    let tap = pipeline.tap("ai");
    pipeline.run_to_end();
    assert!(tap.sound().iter().any(|byte| *byte != 0), "the turn is answered");
    let outs = tap.outs();
    // The machine's uptime is no running time.
    assert_eq!(outs[0].pts, gst::ClockTime::ZERO);
    assert!(outs.windows(2).all(|two| two[1].pts <= two[0].pts + gst::ClockTime::from_seconds(10)), "no jump");
}
