// SPDX-License-Identifier: MPL-2.0

//! Has a recording answered: the Rust program of `docs/embedding.md`.

#![allow(clippy::print_stdout, reason = "it is a program")]

use gst::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    gst::init()?;
    gstopenairealtime::plugin_register_static()?;
    let [question, reply] = &std::env::args().skip(1).collect::<Vec<_>>()[..] else {
        return Err("usage: talk QUESTION REPLY.wav".into());
    };
    let description = "filesrc name=question ! decodebin ! audioconvert ! audioresample \
        ! openairealtime name=ai ! wavenc ! filesink name=reply";
    let pipeline = gst::parse::launch(description)?.downcast::<gst::Pipeline>().expect("several elements");
    let element = |name| pipeline.by_name(name).expect("named above");
    element("question").set_property("location", question);
    element("reply").set_property("location", reply);
    element("ai").set_property("instructions", "Answer in one or two short sentences.");

    // If this fails, the bus tells why.
    let _ = pipeline.set_state(gst::State::Playing);
    let mut result = Ok(());
    for message in pipeline.bus().expect("a pipeline's bus").iter_timed(gst::ClockTime::NONE) {
        match message.view() {
            gst::MessageView::Element(message) => {
                let Some(told) = message.structure() else { continue };
                if told.name() == "openairealtime/transcript" && told.get("final") == Ok(true) {
                    println!("{}: {}", told.get::<&str>("role")?, told.get::<&str>("text")?);
                }
            }
            gst::MessageView::Error(error) => {
                result = Err(error.error().into());
                break;
            }
            gst::MessageView::Eos(_) => break,
            _ => {}
        }
    }
    pipeline.set_state(gst::State::Null)?;
    result
}
