// SPDX-License-Identifier: MPL-2.0

//! Several at once: talkers on one server, elements in one pipeline, elements that come to a running pipeline and leave
//! it. All of it also under GStreamer's latency tracer, and with warnings that are fatal.

use crate::support::pipeline::{Pipeline, SILENCE, Tap, recording, stop_and_remove};
use crate::support::server::Server;
use gst::prelude::*;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

fn completed(response: &gst::StructureRef) -> bool {
    response.get::<&str>("state") == Ok("completed")
}

#[test]
fn four_talkers_on_one_server_are_all_answered() {
    let server = Server::start(&["--engine", "echo"]);
    let description = format!(
        "{} ! openairealtime name=ai timing=live uri={} ! fakesink sync=true",
        recording("goforward.wav"),
        server.base()
    );
    let mut talkers: Vec<Pipeline> = (0..4).map(|_| Pipeline::new(&description)).collect();
    let taps: Vec<Tap> = talkers.iter().map(|talker| talker.tap("ai")).collect();
    for talker in &mut talkers {
        talker.play();
    }
    for (talker, tap) in talkers.iter_mut().zip(&taps) {
        talker.until("the end of the stream", |message| message.type_() == gst::MessageType::Eos);
        let answers = talker.all("response").iter().filter(|response| completed(response)).count();
        assert!(answers > 0, "{:?}", talker.warnings());
        assert_eq!(talker.warnings(), Vec::<String>::new());
        assert!(tap.outs().iter().any(|out| !out.flags.contains(gst::BufferFlags::GAP)), "an answer is heard");
    }
}

#[test]
fn two_elements_in_one_pipeline_have_a_conversation_each() {
    let servers = [Server::start(&["--engine", "echo"]), Server::start(&["--engine", "echo"])];
    let mut pipeline = Pipeline::new(&format!(
        "{} ! tee name=t \
         t. ! queue ! openairealtime name=a timing=live uri={} ! fakesink sync=true \
         t. ! queue ! openairealtime name=b timing=live uri={} ! fakesink sync=true",
        recording("goforward.wav"),
        servers[0].base(),
        servers[1].base()
    ));
    pipeline.run_to_end();
    for name in ["a", "b"] {
        let own = pipeline.messages.iter().filter(|message| message.src().is_some_and(|src| src.name() == name));
        let answers = own.filter_map(|message| message.structure());
        let answers = answers.filter(|s| s.name() == "openairealtime/response" && completed(s)).count();
        assert!(answers > 0, "{name} was not answered; warnings: {:?}", pipeline.warnings());
    }
}

/// Links a new element, in a bin with its sink, to a branch of the tee.
fn join(pipeline: &Pipeline, server: &Server, number: usize) -> (gst::Bin, gst::Pad, Tap) {
    let description = format!("queue ! openairealtime name=ai{number} uri={} ! fakesink sync=true", server.base());
    let bin = gst::parse::bin_from_description(&description, true).expect("a bin");
    let tap = Tap::on(&bin.by_name(&format!("ai{number}")).and_then(|ai| ai.static_pad("src")).expect("a pad"));
    pipeline.pipeline.add(&bin).expect("added");
    // Before it is linked: a pad that is not active refuses the first buffer, and the source stops for good.
    bin.sync_state_with_parent().expect("a state");
    let branch = pipeline.element("t").request_pad_simple("src_%u").expect("a branch");
    branch.link(&bin.static_pad("sink").expect("a pad")).expect("linked");
    (bin, branch, tap)
}

/// Takes it away again, while the tee goes on.
fn leave(pipeline: &Pipeline, bin: &gst::Bin, branch: &gst::Pad) {
    let (sender, unlinked) = mpsc::channel();
    let sink = bin.static_pad("sink").expect("a pad");
    branch.add_probe(gst::PadProbeType::IDLE, move |branch, _| {
        // It may be idle more than once, and is unlinked then.
        let _ = sender.send(branch.unlink(&sink));
        gst::PadProbeReturn::Remove
    });
    unlinked.recv_timeout(PATIENCE).expect("the branch is idle at some time").expect("unlinked");
    pipeline.element("t").release_request_pad(branch);
    stop_and_remove(&pipeline.pipeline, bin);
}

#[test]
fn elements_come_to_a_running_pipeline_and_leave_it() {
    let server = Server::start(&["--engine", "echo"]);
    // In one format from the beginning: audiotestsrc's timestamps jump where it changes its rate.
    let mut pipeline = Pipeline::new(&format!(
        "{SILENCE} ! audio/x-raw,format=S16LE,rate=24000,channels=1 ! tee name=t allow-not-linked=true \
         t. ! queue name=q ! fakesink sync=true"
    ));
    let stays = pipeline.tap("q");
    pipeline.play();
    stays.wait_for(5);
    for round in 0..3 {
        let joined = [0, 1].map(|number| join(&pipeline, &server, round * 2 + number));
        let mut ready = BTreeSet::new();
        while ready.len() < joined.len() {
            let message = pipeline.until("a session", |message| {
                let structure = message.structure().filter(|s| s.name() == "openairealtime/session");
                structure.is_some_and(|s| s.get::<&str>("state") == Ok("ready"))
            });
            ready.insert(message.src().map(|src| src.name().to_string()));
        }
        for (_, _, tap) in &joined {
            tap.wait_for(10);
        }
        for (_, _, tap) in &joined {
            let outs = tap.outs();
            let follows = |two: &[crate::support::pipeline::Out]| two[1].pts == two[0].pts + two[0].duration;
            assert!(
                outs.windows(2).all(follows),
                "the stream begins at the pipeline's time, without a jump: {:?}",
                outs[0]
            );
        }
        let [first, second] = &joined;
        leave(&pipeline, &first.0, &first.1);
        // The other one is not disturbed.
        let count = second.2.outs().len();
        second.2.wait_for(count + 10);
        leave(&pipeline, &second.0, &second.1);
        let count = stays.outs().len();
        stays.wait_for(count + 10);
    }
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    pipeline.stop();
}

/// Runs the tests of this module, but for this kind, once more in a process with such a variable.
#[track_caller]
fn run_again_with(name: &str, value: &str) {
    let output = Command::new(std::env::current_exe().expect("this program"))
        .args(["several::", "--skip", "several::again", "--test-threads", "1"])
        .env(name, value)
        .output()
        .expect("the program can be started");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success() && out.contains("3 passed"), "{name}={value}: {}\n{out}\n{err}", output.status);
}

#[test]
fn again_under_the_latency_tracer() {
    run_again_with("GST_TRACERS", "latency(flags=pipeline+element+reported)");
}

#[test]
fn again_with_fatal_warnings() {
    run_again_with("G_DEBUG", "fatal-warnings");
}
