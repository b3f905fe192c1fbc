// SPDX-License-Identifier: MPL-2.0

//! A real language model behind the server: SmolLM2-135M in llama.cpp, small and silly. What it says is not judged, only
//! that it is what is heard.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use client::{Client, recording, sound};
use serde_json::{Value, json};
use server::Server;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A running llama.cpp, which ends with its standard input.
struct Llama {
    child: Child,
    url: String,
}

impl Llama {
    /// Starts it and waits until the model is loaded.
    fn start() -> Self {
        let python = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients").join("llama/bin/python");
        assert!(python.exists(), "{} is missing: run tests/clients/install.sh", python.display());
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/clients/llama/serve.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("python can be run");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("readable output");
        assert!(url.starts_with("http://"), "llama.cpp did not start: run {} by hand", "tests/clients/llama/serve.py");
        Self { child, url: url.trim().to_owned() }
    }
}

impl Drop for Llama {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn last<'a>(events: &'a [Value], name: &str) -> &'a Value {
    events.iter().rfind(|event| event["type"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[tokio::test]
async fn a_spoken_question_gets_a_spoken_answer_of_the_model() {
    let llama = Llama::start();
    let server = Server::start(&["--llm", &llama.url, "--llm-context", "2048"]);
    let mut client = Client::session(&server.realtime()).await;
    let input = json!({"turn_detection": {"type": "server_vad", "silence_duration_ms": 600}});
    let session = json!({"type": "realtime", "audio": {"input": input}, "max_output_tokens": 400});
    client.send(json!({"type": "session.update", "session": session})).await;
    client.append(&recording("goforward.wav")).await;
    let events = client.until("response.done").await;
    let transcript = last(&events, "response.output_audio_transcript.done")["transcript"].as_str().expect("words");
    assert!(transcript.split(' ').count() > 2 && !transcript.contains("offline voice"), "{transcript}");
    let ms = sound(&events).len() / 24;
    assert!(ms > 500, "{ms} ms for {transcript:?}");
    let usage = last(&events, "response.done")["response"]["usage"].clone();
    assert!(usage["output_tokens"].as_u64() > Some(2), "{usage}");

    // The answer is heard while the model is still at it, and the next question reaches it with all that was before.
    let story = json!({"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "Tell me a long story about a fox and its many friends."}]});
    client.send(json!({"type": "conversation.item.create", "item": story})).await;
    client.send(json!({"type": "response.create"})).await;
    client.until("response.output_audio.delta").await;
    client.send(json!({"type": "response.cancel"})).await;
    let events = client.until("response.done").await;
    assert_eq!(last(&events, "response.done")["response"]["status"], "cancelled");
    let brief = json!({"output_modalities": ["text"], "max_output_tokens": 8});
    client.send(json!({"type": "response.create", "response": brief})).await;
    let events = client.until("response.done").await;
    let later = &last(&events, "response.done")["response"]["usage"];
    assert!(later["input_tokens"].as_u64() > usage["input_tokens"].as_u64(), "{usage} {later}");
}
