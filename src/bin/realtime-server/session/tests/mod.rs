//! Sessions as dialogues: what a client says, what a server answers, in which order. The engine is the echo, driven by
//! hand, so nothing here waits.

mod beta;
mod calling;

use super::*;
use crate::engine::echo::Echo;
use crate::engine::{Answer, Engine, Piece};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, from_str, json};

/// A session, what it said, and the answers that it asked for.
struct Dialogue {
    session: Session,
    said: Vec<Value>,
    answers: Vec<(String, Answer)>,
    hearings: Vec<String>,
    stopped: Vec<String>,
    now: Instant,
}

impl Dialogue {
    fn new(kind: SessionKind) -> Self {
        Self::opened(Opening { kind, model: "gpt-realtime".into(), expires_at: 1, preset: None, beta: false })
    }

    fn opened(opening: Opening) -> Self {
        let session = Session::new(Arc::new(Echo), &opening);
        let (said, answers, hearings, stopped) = Default::default();
        let mut dialogue = Self { session, said, answers, hearings, stopped, now: Instant::now() };
        dialogue.drain();
        assert!(dialogue.names()[0].ends_with("session.created"));
        dialogue
    }

    /// One that speaks the beta.
    fn beta(kind: SessionKind) -> Self {
        Self::opened(Opening { kind, model: "gpt-realtime".into(), expires_at: 1, preset: None, beta: true })
    }

    fn drain(&mut self) {
        while let Some(output) = self.session.poll() {
            match output {
                Output::Send(event) => self.said.push(from_str(&event).expect("JSON")),
                Output::Start(Job::Answer { response_id, prompt }) => {
                    self.answers.push((response_id, Echo.answer(prompt)));
                }
                Output::Start(Job::Transcribe { item_id, .. }) => self.hearings.push(item_id),
                Output::Start(Job::Listen { .. }) => unreachable!("the echo understands nothing"),
                Output::Stop(id) => self.stopped.push(id),
                Output::Close(code, reason) => self.said.push(json!({"type": "close", "code": code, "reason": reason})),
            }
        }
    }

    /// The client says something.
    fn say(&mut self, event: Value) {
        self.session.handle(&event.to_string(), self.now);
        while self.session.listen(self.now) {
            self.drain();
        }
        self.drain();
    }

    fn append(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(bytes)}));
    }

    /// Speech and silence, in milliseconds.
    fn speak(&mut self, speech: usize, silence: usize) {
        self.append(&[vec![8_000; speech * 24], vec![0; silence * 24]].concat());
    }

    /// The engine makes the next piece of the oldest answer, or ends it.
    fn work(&mut self) {
        let (id, answer) = self.answers.first_mut().expect("an answer is asked for");
        let work = match answer.next() {
            Some(said) => Work::Said(id.clone(), said.expect("words")),
            None => Work::Answered(self.answers.remove(0).0, Ok(())),
        };
        self.session.work(work, self.now);
        self.drain();
    }

    /// The types of what was said since the last call.
    fn names(&mut self) -> Vec<String> {
        let names = |event: Value| event["type"].as_str().unwrap_or_default().to_string();
        std::mem::take(&mut self.said).into_iter().map(names).collect()
    }

    /// All of what was said since the last call.
    fn events(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.said)
    }

    /// The codes of errors since the last call, and which events they name.
    fn errors(&mut self) -> Vec<(String, Option<String>)> {
        let text = |value: &Value| value.as_str().map(str::to_string);
        let errors = self.events().into_iter().filter(|event| event["type"] == "error");
        errors
            .map(|event| (text(&event["error"]["code"]).unwrap_or_default(), text(&event["error"]["event_id"])))
            .collect()
    }
}

fn realtime() -> Dialogue {
    Dialogue::new(SessionKind::Realtime)
}

/// Equal types in a row count once.
fn squeezed(mut names: Vec<String>) -> Vec<String> {
    names.dedup();
    names
}

/// How a spoken answer ends.
const END: [&str; 7] = [
    "response.output_audio.done",
    "response.output_audio_transcript.done",
    "response.content_part.done",
    "conversation.item.done",
    "response.output_item.done",
    "response.done",
    "rate_limits.updated",
];

#[test]
fn a_spoken_turn_is_answered_in_the_order_of_the_protocol() {
    let mut dialogue = realtime();
    dialogue.append(&[0; 12_000]);
    dialogue.speak(400, 300);
    let events = dialogue.events();
    let names: Vec<_> = events.iter().filter_map(|event| event["type"].as_str()).collect();
    assert_eq!(
        names,
        [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "response.created"
        ]
    );
    assert_eq!(events[0]["audio_start_ms"], 200);
    assert_eq!(events[1]["audio_end_ms"], 1100);
    assert!(events[..5].iter().all(|event| {
        let id = if event["item"].is_object() { &event["item"]["id"] } else { &event["item_id"] };
        *id == events[0]["item_id"]
    }));
    assert_eq!(events[2]["previous_item_id"], Value::Null);
    dialogue.work();
    let names = squeezed(dialogue.names());
    assert_eq!(
        names[..5],
        [
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            "response.output_audio_transcript.delta",
            "response.output_audio.delta"
        ]
    );
    dialogue.work();
    assert_eq!(dialogue.names(), END);
}

#[test]
fn the_echo_is_the_committed_sound_and_its_count_is_right() {
    let mut dialogue = realtime();
    let sound: Vec<i16> = (0..24_000).map(|i| (i % 7_000) as i16).collect();
    dialogue.say(json!({"type": "session.update", "session":
        {"type": "realtime", "audio": {"input": {"turn_detection": null}}}}));
    dialogue.append(&sound);
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    dialogue.work();
    dialogue.work();
    let events = dialogue.events();
    let deltas = events.iter().filter(|event| event["type"] == "response.output_audio.delta");
    let bytes: Vec<u8> =
        deltas.flat_map(|event| STANDARD.decode(event["delta"].as_str().expect("base64")).expect("base64")).collect();
    let back: Vec<i16> = bytes.as_chunks::<2>().0.iter().map(|&pair| i16::from_le_bytes(pair)).collect();
    assert_eq!(back, sound);
    let done = events.iter().find(|event| event["type"] == "response.done").expect("an end");
    assert_eq!(done["response"]["output"][0]["content"][0]["transcript"], "You spoke for 1 seconds.");
    let usage = &done["response"]["usage"];
    assert_eq!(usage["input_token_details"]["audio_tokens"], 10);
    assert_eq!(usage["output_token_details"]["audio_tokens"], 20);
    let count = |name: &str| usage[name].as_u64().expect("a count");
    assert_eq!(count("total_tokens"), count("input_tokens") + count("output_tokens"));
}

#[test]
fn speech_over_an_answer_cancels_it_and_closes_what_was_open() {
    let mut dialogue = realtime();
    dialogue.speak(400, 300);
    dialogue.work();
    dialogue.events();
    dialogue.speak(400, 0);
    let events = dialogue.events();
    assert_eq!(events[0]["type"], "input_audio_buffer.speech_started");
    let names: Vec<_> = events[1..].iter().map(|event| event["type"].as_str().unwrap_or_default()).collect();
    assert_eq!(names, END);
    let response = &events[6]["response"];
    assert_eq!(
        (&response["status"], &response["status_details"]["reason"]),
        (&json!("cancelled"), &json!("turn_detected"))
    );
    assert_eq!(response["output"][0]["status"], "incomplete");
    assert_eq!(dialogue.stopped.len(), 1);
    // Late work of the cancelled answer is dropped.
    dialogue.work();
    assert!(dialogue.names().is_empty());
}

#[test]
fn without_interruption_the_next_turn_loses_against_the_answer() {
    let mut dialogue = realtime();
    dialogue
        .say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection":
        {"type": "server_vad", "interrupt_response": false}}}}}));
    dialogue.speak(400, 300);
    dialogue.events();
    dialogue.speak(400, 300);
    assert_eq!(dialogue.errors(), [("conversation_already_has_active_response".into(), None)]);
    assert!(dialogue.stopped.is_empty());
}

#[test]
fn a_manual_commit_ends_the_turn_without_speech_stopped_and_without_an_answer() {
    let mut dialogue = realtime();
    dialogue.speak(400, 0);
    let item_id = dialogue.events()[0]["item_id"].clone();
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    let events = dialogue.events();
    assert_eq!(events[0]["type"], "input_audio_buffer.committed");
    assert_eq!(events[0]["item_id"], item_id);
    assert_eq!(events.len(), 3);
    assert!(dialogue.answers.is_empty());
}

#[test]
fn an_update_is_taken_as_a_whole_or_not_at_all() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "session.update", "event_id": "e1", "session":
        {"type": "realtime", "instructions": "x", "temperature": 1}}));
    assert_eq!(dialogue.errors(), [("unknown_parameter".into(), Some("e1".into()))]);
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "tools": []}}));
    assert_ne!(dialogue.events()[0]["session"]["instructions"], "x");
}

#[test]
fn mistakes_have_their_codes_and_leave_the_session_open() {
    let mut dialogue = realtime();
    let table = [
        (json!({"type": "input_audio_buffer.commit"}), "input_audio_buffer_commit_empty"),
        (json!({"type": "input_audio_buffer.append", "audio": "AAAA"}), "invalid_value"),
        (json!({"type": "response.cancel"}), "response_cancel_not_active"),
        (json!({"type": "conversation.item.delete", "item_id": "x"}), "item_delete_invalid_item_id"),
        (json!({"type": "conversation.item.retrieve", "item_id": "x"}), "item_retrieve_invalid_item_id"),
        (
            json!({"type": "conversation.item.truncate", "item_id": "x", "content_index": 0, "audio_end_ms": 0}),
            "item_truncate_invalid_item_id",
        ),
        (
            json!({"type": "conversation.item.create", "previous_item_id": "x", "item": {"type": "message", "role": "user",
                "content": [{"type": "input_text", "text": "hi"}]}}),
            "item_create_invalid_previous_item_id",
        ),
        (
            json!({"type": "conversation.item.create", "item": {"type": "function_call_output", "call_id": "x", "output": ""}}),
            "invalid_tool_call_id",
        ),
        (json!({"type": "output_audio_buffer.clear"}), "invalid_value"),
    ];
    for (index, (mut event, code)) in table.into_iter().enumerate() {
        event["event_id"] = format!("e{index}").into();
        dialogue.say(event);
        assert_eq!(dialogue.errors(), [(code.to_string(), Some(format!("e{index}")))]);
    }
    dialogue.say(json!({"type": "response.create"}));
    dialogue.say(json!({"type": "response.create", "event_id": "second"}));
    assert_eq!(dialogue.errors(), [("conversation_already_has_active_response".into(), Some("second".into()))]);
}

#[test]
fn an_answer_beside_the_conversation_leaves_no_trace_in_it() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "response.create"}));
    dialogue.say(json!({"type": "response.create", "response": {"conversation": "none", "output_modalities": ["text"],
        "metadata": {"topic": "x"}, "input": []}}));
    let events = dialogue.events();
    assert_eq!(events[1]["response"]["conversation_id"], Value::Null);
    assert_eq!(events[1]["response"]["metadata"]["topic"], "x");
    drop(dialogue.answers.remove(0));
    dialogue.work();
    dialogue.work();
    let names = squeezed(dialogue.names());
    assert!(names.iter().all(|name| !name.starts_with("conversation.")), "{names:?}");
    assert_eq!(names[2], "response.output_text.delta");
    assert!(dialogue.session.conversation.entries().is_empty());
}

#[test]
fn the_voice_is_fixed_after_the_first_sound() {
    let mut dialogue = realtime();
    let voice = |name: &str| {
        json!({"type": "session.update", "session":
        {"type": "realtime", "audio": {"output": {"voice": name}}}})
    };
    dialogue.say(voice("cedar"));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.work();
    dialogue.events();
    dialogue.say(voice("ash"));
    assert_eq!(dialogue.errors(), [("cannot_update_voice".into(), None)]);
}

#[test]
fn transcription_runs_beside_and_tells_words_and_tokens() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input":
        {"transcription": {"model": "gpt-4o-mini-transcribe"}, "turn_detection": null}}}}));
    dialogue.append(&[1; 24_000]);
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    dialogue.events();
    let item_id = dialogue.hearings.remove(0);
    dialogue.session.work(Work::Heard(item_id.clone(), Ok("Hello there.".into())), dialogue.now);
    dialogue.drain();
    let events = dialogue.events();
    assert_eq!((&events[0]["delta"], &events[1]["delta"]), (&json!("Hello "), &json!("there.")));
    assert_eq!(events[2]["transcript"], "Hello there.");
    assert_eq!(
        events[2]["usage"],
        json!({"type": "tokens", "total_tokens": 13, "input_tokens": 10, "output_tokens": 3,
        "input_token_details": {"text_tokens": 0, "audio_tokens": 10}})
    );
    dialogue.session.work(Work::Heard(item_id, Err("no".into())), dialogue.now);
    dialogue.drain();
    assert_eq!(dialogue.events()[0]["error"]["code"], "server_error");
}

#[test]
fn a_transcription_session_commits_and_never_answers() {
    let mut dialogue = Dialogue::new(SessionKind::Transcription);
    dialogue.speak(400, 300);
    assert_eq!(dialogue.names().last().map(String::as_str), Some("conversation.item.done"));
    dialogue.say(json!({"type": "response.create"}));
    assert_eq!(dialogue.errors().len(), 1);
    dialogue.say(json!({"type": "session.update", "session": {"type": "transcription", "instructions": "x"}}));
    assert_eq!(dialogue.errors(), [("unknown_parameter".into(), None)]);
}

#[test]
fn silence_of_both_sides_is_answered_once() {
    let mut dialogue = realtime();
    dialogue.append(&[0; 24_000]);
    dialogue
        .say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {"turn_detection":
        {"type": "server_vad", "idle_timeout_ms": 5000}}}}}));
    dialogue.events();
    dialogue.append(&vec![0; 24 * 3_900]);
    assert!(dialogue.names().is_empty());
    dialogue.append(&vec![0; 24 * 200]);
    let events = dialogue.events();
    assert_eq!(events[0]["type"], "input_audio_buffer.timeout_triggered");
    assert_eq!((&events[0]["audio_start_ms"], &events[0]["audio_end_ms"]), (&json!(0), &json!(5000)));
    assert_eq!(events.last().map(|event| &event["type"]), Some(&json!("response.created")));
    dialogue.work();
    dialogue.work();
    dialogue.events();
    dialogue.append(&vec![0; 24 * 20_000]);
    assert!(dialogue.names().is_empty());
}

#[test]
fn items_are_kept_told_and_given_back_with_their_sound() {
    let mut dialogue = realtime();
    let audio = STANDARD.encode([1u8; 4_800]);
    dialogue.say(json!({"type": "conversation.item.create", "item": {"id": "mine", "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "hi"}, {"type": "input_audio", "audio": audio}]}}));
    let events = dialogue.events();
    assert_eq!(events[0]["item"]["content"][1], json!({"type": "input_audio"}));
    assert_eq!(events[0]["item"]["status"], "completed");
    dialogue.say(json!({"type": "conversation.item.retrieve", "item_id": "mine"}));
    assert_eq!(dialogue.events()[0]["item"]["content"][1]["audio"], audio);
    dialogue.say(json!({"type": "conversation.item.create", "item": {"id": "mine", "type": "message", "role": "user",
        "content": []}}));
    assert_eq!(dialogue.errors()[0].0, "invalid_value");
}

#[test]
fn telephone_sound_goes_in_and_out() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "session.update", "session": {"type": "realtime", "audio": {
        "input": {"format": {"type": "audio/pcmu"}, "turn_detection": null}, "output": {"format": {"type": "audio/pcma"}}}}}));
    dialogue.say(json!({"type": "input_audio_buffer.append", "audio": STANDARD.encode(vec![0xff; 1_600])}));
    dialogue.say(json!({"type": "input_audio_buffer.commit"}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    dialogue.work();
    let events = dialogue.events();
    let delta = events.iter().find(|event| event["type"] == "response.output_audio.delta").expect("sound");
    assert_eq!(STANDARD.decode(delta["delta"].as_str().expect("text")).expect("base64"), vec![0xd5; 1_600]);
}

#[test]
fn what_the_engine_cannot_do_fails_the_answer_and_nothing_else() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    let (id, _) = dialogue.answers.remove(0);
    dialogue.session.work(Work::Answered(id, Err("out of breath".into())), dialogue.now);
    dialogue.drain();
    let events = dialogue.events();
    assert_eq!(events[0]["response"]["status"], "failed");
    assert_eq!(events[0]["response"]["status_details"]["error"]["code"], "server_error");
    assert_eq!(events[0]["response"]["output"], json!([]));
}

#[test]
fn the_end_of_the_session_is_told() {
    let mut dialogue = realtime();
    dialogue.session.expire(Duration::from_secs(3600));
    dialogue.drain();
    let events = dialogue.events();
    assert_eq!(events[0]["error"]["code"], "session_expired");
    assert_eq!(
        events[1],
        json!({"type": "close", "code": 1001,
        "reason": "Your session hit the maximum duration of 60 minutes."})
    );
}

#[test]
fn truncating_tells_what_was_heard() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "conversation.item.create", "item": {"type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "one two three"}]}}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.work();
    let item_id = dialogue.session.conversation.last_id().expect("an answer");
    dialogue.events();
    let truncate = |ms: u64| json!({"type": "conversation.item.truncate", "item_id": item_id, "content_index": 0, "audio_end_ms": ms});
    dialogue.say(truncate(99_999));
    assert_eq!(dialogue.errors()[0].0, "invalid_value");
    dialogue.say(truncate(100));
    assert_eq!(dialogue.events()[0]["audio_end_ms"], 100);
    dialogue.work();
    let entry = dialogue.session.conversation.get(&item_id).expect("the answer");
    assert_eq!(entry.sound.as_ref().map(|utterance| utterance.sound.ms()), Some(100));
    assert_eq!(entry.item.content.as_ref().and_then(|parts| parts[0].transcript.clone()), None);
}

#[test]
fn all_events_fit_the_types_of_the_wire() {
    let piece = Piece { text: "Hello there.".into(), sound: Some(Sound::new(vec![0; 2_400], 24_000)) };
    for event in whole_answer(&piece) {
        assert_eq!(ServerEvent::from_json(&event.to_json()).expect("an event"), event);
    }
}

#[test]
fn answers_beside_the_conversation_run_along_and_are_not_interrupted() {
    let mut dialogue = realtime();
    dialogue.say(json!({"type": "conversation.item.create", "item": {"id": "asked", "type": "message", "role": "user",
        "content": [{"type": "input_text", "text": "one two"}]}}));
    dialogue.say(json!({"type": "response.create"}));
    dialogue.say(json!({"type": "response.create", "event_id": "second"}));
    assert_eq!(dialogue.errors(), [("conversation_already_has_active_response".into(), Some("second".into()))]);
    let beside = |input: Value| {
        json!({"type": "response.create", "event_id": "b", "response": {"conversation": "none",
        "metadata": {"for": "me"}, "output_modalities": ["text"], "input": input}})
    };
    dialogue.say(beside(json!([{"type": "item_reference", "id": "nobody"}])));
    assert_eq!(dialogue.errors(), [("item_not_found".into(), Some("b".into()))]);
    dialogue.say(beside(json!([{"type": "item_reference", "id": "asked"}])));
    let created = dialogue.events().remove(0)["response"].clone();
    assert_eq!((&created["conversation_id"], &created["metadata"]["for"]), (&Value::Null, &json!("me")));
    // The user speaks over both.
    dialogue.speak(400, 0);
    let done: Vec<Value> = dialogue.events().into_iter().filter(|event| event["type"] == "response.done").collect();
    assert_eq!((done.len(), &done[0]["response"]["status"]), (1, &json!("cancelled")));
    drop(dialogue.answers.remove(0));
    dialogue.work();
    dialogue.work();
    let done = dialogue.events().into_iter().find(|event| event["type"] == "response.done").expect("an end");
    assert_eq!(done["response"]["output"][0]["content"][0]["text"], "You wrote: one two");
    assert_eq!(done["response"]["id"], created["id"]);
}

#[test]
fn the_speed_stays_while_the_model_speaks() {
    let mut dialogue = realtime();
    let speed = |speed: f64| json!({"type": "session.update", "session": {"type": "realtime", "audio": {"output": {"speed": speed}}}});
    dialogue.say(json!({"type": "response.create"}));
    dialogue.events();
    dialogue.say(speed(1.2));
    assert_eq!(dialogue.errors(), [("invalid_value".into(), None)]);
    dialogue.say(speed(1.0));
    assert_eq!(dialogue.names(), ["session.updated"]);
    dialogue.work();
    dialogue.work();
    dialogue.events();
    dialogue.say(speed(1.2));
    assert_eq!(dialogue.events()[0]["session"]["audio"]["output"]["speed"], 1.2);
}
