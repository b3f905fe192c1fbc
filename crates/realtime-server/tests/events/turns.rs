// SPDX-License-Identifier: MPL-2.0

//! Turns: the server finds them, the client ends them, they are written, or it is silence that is answered.

use super::client::{Client, names, sound};
use super::{Talk, echo, one, question, speech, talk_to_echo};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

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
