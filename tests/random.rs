// SPDX-License-Identifier: MPL-2.0

//! "Whatever an application does, in whatever order": random state changes, seeks, flushes, requests and releases of
//! pads, properties, actions and faults of the server. Nothing hangs, nothing is left, and no warning of GLib is given
//! (`G_DEBUG=fatal-warnings` in `tests/run.sh` and `tests/random.sh`).
//!
//! `RANDOM_STEPS` and `RANDOM_SEED` say how many steps are taken and which; `tests/random.sh` sets them.

mod support;

use gst::prelude::*;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use support::leftovers::{assert_nothing_left, left};
use support::pipeline::{init, recording};
use support::server::file;
use support::server_process::ServerProcess;

/// How long a step may take. Beyond that it hangs.
const STEP_LIMIT: Duration = Duration::from_secs(60);
/// How many kinds of steps there are.
const KINDS: usize = 16;
/// Steps that are shown of a walk that fails.
const SHOWN: usize = 100;

/// What servers do that do not do well.
const SCRIPTS: [&str; 8] = [
    "connection *\nhang\n",
    "connection *\nrefuse 401\n",
    "connection *\nrefuse 503\n",
    "connection *\nhello\nexpect session.update\nclose 1011\n",
    "connection *\nhello\nawait session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\nwait audio 60ms\nreset\n",
    "connection *\nhello\nawait session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\nrespond \"Hello there.\" <tone:440:800>\nwait audio 40ms\nhalf-frame response.output_audio.delta {\"delta\": \"<pcm:1000>\"}\ndrop\n",
    "connection *\nhello\nawait session.update\nsend session.updated {\"session\": {\"type\": \"realtime\"}}\ntext no json\nbinary 10\ninvalid-frame\n",
    "connection *\nhello\nstop-reading\n",
];
const PADS: [&str; 5] = ["text_src", "transcript_src", "event_src", "text_sink", "video_sink_%u"];
/// Properties with values, of which some are refused in some states.
const PROPERTIES: [(&str, &str); 22] = [
    ("voice", "verse"),
    ("voice", "alloy"),
    ("instructions", "Be brief."),
    ("turn-detection", "server-vad"),
    ("turn-detection", "semantic-vad"),
    ("turn-detection", "local"),
    ("turn-detection", "none"),
    ("output-modalities", "text"),
    ("output-modalities", "audio"),
    ("raw-events", "true"),
    ("raw-events", "false"),
    ("silence", "gaps"),
    ("silence", "buffers"),
    ("flush-on-interrupt", "false"),
    ("timing", "offline"),
    ("timing", "live"),
    ("timing", "auto"),
    ("frame-policy", "turn"),
    ("buffer-time", "200000000"),
    ("reconnect-delay", "1000000"),
    ("tools", "[{\"type\": \"function\", \"name\": \"f\"}]"),
    ("session", "{\"max_output_tokens\": 5}"),
];

/// The numbers of a walk: the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// What a walk has done.
#[derive(Default)]
struct Taken {
    last: VecDeque<String>,
    count: usize,
    ended: bool,
}

/// The last steps, shown when a walk fails or hangs.
#[derive(Clone, Default)]
struct Steps(Arc<(Mutex<Taken>, Condvar)>);

impl Steps {
    fn note(&self, step: String) {
        let mut steps = self.0.0.lock().expect("no panic");
        if steps.last.len() == SHOWN {
            steps.last.pop_front();
        }
        steps.last.push_back(step);
        steps.count += 1;
        self.0.1.notify_all();
    }

    fn end(&self) {
        self.0.0.lock().expect("no panic").ended = true;
        self.0.1.notify_all();
    }

    /// Ends the process when a step takes too long: nothing else ends threads that wait for each other.
    fn watch(&self, seed: u64) -> std::thread::JoinHandle<()> {
        let this = self.clone();
        std::thread::spawn(move || {
            let mut steps = this.0.0.lock().expect("no panic");
            while !steps.ended {
                let before = steps.count;
                let idle = |steps: &mut Taken| steps.count == before && !steps.ended;
                let (now, waited) = this.0.1.wait_timeout_while(steps, STEP_LIMIT, idle).expect("no panic");
                steps = now;
                if waited.timed_out() {
                    let last = steps.last.iter().cloned().collect::<Vec<_>>().join("\n");
                    #[allow(clippy::print_stderr, reason = "what hangs has to be seen")]
                    {
                        eprintln!("RANDOM_SEED={seed}: step {} hangs; the last ones:\n{last}", steps.count);
                    }
                    std::process::abort();
                }
            }
        })
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        if std::thread::panicking() {
            #[allow(clippy::print_stderr, reason = "what led to it has to be seen")]
            if let Ok(steps) = self.0.0.lock() {
                eprintln!("the last steps:\n{}", steps.last.iter().cloned().collect::<Vec<_>>().join("\n"));
            }
            self.end();
        }
    }
}

/// One pipeline that things are done to.
struct Episode {
    pipeline: gst::Pipeline,
    ai: gst::Element,
    requested: Vec<gst::Pad>,
    beside: Vec<gst::Element>,
}

impl Episode {
    fn new(random: &mut Random, uri: &str) -> Self {
        let file = format!("{} !", recording("goforward.wav"));
        let source = random.one(&[
            "audiotestsrc is-live=true wave=ticks ! audioconvert ! audioresample !",
            "audiotestsrc is-live=true ! audio/x-raw,rate=8000,channels=1 ! mulawenc !",
            "audiotestsrc num-buffers=100 ! audioconvert ! audioresample !",
            &file,
            "",
        ]);
        let sink = random.one(&[
            "fakesink sync=true",
            "fakesink async=false",
            "queue ! fakesink sync=true",
            "mulawdec ! fakesink",
        ]);
        let description = format!(
            "{source} openairealtime name=ai uri={uri} reconnect-delay=1000000 drain-timeout=1000000000 ! {sink}"
        );
        let pipeline =
            gst::parse::launch(&description).expect(&description).downcast::<gst::Pipeline>().expect("a pipeline");
        let ai = pipeline.by_name("ai").expect("the element");
        Self { pipeline, ai, requested: Vec::new(), beside: Vec::new() }
    }

    fn step(&mut self, kind: usize, random: &mut Random) -> String {
        match kind {
            0..3 => self.change_state(random),
            3 => {
                let flags = gst::SeekFlags::FLUSH;
                let at = gst::ClockTime::from_mseconds(random.below(1_000) as u64);
                format!("seek to {at}: {:?}", self.pipeline.seek_simple(flags, at).is_ok())
            }
            4 => {
                let pad = self.ai.static_pad(random.one(&["audio_sink", "audio_sink", "src"])).expect("a pad");
                let event = random.below(3);
                let sent = match (event, pad.name().as_str(), pad.is_linked()) {
                    (0, "audio_sink", true) => pad.push_event(gst::event::Seek::new(
                        1.0,
                        gst::SeekFlags::FLUSH,
                        gst::SeekType::Set,
                        gst::ClockTime::from_mseconds(random.below(500) as u64),
                        gst::SeekType::End,
                        gst::ClockTime::ZERO,
                    )),
                    // With a source that is linked, the source would have to send its segment anew.
                    (0, "audio_sink", false) => pad.send_event(gst::event::FlushStart::new()),
                    (1, "audio_sink", false) => pad.send_event(gst::event::FlushStop::builder(true).build()),
                    (_, "audio_sink", _) => {
                        pad.send_event(gst::event::CustomDownstreamOob::new(gst::Structure::new_empty("x")))
                    }
                    _ => pad.send_event(gst::event::Reconfigure::new()),
                };
                format!("event {event} on {}: {sent}", pad.name())
            }
            5 | 6 => self.request(random),
            7 => match self.requested.len() {
                0 => "nothing to release".into(),
                count => self.release(random.below(count)),
            },
            8 | 9 => {
                let (name, value) = random.one(&PROPERTIES);
                self.ai.set_property_from_str(name, value);
                format!("{name}={value}")
            }
            10 | 11 => self.act(random),
            12 => {
                // While paused, a source waits for its own thread, and that for the sink.
                let plays = self.pipeline.current_state() == gst::State::Playing;
                let sent = random.below(4) == 0 && plays && self.pipeline.send_event(gst::event::Eos::new());
                format!("EOS: {sent}")
            }
            13 => {
                self.ai.property::<gst::Structure>("stats");
                let _: Option<String> = self.ai.property("session-id");
                let mut latency = gst::query::Latency::new();
                format!("latency: {}", self.pipeline.query(&mut latency))
            }
            _ => {
                // Time for something to happen.
                let wait = gst::ClockTime::from_mseconds(random.one(&[0, 1, 5, 20]));
                let limit = Instant::now() + Duration::from(wait);
                let mut count = 0;
                let bus = self.pipeline.bus().expect("a bus");
                while bus
                    .timed_pop(gst::ClockTime::from_nseconds(
                        limit.saturating_duration_since(Instant::now()).as_nanos() as u64,
                    ))
                    .is_some()
                {
                    count += 1;
                }
                format!("{count} messages")
            }
        }
    }

    fn change_state(&self, random: &mut Random) -> String {
        const STATES: [gst::State; 6] = [
            gst::State::Playing,
            gst::State::Playing,
            gst::State::Playing,
            gst::State::Paused,
            gst::State::Ready,
            gst::State::Null,
        ];
        let state = random.one(&STATES);
        // An element alone, before its sinks. It is not taken down alone: a sink that prerolls would hold up its threads, as
        // it does those of every source.
        let is_first = self.pipeline.current_state() <= gst::State::Ready && state >= gst::State::Paused;
        let result = match random.below(4) {
            0 if is_first => self.ai.set_state(state),
            _ => self.pipeline.set_state(state),
        };
        // With servers and sources as these it may fail, and a bin tells of it later as well; but down it goes.
        if state == gst::State::Null {
            assert_eq!(self.ai.current_state(), gst::State::Null, "{result:?}");
        }
        format!("{state:?}: {result:?}")
    }

    fn request(&mut self, random: &mut Random) -> String {
        let name = random.one(&PADS);
        let template = self.ai.pad_template(name).expect("a template");
        let Some(pad) = self.ai.request_pad(&template, None, None) else { return format!("{name} is there") };
        if random.below(3) > 0 {
            let description = match name {
                "text_sink" => "fakesrc num-buffers=3 sizetype=empty ! capsfilter caps=text/x-raw,format=utf8",
                "video_sink_%u" => "videotestsrc num-buffers=20 ! video/x-raw,width=32,height=32 ! jpegenc",
                _ => "fakesink async=false",
            };
            let beside = gst::parse::bin_from_description(description, true);
            let beside = beside.expect(description).upcast::<gst::Element>();
            self.pipeline.add(&beside).expect("added");
            let linked = match pad.direction() {
                gst::PadDirection::Src => pad.link(&beside.static_pad("sink").expect("a pad")),
                _ => beside.static_pad("src").expect("a pad").link(&pad),
            };
            linked.expect("linked");
            // Without a server there may be no state to follow.
            let _ = beside.sync_state_with_parent();
            self.beside.push(beside);
        }
        let done = format!("request {}", pad.name());
        self.requested.push(pad);
        done
    }

    fn release(&mut self, index: usize) -> String {
        let pad = self.requested.swap_remove(index);
        let name = pad.name();
        self.ai.release_request_pad(&pad);
        format!("release {name}")
    }

    fn act(&self, random: &mut Random) -> String {
        let ai = &self.ai;
        let act = random.below(8);
        let taken: bool = match act {
            0 => ai.emit_by_name("send-text", &[&"Hello.", &true]),
            1 => ai.emit_by_name("commit", &[]),
            2 => ai.emit_by_name("clear", &[]),
            3 => ai.emit_by_name("create-response", &[&None::<&str>]),
            4 => ai.emit_by_name("cancel-response", &[]),
            5 => ai.emit_by_name("send-function-output", &[&"call_1", &"{}"]),
            6 => ai.emit_by_name("send-event", &[&"{\"type\": \"response.cancel\"}"]),
            _ => {
                let structure = gst::Structure::builder("openairealtime/send-text").field("text", "there").build();
                ai.send_event(gst::event::CustomUpstream::new(structure))
            }
        };
        format!("action {act}: {taken}")
    }

    fn end(mut self) {
        // A bin may tell of an earlier failure; but down it goes.
        let result = self.pipeline.set_state(gst::State::Null);
        assert_eq!(self.ai.current_state(), gst::State::Null, "{result:?}");
        for element in &self.beside {
            element.set_state(gst::State::Null).expect("NULL");
        }
        while !self.requested.is_empty() {
            self.release(0);
        }
        let weak = self.pipeline.downgrade();
        let bus = self.pipeline.bus().expect("a bus");
        bus.set_flushing(true);
        drop((self, bus));
        // A thread that is on its way out may hold it for a moment.
        let limit = Instant::now() + Duration::from_secs(10);
        while weak.upgrade().is_some() {
            assert!(Instant::now() < limit, "somebody still holds the pipeline");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")))
}

#[test]
fn a_random_walk_leaves_nothing() {
    init();
    let (steps, seed) = (number("RANDOM_STEPS", 200), number("RANDOM_SEED", 1));
    let scripts = SCRIPTS.map(file);
    let mut servers = vec![ServerProcess::start(&["--engine", "echo"])];
    servers.extend(
        scripts
            .iter()
            .map(|path| ServerProcess::start(&["--engine", "script", path.to_str().expect("a readable path")])),
    );
    let (_, sockets) = left();
    let (log, mut random) = (Steps::default(), Random(seed));
    let watch = log.watch(seed);
    let mut taken = 0;
    while taken < steps {
        // Half of them have a server that does well.
        let server = if random.below(2) == 0 { 0 } else { random.below(servers.len()) };
        let mut episode = Episode::new(&mut random, servers[server].base());
        log.note(format!("-- server {server}"));
        for _ in 0..(10 + random.below(40)).min((steps - taken) as usize) {
            // A step that hangs is seen by its kind.
            let kind = random.below(KINDS);
            log.note(format!("{taken}, of kind {kind}:"));
            let step = episode.step(kind, &mut random);
            log.note(step);
            taken += 1;
        }
        episode.end();
        log.note("-- end".into());
    }
    assert_nothing_left(sockets);
    log.end();
    watch.join().expect("no panic");
    scripts.iter().for_each(|path| std::fs::remove_file(path).expect("it was there"));
}

/// Not a test: the servers of the test above, in processes of their own.
#[test]
#[ignore = "started by the other test"]
fn server_process() {
    support::server_process::serve();
}
