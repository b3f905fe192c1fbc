// SPDX-License-Identifier: MPL-2.0

//! The request about the words of a recording, through `openaichat`.

use crate::failure::{Failure, FailureKind};
use crate::interrupt::Interrupt;
use crate::media::realtime::{Heard, usage};
use crate::media::wait::{ELEMENT, Running};
use crate::settings::{Settings, Task};
use anyhow::Context;
use gst::prelude::*;
use std::time::Instant;

/// What is asked where the settings do not say it.
const SUMMARISE: &str = "Summarise what is said in this recording in a few sentences, in its language.";
const EXTRACT: &str = "Fill in the schema from what is said in this recording, and from nothing else.";

/// Asks the model about a transcript; returns its words, and adds to `heard` what they cost.
pub fn ask(
    settings: &Settings,
    transcript: &str,
    deadline: Instant,
    interrupt: &Interrupt,
    heard: &mut Heard,
) -> Result<String, Failure> {
    let failed = |error: anyhow::Error| Failure::new(FailureKind::Internal, format!("{error:#}"));
    let running = Running(pipeline(settings, transcript).map_err(failed)?);
    let mut answer = None;
    running.play(deadline, interrupt, |structure, _| {
        let text = |name: &str| structure.get::<&str>(name).ok();
        match (structure.name().as_str(), text("state")) {
            ("openaichat/usage", _) => heard.usage.add(usage(structure)),
            ("openaichat/request", Some("retrying")) => heard.retries += 1,
            ("openaichat/response", Some("completed")) => answer = text("text").map(str::to_owned),
            ("openaichat/response", Some("incomplete" | "failed")) => {
                let reason = text("error-message").or_else(|| text("finish-reason")).unwrap_or("it is incomplete");
                let failure =
                    Failure::new(FailureKind::Server, format!("the answer about the transcript failed: {reason}"));
                return Err(match text("error-code") {
                    Some(code) => failure.with_code(code),
                    None => failure,
                });
            }
            _ => {}
        }
        Ok(())
    })?;
    answer.ok_or_else(|| Failure::new(FailureKind::Server, "the model gave no answer about the transcript"))
}

fn pipeline(settings: &Settings, transcript: &str) -> anyhow::Result<gst::Pipeline> {
    let element = gst::ElementFactory::make("openaichat").name(ELEMENT).build()?;
    let is_extract = settings.task == Task::Extract;
    let prompt = settings.prompt.as_deref().unwrap_or(if is_extract { EXTRACT } else { SUMMARISE });
    element.set_property("prompt", prompt);
    let schema = settings.schema.as_ref().map(ToString::to_string);
    let key_file = settings.api_key_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    let texts = [
        ("uri", settings.chat_uri.as_ref().or(settings.uri.as_ref())),
        ("model", settings.chat_model.as_ref()),
        ("api-key-file", key_file.as_ref()),
        ("instructions", settings.instructions.as_ref()),
        ("response-format", schema.as_ref()),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            element.set_property(name, value);
        }
    }
    let caps = gst::Caps::builder("text/x-raw").field("format", "utf8").build();
    let source = gst_app::AppSrc::builder().caps(&caps).format(gst::Format::Time).build();
    let sink = gst::ElementFactory::make("fakesink").property("sync", false).build()?;
    let pipeline = gst::Pipeline::new();
    pipeline.add_many([source.upcast_ref(), &element, &sink])?;
    source.link_pads(Some("src"), &element, Some("text_sink"))?;
    element.link_pads(Some("text_src"), &sink, Some("sink"))?;
    // The source takes what it can hold before it is started.
    source.set_max_bytes(0);
    source.push_buffer(gst::Buffer::from_slice(transcript.to_owned().into_bytes())).context("the transcript")?;
    source.end_of_stream().context("the transcript")?;
    Ok(pipeline)
}
