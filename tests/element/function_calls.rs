// SPDX-License-Identifier: MPL-2.0

//! "It can do things": functions that the application or a program answers.

use crate::support::pipeline::Pipeline;
use crate::support::server::Server;
use gst::prelude::*;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Mutex, mpsc};

const TOOLS: &str = r#"[{\"type\":\"function\",\"name\":\"weather\",\"parameters\":{\"type\":\"object\"}}]"#;

/// A model that calls two functions at once and then speaks.
const CALLS: &str = r#"
hello
expect session.update {"session": {"tools": [{"type": "function", "name": "weather"}]}}
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
expect conversation.item.create
expect response.create
send response.created {"response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
send response.output_item.done {"response_id": "resp_1", "output_index": 0, "item": {"id": "item_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "weather", "arguments": "{\"city\": \"Oslo\"}"}}
send response.output_item.done {"response_id": "resp_1", "output_index": 1, "item": {"id": "item_2", "type": "function_call", "status": "completed", "call_id": "call_2", "name": "weather", "arguments": "{\"city\": \"Rome\"}"}}
send response.done {"response": {"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "output": []}}
"#;

const ANSWER: &str = r#"
respond "All is well." <tone:440:200>
"#;

fn pipeline(server: &Server, properties: &str) -> Pipeline {
    Pipeline::new(&format!(
        "openairealtime name=o turn-detection=none tools=\"{TOOLS}\" {properties} uri={} ! fakesink sync=true",
        server.base()
    ))
}

/// Asks for something, and waits for the answer behind the calls.
fn ask(pipeline: &mut Pipeline) {
    pipeline.play();
    pipeline.until_told("session", |session| session.get::<&str>("state") == Ok("ready"));
    assert!(pipeline.element("o").emit_by_name::<bool>("send-text", &[&"the weather?", &true]));
}

fn until_answered(pipeline: &mut Pipeline) {
    pipeline.until_told("transcript", |words| words.get::<&str>("text") == Ok("All is well."));
}

fn gives_rain(event: &gst::StructureRef) -> bool {
    event.get::<&str>("direction") == Ok("client") && event.get::<&str>("json").is_ok_and(|json| json.contains("rain"))
}

/// A program for `tool-command`.
struct Program(std::path::PathBuf);

impl Program {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("openairealtime-{}-{name}", std::process::id()));
        let mut file = std::fs::File::create(&path).expect("created");
        file.write_all(text.as_bytes()).expect("written");
        file.set_permissions(std::fs::Permissions::from_mode(0o755)).expect("executable");
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().expect("a readable path")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_handler_answers_at_once_and_another_call_is_answered_later() {
    let server = Server::script(&format!(
        "{CALLS}
await conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"call_id\": \"call_1\", \"output\": \"rain\"}}}}
expect conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"call_id\": \"call_2\", \"output\": \"sun\"}}}}
expect response.create
{ANSWER}"
    ));
    let mut pipeline = pipeline(&server, "raw-events=true");
    let element = pipeline.element("o");
    element.connect("function-call", false, |args| {
        let arguments: String = args[3].get().expect("arguments");
        assert_eq!(args[1].get::<&str>(), Ok("weather"));
        Some(arguments.contains("Oslo").then(|| "rain".to_owned()).to_value())
    });
    ask(&mut pipeline);
    let mut calls = Vec::new();
    while calls.len() < 2 {
        calls.push(pipeline.until_told("function-call", |_| true));
    }
    calls.sort_by_key(|call| call.get::<String>("call-id").expect("a name"));
    assert_eq!(calls[0].get::<bool>("handled"), Ok(true));
    assert_eq!(calls[1].get::<bool>("handled"), Ok(false));
    assert_eq!(calls[1].get::<&str>("arguments"), Ok("{\"city\": \"Rome\"}"));
    assert_eq!(calls[1].get::<&str>("response-id"), Ok("resp_1"));
    // Who answers later answers after it.
    if !pipeline.all("event").iter().any(|event| gives_rain(event)) {
        pipeline.until_told("event", gives_rain);
    }
    assert!(element.emit_by_name::<bool>("send-function-output", &[&"call_2", &"sun"]));
    assert!(!element.emit_by_name::<bool>("send-function-output", &[&"call_2", &"snow"]), "it has its output");
    until_answered(&mut pipeline);
    pipeline.stop();
}

#[test]
fn a_program_answers_for_the_shell() {
    let server = Server::script(&format!(
        "{CALLS}
await conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"call_id\": \"$first\", \"output\": \"$one\"}}}}
expect conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"call_id\": \"$second\", \"output\": \"$two\"}}}}
expect response.create
{ANSWER}"
    ));
    let seen = Program::new("seen", "");
    let program = Program::new(
        "tool.sh",
        &format!("#!/bin/sh\nread -r args\necho \"$1 $2 $args\" >> {}\necho \"fine in $args\"\n", seen.path()),
    );
    let mut pipeline = pipeline(&server, &format!("tool-command=\"{} extra\"", program.path()));
    ask(&mut pipeline);
    until_answered(&mut pipeline);
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    assert!(pipeline.all("function-call").iter().all(|call| call.get::<bool>("handled") == Ok(true)));
    pipeline.stop();
    let seen = std::fs::read_to_string(&seen.0).expect("read");
    let mut lines: Vec<_> = seen.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["extra weather {\"city\": \"Oslo\"}", "extra weather {\"city\": \"Rome\"}"]);
}

#[test]
fn a_program_that_fails_or_hangs_is_told_and_answered_for() {
    let server = Server::script(&format!(
        "{CALLS}
await conversation.item.create {{\"item\": {{\"type\": \"function_call_output\"}}}}
expect conversation.item.create {{\"item\": {{\"type\": \"function_call_output\"}}}}
expect response.create
{ANSWER}"
    ));
    let program = Program::new(
        "bad.sh",
        "#!/bin/sh\nread -r args\ncase $args in *Oslo*) echo broken >&2; exit 3;; *) sleep 600;; esac\n",
    );
    let mut pipeline = pipeline(&server, &format!("tool-command={} tool-timeout=300000000", program.path()));
    ask(&mut pipeline);
    until_answered(&mut pipeline);
    let warnings = pipeline.warnings();
    assert!(warnings.iter().any(|warning| warning.contains("broken")), "{warnings:?}");
    assert!(warnings.iter().any(|warning| warning.contains("longer than 0.3 s")), "{warnings:?}");
    pipeline.stop();
}

#[test]
fn a_program_may_leave_something_running() {
    let server = Server::script(&format!(
        "{CALLS}
await conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"output\": \"ok\"}}}}
expect conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"output\": \"ok\"}}}}
expect response.create
{ANSWER}"
    ));
    let pids = Program::new("pids", "");
    let program = Program::new("leaves.sh", &format!("#!/bin/sh\nsleep 600 &\necho $! >> {}\necho ok\n", pids.path()));
    let mut pipeline = pipeline(&server, &format!("tool-command={} tool-timeout=0", program.path()));
    ask(&mut pipeline);
    until_answered(&mut pipeline);
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    pipeline.stop();
    for pid in std::fs::read_to_string(&pids.0).expect("read").lines() {
        assert!(Path::new(&format!("/proc/{pid}")).exists(), "{pid} was ended");
        std::process::Command::new("kill").arg(pid).status().expect("ended");
    }
}

#[test]
fn a_handler_that_gives_nothing_is_told_by_name_and_comes_too_late() {
    let error = r#"{\"error\":\"the function took longer than 0.3 s\"}"#;
    let server = Server::script(&format!(
        "{CALLS}
await conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"output\": \"{error}\"}}}}
expect conversation.item.create {{\"item\": {{\"type\": \"function_call_output\", \"output\": \"{error}\"}}}}
expect response.create
{ANSWER}"
    ));
    let mut pipeline = pipeline(&server, "tool-timeout=300000000");
    let element = pipeline.element("o");
    // One returns nothing, which is what a handler in Python does that raises; the other never returns in time.
    let (go_on, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    element.connect("function-call", false, move |args| {
        let arguments: String = args[3].get().expect("arguments");
        if arguments.contains("Oslo") {
            return Some(None::<String>.to_value());
        }
        let _ = gate.lock().expect("no panic").recv();
        Some(Some("sun").to_value())
    });
    ask(&mut pipeline);
    until_answered(&mut pipeline);
    let expired =
        pipeline.warnings().iter().filter(|text| text.contains("'weather'") && text.contains("tool-timeout")).count();
    assert_eq!(expired, 2, "{:?}", pipeline.warnings());
    assert!(!element.emit_by_name::<bool>("send-function-output", &[&"call_1", &"rain"]), "it is too late");
    let warned = |text: &'static str| {
        move |message: &gst::Message| match message.view() {
            gst::MessageView::Warning(warning) => warning.error().message().contains(text),
            _ => false,
        }
    };
    pipeline.until("a warning", warned("call_1"));
    go_on.send(()).expect("the handler waits");
    pipeline.until("a warning", warned("'weather' gave back is not sent"));
    let stats: gst::Structure = element.property("stats");
    assert_eq!(stats.get::<u64>("warnings"), Ok(4), "{stats}");
    pipeline.stop();
}

#[test]
fn a_stop_ends_the_programs_that_run() {
    let server = Server::script(CALLS);
    let file = Program::new("pid", "");
    let program = Program::new("slow.sh", &format!("#!/bin/sh\necho $$ >> {}\nsleep 600\n", file.path()));
    let mut pipeline = pipeline(&server, &format!("tool-command={}", program.path()));
    ask(&mut pipeline);
    pipeline.until_told("function-call", |_| true);
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(30);
    let pids = loop {
        let pids = std::fs::read_to_string(&file.0).expect("read");
        if pids.lines().count() == 2 {
            break pids;
        }
        assert!(std::time::Instant::now() < limit, "the programs never began");
        std::thread::sleep(std::time::Duration::from_millis(5));
    };
    pipeline.stop();
    for pid in pids.lines() {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} is gone");
    }
}

#[test]
fn a_program_that_is_not_there_is_known_before_anything_begins() {
    let server = Server::script("");
    let mut pipeline = pipeline(&server, "tool-command=/no/such/program");
    let error = pipeline.run_to_error();
    assert!(error.matches(gst::ResourceError::Settings), "{error}");
    assert!(error.message().contains("tool-command") && error.message().contains("/no/such/program"), "{error}");
}
