// SPDX-License-Identifier: MPL-2.0

//! "Where does my key go?": to the server, and nowhere else.

mod support;

use gst::prelude::*;
use std::sync::{Arc, Mutex};
use support::pipeline::{Pipeline, init};
use support::server::Server;

const KEY: &str = "sk-this-must-never-be-seen-0123456789";

#[test]
fn no_message_log_graph_or_property_shows_the_key() {
    init();
    // Everything that any part of GStreamer logs, at the highest level.
    let seen = Arc::new(Mutex::new(String::new()));
    let log = seen.clone();
    gst::log::remove_default_log_function();
    gst::log::set_default_threshold(gst::DebugLevel::Memdump);
    gst::log::add_log_function(move |category, _, _, _, _, object, message| {
        // What is put into words here may itself be logged, so nothing is locked meanwhile.
        let object = object.map(|object| object.to_string()).unwrap_or_default();
        let line = format!("{} {object} {}\n", category.name(), message.get().unwrap_or_default());
        log.lock().expect("no panic").push_str(&line);
    });

    for (server_key, ends_well) in [(KEY, true), ("another", false)] {
        let server = Server::start(&["--engine", "echo", "--api-key", server_key]);
        let mut pipeline = Pipeline::new(&format!(
            "audiotestsrc num-buffers=5 ! audioconvert ! audioresample ! openairealtime name=ai uri={} raw-events=true ! fakesink",
            server.base()
        ));
        pipeline.element("ai").set_property("api-key", KEY);
        assert!(
            !pipeline
                .element("ai")
                .find_property("api-key")
                .expect("a property")
                .flags()
                .contains(gst::glib::ParamFlags::READABLE)
        );
        if ends_well {
            pipeline.run_to_end();
        } else {
            pipeline.run_to_error();
        }
        let dot = pipeline.pipeline.debug_to_dot_data(gst::DebugGraphDetails::all());
        let messages: Vec<String> = pipeline.messages.iter().map(|message| format!("{message:?}")).collect();
        pipeline.stop();
        assert!(!dot.contains(KEY), "in the graph");
        assert!(!messages.join("\n").contains(KEY), "in a message");
    }
    gst::log::set_default_threshold(gst::DebugLevel::None);
    let seen = seen.lock().expect("no panic");
    assert!(seen.contains("openairealtime"), "the log was looked at");
    // GStreamer itself logs what a property is set to; that is why the environment is the better place.
    let leaks: Vec<&str> = seen.lines().filter(|line| line.contains(KEY)).collect();
    assert!(leaks.is_empty(), "{leaks:?}");
}
