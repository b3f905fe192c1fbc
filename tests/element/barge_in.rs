// SPDX-License-Identifier: MPL-2.0

//! "I interrupt it": there is silence at once, the server learns what was heard, and the conversation goes on.

use crate::support::pipeline::{Pipeline, SILENCE, Tap};
use crate::support::server::Server;
use gst::prelude::*;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The user's first turn, and the beginning of the answer.
const ASKED: &str = r#"
hello
expect session.update
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
wait audio 200ms
send input_audio_buffer.speech_started {"audio_start_ms": 20, "item_id": "item_u"}
send input_audio_buffer.speech_stopped {"audio_end_ms": 120, "item_id": "item_u"}
send input_audio_buffer.committed {"item_id": "item_u", "previous_item_id": null}
send response.created {"response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
"#;

/// Half a second of another answer, whose samples count up from zero.
const NEXT: &str = r#"
send response.done {"response": {"id": "resp_1", "status": "cancelled", "conversation_id": "conv_1", "output": []}}
send input_audio_buffer.speech_stopped {"audio_end_ms": 1400, "item_id": "item_v"}
send input_audio_buffer.committed {"item_id": "item_v", "previous_item_id": "item_u"}
send response.created {"response": {"id": "resp_2", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
send response.output_audio.delta {"response_id": "resp_2", "item_id": "item_z", "output_index": 0, "content_index": 0, "delta": "<ramp:500>"}
send response.output_audio.done {"response_id": "resp_2", "item_id": "item_z", "output_index": 0, "content_index": 0}
send response.done {"response": {"id": "resp_2", "status": "completed", "conversation_id": "conv_1", "output": []}}
"#;

/// Some sound of the first answer.
fn delta(item: &str, sound: &str) -> String {
    format!(
        "send response.output_audio.delta {{\"response_id\": \"resp_1\", \"item_id\": \"{item}\", \"output_index\": 0, \
         \"content_index\": 0, \"delta\": \"<{sound}>\"}}\n"
    )
}

/// The user speaks when so much was heard of them.
fn spoken_over(at_ms: u64) -> String {
    format!(
        "wait audio {at_ms}ms\nsend input_audio_buffer.speech_started {{\"audio_start_ms\": {}, \"item_id\": \"item_v\"}}\n",
        at_ms - 50
    )
}

/// What went out of a pad, in order.
#[derive(Clone, Debug)]
enum Seen {
    Event(gst::EventType, Option<bool>),
    AudioChunk { pts: u64, end: u64, discont: bool, samples: Vec<i16> },
}

#[derive(Clone, Default)]
struct Watch(Arc<Mutex<Vec<Seen>>>);

impl Watch {
    fn on(pad: &gst::Pad) -> Self {
        let watch = Self::default();
        let seen = watch.0.clone();
        let kinds = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM | gst::PadProbeType::EVENT_FLUSH;
        pad.add_probe(kinds, move |_, info| {
            let what = match &info.data {
                Some(gst::PadProbeData::Buffer(buffer)) => {
                    let pts = buffer.pts().expect("a timestamp");
                    let data = buffer.map_readable().expect("readable");
                    Seen::AudioChunk {
                        pts: pts.nseconds(),
                        end: (pts + buffer.duration().expect("a duration")).nseconds(),
                        discont: buffer.flags().contains(gst::BufferFlags::DISCONT),
                        samples: data.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]])).collect(),
                    }
                }
                Some(gst::PadProbeData::Event(event)) => {
                    let reset = match event.view() {
                        gst::EventView::FlushStop(stop) => Some(stop.resets_time()),
                        _ => None,
                    };
                    Seen::Event(event.type_(), reset)
                }
                _ => return gst::PadProbeReturn::Ok,
            };
            seen.lock().expect("no panic").push(what);
            gst::PadProbeReturn::Ok
        });
        watch
    }

    fn all(&self) -> Vec<Seen> {
        self.0.lock().expect("no panic").clone()
    }

    /// Where the flushes begin.
    fn flushes(&self) -> Vec<usize> {
        let is_flush = |seen: &Seen| matches!(seen, Seen::Event(gst::EventType::FlushStart, _));
        self.all().iter().enumerate().filter(|(_, seen)| is_flush(seen)).map(|(index, _)| index).collect()
    }

    /// Waits until all of the next answer is out.
    #[track_caller]
    fn wait_for_next_answer(&self) {
        let limit = Instant::now() + Duration::from_secs(30);
        while !self
            .all()
            .iter()
            .any(|seen| matches!(seen, Seen::AudioChunk { samples, .. } if samples.contains(&11_999)))
        {
            assert!(Instant::now() < limit, "the next answer never came");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asserts that time goes on from buffer to buffer without a hole or an overlap.
    #[track_caller]
    fn assert_time_goes_on(&self) {
        let mut last = None;
        for seen in self.all() {
            if let Seen::AudioChunk { pts, end, .. } = seen {
                assert_eq!(pts, last.unwrap_or(pts), "where the one before it ended");
                last = Some(end);
            }
        }
    }

    /// Where the answer begins.
    fn first_sound(&self) -> u64 {
        let first = self.all().into_iter().find_map(|seen| match seen {
            // A tone begins with a sample of zero.
            Seen::AudioChunk { pts, samples, .. } => {
                let index = samples.iter().position(|sample| *sample != 0)?;
                Some(pts + (index as u64).saturating_sub(1) * 1_000_000_000 / 24_000)
            }
            Seen::Event(..) => None,
        });
        first.expect("sound")
    }
}

/// What is heard after this: only the samples of the next answer, all of them and in order.
#[track_caller]
fn assert_only_next_answer(seen: &[Seen]) {
    let samples = seen.iter().filter_map(|seen| match seen {
        Seen::AudioChunk { samples, .. } => Some(samples.as_slice()),
        Seen::Event(..) => None,
    });
    let sound: Vec<i16> = samples.flatten().copied().filter(|sample| *sample != 0).collect();
    assert!(sound.iter().copied().eq(1..12_000), "nothing but the next answer is heard");
}

struct Scene {
    _server: Server,
    pipeline: Pipeline,
    src: Watch,
    input: Tap,
}

impl Scene {
    /// A live pipeline against a script; `sink` is what is behind the element.
    fn new(script: &str, properties: &str, sink: &str) -> Self {
        let server = Server::script(script);
        let mut pipeline = Pipeline::new(&format!(
            "{SILENCE} ! openairealtime name=ai uri={} transcription-model=\"\" raw-events=true {properties} ! {sink}",
            server.base()
        ));
        let pad = |name| pipeline.element("ai").static_pad(name).expect("a pad");
        let (src, input) = (Watch::on(&pad("src")), Tap::on(&pad("audio_sink")));
        pipeline.play();
        Self { _server: server, pipeline, src, input }
    }

    /// What was sent of this kind so far.
    fn sent(&self, kind: &str) -> Vec<serde_json::Value> {
        let events = self.pipeline.all("event").into_iter();
        let ours = events.filter(|s| s.get::<&str>("direction") == Ok("client") && s.get::<&str>("type") == Ok(kind));
        ours.map(|s| serde_json::from_str(s.get("json").expect("JSON")).expect("JSON")).collect()
    }

    #[track_caller]
    fn assert_plays(&self) {
        let (result, current, pending) = self.pipeline.pipeline.state(gst::ClockTime::from_seconds(20));
        assert!(result.is_ok(), "{result:?}");
        assert_eq!((current, pending), (gst::State::Playing, gst::State::VoidPending));
    }
}

#[test]
fn the_answer_falls_silent_and_the_next_one_plays() {
    let script = [
        ASKED,
        &delta("item_a", "tone:440:4000"),
        &spoken_over(1500),
        "expect conversation.item.truncate {\"item_id\": \"item_a\", \"content_index\": 0, \"audio_end_ms\": \"$heard\"}\n",
        "send conversation.item.truncated {\"item_id\": \"item_a\", \"content_index\": 0, \"audio_end_ms\": \"$heard\"}\n",
        // Too late: nobody wants to hear this any more.
        &delta("item_a", "tone:880:500"),
        NEXT,
    ];
    let mut scene = Scene::new(&script.concat(), "", "queue ! fakesink name=heard sync=true signal-handoffs=true");
    let heard = Watch::on(&scene.pipeline.element("heard").static_pad("sink").expect("a pad"));
    let interrupted = scene.pipeline.until_told("interrupted", |_| true);
    scene.pipeline.until_told("response", |s| {
        s.get::<&str>("state") == Ok("completed") && s.get::<&str>("response-id") == Ok("resp_2")
    });
    heard.wait_for_next_answer();
    scene.assert_plays();
    assert_eq!(scene.pipeline.warnings(), Vec::<String>::new());
    scene.src.assert_time_goes_on();

    for watch in [&scene.src, &heard] {
        let flushes = watch.flushes();
        assert_eq!(flushes.len(), 1, "one flush");
        let seen = &watch.all()[flushes[0]..];
        assert!(matches!(seen[1], Seen::Event(gst::EventType::FlushStop, Some(false))), "{:?}", seen[1]);
        assert!(matches!(seen[2], Seen::Event(gst::EventType::Segment, _)), "{:?}", seen[2]);
        assert!(matches!(seen[3], Seen::AudioChunk { discont: true, .. }), "{:?}", seen[3]);
        assert_only_next_answer(seen);
    }

    let get = |name| interrupted.get::<u64>(name).expect("a time");
    assert_eq!(interrupted.get::<&str>("item-id"), Ok("item_a"));
    assert_eq!(interrupted.get::<&str>("response-id"), Ok("resp_1"));
    let truncated = scene.sent("conversation.item.truncate");
    assert_eq!(truncated.len(), 1, "{truncated:?}");
    assert_eq!(truncated[0]["audio_end_ms"], get("heard") / 1_000_000);
    assert!(get("heard") < 4_000_000_000, "not more than there was");
    // Where the listener is, less where the item begins, is what they have heard.
    assert!(get("running-time").abs_diff(scene.src.first_sound() + get("heard")) < 100_000, "{interrupted}");
}

#[test]
fn what_is_still_in_the_sink_was_not_heard() {
    let script =
        [ASKED, &delta("item_a", "tone:440:4000"), &spoken_over(2000), "expect conversation.item.truncate\n", NEXT];
    // Sound takes 400 ms through this sink, as through a Bluetooth headset.
    let sink = "fakesink name=heard sync=true render-delay=400000000 processing-deadline=0";
    let mut scene = Scene::new(&script.concat(), "", sink);
    let interrupted = scene.pipeline.until_told("interrupted", |_| true);
    let now = scene.pipeline.pipeline.current_running_time().expect("it plays");
    let latency = scene.pipeline.pipeline.latency().map_or(400_000_000, gst::ClockTime::nseconds);
    assert!(latency >= 400_000_000);
    let get = |name| interrupted.get::<u64>(name).expect("a time");
    assert!(get("heard") > 0);
    assert!(get("running-time") + latency <= now.nseconds(), "the listener is behind the clock");
    // The server spoke up when 2 s of the input were there, so the clock was about that far: the source gives a buffer
    // out when it begins, and not when it ends.
    let first = scene.input.outs().into_iter().next().expect("sound");
    let spoken = (first.pts + gst::ClockTime::from_seconds(2)).nseconds();
    let slack = 2 * first.duration.nseconds();
    assert!(get("running-time") + latency + slack >= spoken.min(now.nseconds()), "{interrupted}, {spoken}");
    assert!(get("running-time").abs_diff(scene.src.first_sound() + get("heard")) < 100_000, "{interrupted}");
    scene.src.wait_for_next_answer();
    scene.assert_plays();
}

#[test]
fn without_the_flush_downstream_is_left_alone() {
    let script =
        [ASKED, &delta("item_a", "tone:440:4000"), &spoken_over(1500), "expect conversation.item.truncate\n", NEXT];
    let mut scene = Scene::new(&script.concat(), "flush-on-interrupt=false", "queue ! fakesink sync=true");
    scene.pipeline.until_told("interrupted", |_| true);
    scene.src.wait_for_next_answer();
    assert_eq!(scene.src.flushes(), Vec::<usize>::new());
    scene.src.assert_time_goes_on();
    let sounds = scene.src.all().into_iter().filter(|seen| matches!(seen, Seen::AudioChunk { discont: true, .. }));
    assert_eq!(sounds.count(), 1, "the first buffer alone");
    scene.assert_plays();
}

#[test]
fn of_several_messages_each_gets_what_is_its_own() {
    // The first is heard, the second is not heard to its end, of the third nothing is.
    let script = [
        ASKED,
        &delta("item_a", "tone:440:200"),
        "send response.output_audio.done {\"response_id\": \"resp_1\", \"item_id\": \"item_a\", \"output_index\": 0, \"content_index\": 0}\n",
        &delta("item_b", "tone:440:4000"),
        &delta("item_c", "tone:440:400"),
        &spoken_over(2000),
        "expect conversation.item.truncate {\"item_id\": \"item_b\", \"audio_end_ms\": \"$_\"}\n",
        "expect conversation.item.delete {\"item_id\": \"item_c\"}\n",
        &delta("item_d", "tone:880:400"),
        NEXT,
    ];
    let mut scene = Scene::new(&script.concat(), "", "queue ! fakesink sync=true");
    let interrupted = scene.pipeline.until_told("interrupted", |_| true);
    assert_eq!(interrupted.get::<&str>("item-id"), Ok("item_b"));
    scene.src.wait_for_next_answer();
    let flushes = scene.src.flushes();
    assert_eq!(flushes.len(), 1);
    assert_only_next_answer(&scene.src.all()[flushes[0]..]);
    assert_eq!(scene.sent("conversation.item.truncate").len(), 1);
}

#[test]
fn who_speaks_after_the_answer_interrupts_nothing() {
    let script = [
        ASKED,
        &delta("item_a", "tone:440:200"),
        "send response.output_audio.done {\"response_id\": \"resp_1\", \"item_id\": \"item_a\", \"output_index\": 0, \"content_index\": 0}\n",
        "send response.done {\"response\": {\"id\": \"resp_1\", \"status\": \"completed\", \"conversation_id\": \"conv_1\", \"output\": []}}\n",
        &spoken_over(2000),
        NEXT,
    ];
    let scene = Scene::new(&script.concat(), "", "queue ! fakesink sync=true");
    scene.src.wait_for_next_answer();
    assert_eq!(scene.src.flushes(), Vec::<usize>::new());
    assert_eq!(scene.sent("conversation.item.truncate").len() + scene.sent("conversation.item.delete").len(), 0);
    assert_eq!(scene.pipeline.all("interrupted").len(), 0);
    scene.src.assert_time_goes_on();
}

#[test]
fn two_interruptions_and_gaps_for_silence() {
    let again = [
        "wait audio 2500ms\n",
        "send input_audio_buffer.speech_stopped {\"audio_end_ms\": 2000, \"item_id\": \"item_v\"}\n",
        "send response.done {\"response\": {\"id\": \"resp_1\", \"status\": \"cancelled\", \"conversation_id\": \"conv_1\", \"output\": []}}\n",
        "send response.created {\"response\": {\"id\": \"resp_3\", \"status\": \"in_progress\", \"conversation_id\": \"conv_1\", \"output\": []}}\n",
        "send response.output_audio.delta {\"response_id\": \"resp_3\", \"item_id\": \"item_c\", \"output_index\": 0, \"content_index\": 0, \"delta\": \"<tone:440:4000>\"}\n",
        "wait audio 3500ms\n",
        "send input_audio_buffer.speech_started {\"audio_start_ms\": 3400, \"item_id\": \"item_w\"}\n",
        "expect conversation.item.truncate {\"item_id\": \"item_c\"}\n",
    ];
    let script = [
        ASKED,
        &delta("item_a", "tone:440:4000"),
        &spoken_over(1500),
        "expect conversation.item.truncate {\"item_id\": \"item_a\"}\n",
        &again.concat(),
        &NEXT.replace("resp_1", "resp_3"),
    ];
    let mut scene = Scene::new(&script.concat(), "silence=gaps", "queue ! fakesink sync=true");
    for item in ["item_a", "item_c"] {
        let interrupted = scene.pipeline.until_told("interrupted", |_| true);
        assert_eq!(interrupted.get::<&str>("item-id"), Ok(item));
    }
    scene.src.wait_for_next_answer();
    let flushes = scene.src.flushes();
    assert_eq!(flushes.len(), 2);
    let seen = &scene.src.all()[flushes[0]..];
    assert!(matches!(seen[3], Seen::Event(gst::EventType::Gap, _)), "silence at once: {:?}", seen[3]);
    assert_only_next_answer(&scene.src.all()[flushes[1]..]);
    scene.assert_plays();
}

#[test]
fn the_microphones_other_branch_loses_nothing_and_the_clock_goes_on() {
    let script =
        [ASKED, &delta("item_a", "tone:440:4000"), &spoken_over(1500), "expect conversation.item.truncate\n", NEXT];
    let server = Server::script(&script.concat());
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! audio/x-raw,rate=24000,channels=1 \
         ! tee name=t ! queue ! openairealtime name=ai uri={} transcription-model=\"\" ! fakesink sync=true \
         t. ! queue ! fakesink name=record sync=true",
        server.base()
    ));
    let src = Watch::on(&pipeline.element("ai").static_pad("src").expect("a pad"));
    let record = Tap::on(&pipeline.element("record").static_pad("sink").expect("a pad"));
    pipeline.play();
    pipeline.until_told("interrupted", |_| true);
    let base = pipeline.pipeline.base_time();
    src.wait_for_next_answer();
    record.wait_for(record.outs().len() + 5);
    assert_eq!(pipeline.pipeline.base_time(), base, "running time does not jump");
    let outs = record.outs();
    let broken =
        outs.windows(2).find(|two| (two[0].pts + two[0].duration).nseconds().abs_diff(two[1].pts.nseconds()) > 2);
    assert!(broken.is_none(), "a buffer is missing: {broken:?}");
    let stats = pipeline.element("ai").property::<gst::Structure>("stats");
    let time = |name| stats.get::<u64>(name).expect("a time");
    let latency = time("silence-latency");
    assert!(latency > 0 && latency <= time("longest-silence-latency"), "{stats}");
    eprintln!("silent after {latency} ns");
}
