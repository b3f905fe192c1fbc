// SPDX-License-Identifier: MPL-2.0

//! The element `openaichat` in pipelines: against the local server, and over sockets that do what a test says.

mod answers;
mod faults;
mod functions;
mod keep_alive;
mod limits;
mod pads;
mod raw_server;
#[path = "../support/schema.rs"]
mod schema;
mod segments;
#[path = "../support/mod.rs"]
mod support;
mod traces;

use crate::support::pipeline::Pipeline;
use gst::prelude::*;

/// All messages of the element with this name.
fn all(pipeline: &Pipeline, name: &str) -> Vec<gst::Structure> {
    let name = format!("openaichat/{name}");
    let structures = pipeline.messages.iter().filter_map(|message| message.structure());
    structures.filter(|structure| structure.name() == name.as_str()).map(|structure| structure.to_owned()).collect()
}

/// A field of text of each of them.
fn texts(pipeline: &Pipeline, name: &str, field: &str) -> Vec<String> {
    all(pipeline, name).iter().map(|message| message.get::<String>(field).unwrap_or_default()).collect()
}

/// A pipeline in which `text` is one message: `chat` is the element, and its text and audio are looked at.
fn typed(text: &str, base: &str, properties: &str) -> Pipeline {
    let pipeline = Pipeline::new(&format!(
        "appsrc name=input format=time caps=text/x-raw,format=utf8 ! chat.text_sink \
         openaichat name=chat uri={base} reconnect-delay=1000000 {properties} \
         chat.text_src ! fakesink name=text sync=false async=false \
         chat.src ! fakesink name=audio sync=false async=false"
    ));
    let input = pipeline.element("input");
    for line in text.lines() {
        let buffer = gst::Buffer::from_slice(line.to_owned().into_bytes());
        let pushed: gst::FlowReturn = input.emit_by_name("push-buffer", &[&buffer]);
        assert_eq!(pushed, gst::FlowReturn::Ok);
    }
    let _: gst::FlowReturn = input.emit_by_name("end-of-stream", &[]);
    pipeline
}

/// The texts that come out of `text_src`.
fn text_tap(pipeline: &Pipeline) -> crate::support::pipeline::Tap {
    let pad = pipeline.element("text").static_pad("sink").expect("a sink pad");
    crate::support::pipeline::Tap::of_text(&pad)
}

/// The audio that comes out of `src`, without silence.
fn spoken(tap: &crate::support::pipeline::Tap) -> Vec<u8> {
    let outs = tap.outs().into_iter().filter(|out| !out.flags.contains(gst::BufferFlags::GAP));
    outs.flat_map(|out| out.data).collect()
}

/// Watches `src`.
fn audio_tap(pipeline: &Pipeline) -> crate::support::pipeline::Tap {
    pipeline.tap("chat")
}
