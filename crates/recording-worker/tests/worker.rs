// SPDX-License-Identifier: MPL-2.0

//! The program, with recordings of every kind and the local server.

#[path = "../../../tests/support/folder.rs"]
mod folder;
#[path = "../../../tests/support/server.rs"]
mod server;
mod support;

use folder::Folder;
use serde_json::{Value, json};
use server::Server;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Done, WebServer, media, names, program, work, work_with};

fn local() -> Server {
    Server::start(&[])
}

fn transcribe(server: &Server) -> Value {
    json!({"task": "transcribe", "uri": server.base()})
}

#[track_caller]
fn expect_failure(done: &Done, code: i32, kind: &str, retryable: bool) {
    let told = (done.code, &done.row["error_kind"], &done.row["retryable"], &done.row["status"]);
    assert_eq!(told, (code, &json!(kind), &json!(retryable), &json!("failed")), "{done:?}");
    assert!(done.row["error"].as_str().is_some_and(|error| !error.is_empty()));
}

#[test]
fn a_recording_is_transcribed_once() {
    let (server, folder) = (local(), Folder::new());
    let output = folder.join("new/folder");
    let input = media("jfk.wav");
    let input = input.to_str().expect("a path");
    let done = work(input, &output, &transcribe(&server));
    assert_eq!(done.code, 0, "{done:?}");
    let row = &done.row;
    assert_eq!((&row["status"], &row["error"], &row["attempts"]), (&json!("ok"), &Value::Null, &json!(1)));
    assert!(row["user_text"].as_str().is_some_and(|text| text.contains("country")), "{row}");
    assert_eq!(row["answer_text"], "");
    assert!(row["duration_s"].as_f64().is_some_and(|seconds| (10.9..11.1).contains(&seconds)), "{row}");
    assert_eq!(row["turns"].as_u64(), row["segments"].as_array().map(|segments| segments.len() as u64));
    assert_eq!(row["session_ids"].as_array().map(Vec::len), Some(1));
    assert_eq!(names(&output), ["row.json", "transcript.srt", "transcript.vtt"]);
    let subtitles = std::fs::read_to_string(output.join("transcript.srt")).expect("subtitles");
    assert!(subtitles.starts_with("1\n00:00:0") && subtitles.contains("country"), "{subtitles}");
}

#[test]
fn what_is_done_is_not_done_again() {
    let (server, folder) = (local(), Folder::new());
    let input = media("goforward.wav");
    let input = input.to_str().expect("a path");
    let settings = transcribe(&server);
    let first = work(input, &folder.join(""), &settings);
    drop(server);
    let second = work(input, &folder.join(""), &settings);
    assert_eq!((second.code, second.row), (0, first.row), "no server is needed");
}

#[test]
fn what_is_no_recording_fails_for_good() {
    let (server, folder) = (local(), Folder::new());
    let write = |name: &str, content: &[u8]| {
        let path = folder.join(name);
        std::fs::write(&path, content).expect("a file");
        path.to_str().expect("a path").to_owned()
    };
    let picture = std::fs::read(media("flower.jpg")).expect("a picture");
    for (input, kind) in [
        (write("empty.wav", b""), "empty"),
        (write("text.wav", b"this is no recording, whatever its name says"), "corrupt"),
        (write("picture.jpg", &picture), "no-audio"),
        ("/no/such/recording.wav".to_owned(), "input-not-found"),
    ] {
        let output = Folder::new();
        expect_failure(&work(&input, &output.join(""), &transcribe(&server)), 1, kind, false);
        assert_eq!(names(&output.join("")), ["row.json"]);
    }
}

#[test]
fn a_wrong_key_concerns_all_and_is_never_told() {
    let server = Server::start(&["--api-key", "sk-right-0123456789"]);
    let output = Folder::new();
    let mut command = program();
    command.env("OPENAI_API_KEY", "sk-wrong-0123456789").env("GST_DEBUG", "open*:9");
    let done =
        work_with(command, media("goforward.wav").to_str().expect("a path"), &output.join(""), &transcribe(&server));
    expect_failure(&done, 5, "not-authorized", false);
    assert!(!done.said.contains("sk-wrong-0123456789"), "a key is never printed");
    let row = std::fs::read_to_string(output.join("row.json")).expect("a row");
    assert!(!row.contains("sk-wrong-0123456789"), "or stored");
}

#[test]
fn a_server_that_is_gone_is_worth_another_try_and_attempts_are_counted() {
    let folder = Folder::new();
    let settings = json!({"uri": "ws://127.0.0.1:9/v1"});
    for attempts in 1..=2 {
        let done = work(media("goforward.wav").to_str().expect("a path"), &folder.join(""), &settings);
        expect_failure(&done, 3, "connection", true);
        assert_eq!(done.row["attempts"], attempts);
    }
}

#[test]
fn mistakes_are_named_before_anything_is_done() {
    let folder = Folder::new();
    let done = work("ftp://host/a.wav", &folder.join(""), &json!({}));
    assert_eq!((done.code, names(&folder.join("")).len()), (2, 0));
    assert!(done.said.contains("'ftp://' is not known"), "{}", done.said);
    let done = work("a.wav", &folder.join(""), &json!({"colour": "red"}));
    assert_eq!(done.code, 2);
    assert!(done.said.contains("unknown field `colour`"), "{}", done.said);
}

#[test]
fn results_that_cannot_be_written_are_told() {
    let (server, folder) = (local(), Folder::new());
    let taken = folder.join("taken");
    std::fs::write(&taken, "a file").expect("a file");
    let done = work(media("goforward.wav").to_str().expect("a path"), &taken, &transcribe(&server));
    assert_eq!(done.code, 6, "{done:?}");
    assert!(done.said.contains("cannot write"), "{}", done.said);
}

#[test]
fn turns_are_answered_in_text_and_in_speech() {
    let (server, folder) = (local(), Folder::new());
    let input = media("goforward.wav");
    let input = input.to_str().expect("a path");
    for (audio, files) in [
        (false, &["row.json", "transcript.srt", "transcript.vtt"][..]),
        (true, &["answer.wav", "row.json", "transcript.srt", "transcript.vtt"]),
    ] {
        let output = folder.join(audio.to_string());
        let done = work(input, &output, &json!({"task": "answer", "uri": server.base(), "audio": audio}));
        assert_eq!(
            (done.code, names(&output).as_slice()),
            (0, &files.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>()[..])
        );
        assert!(done.row["user_text"].as_str().is_some_and(|text| text.contains("forward")), "{done:?}");
        assert!(done.row["answer_text"].as_str().is_some_and(|text| !text.is_empty()), "{done:?}");
        assert!(done.row["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{done:?}");
        assert!(done.row["cost_usd"].as_f64().is_some_and(|cost| cost > 0.0), "{done:?}");
        if audio {
            let bytes = std::fs::read(output.join("answer.wav")).expect("sound");
            assert!(bytes.len() > 48_000 && bytes[44..].iter().any(|byte| *byte != 0));
        }
    }
}

#[test]
fn a_recording_is_translated_and_dubbed() {
    let (server, output) = (Server::start(&["--engine", "echo"]), Folder::new());
    let input = media("goforward.wav");
    let input = input.to_str().expect("a path");
    for (task, file) in [("translate", "transcript.srt"), ("dub", "dub.wav")] {
        let folder = output.join(task);
        let done = work(input, &folder, &json!({"task": task, "target_language": "es", "uri": server.base()}));
        assert_eq!((done.code, &done.row["status"]), (0, &json!("ok")), "{done:?}");
        // The engine that says back what it hears tells the length of each piece of 200 ms.
        for text in ["user_text", "answer_text"] {
            assert!(
                done.row[text].as_str().is_some_and(|text| text.starts_with("9600 bytes.\n9600 bytes.")),
                "{done:?}"
            );
        }
        assert!(names(&folder).contains(&file.to_owned()), "{:?}", names(&folder));
    }
    let dubbed = std::fs::metadata(output.join("dub/dub.wav")).expect("a file").len();
    assert!(dubbed > 2 * 48_000, "{dubbed} bytes");
}

#[test]
fn a_schema_is_filled_and_a_wrong_answer_is_told() {
    let ears = local();
    let schema = json!({"type": "object", "properties": {"metres": {"type": "integer"}}, "required": ["metres"]});
    for (answer, code) in [(r#"{\"metres\": 10}"#, 0), ("Sure!", 4)] {
        let script = format!(
            "expect chat.completion.request {{\"model\": \"reader\", \"response_format\": {{\"type\": \"json_schema\"}}}}\nrespond \"{answer}\"\n"
        );
        let (reader, folder) = (Server::script(&script), Folder::new());
        let chat_uri = reader.base().replace("ws:", "http:");
        let settings = json!({"task": "extract", "uri": ears.base(), "chat_uri": chat_uri, "chat_model": "reader", "schema": schema});
        let done = work(media("goforward.wav").to_str().expect("a path"), &folder.join(""), &settings);
        assert_eq!(done.code, code, "{done:?}");
        match code {
            0 => assert_eq!(done.row["result"], json!({"metres": 10})),
            _ => assert_eq!((&done.row["error_kind"], &done.row["error_code"]), (&json!("server"), &json!("schema"))),
        }
    }
}

#[test]
fn what_a_failed_answer_has_cost_is_counted_by_the_next_try() {
    let (ears, folder) = (local(), Folder::new());
    let answer = json!({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "reader",
        "choices": [{"index": 0, "delta": {"content": "Sure!"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}});
    let request = |number| format!("connection {number}\nexpect chat.completion.request {{}}\nsend {answer}\n");
    let reader = Server::script(&[request(1), request(2)].concat());
    let settings = json!({"task": "extract", "uri": ears.base(), "chat_uri": reader.base().replace("ws:", "http:"),
        "chat_model": "reader", "schema": {"type": "object"}});
    let input = media("goforward.wav");
    let tried = || work(input.to_str().expect("a path"), &folder.join(""), &settings).row;
    let (first, second) = (tried(), tried());
    let tokens = |row: &Value, name: &str| row[name].as_u64().expect("tokens");
    assert_eq!((tokens(&first, "input_tokens"), tokens(&first, "output_tokens")), (100, 10), "{first}");
    assert_eq!((&second["error_code"], &second["attempts"]), (&json!("schema"), &json!(2)), "{second}");
    assert_eq!((tokens(&second, "input_tokens"), tokens(&second, "output_tokens")), (200, 20), "{second}");
}

/// Two turns with a pause between them, as one file.
fn two_turns(folder: &Path) -> String {
    let path = folder.join("two turns.wav");
    let speech = media("goforward.wav");
    let speech = speech.to_str().expect("a path");
    let sound = "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=24000,channels=1 ! call.";
    let line = format!(
        "concat name=call ! wavenc ! filesink location=\"{}\" filesrc location={speech} ! wavparse ! {sound} \
         audiotestsrc wave=silence num-buffers=100 ! {sound} filesrc location={speech} ! wavparse ! {sound}",
        path.display()
    );
    let made = Command::new("sh").arg("-c").arg(format!("gst-launch-1.0 -q {line}")).status().expect("gst-launch-1.0");
    assert!(made.success());
    path.to_str().expect("a path").to_owned()
}

#[test]
fn a_killed_one_goes_on_in_the_middle() {
    let (server, folder, output) = (local(), Folder::new(), Folder::new());
    let input = two_turns(&folder.join(""));
    // Slow enough to be killed in the middle.
    let settings = json!({"task": "transcribe", "uri": server.base(), "max_speed": 2.0, "checkpoint_s": 0.0});
    let file = folder.join("settings.json");
    std::fs::write(&file, settings.to_string()).expect("settings");
    let mut command = program();
    command.args(["--progress", "--", &input]).arg(output.join("")).arg(&file).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    // The line comes when the turn is done; the checkpoint is written behind it.
    let event = lines.into_iter().find(|line| line.contains(r#""event":"progress""#)).expect("progress");
    while !output.join("progress.json").exists() {
        std::thread::yield_now();
    }
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    assert!(!output.join("row.json").exists(), "no row marks it as done: {event}");
    let kept: Value =
        serde_json::from_slice(&std::fs::read(output.join("progress.json")).expect("progress")).expect("JSON");
    let from = kept["done_s"].as_f64().expect("a place");
    assert!(from > 2.0, "{kept}");

    let done = work(&input, &output.join(""), &settings);
    assert_eq!((done.code, &done.row["attempts"], &done.row["turns"]), (0, &json!(2), &json!(2)), "{done:?}");
    let segments = done.row["segments"].as_array().expect("segments");
    assert_eq!(segments[0], kept["segments"][0], "what was done is not heard again");
    assert!(segments[1]["start"].as_f64().is_some_and(|start| start >= from - 0.5), "{segments:?}");
    assert!(segments[1]["text"].as_str().is_some_and(|text| text.contains("forward")), "{segments:?}");
    assert_eq!(names(&output.join("")), ["row.json", "transcript.srt", "transcript.vtt"]);
}

#[cfg(unix)]
#[test]
fn one_that_is_told_to_end_writes_down_what_is_done() {
    let (server, folder, output) = (local(), Folder::new(), Folder::new());
    let input = two_turns(&folder.join(""));
    let file = folder.join("settings.json");
    let settings = json!({"task": "transcribe", "uri": server.base(), "max_speed": 2.0});
    std::fs::write(&file, settings.to_string()).expect("settings");
    let mut command = program();
    command.args(["--progress", "--", &input]).arg(output.join("")).arg(&file).stdout(Stdio::piped());
    let mut child = command.spawn().expect("it can be started");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    lines.find(|line| line.contains(r#""event":"progress""#)).expect("progress");
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill");
    assert!(sent.success());
    let row: Value = serde_json::from_str(&lines.last().expect("a row")).expect("JSON");
    assert_eq!((child.wait().expect("it ends").code(), &row["status"]), (Some(4), &json!("partial")), "{row}");
    assert_eq!(
        (&row["error_kind"], &row["retryable"], &row["turns"]),
        (&json!("interrupted"), &json!(true), &json!(1))
    );
}

#[cfg(target_os = "linux")]
#[test]
fn it_ends_with_its_parent() {
    let (server, folder, output) = (local(), Folder::new(), Folder::new());
    let input = two_turns(&folder.join(""));
    let file = folder.join("settings.json");
    let settings = json!({"uri": server.base(), "max_speed": 1.0});
    std::fs::write(&file, settings.to_string()).expect("settings");
    // A shell that waits for it, and is killed: nobody is left to tell the worker.
    let line = format!(
        "'{}' --progress -- '{input}' '{}' '{}'; true",
        env!("CARGO_BIN_EXE_recording-worker"),
        output.join("").display(),
        file.display()
    );
    let mut shell = Command::new("sh").args(["-c", &line]).stdout(Stdio::piped()).spawn().expect("sh");
    let mut lines = BufReader::new(shell.stdout.take().expect("a pipe")).lines().map_while(Result::ok);
    lines.find(|line| line.contains(r#""event":"progress""#)).expect("progress");
    shell.kill().expect("it lives");
    shell.wait().expect("it ends");
    // The pipe ends with the last process that has it.
    let row: Value = serde_json::from_str(&lines.last().expect("a row")).expect("JSON");
    assert_eq!(row["error_kind"], "interrupted", "{row}");
}

#[test]
fn a_deadline_ends_it() {
    let (server, output) = (
        Server::script(
            "hello\nexpect session.update\nsend session.updated {\"session\": {\"type\": \"transcription\"}}\n",
        ),
        Folder::new(),
    );
    let settings = json!({"uri": server.base(), "deadline_factor": 0, "deadline_extra_s": 1});
    let done = work(media("goforward.wav").to_str().expect("a path"), &output.join(""), &settings);
    expect_failure(&done, 3, "deadline", true);
}

#[test]
fn https_is_a_source_and_a_target() {
    let folder = Folder::new();
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let trusted = folder.join("ca.pem");
    std::fs::write(&trusted, key.cert.pem()).expect("a file");
    let chain = vec![key.cert.der().clone()];
    let private = key.signing_key.serialize_der().try_into().expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.expect("versions").with_no_client_auth().with_single_cert(chain, private).expect("a server");
    let config = std::sync::Arc::new(config);
    let recording = std::fs::read(media("goforward.mp3")).expect("a recording");
    let web = WebServer::start("https", &[("in/a.mp3", recording)], move |stream| {
        let connection = rustls::ServerConnection::new(config.clone()).expect("a connection");
        rustls::StreamOwned::new(connection, stream)
    });
    let server = local();
    let mut command = program();
    command.env("SSL_CERT_FILE", &trusted);
    let settings = folder.join("settings.json");
    std::fs::write(&settings, transcribe(&server).to_string()).expect("settings");
    let input = format!("{}/in/a.mp3?id=1&token=5ec2e7", web.url);
    command.args([&input, &format!("{}/out", web.url)]).arg(&settings);
    let ended = command.output().expect("it can be started");
    let said = String::from_utf8_lossy(&ended.stdout);
    assert_eq!(ended.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&ended.stderr));
    assert!(said.contains("forward") && said.contains("/in/a.mp3?id=1\"") && !said.contains("5ec2e7"), "{said}");
    assert_eq!(web.names(), ["in/a.mp3", "out/row.json", "out/transcript.srt", "out/transcript.vtt"]);
}
