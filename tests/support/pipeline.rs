// SPDX-License-Identifier: MPL-2.0

//! Pipelines for tests: started from a description as in a shell, watched to their end, and taken down.
//!
//! Every wait is for a message or a buffer; the time limit is only there for a test that would hang.

#![allow(dead_code, reason = "shared by tests that need different parts")]

use gst::prelude::*;
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

/// A bound for anything that a pipeline may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes GStreamer and the plugin ready, without any key of the environment.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().expect("GStreamer");
        gstopenairealtime::plugin_register_static().expect("the plugin");
    });
}

/// A live source that says nothing.
pub const SILENCE: &str = "audiotestsrc is-live=true wave=silence ! audioconvert ! audioresample";

/// Releases a request pad, and fails where that does not come to its end.
pub fn assert_is_released(element: gst::Element, pad: gst::Pad) {
    let name = pad.name();
    let (released, is_released) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        element.release_request_pad(&pad);
        let _ = released.send(());
    });
    is_released.recv_timeout(Duration::from_secs(30)).unwrap_or_else(|_| panic!("{name} is not released"));
}

/// The path of a recording.
pub fn media(name: &str) -> String {
    format!("{}/tests/media/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// A recording as a source that the element can take.
pub fn recording(name: &str) -> String {
    format!("filesrc location={} ! wavparse ! audioconvert ! audioresample", media(name))
}

/// One buffer that came out.
#[derive(Clone, Debug)]
pub struct Out {
    pub pts: gst::ClockTime,
    pub duration: gst::ClockTime,
    pub flags: gst::BufferFlags,
    pub data: Vec<u8>,
}

/// What came out of a pad.
#[derive(Clone, Default)]
pub struct Tap(Arc<Mutex<Vec<Out>>>);

impl Tap {
    /// Watches a pad.
    pub fn on(pad: &gst::Pad) -> Self {
        Self::watch(pad, |time, what| time.expect(what))
    }

    /// Watches a pad of text, whose buffers need not have a place on the timeline.
    pub fn of_text(pad: &gst::Pad) -> Self {
        Self::watch(pad, |time, _| time.unwrap_or_default())
    }

    fn watch(
        pad: &gst::Pad,
        known: impl Fn(Option<gst::ClockTime>, &str) -> gst::ClockTime + Send + Sync + 'static,
    ) -> Self {
        let tap = Self::default();
        let outs = tap.0.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer() {
                outs.lock().expect("no panic").push(Out {
                    pts: known(buffer.pts(), "a timestamp"),
                    duration: known(buffer.duration(), "a duration"),
                    flags: buffer.flags(),
                    data: buffer.map_readable().expect("readable").to_vec(),
                });
            }
            gst::PadProbeReturn::Ok
        });
        tap
    }

    /// Waits until everything before this time has come out.
    #[track_caller]
    pub fn wait_for_time(&self, time: u64) {
        let limit = Instant::now() + PATIENCE;
        let is_out = || {
            let outs = self.0.lock().expect("no panic");
            outs.last().is_some_and(|out| (out.pts + out.duration).nseconds() >= time)
        };
        while !is_out() {
            assert!(Instant::now() < limit, "what lies before {time} ns never came out");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// Waits until so many buffers came out, and gives how many there are.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> usize {
        let limit = Instant::now() + PATIENCE;
        loop {
            let is = self.0.lock().expect("no panic").len();
            if is >= count {
                return is;
            }
            assert!(Instant::now() < limit, "only {is} buffers came, not {count}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// All so far.
    pub fn outs(&self) -> Vec<Out> {
        self.0.lock().expect("no panic").clone()
    }

    /// All sound so far.
    pub fn sound(&self) -> Vec<u8> {
        self.outs().into_iter().flat_map(|out| out.data).collect()
    }

    /// Asserts that the stream has no hole and no overlap: each buffer begins at the sample where the last one ended.
    #[track_caller]
    pub fn assert_unbroken(&self, rate: u64, sample_size: usize) {
        let outs = self.outs();
        assert!(!outs.is_empty(), "nothing came out");
        let mut samples = 0u64;
        for (index, out) in outs.iter().enumerate() {
            let time =
                |samples: u64| gst::ClockTime::from_nseconds((samples as u128 * 1_000_000_000 / rate as u128) as u64);
            assert_eq!(out.pts, time(samples), "buffer {index} begins where the one before it ended");
            samples += (out.data.len() / sample_size) as u64;
            assert_eq!(out.pts + out.duration, time(samples), "buffer {index} lasts as long as its samples");
            assert_eq!(out.flags.contains(gst::BufferFlags::DISCONT), index == 0, "buffer {index}");
        }
    }
}

/// The names of all custom events that go out of a pad.
pub fn events(pad: &gst::Pad) -> Arc<Mutex<Vec<String>>> {
    let names = Arc::new(Mutex::new(Vec::new()));
    let seen = names.clone();
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if let Some(structure) = info
            .event()
            .filter(|event| event.type_() == gst::EventType::CustomDownstream)
            .and_then(|event| event.structure())
        {
            seen.lock().expect("no panic").push(structure.name().to_string());
        }
        gst::PadProbeReturn::Ok
    });
    names
}

/// Stops a part of a running pipeline and removes it.
pub fn stop_and_remove(pipeline: &gst::Pipeline, part: &impl IsA<gst::Element>) {
    // Another sink that prerolls in this moment makes the pipeline go to PLAYING again, with every part that is in it.
    part.set_locked_state(true);
    part.set_state(gst::State::Null).expect("NULL is always reached");
    pipeline.remove(part).expect("it is in there");
}

/// A pipeline under test.
pub struct Pipeline {
    pub pipeline: gst::Pipeline,
    bus: gst::Bus,
    pub messages: Vec<gst::Message>,
}

impl Pipeline {
    /// A pipeline from a description.
    #[track_caller]
    pub fn new(description: &str) -> Self {
        init();
        let pipeline = gst::parse::launch(description).unwrap_or_else(|error| panic!("{error}: {description}"));
        let pipeline = pipeline.downcast::<gst::Pipeline>().expect("more than one element");
        let bus = pipeline.bus().expect("a bus");
        Self { pipeline, bus, messages: Vec::new() }
    }

    /// An element by its name.
    #[track_caller]
    pub fn element(&self, name: &str) -> gst::Element {
        self.pipeline.by_name(name).unwrap_or_else(|| panic!("no element {name}"))
    }

    /// Watches the source pad of an element.
    #[track_caller]
    pub fn tap(&self, name: &str) -> Tap {
        Tap::on(&self.element(name).static_pad("src").expect("a source pad"))
    }

    /// Goes to PLAYING; whether that succeeds is told by the messages.
    pub fn play(&mut self) -> &mut Self {
        let _ = self.pipeline.set_state(gst::State::Playing);
        self
    }

    /// Waits for a message that fits.
    #[track_caller]
    pub fn until(&mut self, what: &str, fits: impl Fn(&gst::Message) -> bool) -> gst::Message {
        let limit = Instant::now() + PATIENCE;
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            let message = self.bus.timed_pop(gst::ClockTime::from_nseconds(left.as_nanos() as u64));
            let Some(message) = message else { panic!("{what} never came; there were:\n{}", self.told().join("\n")) };
            self.messages.push(message.clone());
            if fits(&message) {
                return message;
            }
            if let gst::MessageView::Error(error) = message.view() {
                panic!("{what} expected, but: {} ({:?})", error.error(), error.debug());
            }
        }
    }

    /// Plays to the end of the stream.
    #[track_caller]
    pub fn run_to_end(&mut self) -> &mut Self {
        self.play();
        self.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
        self
    }

    /// Plays until there is an error, and gives it.
    #[track_caller]
    pub fn run_to_error(&mut self) -> gst::glib::Error {
        self.play();
        let message = self.until("an error", |message| message.type_() == gst::MessageType::Error);
        match message.view() {
            gst::MessageView::Error(error) => error.error(),
            _ => unreachable!(),
        }
    }

    /// Waits for the end of the stream or for an error, and gives that.
    #[track_caller]
    pub fn until_end(&mut self) -> Result<(), gst::glib::Error> {
        self.until_or_error("the end", |message| message.type_() == gst::MessageType::Eos).map(drop)
    }

    /// Waits for a message that fits, or for an error, and gives that. The end of the stream that came before is found.
    #[track_caller]
    pub fn until_or_error(
        &mut self,
        what: &str,
        fits: impl Fn(&gst::Message) -> bool,
    ) -> Result<gst::Message, gst::glib::Error> {
        let limit = Instant::now() + PATIENCE;
        if let Some(end) =
            self.messages.iter().find(|message| message.type_() == gst::MessageType::Eos && fits(message))
        {
            return Ok(end.clone());
        }
        loop {
            let left = limit.saturating_duration_since(Instant::now());
            let message = self.bus.timed_pop(gst::ClockTime::from_nseconds(left.as_nanos() as u64));
            let Some(message) = message else { panic!("{what} never came; there were:\n{}", self.told().join("\n")) };
            self.messages.push(message.clone());
            if fits(&message) {
                return Ok(message);
            }
            if let gst::MessageView::Error(error) = message.view() {
                return Err(error.error());
            }
        }
    }

    /// Waits for a message of the element with this name whose fields fit.
    #[track_caller]
    pub fn until_told(&mut self, name: &str, fits: impl Fn(&gst::StructureRef) -> bool) -> gst::Structure {
        let full = format!("openairealtime/{name}");
        let is = |message: &gst::Message| {
            message.structure().is_some_and(|structure| structure.name() == full.as_str() && fits(structure))
        };
        let message = self.until(&full, is);
        message.structure().expect("checked").to_owned()
    }

    /// The first message of the element with this name whose fields fit, which may be there already.
    #[track_caller]
    pub fn until_or_told(&mut self, name: &str, fits: impl Fn(&gst::StructureRef) -> bool) -> gst::Structure {
        self.all(name).into_iter().find(|message| fits(message)).unwrap_or_else(|| self.until_told(name, fits))
    }

    /// All messages of the element with this name.
    pub fn all(&self, name: &str) -> Vec<gst::Structure> {
        let name = format!("openairealtime/{name}");
        let structures = self.messages.iter().filter(|message| message.type_() == gst::MessageType::Element);
        structures.filter_map(|m| m.structure()).filter(|s| s.name() == name.as_str()).map(|s| s.to_owned()).collect()
    }

    /// The final words of one side, joined.
    pub fn words(&self, role: &str) -> String {
        let finals = self
            .all("transcript")
            .into_iter()
            .filter(|s| s.get::<&str>("role") == Ok(role) && s.get::<bool>("final") == Ok(true));
        finals.map(|s| s.get::<String>("text").expect("text")).collect::<Vec<_>>().join(" ")
    }

    /// All warnings.
    pub fn warnings(&self) -> Vec<String> {
        let warnings = self.messages.iter().filter_map(|message| match message.view() {
            gst::MessageView::Warning(warning) => Some(warning.error().to_string()),
            _ => None,
        });
        warnings.collect()
    }

    /// Everything that was told, for a test that fails.
    fn told(&self) -> Vec<String> {
        self.messages.iter().filter_map(|message| Some(message.structure()?.to_string())).collect()
    }

    /// Takes it down.
    pub fn stop(&mut self) {
        self.pipeline.set_state(gst::State::Null).expect("NULL is always reached");
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}
