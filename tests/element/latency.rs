// SPDX-License-Identifier: MPL-2.0

//! Latency of turns, stage by stage, against a server that knows when it sent what.
//!
//! A machine that is slow today may read an event late. So each event of the server is followed by a ping, whose answer
//! comes after the event was read: the stage lies between the two, however long that takes.

use crate::support::pipeline::Pipeline;
use gst::prelude::*;
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept};

const TURNS: usize = 11;
/// Between the events of an answer: distinct, so that no stage can be taken for another one.
const DELAYS: [u64; 4] = [15, 25, 50, 35];
/// What the reading of two clocks one after the other may add.
const SLACK: f64 = 0.5;

/// Between these two moments the client has read an event.
type Bracket = (Instant, Instant);

/// What the server did for a turn.
struct Turn {
    /// Of the input, in milliseconds.
    speech_end: u64,
    /// `speech_stopped`, `committed`, `response.created`, first delta.
    sent: Vec<Bracket>,
}

/// The server's side of a session.
struct Peer {
    socket: WebSocket<TcpStream>,
    pings: u32,
    /// Milliseconds of sound that came.
    heard: u64,
    /// The pings that the client sent are answered after this time.
    pong_delay: Duration,
}

impl Peer {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).expect("small packets");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        let socket = accept(stream).expect("a handshake");
        let mut peer = Self { socket, pings: 0, heard: 0, pong_delay: Duration::ZERO };
        while peer.read_event()["type"] != "session.update" {}
        peer.send(json!({"type": "session.updated", "session": {"id": "sess_1", "model": "m"}}));
        peer
    }

    fn read(&mut self) -> Message {
        let message = self.socket.read().expect("a message");
        match &message {
            Message::Text(text) => {
                let event: Value = serde_json::from_str(text).expect("JSON");
                if event["type"] == "input_audio_buffer.append" {
                    // Base64 of 16-bit samples at 24 kHz.
                    self.heard += event["audio"].as_str().expect("sound").len() as u64 * 3 / 4 / 48;
                }
            }
            // The answer goes out with the next thing that is read or sent.
            Message::Ping(_) => std::thread::sleep(self.pong_delay),
            _ => {}
        }
        message
    }

    fn read_event(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.read() {
                return serde_json::from_str(&text).expect("JSON");
            }
        }
    }

    /// Sends an event; the client has read it when it answers the ping behind it.
    fn send(&mut self, event: Value) -> Bracket {
        let sent = Instant::now();
        self.pings += 1;
        let payload = self.pings.to_be_bytes().to_vec();
        self.socket.send(Message::text(event.to_string())).expect("it is taken");
        self.socket.send(Message::Ping(payload.clone().into())).expect("it is taken");
        while !matches!(self.read(), Message::Pong(answer) if answer == payload) {}
        (sent, Instant::now())
    }

    /// Takes this much more sound.
    fn hear(&mut self, milliseconds: u64) {
        let until = self.heard + milliseconds;
        while self.heard < until {
            self.read();
        }
    }

    /// The user speaks, and is answered with so much sound. The response goes on after it.
    fn turn(&mut self, number: usize, answer_length: usize) -> Turn {
        self.hear(300);
        let (item, speech_end) = (format!("u{number}"), self.heard - 60);
        self.started(&item, self.heard - 260);
        let speech_stopped = json!({"audio_end_ms": speech_end, "item_id": item});
        let (response, answer) = (format!("r{number}"), format!("a{number}"));
        let place = json!({"response_id": response, "item_id": answer, "output_index": 0, "content_index": 0});
        let response = json!({"id": response, "conversation_id": "c", "output": []});
        let mut delta = place;
        delta["delta"] = "AQAB".repeat(answer_length * 48 / 3).into();
        let events = [
            ("input_audio_buffer.speech_stopped", speech_stopped),
            ("input_audio_buffer.committed", json!({"item_id": item})),
            ("response.created", json!({"response": response})),
            ("response.output_audio.delta", delta),
        ];
        let sent = events.into_iter().zip(DELAYS).map(|((name, mut event), delay)| {
            std::thread::sleep(Duration::from_millis(delay));
            event["type"] = name.into();
            self.send(event)
        });
        Turn { speech_end, sent: sent.collect() }
    }

    /// The response to a turn is done.
    fn done(&mut self, number: usize) {
        let (response, answer) = (format!("r{number}"), format!("a{number}"));
        self.send(json!({
            "type": "response.output_audio.done", "response_id": response, "item_id": answer,
            "output_index": 0, "content_index": 0
        }));
        let response = json!({"id": response, "conversation_id": "c", "output": [], "status": "completed"});
        self.send(json!({"type": "response.done", "response": response}));
    }

    fn started(&mut self, item: &str, start: u64) -> Bracket {
        let event = json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": start, "item_id": item});
        self.send(event)
    }
}

/// Runs a server on a thread of its own; gives its port. `next` tells it that the client is done with a turn.
fn serve<T: Send + 'static>(
    script: impl FnOnce(Peer, Receiver<()>) -> T + Send + 'static,
) -> (u16, Sender<()>, JoinHandle<T>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (next, is_next) = channel();
    (port, next, std::thread::spawn(move || script(Peer::accept(&listener), is_next)))
}

/// A buffer that is not silence, at a pad.
#[derive(Clone, Copy)]
struct Sound {
    pts: f64,
    seen: Instant,
}

/// Watches for sound at a place of the pipeline.
#[derive(Clone, Default)]
struct Sounds(Arc<(Mutex<Vec<Sound>>, Condvar)>);

impl Sounds {
    fn add(&self, buffer: &gst::BufferRef) {
        if !buffer.flags().contains(gst::BufferFlags::GAP) {
            let sound = Sound { pts: ms(buffer.pts().expect("a timestamp").into()), seen: Instant::now() };
            let (sounds, has_come) = &*self.0;
            sounds.lock().expect("no panic").push(sound);
            has_come.notify_all();
        }
    }

    /// Waits for the first sound that fits.
    #[track_caller]
    fn wait_for(&self, fits: impl Fn(&Sound) -> bool) -> Sound {
        let (sounds, has_come) = &*self.0;
        let is_missing = |sounds: &mut Vec<Sound>| !sounds.iter().any(&fits);
        let sounds = sounds.lock().expect("no panic");
        let (sounds, _) = has_come.wait_timeout_while(sounds, Duration::from_secs(60), is_missing).expect("no panic");
        *sounds.iter().find(|sound| fits(sound)).expect("it comes")
    }

    /// The sound that begins at this running time.
    #[track_caller]
    fn at(&self, pts: f64) -> Sound {
        self.wait_for(|sound| (sound.pts - pts).abs() < 0.01)
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Running time of a moment: clock and moment are read together, and the closest of some readings counts.
fn running_time(pipeline: &Pipeline) -> impl Fn(Instant) -> f64 + use<> {
    let read = || {
        let before = Instant::now();
        let time = pipeline.pipeline.current_running_time().expect("it plays");
        (before.elapsed(), Duration::from(time), before)
    };
    let (_, time, now) = (0..20).map(|_| read()).min().expect("some");
    move |at| match at.checked_duration_since(now) {
        Some(later) => ms(time + later),
        None => ms(time) - ms(now - at),
    }
}

#[track_caller]
fn time(message: &gst::StructureRef, name: &str) -> f64 {
    message.get::<u64>(name).unwrap_or_else(|error| panic!("{error}: {message}")) as f64 / 1e6
}

fn pipeline(port: u16, properties: &str) -> (Pipeline, Sounds, Sounds) {
    let pipeline = Pipeline::new(&format!(
        "audiotestsrc is-live=true wave=silence ! audioconvert ! audioresample \
         ! openairealtime name=ai turn-detection=server-vad uri=ws://127.0.0.1:{port}/v1 {properties} \
         ! fakesink name=out sync=true signal-handoffs=true"
    ));
    let (pushed, heard) = (Sounds::default(), Sounds::default());
    let src = pipeline.element("ai").static_pad("src").expect("a pad");
    let sounds = pushed.clone();
    src.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        info.buffer().into_iter().for_each(|buffer| sounds.add(buffer));
        gst::PadProbeReturn::Ok
    });
    let sounds = heard.clone();
    pipeline.element("out").connect("handoff", false, move |values| {
        sounds.add(&values[1].get::<gst::Buffer>().expect("a buffer"));
        None
    });
    (pipeline, pushed, heard)
}

/// Running time in milliseconds at which the input begins, once it has: a live source may begin late, and the server counts from
/// there.
fn first_input(pipeline: &Pipeline) -> Arc<OnceLock<f64>> {
    let input = pipeline.element("ai").static_pad("audio_sink").expect("a pad");
    let begin = Arc::new(OnceLock::new());
    let first = begin.clone();
    input.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let pts = info.buffer().and_then(|buffer| buffer.pts()).expect("a timestamp");
        first.set(ms(pts.into())).expect("the first buffer");
        gst::PadProbeReturn::Remove
    });
    begin
}

/// The nearest of what was measured, as `stats` has it.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * 50).div_ceil(100) - 1]
}

#[test]
fn the_stages_of_a_turn_are_when_the_server_sent_and_the_listener_heard() {
    let (port, next, server) = serve(|mut peer, is_next| {
        (0..TURNS)
            .map(|number| {
                let turn = peer.turn(number, 100);
                peer.done(number);
                is_next.recv().expect("the turn is told");
                turn
            })
            .collect::<Vec<_>>()
    });
    let (mut pipeline, pushed, heard) = pipeline(port, "interrupt-response=false");
    let begin = first_input(&pipeline);
    pipeline.play();
    let told: Vec<_> = (0..TURNS)
        .map(|_| {
            let turn = pipeline.until_told("turn", |_| true);
            next.send(()).expect("the server goes on");
            turn
        })
        .collect();
    let sent = server.join().expect("the server's script");
    let at = running_time(&pipeline);
    let begin = begin.get().copied().expect("input");
    let mut query = gst::query::Latency::new();
    assert!(pipeline.pipeline.query(&mut query), "the pipeline has a latency");
    let latency = ms(query.result().1.into());
    assert!(latency > 0.0, "a sink that is synchronized needs some time");

    let mut late = Vec::new();
    for (turn, sent) in told.iter().zip(&sent) {
        assert!((time(turn, "speech-end") - begin - sent.speech_end as f64).abs() < 2.0, "{turn}");
        let stages = ["speech-stopped", "committed", "response-created", "first-delta"];
        for (stage, (from, until)) in stages.into_iter().zip(&sent.sent) {
            let (time, from, until) = (time(turn, stage), at(*from), at(*until));
            assert!((from - SLACK..until + SLACK).contains(&time), "{stage}: {time}, sent {from}, read {until}");
        }
        let pts = time(turn, "first-heard") - latency;
        let push = time(turn, "first-audio");
        let left = at(pushed.at(pts).seen);
        assert!((time(turn, "first-delta")..left + SLACK).contains(&push), "pushed at {push}, and it left at {left}");
        late.push(at(heard.at(pts).seen) - time(turn, "first-heard"));
    }
    // A sink may be late, but not always, and never early.
    let least = late.iter().copied().fold(f64::MAX, f64::min);
    assert!((-SLACK..2.0).contains(&least), "heard after what was told: {late:?} ms");
    stages_add_up(&told, &pipeline.element("ai").property("stats"));
}

/// `stats` has the median of each stage, and the stages of a turn are its whole latency.
fn stages_add_up(turns: &[gst::Structure], stats: &gst::Structure) {
    let stages =
        ["speech-end", "speech-stopped", "committed", "response-created", "first-delta", "first-audio", "first-heard"];
    for pair in stages.windows(2) {
        let durations = turns.iter().map(|turn| time(turn, pair[1]) - time(turn, pair[0])).collect();
        let (expected, told) = (median(durations), time(stats, &format!("{}-p50", pair[1])));
        // A stage that is told before the one that it follows counts as none.
        assert!((told - expected.max(0.0)).abs() < 0.01, "{}: {told} ms, not {expected}", pair[1]);
    }
    let whole = turns.iter().map(|turn| time(turn, "first-heard") - time(turn, "speech-end")).collect();
    assert!((time(stats, "turn-latency-p50") - median(whole)).abs() < 0.01, "{stats}");
}

#[test]
fn the_time_from_a_barge_in_to_silence_ends_when_downstream_is_flushed() {
    let (port, next, server) = serve(|mut peer, is_next| {
        peer.turn(0, 5_000);
        is_next.recv().expect("the answer is played");
        peer.hear(100);
        let speech_start = peer.heard - 80;
        let sent = peer.started("u1", speech_start);
        is_next.recv().expect("the turn is told");
        (speech_start, sent.0)
    });
    let (mut pipeline, _, heard) = pipeline(port, "");
    let (tell_flush, flush) = channel();
    let out = pipeline.element("out").static_pad("sink").expect("a pad");
    out.add_probe(gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        if info.event().is_some_and(|event| event.type_() == gst::EventType::FlushStart) {
            let _ = tell_flush.send(Instant::now());
        }
        gst::PadProbeReturn::Ok
    });
    let begin = first_input(&pipeline);
    pipeline.play();
    heard.wait_for(|_| true);
    next.send(()).expect("the server goes on");
    let turn = pipeline.until_told("turn", |_| true);
    let told_by = Instant::now();
    let flushed = flush.recv().expect("a flush");
    next.send(()).expect("the server goes on");
    let (speech_start, sent) = server.join().expect("the server's script");
    let at = running_time(&pipeline);
    let begin = begin.get().copied().expect("input");
    assert!((time(&turn, "barge-in") - begin - speech_start as f64).abs() < 2.0, "{turn}, input from {begin} ms on");
    let silenced = time(&turn, "silenced");
    assert!((at(flushed) - SLACK..at(told_by) + SLACK).contains(&silenced), "{turn}, flushed at {}", at(flushed));
    let stats: gst::Structure = pipeline.element("ai").property("stats");
    assert!((time(&stats, "barge-in-p50") - (silenced - time(&turn, "barge-in"))).abs() < 0.01, "{stats}");
    let from_the_news = time(&stats, "silence-latency-p99");
    assert!(from_the_news > 0.0 && from_the_news <= at(told_by) - at(sent), "{stats}");
}

#[test]
fn the_round_trip_is_measured_while_sound_is_sent() {
    const PONG_DELAY: Duration = Duration::from_millis(30);
    let (port, next, server) = serve(|mut peer, is_next| {
        peer.pong_delay = PONG_DELAY;
        peer.hear(1_500);
        // Behind the answer to the first ping.
        peer.send(json!({"type": "rate_limits.updated", "rate_limits": [{"name": "requests", "remaining": 1}]}));
        is_next.recv().expect("it is told");
    });
    let (mut pipeline, _, _) = pipeline(port, "");
    let start = Instant::now();
    pipeline.play();
    pipeline.until_told("rate-limits", |_| true);
    let stats: gst::Structure = pipeline.element("ai").property("stats");
    let round_trip = time(&stats, "round-trip");
    assert!((ms(PONG_DELAY)..ms(start.elapsed())).contains(&round_trip), "{stats}");
    assert_eq!(["p50", "p90", "p99"].map(|percent| time(&stats, &format!("round-trip-{percent}"))), [round_trip; 3]);
    next.send(()).expect("the server goes on");
    server.join().expect("the server's script");
}

#[test]
fn a_pause_in_a_turn_is_in_none_of_its_times() {
    const PAUSE: gst::ClockTime = gst::ClockTime::from_mseconds(400);
    let (port, next, server) = serve(|mut peer, is_next| {
        peer.hear(300);
        let speech_end = peer.heard - 60;
        peer.started("u0", speech_end - 200);
        let stopped = |end: u64, item: &str| json!({"type": "input_audio_buffer.speech_stopped", "audio_end_ms": end, "item_id": item});
        let told = peer.send(stopped(speech_end, "u0"));
        is_next.recv().expect("the pause is over");
        let committed = peer.send(json!({"type": "input_audio_buffer.committed", "item_id": "u0"}));
        // Nothing answers the turn: it is told with the next one.
        peer.started("u1", speech_end + 20);
        peer.send(stopped(speech_end + 40, "u1"));
        is_next.recv().expect("the turn is told");
        [("speech-stopped", told), ("committed", committed)]
    });
    let (mut pipeline, _, _) = pipeline(port, "interrupt-response=false");
    pipeline.play();
    pipeline.until_told("speech", |speech| speech.get("active") == Ok(false));
    let before = running_time(&pipeline);
    pipeline.pipeline.set_state(gst::State::Paused).expect("it pauses");
    let clock = pipeline.pipeline.clock().expect("a clock");
    let (waited, _) = clock.new_single_shot_id(clock.time() + PAUSE).wait();
    waited.expect("a clock that waits");
    pipeline.play();
    next.send(()).expect("the server goes on");
    let turn = pipeline.until_told("turn", |_| true);
    let after = running_time(&pipeline);
    next.send(()).expect("the server goes on");
    let stages = server.join().expect("the server's script");
    let clocks: [&dyn Fn(Instant) -> f64; 2] = [&before, &after];
    for ((stage, (from, until)), at) in stages.into_iter().zip(clocks) {
        let (time, from, until) = (time(&turn, stage), at(from), at(until));
        assert!((from - SLACK..until + SLACK).contains(&time), "{stage}: {time}, sent {from}, read {until}: {turn}");
    }
}
