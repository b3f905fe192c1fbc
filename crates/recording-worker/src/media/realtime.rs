// SPDX-License-Identifier: MPL-2.0

//! The session that listens to a recording: file, decoder, `openairealtime`.

use crate::failure::{Failure, FailureKind};
use crate::interrupt::Interrupt;
use crate::media::turns::Turns;
use crate::media::wait::{ELEMENT, Running};
use crate::row::{Role, Usage};
use crate::settings::{Settings, Task};
use anyhow::{Context, ensure};
use gst::prelude::*;
use std::path::Path;
use std::time::Instant;

/// What came of listening.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The words.
    pub turns: Turns,
    /// Tokens and money.
    pub usage: Usage,
    /// The model that the server named.
    pub model: Option<String>,
    /// The server's names for the sessions.
    pub session_ids: Vec<String>,
    /// How often a connection had to be made again.
    pub retries: u64,
}

/// What is listened to, and how long.
#[derive(Debug)]
pub struct Listener<'a> {
    /// What is done.
    pub settings: &'a Settings,
    /// A file of this machine.
    pub recording: &'a Path,
    /// Where the spoken output goes, if it is wanted.
    pub audio: Option<&'a Path>,
    /// When it has to be over.
    pub deadline: Instant,
    /// Ends it early.
    pub interrupt: &'a Interrupt,
}

/// Fails where the element has no such kind of session.
pub fn require_session_type(task: Task) -> anyhow::Result<()> {
    let element = gst::ElementFactory::make("openairealtime").build()?;
    let property = element.find_property("session-type").context("openairealtime has no session-type")?;
    let class = gst::glib::EnumClass::with_type(property.value_type()).context("session-type is no enum")?;
    let wanted = task.session_type();
    ensure!(
        class.value_by_nick(wanted).is_some(),
        "task \"{}\" needs session-type={wanted}, which the openairealtime of this build does not have",
        task.name()
    );
    Ok(())
}

impl Listener<'_> {
    /// Listens to the recording from where `heard` has it done. `on_change` is told of every change.
    pub fn listen(&self, heard: &mut Heard, mut on_change: impl FnMut(&Heard, bool)) -> Result<(), Failure> {
        let failed = |error: anyhow::Error| Failure::new(FailureKind::Internal, format!("{error:#}"));
        let running = Running(self.pipeline(heard.turns.done_s()).map_err(failed)?);
        running.play(self.deadline, self.interrupt, |structure, text| {
            let is_done = heard.take(structure, text)?;
            on_change(heard, is_done);
            Ok(())
        })?;
        heard.turns.failure().map_or(Ok(()), |failure| Err(failure.clone()))
    }

    fn pipeline(&self, from: f64) -> anyhow::Result<gst::Pipeline> {
        let make = |name| gst::ElementFactory::make(name);
        let pipeline = gst::Pipeline::new();
        let source = make("filesrc")
            .property("location", self.recording.to_str().context("a path that is no UTF-8")?)
            .build()?;
        // Pictures are not even decoded.
        let audio_caps = gst::Caps::new_empty_simple("audio/x-raw");
        let decoder = make("decodebin").property("caps", &audio_caps).property("expose-all-streams", false).build()?;
        let (convert, resample) = (make("audioconvert").build()?, make("audioresample").build()?);
        let element = self.element()?;
        pipeline.add_many([&source, &decoder, &convert, &resample, &element])?;
        source.link(&decoder)?;
        gst::Element::link_many([&convert, &resample, &element])?;
        match self.audio {
            Some(path) => {
                let location = path.to_str().context("a path that is no UTF-8")?;
                let (wav, file) = (make("wavenc").build()?, make("filesink").property("location", location).build()?);
                pipeline.add_many([&wav, &file])?;
                gst::Element::link_many([&element, &wav, &file])?;
            }
            None => {
                let sink = make("fakesink").property("sync", false).build()?;
                pipeline.add(&sink)?;
                element.link(&sink)?;
            }
        }
        let input = convert.static_pad("sink").context("audioconvert has a sink pad")?;
        if from > 0.0 {
            drop_before(&input, gst::ClockTime::from_seconds_f64(from));
        }
        decoder.connect_pad_added(move |_, pad| {
            // A recording may have several tracks; the first one is heard.
            if !input.is_linked() {
                // The next element of the pipeline posts why it does not fit.
                let _ = pad.link(&input);
            }
        });
        Ok(pipeline)
    }

    fn element(&self) -> anyhow::Result<gst::Element> {
        let settings = self.settings;
        let element = gst::ElementFactory::make("openairealtime").name(ELEMENT).build()?;
        element.set_property_from_str("timing", "offline");
        if !settings.task.translates() {
            element.set_property_from_str("turn-detection", "local");
        }
        element.set_property_from_str("session-type", settings.task.session_type());
        element.set_property("partial-transcripts", false);
        element.set_property("max-speed", settings.max_speed);
        element.set_property("max-cost", settings.max_cost.unwrap_or(0.0));
        if settings.task == Task::Answer && !settings.audio {
            element.set_property_from_str("output-modalities", "text");
        }
        let session = settings.session.as_ref().map(|session| serde_json::to_string(session).unwrap_or_default());
        let key_file = settings.api_key_file.as_ref().map(|path| path.to_string_lossy().into_owned());
        let texts = [
            ("uri", &settings.uri),
            ("model", &settings.model),
            ("api-key-file", &key_file),
            ("transcription-model", &settings.transcription_model),
            ("transcription-language", &settings.language),
            ("transcription-prompt", &settings.transcription_prompt),
            ("translation-language", &settings.target_language),
            ("voice", &settings.voice),
            ("session", &session),
        ];
        for (name, value) in texts {
            if let Some(value) = value {
                element.set_property(name, value);
            }
        }
        if let Some(instructions) = settings.instructions.as_ref().filter(|_| !settings.reads_transcript()) {
            element.set_property("instructions", instructions);
        }
        Ok(element)
    }
}

/// Lets nothing through that ends before this running time. Unlike a seek this works with every format, and costs no more
/// than decoding.
fn drop_before(pad: &gst::Pad, from: gst::ClockTime) {
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer() else { return gst::PadProbeReturn::Ok };
        let end = buffer.pts().map(|pts| pts + buffer.duration().unwrap_or_default());
        let segment = pad.sticky_event::<gst::event::Segment>(0);
        let segment = segment.as_ref().and_then(|event| event.segment().downcast_ref::<gst::ClockTime>().cloned());
        match segment.zip(end).and_then(|(segment, end)| segment.to_running_time(end)) {
            // The buffer is let go here. With `Drop` GStreamer 1.22 would do that again, to nothing.
            Some(end) if end <= from => gst::PadProbeReturn::Handled,
            _ => gst::PadProbeReturn::Remove,
        }
    });
}

impl Heard {
    /// Takes in what a message tells. `Ok(true)` if a turn is done by it.
    fn take(&mut self, structure: &gst::StructureRef, warning: &str) -> Result<bool, Failure> {
        let text = |name: &str| structure.get::<&str>(name).ok();
        match structure.name().as_str() {
            "openairealtime/transcript" if structure.get::<bool>("final") == Ok(true) => {
                let seconds = |name: &str| structure.get::<u64>(name).ok().map(|ns| ns as f64 / 1e9);
                let role = if text("role") == Some("assistant") { Role::Assistant } else { Role::User };
                let words = text("text").unwrap_or_default();
                return Ok(self.turns.said(role, words, seconds("running-time"), seconds("duration")));
            }
            "openairealtime/session" => self.session(structure),
            "openairealtime/usage" => self.usage.add(usage(structure)),
            "openairealtime/response" if text("state") == Some("failed") => {
                self.turns.failed("an answer", text("error-code"), text("error-message"));
            }
            "openairealtime/warning" => match text("code") {
                Some("max-cost") => {
                    return Err(Failure::new(FailureKind::Budget, warning).with_code("max-cost"));
                }
                Some(code @ ("transcription-failed" | "turn-lost" | "rate_limit_exceeded")) => {
                    self.turns.failed("a turn", Some(code), Some(warning));
                }
                _ => {}
            },
            _ => {}
        }
        Ok(false)
    }

    fn session(&mut self, structure: &gst::StructureRef) {
        match structure.get::<&str>("state") {
            Ok("ready") => {
                let text = |name: &str| structure.get::<String>(name).ok();
                self.session_ids.extend(text("session-id"));
                self.model = text("model").or_else(|| self.model.take());
            }
            Ok("connecting") if structure.get::<u32>("attempt").is_ok_and(|attempt| attempt > 1) => self.retries += 1,
            _ => {}
        }
    }
}

/// Tokens and money that a message `usage` of either element tells. Cached tokens are part of the input's.
pub fn usage(structure: &gst::StructureRef) -> Usage {
    let sum = |names: &[&str]| names.iter().filter_map(|name| structure.get::<u64>(*name).ok()).sum();
    Usage {
        input_tokens: sum(&["input-text", "input-audio", "input-image"]),
        output_tokens: sum(&["output-text", "output-audio"]),
        cost_usd: structure.get("cost").ok(),
    }
}
