// SPDX-License-Identifier: MPL-2.0

//! The page, and official WebRTC clients, in a real Chromium that has a microphone and a camera.
//!
//! What Chromium does is in `tests/clients/browser`. `tests/run.sh` installs what that needs. With `SCREENSHOTS=DIR`
//! pictures of the page are kept there.

mod support;

use gst::prelude::*;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;
use support::Gateway;
use tokio::process::Command;
use tokio::sync::{Mutex, MutexGuard};

const INSTALL: &str = "run tests/run.sh, or install chromium and run tests/clients/install.sh";
/// The scenarios give up earlier, and say at what.
const LIMIT: Duration = Duration::from_secs(180);

/// One browser at a time: it takes as many processors as there are.
async fn turn() -> MutexGuard<'static, ()> {
    static TURN: LazyLock<Mutex<()>> = LazyLock::new(Mutex::default);
    TURN.lock().await
}

fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// A film of a flower for the camera.
fn film() -> PathBuf {
    static FILM: LazyLock<PathBuf> = LazyLock::new(|| {
        gst::init().expect("GStreamer");
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("flower.y4m");
        let line = format!(
            "filesrc location={} ! jpegdec ! imagefreeze num-buffers=20 ! videocrop bottom=1 ! videoconvert \
             ! video/x-raw,format=I420,width=640,height=426,framerate=10/1 ! y4menc ! filesink location={}",
            project("tests/media/flower.jpg").display(),
            path.display()
        );
        let pipeline = gst::parse::launch(&line).expect("a pipeline");
        pipeline.set_state(gst::State::Playing).expect("it plays");
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let end = pipeline.bus().expect("a bus").timed_pop_filtered(gst::ClockTime::from_seconds(30), &ends);
        pipeline.set_state(gst::State::Null).expect("it ends");
        assert_eq!(end.expect("an end").type_(), gst::MessageType::Eos);
        path
    });
    FILM.clone()
}

/// Runs a program of `tests/clients/browser`; gives what it has measured. One that fails or hangs fails the test.
async fn browse(program: &str, scenario: &str, gateway: &Gateway, transport: &str) -> Value {
    let packages = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("clients").join("browser");
    assert!(packages.join("node_modules/puppeteer-core").exists(), "{} is empty: {INSTALL}", packages.display());
    let film = tokio::task::spawn_blocking(film).await.expect("a film");
    let child = Command::new("node")
        .arg(project("tests/clients/browser").join(program))
        .args([scenario, &gateway.url, transport])
        .env("BROWSER_DIR", packages)
        .env("MEDIA", project("tests/media"))
        .env("CAMERA", film)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("node cannot be run ({error}): {INSTALL}"));
    let output = tokio::time::timeout(LIMIT, child.wait_with_output()).await.expect("an end").expect("output");
    let (said, complaints) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{program} {scenario} {transport}: {}\n{complaints}{said}", output.status);
    eprintln!("{scenario} {transport}: {said}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

async fn page(scenario: &str, gateway: &Gateway, transport: &str) -> Value {
    browse("page.mjs", scenario, gateway, transport).await
}

/// A page that was closed is a visitor who has left.
async fn until_empty(gateway: &Gateway) {
    gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_answered_before_and_after_a_reload() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    for transport in ["webrtc", "websocket"] {
        page("conversation", &gateway, transport).await;
        until_empty(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn speech_over_an_answer_stops_it_and_marks_the_transcript() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    for transport in ["webrtc", "websocket"] {
        page("barge-in", &gateway, transport).await;
        until_empty(&gateway).await;
    }
    assert_eq!(gateway.metric("voice_chat_interruptions_total").await, 2.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_picture_of_the_camera_is_described() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    for (scenario, transport) in [("camera-vp8", "webrtc"), ("camera-h264", "webrtc"), ("camera", "websocket")] {
        page(scenario, &gateway, transport).await;
        until_empty(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_heard_until_the_button_is_held() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    page("push-to-talk", &gateway, "webrtc").await;
    until_empty(&gateway).await;
}

/// `TURN=turn://USER:PASSWORD@HOST:PORT cargo test -p voice-chat --test browser turn_server -- --ignored`; one of this machine:
/// `turnserver -n -L 127.0.0.1 --no-cli --allow-loopback-peers --lt-cred-mech --realm test --user USER:PASSWORD`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a TURN server"]
async fn a_visitor_is_reached_through_a_turn_server() {
    let _turn = turn().await;
    let server = std::env::var("TURN").expect("TURN=turn://USER:PASSWORD@HOST:PORT");
    let gateway = Gateway::start(&[], &["--turn", &server, "--ice-transport-policy", "relay"]).await;
    page("relay", &gateway, "webrtc").await;
    until_empty(&gateway).await;
}

/// As a phone needs it: browsers give a microphone to other computers' pages by HTTPS only.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_by_https_has_a_microphone() {
    let _turn = turn().await;
    let mut gateway = Gateway::start(&[], &["--tls"]).await;
    assert!(gateway.url.starts_with("https://"), "{}", gateway.url);
    for transport in ["webrtc", "websocket"] {
        page("conversation", &gateway, transport).await;
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visitor_may_leave_at_any_time() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    for transport in ["webrtc", "websocket"] {
        page("leaves", &gateway, transport).await;
        until_empty(&gateway).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_visit_is_explained() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &["--max-duration", "2s"]).await;
    page("too-long", &gateway, "webrtc").await;
    page("denied", &gateway, "webrtc").await;
    until_empty(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_the_gateway_that_is_gone_is_named() {
    let _turn = turn().await;
    // Nobody listens on the port of discard.
    let gateway = Gateway::with_upstream("ws://127.0.0.1:9/v1", &[]).await;
    page("gone", &gateway, "webrtc").await;
    until_empty(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_accessible_and_fits() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    page("looks", &gateway, "webrtc").await;
    until_empty(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn official_clients_talk_unchanged() {
    let _turn = turn().await;
    let gateway = Gateway::start(&[], &[]).await;
    for client in ["agents", "guide"] {
        browse("clients.mjs", client, &gateway, "webrtc").await;
        until_empty(&gateway).await;
    }
}

/// A model that wants to look, and to know the time, and then speaks.
const LOOKS: &str = r#"
hello
expect session.update {"session": {"tools": [{"type": "function", "name": "time_in"}, {"type": "function", "name": "look"}]}}
send session.updated {"session": {"type": "realtime", "id": "sess_1", "model": "m"}}
await conversation.item.create {"item": {"content": [{"type": "input_text"}]}}
await response.create
send response.created {"response": {"id": "resp_1", "status": "in_progress", "conversation_id": "conv_1", "output": []}}
send response.function_call_arguments.done {"response_id": "resp_1", "item_id": "item_1", "output_index": 0, "call_id": "call_1", "name": "look", "arguments": "{}"}
send response.output_item.done {"response_id": "resp_1", "output_index": 0, "item": {"id": "item_1", "type": "function_call", "status": "completed", "call_id": "call_1", "name": "look", "arguments": "{}"}}
send response.function_call_arguments.done {"response_id": "resp_1", "item_id": "item_2", "output_index": 1, "call_id": "call_2", "name": "time_in", "arguments": "{\"time_zone\": \"Europe/Oslo\"}"}
send response.output_item.done {"response_id": "resp_1", "output_index": 1, "item": {"id": "item_2", "type": "function_call", "status": "completed", "call_id": "call_2", "name": "time_in", "arguments": "{\"time_zone\": \"Europe/Oslo\"}"}}
send response.done {"response": {"id": "resp_1", "status": "completed", "conversation_id": "conv_1", "output": []}}
await conversation.item.create {"item": {"type": "function_call_output", "call_id": "call_1"}}
await conversation.item.create {"item": {"type": "function_call_output", "call_id": "call_2"}}
await response.create
respond "I see it."
"#;

#[tokio::test(flavor = "multi_thread")]
async fn the_model_looks_when_it_wants_to() {
    let _turn = turn().await;
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join("looks.txt");
    std::fs::write(&script, LOOKS).expect("written");
    let gateway = Gateway::start(&["--engine", "script", script.to_str().expect("a path")], &[]).await;
    let notes = page("functions", &gateway, "webrtc").await["notes"].to_string();
    assert!(notes.contains("look({})") && notes.contains("time_in(") && !notes.contains("error"), "{notes}");
    until_empty(&gateway).await;
}
