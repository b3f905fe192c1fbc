// SPDX-License-Identifier: MPL-2.0

//! "I type it into a shell": whole `gst-launch-1.0` lines, with what they print and how they end.

use crate::support::folder::Folder;
use crate::support::pipeline::{SILENCE, recording};
use crate::support::server::Server;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A bound for any line; nothing waits so long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A line, ready to be run, with the plugin that was built beside the server and without any key.
fn launch(folder: &Folder, line: &str) -> Command {
    let mut command = folder.program("gst-launch-1.0");
    command.args(line.split_whitespace());
    command
}

/// Waits for the end of a line. `None`: it did not end, and was killed.
fn end_of(child: &mut Child) -> Option<ExitStatus> {
    let limit = Instant::now() + PATIENCE;
    loop {
        let status = child.try_wait().expect("a child");
        if status.is_some() {
            return status;
        }
        if Instant::now() > limit {
            child.kill().expect("killed");
            return None;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A line that was run: its status, what it printed and what it complained about.
pub(crate) type Ran = (ExitStatus, String, String);

/// A line that did not end.
struct Hang {
    /// Its output and its complaints.
    said: String,
    /// GStreamer's log of its bins.
    log: String,
}

impl Hang {
    /// A sign that GStreamer lost EOS: a sink posted it, and the pipeline did not even look whether all have. Where processors
    /// are short, this happens in GStreamer 1.22: the thread that posts that the pipeline is PAUSED marks it as not PLAYING
    /// afterwards (`posted_playing` in gstbin.c), and if it is held up for as long as the way to PLAYING takes, EOS stays where
    /// it is.
    fn is_of_gstreamer(&self) -> bool {
        self.log.split_once(", eos from ").is_some_and(|(_, after)| !after.contains(":is_eos:"))
    }
}

/// Runs a line to its end. One that GStreamer leaves hanging is run again; any other has to end.
#[track_caller]
pub(crate) fn run(mut command: Command) -> Ran {
    for _ in 0..3 {
        match try_run(&mut command) {
            Ok(ran) => return ran,
            Err(hang) if hang.is_of_gstreamer() => {}
            Err(Hang { said, log }) => panic!("it did not end: {command:?}\n{said}\n{log}"),
        }
    }
    panic!("EOS was lost three times: {command:?}");
}

/// Runs a line until it ends or was killed because it did not.
fn try_run(command: &mut Command) -> Result<Ran, Hang> {
    let variable = |wanted| command.get_envs().find_map(|(name, value)| (name == wanted).then_some(value?.to_owned()));
    let log = variable("GST_DEBUG_FILE");
    // Beside the categories that a test has chosen; a second "bin:5" of a line that is run again changes nothing.
    let categories = variable("GST_DEBUG").map_or_else(String::new, |chosen| format!("{},", chosen.display()));
    command.env("GST_DEBUG", format!("{categories}bin:5"));
    let mut child = command.spawn().expect("the program is installed");
    let read = |mut pipe: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut text = Vec::new();
            pipe.read_to_end(&mut text).expect("readable");
            String::from_utf8_lossy(&text).into_owned()
        })
    };
    let printed = read(Box::new(child.stdout.take().expect("a pipe")));
    let complained = read(Box::new(child.stderr.take().expect("a pipe")));
    let status = end_of(&mut child);
    let (printed, mut complained) = (printed.join().expect("no panic"), complained.join().expect("no panic"));
    // There is none of a program that fails before it starts GStreamer.
    let log = log.map_or_else(String::new, |path| std::fs::read_to_string(path).unwrap_or_default());
    match status {
        Some(status) => {
            let others = log.lines().filter(|line| !line.contains(" gstbin.c:"));
            others.for_each(|line| complained.extend([line, "\n"]));
            Ok((status, printed, complained))
        }
        None => Err(Hang { said: format!("{printed}\n{complained}"), log }),
    }
}

#[test]
fn a_question_in_a_file_becomes_an_answer_in_a_file() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let answer = folder.join("answer.wav");
    let (status, printed, complained) = run(launch(
        &folder,
        &format!(
            "-m {} ! openairealtime uri={} timing=offline ! wavenc ! filesink location={}",
            recording("goforward.wav"),
            server.base(),
            answer.display()
        ),
    ));
    assert_eq!(status.code(), Some(0), "{complained}");
    for role in ["user", "assistant"] {
        let told = format!("openairealtime/transcript, role=(string){role}");
        assert!(printed.lines().any(|line| line.contains(&told) && line.contains("final=(boolean)true")), "{printed}");
    }
    assert!(std::fs::metadata(&answer).expect("a file").len() > 100_000);
}

#[test]
fn nothing_leaks() {
    let (server, folder) = (Server::start(&["--engine", "echo"]), Folder::new());
    for timing in ["offline", "live"] {
        let mut command = launch(
            &folder,
            &format!(
                "{} ! openairealtime uri={} timing={timing} ! fakesink",
                recording("goforward.wav"),
                server.base()
            ),
        );
        command.env("GST_TRACERS", "leaks").env("GST_DEBUG", "GST_TRACER:7");
        let (status, _, complained) = run(command);
        assert_eq!(status.code(), Some(0), "{complained}");
        assert!(complained.contains("GST_TRACER"), "the tracer was at work");
        let alive: Vec<&str> =
            complained.lines().filter(|line| line.contains("object-alive, type-name=(string)")).collect();
        assert!(alive.iter().all(|line| line.contains("%s")), "{timing}: {alive:?}");
    }
}

#[test]
fn a_live_line_warns_of_nothing() {
    let (server, folder) = (Server::start(&[]), Folder::new());
    let mut command = launch(
        &folder,
        &format!(
            "{} ! openairealtime uri={} timing=live ! audioconvert name=next ! fakesink name=heard sync=true",
            recording("goforward.wav"),
            server.base()
        ),
    );
    command.env("GST_DEBUG", "2").env("G_DEBUG", "fatal-warnings");
    let (status, _, complained) = run(command);
    assert_eq!(status.code(), Some(0), "{complained}");
    // What GStreamer's other elements grumble about before the first sound is theirs.
    let about_the_answer = ["openairealtime", "<next", "<heard", "CRITICAL"];
    let grumbles = complained.lines().filter(|line| about_the_answer.iter().any(|word| line.contains(word)));
    assert_eq!(grumbles.collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn ctrl_c_with_e_drains_and_ends_well() {
    let (server, folder) = (Server::start(&["--engine", "echo"]), Folder::new());
    let mut child = launch(
        &folder,
        &format!(
            "-e -m {SILENCE} ! openairealtime uri={} \
             ! fakesink sync=true",
            server.base()
        ),
    )
    .stderr(Stdio::null())
    .spawn()
    .expect("the program is installed");
    let mut printed = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut until = |words: &str| printed.by_ref().any(|line| line.expect("readable").contains(words));
    assert!(until("new-state=(GstState)playing, pending-state=(GstState)void-pending"), "it plays");
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill can be run");
    assert!(sent.success());
    assert!(until("openairealtime/session, state=(string)closed, reason=(string)\"end\\ of\\ stream\""), "it drains");
    // The rest has to be read, or the line could not end.
    std::thread::spawn(move || printed.for_each(drop));
    assert_eq!(end_of(&mut child).expect("it ends").code(), Some(0));
}

#[test]
fn mistakes_are_named_and_end_with_an_error() {
    let folder = Folder::new();
    let source = "audiotestsrc num-buffers=5 ! audioconvert ! audioresample";
    let line = |properties: &str| launch(&folder, &format!("{source} ! openairealtime {properties} ! fakesink"));
    for (properties, words) in [
        ("sessin=x", "sessin"),
        ("turn-detection=sometimes", "turn-detection"),
        ("uri=wss://api.example.com/v1", "OPENAI_API_KEY"),
    ] {
        let (status, printed, complained) = run(line(properties));
        assert!(!status.success(), "{properties}");
        assert!(complained.contains(words) || printed.contains(words), "{properties}: {complained}");
    }
    for (properties, words) in [
        // The system says why in the user's language.
        ("uri=ws://127.0.0.1:1/v1 max-reconnects=0", "cannot connect to ws://127.0.0.1:1/v1"),
        ("uri=wss://no-such-host.invalid/v1 api-key=k max-reconnects=0", "no-such-host.invalid"),
    ] {
        let mut child = line(properties).spawn().expect("the program is installed");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut complained = stderr.lines().map(|line| line.expect("readable"));
        assert!(complained.any(|line| line.contains(words)), "{properties}");
        // gst-launch forgets an error that comes before its main loop runs, as these may; Ctrl-C ends it then.
        let _ = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
        complained.for_each(drop);
        assert!(!end_of(&mut child).expect("it ends").success(), "{properties}");
    }
}

/// The line's process does not ignore SIGPIPE, as a Rust program does.
#[test]
fn a_program_that_reads_nothing_does_not_end_the_line() {
    // More than a pipe holds, so that the write ends only when nobody can read it any more.
    let arguments = serde_json::json!({ "text": "x".repeat(200_000) }).to_string();
    let call = serde_json::json!({"response_id": "resp_1", "output_index": 0, "item": {"id": "item_1", "type": "function_call",
        "status": "completed", "call_id": "call_1", "name": "note", "arguments": arguments}});
    let server = Server::script(&format!(
        r#"
hello
expect session.update
send session.updated {{"session": {{"type": "realtime", "id": "sess_1", "model": "m"}}}}
expect conversation.item.create
expect response.create
send response.created {{"response": {{"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}}}
send response.output_item.done {call}
send response.done {{"response": {{"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "output": []}}}}
expect conversation.item.create {{"item": {{"type": "function_call_output", "call_id": "call_1", "output": "noted"}}}}
expect response.create
respond "All is well."
"#
    ));
    let folder = Folder::new();
    let program = folder.join("note");
    std::fs::write(&program, "#!/bin/sh\necho noted\n").expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let (question, tools) = (folder.join("question"), folder.join("tools.json"));
    std::fs::write(&question, "Note this.").expect("written");
    std::fs::write(&tools, r#"[{"type": "function", "name": "note", "parameters": {"type": "object"}}]"#)
        .expect("written");
    let (status, printed, complained) = run(launch(
        &folder,
        &format!(
            "-m filesrc location={} ! text/x-raw,format=utf8 ! openairealtime tools=@{} tool-command={} uri={} ! fakesink",
            question.display(),
            tools.display(),
            program.display(),
            server.base()
        ),
    ));
    assert_eq!(status.code(), Some(0), "{status}: {complained}");
    assert!(printed.contains(r"All\ is\ well."), "{printed}");
}
