// SPDX-License-Identifier: MPL-2.0

//! "It knows what I heard": to the millisecond, with a clock that stands still while one looks, and sinks of known
//! latency.

use crate::support::pipeline::{Pipeline, Tap, init};
use crate::support::server::Server;
use gst::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

const MS: u64 = 1_000_000;

/// A clock that goes only when it is told to, and lets go whoever has waited long enough.
struct StillClock {
    clock: gst_check::TestClock,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl StillClock {
    fn new() -> Self {
        let clock = gst_check::TestClock::new();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let (clock, stop) = (clock.clone(), stop.clone());
            move || {
                while !stop.load(Ordering::Relaxed) {
                    let is_due = |id: &gst::ClockId| Some(id.time()) <= Some(clock.time());
                    match clock.peek_next_pending_id().filter(is_due) {
                        Some(_) => drop(clock.process_next_clock_id()),
                        None => std::thread::sleep(std::time::Duration::from_micros(200)),
                    }
                }
            }
        });
        Self { clock, stop, thread: Some(thread) }
    }

    fn go_to(&self, time: u64) {
        let time = gst::ClockTime::from_nseconds(time);
        if time > self.clock.time() {
            self.clock.set_time(time);
        }
    }
}

impl Drop for StillClock {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("no panic");
        }
    }
}

/// An answer of these items, each so many milliseconds long.
fn answer(items: &[(&str, u64)]) -> String {
    let mut script = String::from(
        r#"
hello
expect session.update
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
wait audio 200ms within 30s
send input_audio_buffer.speech_started {"audio_start_ms": 20, "item_id": "item_u"}
send input_audio_buffer.speech_stopped {"audio_end_ms": 120, "item_id": "item_u"}
send input_audio_buffer.committed {"item_id": "item_u", "previous_item_id": null}
send response.created {"response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
"#,
    );
    for (item, length) in items {
        let place =
            format!("\"response_id\": \"resp_1\", \"item_id\": \"{item}\", \"output_index\": 0, \"content_index\": 0");
        script += &format!("send response.output_audio.delta {{{place}, \"delta\": \"<ramp:{length}>\"}}\n");
        script += &format!("send response.output_audio.done {{{place}}}\n");
    }
    script += r#"
send response.done {"response": {"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "output": []}}
send rate_limits.updated {"rate_limits": [{"name": "said"}]}
wait audio 400ms within 30s
send input_audio_buffer.speech_started {"audio_start_ms": 210, "item_id": "item_v"}
"#;
    script
}

/// A conversation whose user speaks when this much of the answer was heard, and what the server must then be told.
struct Case<'a> {
    /// Of the sink, in milliseconds.
    latency: u64,
    items: &'a [(&'a str, u64)],
    /// The listener is so many milliseconds behind the begin of the answer (before it, where that is negative).
    at: i64,
    /// What follows in the script.
    expected: &'a str,
    /// What `interrupted` tells: the item, and how much of it was heard.
    interrupted: Option<(&'a str, u64)>,
    sink: &'a str,
}

fn check(case: &Case<'_>) {
    init();
    let told = "\nsend rate_limits.updated {\"rate_limits\": [{\"name\": \"checked\"}]}\n";
    let mut server = Server::script(&format!("{}{}{told}", answer(case.items), case.expected));
    // A live sink counts its own 20 ms as well.
    let delay = (case.latency - 20) * MS;
    let mut pipeline = Pipeline::new(&format!(
        "appsrc name=in is-live=true format=time caps=audio/x-raw,format=S16LE,rate=24000,channels=1,layout=interleaved \
         ! openairealtime name=o uri={} ! {} fakesink sync=true processing-deadline=20000000 render-delay={delay}",
        server.base(),
        case.sink
    ));
    let clock = StillClock::new();
    pipeline.pipeline.use_clock(Some(&clock.clock));
    let sound = pipeline.tap("o");
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    let input: gst::Element = pipeline.element("in");
    let push = |at: u64| {
        let mut buffer = gst::Buffer::from_slice(vec![0u8; 200 * 48]);
        let details = buffer.get_mut().expect("the only one");
        details.set_pts(gst::ClockTime::from_nseconds(at));
        details.set_duration(200 * gst::ClockTime::MSECOND);
        assert_eq!(input.emit_by_name::<gst::FlowReturn>("push-buffer", &[&buffer]), gst::FlowReturn::Ok);
    };
    push(0);
    pipeline.until_told("rate-limits", |limits| limits.get::<&str>("name") == Ok("said"));
    // The clock goes on until the answer begins to go out.
    let mut now = 0;
    let begin = loop {
        if let Some(begin) = first_sound(&sound) {
            break begin;
        }
        now += 10 * MS;
        clock.go_to(now);
        std::thread::sleep(std::time::Duration::from_millis(1));
    };
    // The listener hears the begin so much later; the clock goes to the moment that is asked for.
    let moment = (begin + case.latency * MS).saturating_add_signed(case.at * MS as i64);
    assert!(moment >= now, "the moment is not over yet");
    while now < moment {
        now = (now + 10 * MS).min(moment);
        clock.go_to(now);
        sound.wait_for_time(now.saturating_sub(case.latency * MS));
    }
    push(200 * MS);
    pipeline.until_told("rate-limits", |limits| limits.get::<&str>("name") == Ok("checked"));
    match case.interrupted {
        Some((item, heard)) => {
            let message = pipeline.until_or_told("interrupted", |_| true);
            assert_eq!(message.get::<&str>("item-id"), Ok(item));
            assert_eq!(message.get::<u64>("heard"), Ok(heard * MS));
            assert_eq!(message.get::<u64>("running-time"), Ok(moment.saturating_sub(case.latency * MS)));
        }
        None => assert_eq!(pipeline.all("interrupted"), Vec::<gst::Structure>::new()),
    }
    pipeline.stop();
    let (status, said) = server.terminate();
    assert!(status.success(), "{said}");
}

/// Where the answer begins: a ramp's first sample is zero.
fn first_sound(sound: &Tap) -> Option<u64> {
    sound.outs().iter().find_map(|out| {
        let samples = out.data.chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        let index = samples.enumerate().find(|(_, sample)| *sample != 0)?.0 as u64;
        Some(out.pts.nseconds() + (index - 1) * 1_000_000_000 / 24_000)
    })
}

const ONE: &[(&str, u64)] = &[("item_a", 2_000)];
const TWO: &[(&str, u64)] = &[("item_a", 400), ("item_b", 1_000)];

fn truncate(item: &str, milliseconds: u64) -> String {
    format!(
        "await conversation.item.truncate within 30s {{\"item_id\": \"{item}\", \"content_index\": 0, \"audio_end_ms\": {milliseconds}}}"
    )
}

#[test]
fn in_the_middle_of_an_answer() {
    for (latency, at) in [(20, 333), (200, 1), (200, 333), (200, 1_999), (2_000, 777)] {
        let expected = truncate("item_a", at);
        let (interrupted, sink) = (Some(("item_a", at)), "");
        check(&Case { latency, items: ONE, at: at as i64, expected: &expected, interrupted, sink });
    }
}

#[test]
fn before_the_first_sample_was_heard() {
    let expected = "await conversation.item.delete within 30s {\"item_id\": \"item_a\"}";
    check(&Case { latency: 200, items: ONE, at: -50, expected, interrupted: Some(("item_a", 0)), sink: "" });
}

#[test]
fn after_all_was_heard() {
    check(&Case { latency: 200, items: ONE, at: 2_000, expected: "", interrupted: None, sink: "" });
}

#[test]
fn in_the_second_item_of_an_answer() {
    let expected = truncate("item_b", 300);
    check(&Case {
        latency: 200,
        items: TWO,
        at: 700,
        expected: &expected,
        interrupted: Some(("item_b", 300)),
        sink: "",
    });
}

#[test]
fn in_the_first_of_two_items() {
    let expected =
        format!("{}\nexpect conversation.item.delete within 30s {{\"item_id\": \"item_b\"}}", truncate("item_a", 250));
    check(&Case {
        latency: 200,
        items: TWO,
        at: 250,
        expected: &expected,
        interrupted: Some(("item_a", 250)),
        sink: "",
    });
}

#[test]
fn a_sink_that_is_muted_counts_all_the_same() {
    let expected = truncate("item_a", 500);
    let sink = "audioconvert ! volume mute=true !";
    check(&Case { latency: 200, items: ONE, at: 500, expected: &expected, interrupted: Some(("item_a", 500)), sink });
}
