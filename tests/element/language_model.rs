// SPDX-License-Identifier: MPL-2.0

//! "A model of my own": the local server with a language model behind it, whose function calls a program answers.

#[path = "../../crates/realtime-server/tests/support/endpoint.rs"]
mod endpoint;

use crate::support::folder::Folder;
use crate::support::pipeline::{Pipeline, recording};
use crate::support::server::Server;
use endpoint::Endpoint;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

/// What the model does: it calls the function, and then tells what came of it.
async fn drive(endpoint: Endpoint) -> Vec<String> {
    let mut exchange = endpoint.request().await.begin().await;
    let asked = exchange.messages();
    let function = json!({"name": "go_forward", "arguments": "{\"meters\": 10}"});
    exchange.delta(json!({"tool_calls": [{"index": 0, "id": "call", "type": "function", "function": function}]})).await;
    exchange.finish("tool_calls").await;
    let exchange = endpoint.request().await;
    let told = exchange.messages();
    exchange.answer("I am there.").await;
    [asked, told].concat()
}

#[test]
fn a_spoken_wish_becomes_a_call_that_a_program_answers() {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let endpoint = runtime.block_on(Endpoint::listen());
    let server = Server::start(&["--llm", endpoint.url()]);
    let model = runtime.spawn(drive(endpoint));
    let folder = Folder::new();
    let (program, tools) = (folder.join("go"), folder.join("tools.json"));
    std::fs::write(&program, "#!/bin/sh\nread -r arguments\necho \"$1 did $arguments\"\n").expect("written");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("executable");
    let parameters = json!({"type": "object", "properties": {"meters": {"type": "number"}}});
    let function = json!([{"type": "function", "name": "go_forward", "parameters": parameters}]);
    std::fs::write(&tools, function.to_string()).expect("written");
    let mut pipeline = Pipeline::new(&format!(
        "{} ! openairealtime tools=@{} tool-command={} uri={} ! fakesink",
        recording("goforward.wav"),
        tools.display(),
        program.display(),
        server.base()
    ));
    pipeline.run_to_end().stop();
    assert_eq!(pipeline.warnings(), Vec::<String>::new());
    assert_eq!(pipeline.words("assistant"), "I am there.");
    let said = runtime.block_on(model).expect("the model got its requests");
    assert!(said.iter().any(|text| text.starts_with("user: ") && text.contains("orward")), "{said:?}");
    let result = said.last().expect("messages");
    assert_eq!(result, "tool: go_forward did {\"meters\": 10}", "{said:?}");
}
