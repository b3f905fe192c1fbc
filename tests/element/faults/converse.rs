// SPDX-License-Identifier: MPL-2.0

//! A conversation in which one question is asked, and what becomes of it.

use crate::faults::stages::{Stage, User};
use crate::support::pipeline::{Pipeline, media};
use crate::support::server::Server;
use gst::prelude::*;

/// What became of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The question was answered, once and whole.
    Answered,
    /// The half that was there was played, and told as incomplete.
    Cut,
    /// An ERROR says what is wrong: this kind of it.
    Error(gst::ResourceError),
}

impl End {
    /// How it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Cut => "cut",
            Self::Error(_) => "error",
        }
    }
}

const TOOLS: &str = r#"[{\"type\":\"function\",\"name\":\"weather\",\"parameters\":{\"type\":\"object\"}}]"#;

/// The pipeline of a stage.
fn pipeline(stage: &Stage, live: bool, properties: &str, base: &str) -> Pipeline {
    let input = match stage.user {
        User::Types => format!("appsrc name=in format=time is-live={live} caps=text/x-raw,format=utf8 ! ai.text_sink"),
        User::Speaks if live => {
            "audiotestsrc name=in is-live=true volume=0.1 ! audioconvert ! audioresample ! ai.".into()
        }
        User::Speaks => {
            let location = media("goforward.wav");
            format!("filesrc name=in location={location} ! wavparse ! audioconvert ! audioresample ! ai.")
        }
    };
    Pipeline::new(&format!(
        "{input} openairealtime name=ai timing={} transcription-model=\"\" reconnect-delay=1000000 tools=\"{TOOLS}\" \
         {properties} uri={base} ! fakesink sync=false",
        if live { "live" } else { "offline" },
    ))
}

/// Plays a script that is struck by a fault at this stage. What is wrong beside the end, such as an answer that is told
/// twice, is an error.
pub fn converse(stage: &Stage, script: &str, live: bool, properties: &str) -> Result<End, String> {
    let mut server = Server::script(script);
    let mut pipeline = pipeline(stage, live, properties, server.base());
    pipeline.play();
    if stage.user == User::Types {
        type_question(&pipeline.element("in"));
    }
    let is_file = stage.user == User::Speaks && !live;
    if stage.ends_early {
        end_stream(&pipeline, stage);
    }
    let end = wait_for_answer(&mut pipeline).and_then(|()| {
        if !stage.ends_early && !is_file {
            end_stream(&pipeline, stage);
        }
        pipeline.until_end()
    });
    pipeline.stop();
    let (verdict, failures) = server.terminate();
    let (words, responses) = (pipeline.words("assistant"), pipeline.all("response"));
    let count = |state: &str| responses.iter().filter(|response| response.get::<&str>("state") == Ok(state)).count();
    let end = match end {
        Err(error) if error.message().is_empty() => return Err("an ERROR without a word".into()),
        Err(error) => End::Error(error.kind().ok_or("an ERROR of another domain")?),
        Ok(()) if words == "Fine." => End::Answered,
        Ok(()) if words.is_empty() && count("incomplete") == 1 => End::Cut,
        Ok(()) => return Err(format!("said {words:?}: {responses:?}, {:?}", pipeline.warnings())),
    };
    if !verdict.success() {
        return Err(format!("{end:?}, but {failures}"));
    }
    let began = pipeline.all("speech").iter().filter(|speech| speech.get::<bool>("active") == Ok(true)).count();
    if stage.user == User::Speaks && end == End::Answered && began != 1 {
        return Err(format!("the user's turn is told {began} times"));
    }
    Ok(end)
}

fn type_question(source: &gst::Element) {
    let mut question = gst::Buffer::from_slice(*b"How are you?");
    question.get_mut().expect("mine").set_pts(gst::ClockTime::ZERO);
    assert_eq!(source.emit_by_name::<gst::FlowReturn>("push-buffer", &[&question]), gst::FlowReturn::Ok);
}

fn end_stream(pipeline: &Pipeline, stage: &Stage) {
    let source = pipeline.element("in");
    match stage.user {
        User::Types => drop(source.emit_by_name::<gst::FlowReturn>("end-of-stream", &[])),
        User::Speaks => assert!(source.send_event(gst::event::Eos::new())),
    }
}

/// Waits until the answer is told, whole or cut. A function that is called gives its output when the fault is told.
fn wait_for_answer(pipeline: &mut Pipeline) -> Result<(), gst::glib::Error> {
    let is_fine = |structure: &gst::StructureRef| {
        structure.get::<&str>("text") == Ok("Fine.") && structure.get::<bool>("final") == Ok(true)
    };
    // The call is told by a thread of its own, so it may be told behind the fault.
    let (mut is_called, mut is_struck) = (false, false);
    loop {
        let message = pipeline.until_or_error("an answer", |message| {
            matches!(message.type_(), gst::MessageType::Element | gst::MessageType::Warning | gst::MessageType::Eos)
        })?;
        match message.type_() {
            gst::MessageType::Eos => return Ok(()),
            gst::MessageType::Warning => is_struck = true,
            _ => {}
        }
        let told = message.structure().filter(|_| message.type_() == gst::MessageType::Element);
        let state = told.and_then(|told| told.get::<&str>("state").ok()).unwrap_or_default();
        match told.map(|told| (told.name().as_str(), told)) {
            Some(("openairealtime/transcript", told)) if is_fine(told) => return Ok(()),
            Some(("openairealtime/response", _)) if state == "incomplete" => return Ok(()),
            Some(("openairealtime/session", _)) if state == "reconnecting" => is_struck = true,
            Some(("openairealtime/function-call", _)) => is_called = true,
            _ => {}
        }
        if is_called && is_struck {
            is_called = false;
            let output = pipeline.element("ai").emit_by_name::<bool>("send-function-output", &[&"call_1", &"rain"]);
            assert!(output, "it is taken");
        }
    }
}
