// SPDX-License-Identifier: MPL-2.0

//! The engine that plays scripts: each fault as a client sees it, and what becomes of a client that does not follow.

#[path = "support/client.rs"]
mod client;
#[path = "support/server.rs"]
mod server;

use client::{Client, names, sound};
use openai_protocol::ServerEvent;
use serde_json::json;
use server::Server;
use std::io::ErrorKind;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::{Error, Message};

/// The client says goodbye as one should, and with that the script has come to its end.
async fn close_normally(mut client: Client, mut server: Server) {
    let normal = tokio_tungstenite::tungstenite::protocol::CloseFrame { code: 1000.into(), reason: "".into() };
    client.0.close(Some(normal)).await.expect("closed");
    while client.message().await.is_ok() {}
    let (status, stderr) = server.ended_with();
    assert!(status.success(), "{stderr}");
}

#[tokio::test]
async fn a_dialogue_with_names_and_sound() {
    let server = Server::script_with(
        r#"
hello
expect session.update {"session": "$wish"}
send session.updated {"session": "$wish"}
wait audio 100ms
expect conversation.item.create {"item": {"id": "$item", "role": "user"}}
send conversation.item.deleted
  {"item_id": "$item"}
expect response.create {"event_id": "$event"}
respond "Hello there." <tone:440:500>
send error {"error": {"type": "server_error", "message": "x", "event_id": "$event"}}
expect close 1000
"#,
        &["--once"],
    );
    let mut client = Client::session(&server.realtime()).await;
    client.send(json!({"type": "session.update", "session": {"type": "realtime", "instructions": "x"}})).await;
    assert_eq!(client.event().await["session"]["instructions"], "x");
    client.append(&[0; 2_400]).await;
    client
        .send(json!({"type": "conversation.item.create", "item": {"id": "mine", "type": "message", "role": "user"}}))
        .await;
    assert_eq!(client.event().await["item_id"], "mine");
    client.send(json!({"type": "response.create", "event_id": "e9"})).await;
    let events = client.until("error").await;
    assert_eq!(names(&events)[..2], ["response.created", "response.output_item.added"]);
    assert_eq!(sound(&events).len(), 12_000);
    assert_eq!(events.last().map(|event| &event["error"]["event_id"]), Some(&json!("e9")));
    close_normally(client, server).await;
}

#[tokio::test]
async fn tools_of_another_server_are_listed_approved_and_called() {
    let server = Server::script_with(
        r#"
hello
expect session.update {"session": {"tools": [{"type": "mcp", "server_label": "$label"}]}}
send session.updated {"session": {"type": "realtime"}}
send mcp_list_tools.in_progress {"item_id": "mcpl_1"}
send conversation.item.done {"item": {"id": "mcpl_1", "type": "mcp_list_tools", "server_label": "$label",
  "tools": [{"name": "roll", "input_schema": {"type": "object"}}]}}
send mcp_list_tools.completed {"item_id": "mcpl_1"}
expect response.create
send response.created {"response": {"id": "resp_1", "status": "in_progress", "output": []}}
send response.output_item.done {"response_id": "resp_1", "output_index": 0, "item": {"id": "mcpr_1",
  "type": "mcp_approval_request", "server_label": "$label", "name": "roll", "arguments": "{}"}}
send response.done {"response": {"id": "resp_1", "status": "completed", "output": []}}
expect conversation.item.create {"item": {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": true}}
expect response.create
send response.created {"response": {"id": "resp_2", "status": "in_progress", "output": []}}
send response.mcp_call.in_progress {"item_id": "mcp_1", "output_index": 0}
send response.mcp_call_arguments.done {"response_id": "resp_2", "item_id": "mcp_1", "output_index": 0, "arguments": "{}"}
send response.mcp_call.completed {"item_id": "mcp_1", "output_index": 0}
send response.output_item.done {"response_id": "resp_2", "output_index": 0, "item": {"id": "mcp_1", "type": "mcp_call",
  "server_label": "$label", "name": "roll", "arguments": "{}", "approval_request_id": "mcpr_1", "output": "4"}}
send response.done {"response": {"id": "resp_2", "status": "completed", "output": []}}
expect close 1000
"#,
        &["--once"],
    );
    let mut client = Client::session(&server.realtime()).await;
    let tools = json!([{"type": "mcp", "server_label": "dice", "server_url": "https://example.com/mcp"}]);
    client.send(json!({"type": "session.update", "session": {"type": "realtime", "tools": tools}})).await;
    let listed = client.until("mcp_list_tools.completed").await;
    assert_eq!(
        (&listed[2]["item"]["server_label"], &listed[2]["item"]["tools"][0]["name"]),
        (&json!("dice"), &json!("roll"))
    );
    client.send(json!({"type": "response.create"})).await;
    let request = client.until("response.done").await[1]["item"].clone();
    let approval = json!({"type": "mcp_approval_response", "approval_request_id": request["id"], "approve": true});
    client.send(json!({"type": "conversation.item.create", "item": approval})).await;
    client.send(json!({"type": "response.create"})).await;
    let events = client.until("response.done").await;
    for event in listed.iter().chain(&events) {
        let read = ServerEvent::from_json(&event.to_string());
        assert!(!matches!(read, Ok(ServerEvent::Unknown(_)) | Err(_)), "{event}");
    }
    assert_eq!(events[4]["item"]["output"], "4");
    close_normally(client, server).await;
}

#[tokio::test]
async fn a_client_that_does_not_follow_is_told_and_the_process_fails() {
    let mut server = Server::script("hello\nexpect session.update within 5s {\"session\": {\"type\": \"realtime\"}}\n");
    let mut client = Client::session(&server.realtime()).await;
    client.append(&[0; 2_400]).await;
    client.send(json!({"type": "response.create"})).await;
    let (code, reason) = client.close().await;
    assert_eq!(code, 1008);
    assert!(reason.starts_with("script line 2: expected session.update"), "{reason}");
    let (status, stderr) = server.terminate();
    assert_eq!(status.code(), Some(1));
    assert!(stderr.contains(":2: expected session.update") && stderr.contains("response.create"), "{stderr}");
}

#[tokio::test]
async fn events_that_never_come_are_missed() {
    let mut server = Server::script_with("hello\nexpect response.create within 10ms\n", &["--once"]);
    let mut client = Client::session(&server.realtime()).await;
    assert_eq!(client.close().await.0, 1008);
    drop(client);
    let (status, stderr) = server.ended_with();
    assert!(status.code() == Some(1) && stderr.contains("nothing came within 10ms"), "{stderr}");
}

#[tokio::test]
async fn each_connection_has_its_scene() {
    let server = Server::script(
        "refuse 429\n  Retry-After: 7\n  body slow down\nconnection 2\nhello\nclose 1012 restart\nconnection *\nhello\nawait response.create\nclose 1000\n",
    );
    match Client::connect_with(&server.realtime(), &[]).await.map(drop) {
        Err(Error::Http(response)) => {
            assert_eq!(response.status(), 429);
            assert_eq!(response.headers()["retry-after"], "7");
            assert_eq!(response.body().as_deref(), Some(b"slow down".as_slice()));
        }
        other => panic!("{other:?}"),
    }
    let mut second = Client::session(&server.realtime()).await;
    assert_eq!(second.close().await, (1012, "restart".into()));
    for _ in 0..2 {
        let mut more = Client::session(&server.realtime()).await;
        more.send(json!({"type": "input_audio_buffer.clear"})).await;
        more.send(json!({"type": "response.create"})).await;
        assert_eq!(more.close().await.0, 1000);
    }
}

#[tokio::test]
async fn a_connection_without_a_scene_is_a_failure() {
    let mut server = Server::script("hello\nclose 1000\n");
    Client::session(&server.realtime()).await.close().await;
    match Client::connect_with(&server.realtime(), &[]).await.map(drop) {
        Err(Error::Http(response)) => assert_eq!(response.status(), 500),
        other => panic!("{other:?}"),
    }
    let (status, stderr) = server.terminate();
    assert!(status.code() == Some(1) && stderr.contains("connection 2 came"), "{stderr}");
}

#[tokio::test]
async fn a_connection_can_end_without_a_word() {
    let server = Server::script(
        "hello\ndrop\nconnection 2\nhello\nreset\nconnection 3\nrefuse drop\nconnection 4\nrefuse reset\n",
    );
    let mut client = Client::session(&server.realtime()).await;
    assert!(matches!(client.message().await, Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))));
    let mut client = Client::session(&server.realtime()).await;
    match client.message().await {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        other => panic!("expected a reset, got {other:?}"),
    }
    assert!(matches!(
        Client::connect_with(&server.realtime(), &[]).await.map(drop),
        Err(Error::Protocol(ProtocolError::HandshakeIncomplete))
    ));
    match Client::connect_with(&server.realtime(), &[]).await.map(drop) {
        Err(Error::Io(error)) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        other => panic!("expected a reset, got {other:?}"),
    }
}

#[tokio::test]
async fn an_upgrade_can_be_left_unanswered() {
    let server = Server::script("hang\n");
    let url = server.realtime();
    let request = Client::connect_with(&url, &[]);
    assert!(timeout(Duration::from_millis(300), request).await.is_err());
}

#[tokio::test]
async fn what_is_sent_can_be_wrong_on_every_level() {
    let server = Server::script(
        "hello\ntext this is no JSON\nbinary 5\nping\nexpect pong\nsend {\"type\": \"surprise\", \"x\": [1, \"<pcm:10>\"]}\ninvalid-utf8\nconnection 2\nhello\ninvalid-frame\nconnection 3\nhello\nhalf-frame response.output_audio.delta {\"delta\": \"<pcm:1000>\"}\ndrop\n",
    );
    let mut client = Client::session(&server.realtime()).await;
    assert!(matches!(client.message().await, Ok(Message::Text(text)) if text.as_str() == "this is no JSON"));
    assert!(matches!(client.message().await, Ok(Message::Binary(bytes)) if bytes.len() == 5));
    let surprise = client.event().await;
    assert_eq!((&surprise["type"], surprise["x"][1].as_str().map(str::len)), (&json!("surprise"), Some(640)));
    assert!(matches!(client.message().await, Err(Error::Utf8(_))));
    let mut client = Client::session(&server.realtime()).await;
    assert!(matches!(client.message().await, Err(Error::Protocol(_))));
    let mut client = Client::session(&server.realtime()).await;
    assert!(matches!(client.message().await, Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake))));
}

#[tokio::test]
async fn a_server_that_does_not_read_fills_the_clients_way() {
    let server = Server::script("hello\nstop-reading\n");
    let mut client = Client::session(&server.realtime()).await;
    let flood = async {
        loop {
            client.append(&[0; 24_000]).await;
        }
    };
    assert!(timeout(Duration::from_secs(2), flood).await.is_err());
}

#[tokio::test]
async fn a_script_that_has_ended_leaves_the_connection_open() {
    let server = Server::script("hello\n");
    let mut client = Client::session(&server.realtime()).await;
    client.append(&[0; 2_400]).await;
    let mut byte = [0];
    let raw = client.0.get_mut().read(&mut byte);
    assert!(timeout(Duration::from_millis(300), raw).await.is_err());
}

#[test]
fn a_fault_in_a_script_names_file_line_and_column() {
    let path = server::file("hello\nexpect response.create within soon\n");
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_realtime-server"))
        .args(["--engine", "script"])
        .arg(&path)
        .output()
        .expect("the server can be started");
    let stderr = String::from_utf8_lossy(&output.stderr);
    let place = format!("{}:2:31: expected a duration", path.display());
    assert!(output.status.code() == Some(1) && stderr.contains(&place), "{stderr}");
    std::fs::remove_file(path).expect("removed");
}
