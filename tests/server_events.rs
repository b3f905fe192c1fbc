//! Everything that the server says is of its published shape, and everything that the published shapes allow a client
//! to say is understood: dialogues with the real program, every event of which is held against the schemas.

#[path = "support/client.rs"]
mod client;
#[path = "support/examples.rs"]
mod examples;
#[path = "support/schema.rs"]
mod schema;
#[path = "support/server.rs"]
mod server;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::{Client, names, sound};
use futures_util::SinkExt;
use gstopenairealtime::protocol::{ClientEvent, ServerEvent};
use serde_json::{Value, json};
use server::Server;
use std::collections::BTreeSet;
use tokio_tungstenite::tungstenite::Message;

/// A client that checks the shape of everything that it says and hears.
struct Talk(Client);

impl Talk {
    async fn with(url: &str) -> Self {
        let mut talk = Self(Client::connect(url).await);
        assert_eq!(talk.event().await["type"], "session.created");
        talk
    }

    /// Says something of the published shape.
    async fn say(&mut self, event: Value) {
        schema::client().check(&event);
        self.0.send(event).await;
    }

    /// Changes the session; gives what it is then.
    async fn update(&mut self, mut session: Value) -> Value {
        session["type"] = "realtime".into();
        self.say(json!({"type": "session.update", "session": session})).await;
        let updated = self.until("session.updated").await.pop().expect("the event");
        updated["session"].clone()
    }

    async fn append(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)})).await;
    }

    async fn event(&mut self) -> Value {
        let event = self.0.event().await;
        heard(&event);
        event
    }

    /// The events up to one of this type. An error is none of them unless it is what is waited for.
    async fn until(&mut self, name: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.event().await;
            assert!(name == "error" || event["type"] != "error", "waiting for {name}: {event:#}");
            events.push(event);
            if events.last().is_some_and(|event| event["type"] == name) {
                return events;
            }
        }
    }

    /// Says something that must be refused, with this code and this field.
    async fn refused(&mut self, mut event: Value, code: Option<&str>, param: Option<&str>) {
        event["event_id"] = "the-one-at-fault".into();
        self.0.send(event.clone()).await;
        let error = self.until("error").await.pop().expect("the error")["error"].clone();
        let found = (error["code"].as_str(), error["param"].as_str(), error["event_id"].as_str());
        assert_eq!(found, (code, param, Some("the-one-at-fault")), "{event}: {error}");
        assert_eq!(error["type"], "invalid_request_error", "{event}");
    }
}

/// Holds an event of the server against its shape and its type.
#[track_caller]
fn heard(event: &Value) {
    schema::server().check(event);
    let typed = ServerEvent::from_json(&event.to_string()).expect("the words know it");
    assert!(!matches!(typed, ServerEvent::Unknown(_)));
}

fn echo() -> Server {
    Server::start(&["--engine", "echo"])
}

async fn talk_to_echo() -> (Server, Talk) {
    let server = echo();
    let talk = Talk::with(&server.realtime()).await;
    (server, talk)
}

/// Milliseconds of silence, speech and silence, for the echo's level meter.
fn speech(before: usize, speech: usize, after: usize) -> Vec<i16> {
    [vec![0; before * 24], vec![8_000; speech * 24], vec![0; after * 24]].concat()
}

#[track_caller]
fn one<'a>(events: &'a [Value], name: &str) -> &'a Value {
    let mut found = events.iter().filter(|event| event["type"] == name);
    match (found.next(), found.next()) {
        (Some(event), None) => event,
        _ => panic!("not one {name} in {:?}", names(events)),
    }
}

/// A question in writing; its answer is asked for apart.
fn question(id: &str, text: &str) -> Value {
    json!({"type": "conversation.item.create", "item":
        {"type": "message", "id": id, "role": "user", "content": [{"type": "input_text", "text": text}]}})
}

// ---- Turns --------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn a_turn_that_the_server_finds() {
    let (_server, mut talk) = talk_to_echo().await;
    let session = talk
        .update(json!({"audio": {"input": {"transcription": {"model": "gpt-4o-mini-transcribe", "language": "en"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 300, "idle_timeout_ms": null}}}}))
        .await;
    assert_eq!(session["audio"]["input"]["turn_detection"]["silence_duration_ms"], 300);
    talk.append(&speech(500, 400, 500)).await;
    let mut events = talk.until("rate_limits.updated").await;
    if !names(&events).contains(&"conversation.item.input_audio_transcription.completed") {
        events.extend(talk.until("conversation.item.input_audio_transcription.completed").await);
    }
    let item_id = &one(&events, "input_audio_buffer.speech_started")["item_id"];
    for name in ["input_audio_buffer.speech_stopped", "input_audio_buffer.committed"] {
        assert_eq!(&one(&events, name)["item_id"], item_id);
    }
    let response = &one(&events, "response.done")["response"];
    assert_eq!(response["status"], "completed");
    assert!(response["usage"]["output_token_details"]["audio_tokens"].as_u64() > Some(0));
    assert_eq!(sound(&events).len(), (300 + 400 + 300) * 24);
}

#[tokio::test]
async fn a_turn_that_the_client_ends() {
    let (_server, mut talk) = talk_to_echo().await;
    let session = talk.update(json!({"audio": {"input": {"turn_detection": null}}})).await;
    assert_eq!(session["audio"]["input"]["turn_detection"], Value::Null);
    talk.append(&[100; 2_400]).await;
    talk.say(json!({"type": "input_audio_buffer.clear"})).await;
    talk.until("input_audio_buffer.cleared").await;
    talk.append(&[200; 4_800]).await;
    talk.say(json!({"type": "input_audio_buffer.commit"})).await;
    let events = talk.until("conversation.item.done").await;
    assert_eq!(names(&events), ["input_audio_buffer.committed", "conversation.item.added", "conversation.item.done"]);
    talk.say(json!({"type": "response.create"})).await;
    let events = talk.until("response.done").await;
    assert_eq!(sound(&events), [200; 4_800]);
}

#[tokio::test]
async fn a_turn_in_writing() {
    let (_server, mut talk) = talk_to_echo().await;
    talk.say(question("question", "hello there")).await;
    talk.until("conversation.item.done").await;
    let response = json!({"output_modalities": ["text"], "instructions": "Be brief.", "max_output_tokens": 50,
        "tool_choice": "none", "tools": [], "metadata": {"topic": "greeting"}});
    talk.say(json!({"type": "response.create", "response": response})).await;
    let events = talk.until("response.done").await;
    assert_eq!(one(&events, "response.output_text.done")["text"], "You wrote: hello there");
    let response = &one(&events, "response.done")["response"];
    assert_eq!(response["metadata"], json!({"topic": "greeting"}));
    assert_eq!(response["output_modalities"], json!(["text"]));
    assert!(sound(&events).is_empty());
}

#[tokio::test]
async fn an_answer_that_grows_too_long_is_incomplete() {
    let (_server, mut talk) = talk_to_echo().await;
    talk.say(question("question", "one two three four five six seven eight nine ten")).await;
    talk.say(json!({"type": "response.create", "response": {"max_output_tokens": 10}})).await;
    let events = talk.until("response.done").await;
    let response = &one(&events, "response.done")["response"];
    assert_eq!(
        (&response["status"], &response["status_details"]["reason"]),
        (&json!("incomplete"), &json!("max_output_tokens"))
    );
}

#[tokio::test]
async fn an_answer_beside_the_conversation() {
    let (_server, mut talk) = talk_to_echo().await;
    talk.say(question("question", "who are you")).await;
    talk.until("conversation.item.done").await;
    let input = json!([{"type": "item_reference", "id": "question"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "in one word"}]}]);
    let response = json!({"conversation": "none", "input": input, "output_modalities": ["text"],
        "metadata": {"purpose": "summary"}});
    talk.say(json!({"type": "response.create", "response": response})).await;
    let events = talk.until("response.done").await;
    for name in ["response.created", "response.done"] {
        let response = &one(&events, name)["response"];
        assert_eq!(response["conversation_id"], Value::Null);
        assert_eq!(response["metadata"], json!({"purpose": "summary"}));
    }
    assert_eq!(one(&events, "response.output_text.done")["text"], "You wrote: in one word");
    assert!(!names(&events).iter().any(|name| name.starts_with("conversation.item")), "{:?}", names(&events));
}

#[tokio::test]
async fn a_silence_that_lasts() {
    let (_server, mut talk) = talk_to_echo().await;
    talk.update(json!({"audio": {"input": {"turn_detection": {"type": "server_vad", "idle_timeout_ms": 5000}}}})).await;
    talk.append(&vec![0; 24_000 * 6]).await;
    let events = talk.until("response.done").await;
    let timeout = one(&events, "input_audio_buffer.timeout_triggered");
    assert_eq!((&timeout["audio_start_ms"], &timeout["audio_end_ms"]), (&json!(0), &json!(5_000)));
    assert_eq!(one(&events, "input_audio_buffer.committed")["item_id"], timeout["item_id"]);
}

#[tokio::test]
async fn a_session_that_only_writes_down() {
    let server = echo();
    let mut talk = Talk(Client::connect(&format!("{}?intent=transcription", server.url())).await);
    let created = talk.event().await;
    assert_eq!(created["session"]["object"], "realtime.transcription_session");
    let session = json!({"type": "transcription", "audio": {"input": {"format": {"type": "audio/pcm", "rate": 24000},
        "transcription": {"model": "gpt-live-transcribe", "languages": ["en"]}, "turn_detection": null}},
        "include": ["item.input_audio_transcription.logprobs"]});
    talk.say(json!({"type": "session.update", "session": session})).await;
    talk.until("session.updated").await;
    talk.append(&[50; 24_000]).await;
    talk.say(json!({"type": "input_audio_buffer.commit"})).await;
    let events = talk.until("conversation.item.input_audio_transcription.completed").await;
    assert_eq!(events.last().expect("the last")["usage"], json!({"type": "duration", "seconds": 1.0}));
    talk.refused(json!({"type": "response.create"}), Some("invalid_value"), Some("type")).await;
}

#[tokio::test]
async fn sound_of_a_telephone() {
    let (_server, mut talk) = talk_to_echo().await;
    for format in ["audio/pcmu", "audio/pcma"] {
        let format = json!({"type": format});
        let audio = json!({"input": {"format": format, "turn_detection": null}, "output": {"format": format}});
        let session = talk.update(json!({"audio": audio})).await;
        assert_eq!(session["audio"]["input"]["format"], format);
        talk.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode([0x55; 8_000])})).await;
        talk.say(json!({"type": "input_audio_buffer.commit"})).await;
        talk.say(json!({"type": "response.create"})).await;
        let events = talk.until("response.done").await;
        let bytes = |event: &Value| STANDARD.decode(event["delta"].as_str().expect("text")).expect("base64").len();
        let deltas = events.iter().filter(|event| event["type"] == "response.output_audio.delta");
        assert_eq!(deltas.map(bytes).sum::<usize>(), 8_000, "{format}");
        let output = &one(&events, "response.done")["response"]["audio"]["output"];
        assert_eq!(output["format"], format);
    }
}

// ---- Items ------------------------------------------------------------------------------------------------------

#[tokio::test]
async fn items_of_every_kind() {
    let (_server, mut talk) = talk_to_echo().await;
    // The smallest picture that is one: a black pixel.
    let png = "data:image/png;base64,\
        iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg==";
    let items = [
        json!({"type": "message", "role": "system", "content": [{"type": "input_text", "text": "Be kind."}]}),
        json!({"type": "message", "role": "user", "content": [
            {"type": "input_audio", "audio": STANDARD.encode([0; 4_800]), "transcript": "hm"},
            {"type": "input_image", "image_url": png, "detail": "low"},
            {"type": "input_text", "text": "What is it?"}]}),
        json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "A pixel."}]}),
        json!({"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}),
        json!({"type": "function_call_output", "call_id": "call_1", "output": "black"}),
        json!({"type": "mcp_list_tools", "server_label": "docs", "tools": [{"name": "find", "input_schema": {}}]}),
        json!({"type": "mcp_call", "id": "mcp_1", "server_label": "docs", "name": "find", "arguments": "{}",
            "output": "x"}),
        json!({"type": "mcp_approval_request", "id": "mcp_2", "server_label": "docs", "name": "find",
            "arguments": "{}"}),
        json!({"type": "mcp_approval_response", "id": "mcp_3", "approval_request_id": "mcp_2", "approve": true}),
    ];
    let mut previous = Value::Null;
    for item in items {
        talk.say(json!({"type": "conversation.item.create", "item": item})).await;
        let events = talk.until("conversation.item.done").await;
        let done = &events[1];
        assert_eq!((&done["item"]["type"], &done["previous_item_id"]), (&item["type"], &previous));
        previous = done["item"]["id"].clone();
        talk.say(json!({"type": "conversation.item.retrieve", "item_id": previous})).await;
        talk.until("conversation.item.retrieved").await;
    }
    let front =
        json!({"type": "message", "id": "front", "role": "user", "content": [{"type": "input_text", "text": "1"}]});
    talk.say(json!({"type": "conversation.item.create", "previous_item_id": "root", "item": front})).await;
    let events = talk.until("conversation.item.done").await;
    assert_eq!(events[1]["previous_item_id"], Value::Null);
    talk.say(json!({"type": "conversation.item.delete", "item_id": "front"})).await;
    let events = talk.until("conversation.item.deleted").await;
    assert_eq!(events[0]["item_id"], "front");
}

fn truncate(item_id: &Value, ms: u64) -> Value {
    json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms})
}

#[tokio::test]
async fn what_was_not_heard_is_taken_back() {
    let (_server, mut talk) = talk_to_echo().await;
    talk.append(&speech(300, 500, 500)).await;
    let events = talk.until("response.done").await;
    let answer = one(&events, "response.done")["response"]["output"][0]["id"].clone();
    let user = one(&events, "input_audio_buffer.committed")["item_id"].clone();
    talk.say(truncate(&answer, 250)).await;
    let truncated = talk.until("conversation.item.truncated").await.pop().expect("the event");
    assert_eq!(truncated["audio_end_ms"], 250);
    talk.say(json!({"type": "conversation.item.retrieve", "item_id": answer})).await;
    let item = talk.until("conversation.item.retrieved").await.pop().expect("the event")["item"].clone();
    assert_eq!(item["content"][0]["transcript"], Value::Null);
    let audio = STANDARD.decode(item["content"][0]["audio"].as_str().expect("sound")).expect("base64");
    assert_eq!(audio.len(), 250 * 48);
    talk.refused(truncate(&answer, 251), Some("invalid_value"), Some("audio_end_ms")).await;
    talk.refused(truncate(&user, 0), None, None).await;
}

// ---- An answer that takes its time: only the engine that really speaks does ---------------------------------------

/// A talk in which the model is speaking, and will be for a long time.
async fn talk_over_an_answer(server: &Server) -> (Talk, String) {
    let mut talk = Talk::with(&server.realtime()).await;
    let call = json!({"type": "function_call", "call_id": "call_1", "name": "read", "arguments": "{}"});
    let text = "This is a sentence of a very long story. ".repeat(100);
    let output = json!({"type": "function_call_output", "call_id": "call_1", "output": text});
    for item in [call, output] {
        talk.say(json!({"type": "conversation.item.create", "item": item})).await;
        talk.until("conversation.item.done").await;
    }
    talk.say(json!({"type": "response.create"})).await;
    let events = talk.until("response.output_audio.delta").await;
    let id = one(&events, "response.created")["response"]["id"].as_str().expect("a name").to_owned();
    (talk, id)
}

#[track_caller]
fn assert_cancelled(events: &[Value], reason: &str) {
    let response = &one(events, "response.done")["response"];
    assert_eq!((&response["status"], &response["status_details"]["reason"]), (&json!("cancelled"), &json!(reason)));
    assert_eq!(response["output"][0]["status"], "incomplete");
    for name in ["response.output_audio.done", "response.content_part.done", "response.output_item.done"] {
        one(events, name);
    }
}

#[tokio::test]
async fn an_answer_that_the_client_stops() {
    let server = Server::start(&[]);
    let (mut talk, id) = talk_over_an_answer(&server).await;
    let busy = Some("conversation_already_has_active_response");
    talk.refused(json!({"type": "response.create"}), busy, None).await;
    let voice = json!({"type": "realtime", "audio": {"output": {"voice": "cedar"}}});
    talk.refused(json!({"type": "session.update", "session": voice}), Some("cannot_update_voice"), None).await;
    talk.say(json!({"type": "response.cancel", "response_id": id})).await;
    let events = talk.until("response.done").await;
    assert_cancelled(&events, "client_cancelled");
    talk.refused(json!({"type": "response.cancel"}), Some("response_cancel_not_active"), None).await;
}

#[tokio::test]
async fn an_answer_that_the_user_interrupts() {
    let server = Server::start(&[]);
    let (mut talk, _) = talk_over_an_answer(&server).await;
    let question = recording("goforward.wav");
    talk.append(&[question, vec![0; 24_000]].concat()).await;
    let events = talk.until("response.done").await;
    assert!(names(&events).contains(&"input_audio_buffer.speech_started"), "{:?}", names(&events));
    assert_cancelled(&events, "turn_detected");
    let events = talk.until("response.done").await;
    assert_eq!(one(&events, "response.done")["response"]["status"], "completed");
}

/// A recording at 16 kHz, interpolated to the 24 kHz of the API.
fn recording(name: &str) -> Vec<i16> {
    let path = format!("{}/tests/media/{name}", env!("CARGO_MANIFEST_DIR"));
    let file = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let data = file.windows(4).position(|window| window == b"data").expect("a data chunk") + 8;
    let samples: Vec<i32> =
        file[data..].as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair).into()).collect();
    let at = |index: usize| samples[index.min(samples.len() - 1)];
    let between = |place: usize| {
        let (index, thirds) = (place * 2 / 3, (place * 2 % 3) as i32);
        at(index) + (at(index + 1) - at(index)) * thirds / 3
    };
    (0..samples.len() * 3 / 2).map(|place| between(place) as i16).collect()
}

// ---- What is refused --------------------------------------------------------------------------------------------

#[tokio::test]
async fn every_fault_of_a_client_has_its_error() {
    let (_server, mut talk) = talk_to_echo().await;
    let session = |fields: Value| {
        let mut session = json!({"type": "realtime"});
        session.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        json!({"type": "session.update", "session": session})
    };
    let input = |input: Value| session(json!({"audio": {"input": input}}));
    let create = |item: Value| json!({"type": "conversation.item.create", "item": item});
    let message = |content: Value| create(json!({"type": "message", "role": "user", "content": content}));
    let many: serde_json::Map<String, Value> = (0..17).map(|key| (format!("key{key}"), json!("value"))).collect();
    let faults = [
        (json!({"type": "response.dream"}), "invalid_value", "type"),
        (json!({"type": "session.update"}), "missing_required_parameter", "session"),
        (json!({"type": "session.update", "session": {}}), "missing_required_parameter", "session.type"),
        (session(json!({"temperature": 0.8})), "unknown_parameter", "session.temperature"),
        (session(json!({"voice": "ash"})), "unknown_parameter", "session.voice"),
        (session(json!({"output_modalities": ["text", "audio"]})), "invalid_value", "session.output_modalities"),
        (session(json!({"instructions": 5})), "invalid_type", "session.instructions"),
        (session(json!({"tools": {}})), "invalid_type", "session.tools"),
        (session(json!({"tool_choice": "maybe"})), "invalid_value", "session.tool_choice"),
        (session(json!({"max_output_tokens": 0})), "integer_below_min_value", "session.max_output_tokens"),
        (session(json!({"max_output_tokens": 1 << 20})), "integer_above_max_value", "session.max_output_tokens"),
        (
            session(json!({"audio": {"output": {"speed": 0.1}}})),
            "decimal_below_min_value",
            "session.audio.output.speed",
        ),
        (
            session(json!({"audio": {"output": {"speed": 9.0}}})),
            "decimal_above_max_value",
            "session.audio.output.speed",
        ),
        (session(json!({"audio": {"output": {"voice": "nobody"}}})), "invalid_value", "session.audio.output.voice"),
        (session(json!({"model": "another"})), "invalid_value", "session.model"),
        (
            input(json!({"format": {"type": "audio/pcm", "rate": 16000}})),
            "integer_below_min_value",
            "session.audio.input.format.rate",
        ),
        (
            input(json!({"turn_detection": {"type": "telepathy"}})),
            "invalid_value",
            "session.audio.input.turn_detection.type",
        ),
        (
            input(json!({"turn_detection": {"type": "server_vad", "idle_timeout_ms": 1}})),
            "integer_below_min_value",
            "session.audio.input.turn_detection.idle_timeout_ms",
        ),
        (json!({"type": "input_audio_buffer.append"}), "missing_required_parameter", "audio"),
        (json!({"type": "input_audio_buffer.append", "audio": "*"}), "invalid_value", "audio"),
        (json!({"type": "input_audio_buffer.append", "audio": "AAAA"}), "invalid_value", "audio"),
        (json!({"type": "output_audio_buffer.clear"}), "invalid_value", "type"),
        (message(json!([{"type": "input_text"}])), "missing_required_parameter", "item.content[0].text"),
        (message(json!([{"type": "output_text", "text": "x"}])), "invalid_value", "item.content[0].type"),
        (
            message(json!([{"type": "input_text", "text": "x".repeat(256_001)}])),
            "string_above_max_length",
            "item.content[0].text",
        ),
        (
            message(json!([{"type": "input_image", "image_url": "https://example.com/a.png"}])),
            "invalid_value",
            "item.content[0].image_url",
        ),
        (
            create(json!({"type": "function_call_output", "call_id": "no", "output": ""})),
            "invalid_tool_call_id",
            "item.call_id",
        ),
        (
            json!({"type": "conversation.item.create", "previous_item_id": "no",
                "item": {"type": "message", "role": "user", "content": []}}),
            "item_create_invalid_previous_item_id",
            "previous_item_id",
        ),
        (json!({"type": "conversation.item.retrieve", "item_id": "no"}), "item_retrieve_invalid_item_id", "item_id"),
        (json!({"type": "conversation.item.delete", "item_id": "no"}), "item_delete_invalid_item_id", "item_id"),
        (
            json!({"type": "conversation.item.truncate", "item_id": "no", "content_index": 0, "audio_end_ms": 0}),
            "item_truncate_invalid_item_id",
            "item_id",
        ),
        (
            json!({"type": "conversation.item.truncate", "item_id": "no", "content_index": 0, "audio_end_ms": -1}),
            "integer_below_min_value",
            "audio_end_ms",
        ),
        (
            json!({"type": "response.create", "response": {"conversation": "mine"}}),
            "invalid_value",
            "response.conversation",
        ),
        (
            json!({"type": "response.create", "response": {"modalities": ["text"]}}),
            "unknown_parameter",
            "response.modalities",
        ),
        (
            json!({"type": "response.create", "response": {"metadata": {"key": "v".repeat(513)}}}),
            "string_above_max_length",
            "response.metadata.key",
        ),
        (
            json!({"type": "response.create", "response": {"metadata": many}}),
            "object_above_max_properties",
            "response.metadata",
        ),
    ];
    for (event, code, param) in faults {
        talk.refused(event, Some(code), Some(param)).await;
    }
    for (event, code) in [
        (json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty"),
        (json!({"type": "response.cancel"}), "response_cancel_not_active"),
        (json!({"type": "response.cancel", "response_id": "no"}), "response_cancel_not_active"),
    ] {
        schema::client().check(&event);
        talk.refused(event, Some(code), None).await;
    }
    talk.say(question("question", "again")).await;
    talk.until("conversation.item.done").await;
    talk.refused(question("question", "again"), Some("invalid_value"), Some("item.id")).await;
    // After all that the session is what it was.
    talk.say(json!({"type": "response.create"})).await;
    talk.until("response.done").await;
}

#[tokio::test]
async fn what_is_no_event_has_its_error() {
    let (_server, mut talk) = talk_to_echo().await;
    for (message, code) in [
        (Message::text("{\"type\": "), "invalid_json"),
        (Message::text("hello"), "invalid_json"),
        (Message::text("[]"), "invalid_event"),
        (Message::text("{}"), "invalid_event"),
        (Message::text("{\"type\": 5}"), "invalid_event"),
        (Message::binary(vec![0; 10]), "invalid_event"),
    ] {
        talk.0.0.send(message.clone()).await.expect("the server takes it");
        let error = talk.until("error").await.pop().expect("the error");
        assert_eq!(error["error"]["code"], code, "{message:?}");
        assert_eq!(error["error"]["event_id"], Value::Null, "{message:?}");
    }
}

#[tokio::test]
async fn what_ends_a_session_has_its_error_too() {
    let server = Server::start(&["--engine", "echo", "--api-key", "right", "--max-session", "1s", "--refuse-beta"]);
    let good = ("authorization", "Bearer right");
    let cases = [
        ("?model=gpt-realtime", vec![("authorization", "Bearer wrong")], "invalid_api_key", 3000),
        ("", vec![good], "missing_model", 4000),
        ("?model=no-such-model", vec![good], "invalid_model", 4000),
        ("?model=gpt-realtime", vec![good, ("openai-beta", "realtime=v1")], "beta_api_shape_disabled", 4000),
        ("?model=gpt-realtime", vec![good], "session_expired", 1001),
    ];
    for (query, headers, code, close) in cases {
        let url = format!("{}{query}", server.url());
        let mut talk = Talk(Client::connect_with(&url, &headers).await.expect("an upgrade"));
        let error = talk.until("error").await.pop().expect("the error");
        assert_eq!(error["error"]["code"], code);
        assert_eq!(talk.0.close().await.0, close, "{code}");
    }
}

// ---- What the published shapes allow ------------------------------------------------------------------------------

/// What an example is refused for although its shape is right: what it names is not there, its text is none of what the
/// field is for, or the session is of another kind. A refusal of the shape itself is never among them.
const REFUSED_FOR_WHAT_IT_SAYS: &[(&str, &str)] = &[
    ("input_audio_buffer_commit_empty", ""),
    ("invalid_tool_call_id", "item.call_id"),
    ("invalid_value", "item.content[0].image_url"),
    ("invalid_value", "response.audio.output.voice"),
    ("invalid_value", "response.conversation"),
    ("invalid_value", "session.audio.output.voice"),
    ("invalid_value", "session.model"),
    ("invalid_value", "session.type"),
    // Of `output_audio_buffer.clear`, which is for WebRTC.
    ("invalid_value", "type"),
    ("item_create_invalid_previous_item_id", "previous_item_id"),
    ("item_delete_invalid_item_id", "item_id"),
    ("item_retrieve_invalid_item_id", "item_id"),
    ("item_truncate_invalid_item_id", "item_id"),
    ("response_cancel_not_active", ""),
];

/// The fields that each kind of part has. The types describe all parts as one record; an example of one kind that has
/// the fields of another is rightly refused.
const PARTS: &[(&str, &[&str])] = &[
    ("input_text", &["text"]),
    ("input_audio", &["audio", "transcript"]),
    ("input_image", &["image_url", "detail"]),
    ("output_text", &["text"]),
    ("output_audio", &["transcript"]),
];

fn keep_what_fits(value: &mut Value) {
    match value {
        Value::Object(object) => {
            let kind = object.get("type").and_then(Value::as_str);
            if let Some((_, fields)) = PARTS.iter().find(|(name, _)| Some(*name) == kind) {
                object.retain(|name, _| name == "type" || fields.contains(&name.as_str()));
            }
            object.values_mut().for_each(keep_what_fits);
        }
        Value::Array(array) => array.iter_mut().for_each(keep_what_fits),
        _ => {}
    }
}

#[tokio::test]
async fn every_published_request_is_understood() {
    let server = echo();
    let mut misunderstood = BTreeSet::new();
    for mut event in ClientEvent::NAMES.iter().flat_map(|name| examples::examples(schema::client(), name)) {
        keep_what_fits(&mut event);
        event["event_id"] = "the-example".into();
        let mut talk = Talk::with(&server.realtime()).await;
        talk.say(event).await;
        // Events are answered in order, and this one is always answered.
        talk.say(json!({"type": "conversation.item.retrieve", "item_id": "no such item", "event_id": "the-end"})).await;
        let error = loop {
            let said = talk.event().await;
            if said["type"] == "error" {
                break said["error"].clone();
            }
        };
        let text = |name: &str| error[name].as_str().unwrap_or_default();
        if text("event_id") != "the-end" && !REFUSED_FOR_WHAT_IT_SAYS.contains(&(text("code"), text("param"))) {
            misunderstood.insert(format!("{} at '{}': {}", text("code"), text("param"), text("message")));
        }
    }
    let lines: Vec<String> = misunderstood.into_iter().collect();
    assert!(lines.is_empty(), "{}", lines.join("\n"));
}
