// SPDX-License-Identifier: MPL-2.0

//! Dialogues with the core alone: a clock that is a number, and no socket.

use super::*;
use crate::chat::conversation::io::{AnswerEvent, AudioCoding, RequestError, ResponseEvent};
use crate::error::ErrorKind;
use crate::types::{AudioChunk, Frame, TimedText};
use openai_protocol::chat::{Completion, ErrorBody, StreamEvent};
use serde_json::{Value, json};

const RATE: u32 = 16_000;
const UNIX: i64 = 1_800_000_000;

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// The two sides of a run, and what came out of it so far.
struct Dialogue {
    conversation: Conversation,
    now: Instant,
    sent: VecDeque<(u64, Target, Value)>,
    aborted: Vec<u64>,
    texts: Vec<TimedText>,
    audio: Vec<(Duration, usize)>,
    events: Vec<Event>,
    failure: Option<Error>,
    finished: Option<Duration>,
    quiet: Duration,
}

impl Dialogue {
    fn new(config: Config) -> Self {
        let now = Instant::now();
        let config = Config {
            model: "gpt-audio-1.5".into(),
            max_requests: config.max_requests.max(1),
            retries: 2,
            retry_delay: Duration::from_secs(1),
            ..config
        };
        Self {
            conversation: Conversation::new(config, now),
            now,
            sent: VecDeque::new(),
            aborted: Vec::new(),
            texts: Vec::new(),
            audio: Vec::new(),
            events: Vec::new(),
            failure: None,
            finished: None,
            quiet: Duration::ZERO,
        }
    }

    fn input(&mut self, input: Input) {
        self.conversation.handle(input, self.now, UNIX);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(output) = self.conversation.poll() {
            match output {
                Output::Send { id, target, body, .. } => {
                    self.sent.push_back((id, target, serde_json::from_slice(&body).expect("JSON")));
                }
                Output::Abort(id) => self.aborted.push(id),
                Output::Text(text) => self.texts.push(text),
                Output::Play(audio) => self.audio.push((audio.not_before, audio.data.len())),
                Output::Event(event) => self.events.push(event),
                Output::Fail(failure) => self.failure = Some(failure),
                Output::Finished(at) => self.finished = Some(at),
                Output::Quiet(until) => {
                    assert!(until >= self.quiet, "the timeline goes forward");
                    self.quiet = until;
                }
            }
        }
    }

    fn after(&mut self, time: f64) {
        self.now += seconds(time);
        self.conversation.wake(self.now, UNIX);
        self.drain();
    }

    fn open(&mut self, pad: &str) {
        self.input(Input::PadOpened { pad: pad.into(), waits: true });
    }

    /// So much audio, from there, in pieces of 20 ms.
    fn audio(&mut self, from: f64, to: f64) {
        self.input(Input::Format(AudioCoding::Pcm(RATE)));
        let count = ((to - from) * 50.0).round() as u32;
        for index in 0..count {
            let at = seconds(from) + Duration::from_millis(20) * index;
            self.input(Input::Audio(AudioChunk { data: vec![1; 640].into(), at: Some(at) }));
        }
    }

    fn frame(&mut self, pad: &str, at: f64) {
        self.input(Input::Frame(Frame {
            pad: Some(pad.into()),
            file: vec![at as u8; 3].into(),
            media_type: "image/jpeg",
            at: seconds(at),
            interval: None,
            detail: None,
            prompt: None,
        }));
    }

    fn text(&mut self, text: &str, at: Option<f64>) {
        self.input(Input::Text { text: text.into(), at: at.map(seconds) });
    }

    #[track_caller]
    fn expect_sent(&mut self) -> (u64, Value) {
        let (id, _, body) = self.sent.pop_front().expect("a request");
        (id, body)
    }

    #[track_caller]
    fn expect_none_sent(&self) {
        assert!(self.sent.is_empty(), "{:?}", self.sent);
    }

    fn chunk(&mut self, id: u64, delta: Value, reason: Option<&str>) {
        let chunk = json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]});
        self.chunk_of(id, &chunk);
    }

    fn chunk_of(&mut self, id: u64, chunk: &Value) {
        let (StreamEvent::Chunk(chunk), left_out) = StreamEvent::read(&chunk.to_string()).expect("a chunk") else {
            panic!("a chunk expected")
        };
        self.input(Input::Answer(id, AnswerEvent::Chunk(chunk, left_out)));
    }

    fn answer(&mut self, id: u64, text: &str) {
        self.chunk(id, json!({ "content": text }), None);
        self.chunk(id, json!({}), Some("stop"));
        self.input(Input::Answer(id, AnswerEvent::Ended { done: true }));
    }

    fn fail(&mut self, id: u64, status: Option<u16>, again: bool, param: Option<&str>) {
        let failure = match status {
            Some(400) => Error::settings("refused"),
            Some(_) => Error::connect("busy"),
            None => Error::lost("gone"),
        };
        let body = ErrorBody { param: param.map(Into::into), ..ErrorBody::default() };
        let error = RequestError { failure, again, retry_after: None, status, body };
        self.input(Input::Answer(id, AnswerEvent::Failed(error)));
    }

    fn end(&mut self) {
        self.input(Input::EndOfStream);
    }

    fn responses(&self) -> Vec<&ResponseEvent> {
        self.events
            .iter()
            .filter_map(|e| if let Event::Response(response) = e { Some(&**response) } else { None })
            .collect()
    }

    fn warnings(&self) -> Vec<&str> {
        let code = |event| if let &Event::Warning(Warning { ref code, .. }) = event { code.as_deref() } else { None };
        self.events.iter().filter_map(code).collect()
    }

    /// Text, begin and length in seconds.
    fn told(&self) -> Vec<(&str, f64, Option<f64>)> {
        let time = |time: Duration| (time.as_secs_f64() * 1000.0).round() / 1000.0;
        self.texts.iter().map(|t| (&*t.text, time(t.at.unwrap_or_default()), t.duration.map(time))).collect()
    }
}

/// The samples in the audio part of a request, in seconds.
fn audio_length(body: &Value) -> f64 {
    use base64::Engine;
    let last = body["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
    let part = last["content"].as_array().expect("parts").iter().find(|part| part["type"] == "input_audio");
    let Some(data) = part.and_then(|part| part["input_audio"]["data"].as_str()) else { return 0.0 };
    let file = base64::prelude::BASE64_STANDARD.decode(data).expect("base64");
    audio_dsp::wav::read(&file).expect("a file").samples.len() as f64 / f64::from(RATE)
}

fn pictures(body: &Value) -> usize {
    let last = body["messages"].as_array().and_then(|messages| messages.last()).expect("a message");
    last["content"].as_array().expect("parts").iter().filter(|part| part["type"] == "image_url").count()
}

#[test]
fn all_that_came_is_one_request_at_the_end() {
    let mut dialogue = Dialogue::new(Config { prompt: Some("Well?".into()), ..Config::default() });
    dialogue.open("audio_sink");
    dialogue.audio(0.0, 1.5);
    dialogue.expect_none_sent();
    dialogue.end();
    let (id, body) = dialogue.expect_sent();
    assert_eq!(body["messages"][0]["content"][0], json!({"type": "text", "text": "Well?"}));
    assert_eq!((audio_length(&body), body["stream"].as_bool()), (1.5, Some(true)));
    dialogue.answer(id, "Hello.");
    assert_eq!(dialogue.told(), [("Hello.", 0.0, Some(1.5))]);
    assert_eq!((dialogue.finished, dialogue.warnings().len()), (Some(seconds(1.5)), 0));
}

#[test]
fn segments_end_at_multiples_of_their_duration_whoever_is_faster() {
    let run = |is_video_first: bool| {
        let config =
            Config { segment_duration: Some(seconds(2.0)), max_frames: 4, max_requests: 8, ..Config::default() };
        let mut dialogue = Dialogue::new(config);
        dialogue.open("audio_sink");
        dialogue.open("video_sink_0");
        let frames =
            |dialogue: &mut Dialogue| (0..5).for_each(|second| dialogue.frame("video_sink_0", f64::from(second)));
        if is_video_first {
            frames(&mut dialogue);
            dialogue.expect_none_sent();
        }
        dialogue.audio(0.0, 5.0);
        if !is_video_first {
            dialogue.expect_none_sent();
            frames(&mut dialogue);
        }
        dialogue.end();
        dialogue.sent.iter().map(|(_, _, body)| (audio_length(body), pictures(body))).collect::<Vec<_>>()
    };
    assert_eq!(run(true), [(2.0, 2), (2.0, 2), (1.0, 1)]);
    assert_eq!(run(false), run(true));
}

#[test]
fn answers_stay_in_order_and_only_so_many_requests_are_in_flight() {
    let config = Config { segment_duration: Some(seconds(1.0)), max_requests: 2, ..Config::default() };
    let mut dialogue = Dialogue::new(config);
    dialogue.open("audio_sink");
    dialogue.audio(0.0, 4.0);
    let ((first, _), (second, _)) = (dialogue.expect_sent(), dialogue.expect_sent());
    dialogue.expect_none_sent();
    dialogue.answer(second, "two");
    assert_eq!((dialogue.told().len(), dialogue.sent.len()), (0, 0), "the first one is owed");
    dialogue.answer(first, "one");
    let ((third, _), (fourth, _)) = (dialogue.expect_sent(), dialogue.expect_sent());
    dialogue.end();
    dialogue.answer(fourth, "four");
    dialogue.answer(third, "three");
    let expected = [("one", 0.0), ("two", 1.0), ("three", 2.0), ("four", 3.0)];
    assert_eq!(dialogue.told(), expected.map(|(text, at)| (text, at, Some(1.0))));
    assert_eq!(dialogue.finished, Some(seconds(4.0)));
}

#[test]
fn pieces_without_anything_are_no_requests() {
    let mut dialogue = Dialogue::new(Config { segment_duration: Some(seconds(1.0)), ..Config::default() });
    dialogue.open("video_sink_0");
    dialogue.frame("video_sink_0", 7.25);
    dialogue.input(Input::PadReached("video_sink_0".into(), seconds(20.5)));
    let (id, _) = dialogue.expect_sent();
    dialogue.answer(id, "late");
    assert_eq!((dialogue.told(), dialogue.quiet), (vec![("late", 7.0, Some(1.0))], seconds(20.0)));
    dialogue.end();
    dialogue.expect_none_sent();
    assert!(dialogue.finished.is_some());
}

#[test]
fn the_last_piece_ends_with_the_input() {
    let piece = || Dialogue::new(Config { segment_duration: Some(seconds(5.0)), ..Config::default() });
    let mut dialogue = piece();
    dialogue.open("video_sink_0");
    dialogue.frame("video_sink_0", 10.0);
    dialogue.frame("video_sink_0", 11.0);
    dialogue.input(Input::PadReached("video_sink_0".into(), seconds(12.0)));
    dialogue.end();
    let (id, _) = dialogue.expect_sent();
    dialogue.answer(id, "the end");
    assert_eq!(dialogue.told(), [("the end", 10.0, Some(2.0))]);
    // Nobody knows how long the last picture is to be seen.
    let mut dialogue = piece();
    dialogue.open("video_sink_0");
    dialogue.frame("video_sink_0", 10.0);
    dialogue.frame("video_sink_0", 11.0);
    dialogue.end();
    let (id, _) = dialogue.expect_sent();
    dialogue.answer(id, "the end");
    assert_eq!(dialogue.told(), [("the end", 10.0, Some(5.0))]);
}

#[test]
fn a_message_is_about_what_came_before_it() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.open("audio_sink");
    dialogue.open("text_sink");
    dialogue.text("And this?", Some(1.0));
    dialogue.input(Input::PadReached("text_sink".into(), seconds(9.0)));
    dialogue.expect_none_sent();
    dialogue.audio(0.0, 1.2);
    let (id, body) = dialogue.expect_sent();
    assert_eq!(audio_length(&body), 1.0);
    assert_eq!(body["messages"][0]["content"][1]["text"], "And this?");
    dialogue.answer(id, "A door.");
    dialogue.text("Now?", None);
    assert_eq!(audio_length(&dialogue.expect_sent().1), 0.2);
}

#[test]
fn what_may_go_better_is_tried_again_and_nothing_comes_twice() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.text("Hi", None);
    let (id, body) = dialogue.expect_sent();
    dialogue.chunk(id, json!({"content": "Hel"}), None);
    dialogue.fail(id, None, true, None);
    dialogue.expect_none_sent();
    assert!(dialogue.conversation.deadline().is_some_and(|at| at > dialogue.now));
    dialogue.after(1.1);
    let (again, same) = dialogue.expect_sent();
    assert!(again != id && same == body, "the same request");
    // What still comes of the first try is nobody's.
    dialogue.chunk(id, json!({"content": "lo"}), Some("stop"));
    dialogue.fail(again, Some(503), true, None);
    dialogue.after(2.1);
    let (last, _) = dialogue.expect_sent();
    dialogue.answer(last, "Hello.");
    assert_eq!(dialogue.told(), [("Hello.", 0.0, None)]);
    assert!(dialogue.failure.is_none());
}

#[test]
fn a_server_that_is_lost_ends_the_run() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.text("Hi", None);
    for _ in 0..3 {
        let (id, _) = dialogue.expect_sent();
        dialogue.input(Input::Answer(id, AnswerEvent::Ended { done: false }));
        dialogue.after(9.0);
    }
    dialogue.expect_none_sent();
    assert_eq!(dialogue.failure.as_ref().map(Error::kind), Some(ErrorKind::Lost));
    assert_eq!(dialogue.responses()[0].state, "failed");
}

#[test]
fn what_is_refused_at_first_ends_the_run_and_later_only_its_segment() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.text("Hi", None);
    let (id, _) = dialogue.expect_sent();
    dialogue.fail(id, Some(400), false, None);
    assert!(dialogue.failure.is_some_and(|failure| failure.says(ErrorKind::Settings, "refused")));

    let mut dialogue = Dialogue::new(Config::default());
    for (text, is_refused) in [("Hi", false), ("bad", true), ("good", false)] {
        dialogue.text(text, None);
        let (id, _) = dialogue.expect_sent();
        if is_refused { dialogue.fail(id, Some(400), false, None) } else { dialogue.answer(id, text) }
    }
    assert_eq!((dialogue.failure.is_none(), dialogue.warnings().len()), (true, 1));
    assert_eq!(dialogue.responses().iter().map(|r| r.state).collect::<Vec<_>>(), ["completed", "failed", "completed"]);
}

#[test]
fn a_server_that_streams_nothing_is_asked_for_whole_answers() {
    let mut dialogue = Dialogue::new(Config { speak: true, ..Config::default() });
    dialogue.text("Hi", None);
    let (id, body) = dialogue.expect_sent();
    assert_eq!((&body["audio"]["format"], &body["stream"]), (&json!("pcm16"), &json!(true)));
    dialogue.fail(id, Some(400), false, Some("stream"));
    let (id, body) = dialogue.expect_sent();
    assert_eq!((&body["audio"]["format"], body.get("stream")), (&json!("wav"), None));
    let mut file = audio_dsp::wav::header(24_000, 4_800).to_vec();
    file.extend(vec![7; 4_800]);
    let data = openai_protocol::Base64(file.into());
    let whole = json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"audio": {"id": "a", "data": data, "transcript": "Hi.", "expires_at": 1}}}]});
    let (whole, left_out) = Completion::read(&whole.to_string()).expect("an answer");
    dialogue.input(Input::Answer(id, AnswerEvent::Whole(Box::new(whole), left_out)));
    dialogue.input(Input::Answer(id, AnswerEvent::Ended { done: true }));
    assert_eq!((&dialogue.audio[..], dialogue.told()), (&[(Duration::ZERO, 4_800)][..], vec![("Hi.", 0.0, Some(0.1))]));
    dialogue.text("Again", None);
    assert_eq!(dialogue.expect_sent().1.get("stream"), None);
}

#[test]
fn live_an_answer_goes_out_as_it_comes_and_is_not_asked_for_again() {
    let mut dialogue = Dialogue::new(Config { speak: true, live: true, ..Config::default() });
    dialogue.text("Hi", None);
    let (id, _) = dialogue.expect_sent();
    // Three bytes: half a sample waits.
    dialogue.chunk(id, json!({"audio": {"data": "AQID"}}), None);
    dialogue.chunk(id, json!({"audio": {"data": "BAUG", "transcript": "Hel"}}), None);
    assert_eq!(dialogue.audio.iter().map(|(_, length)| *length).collect::<Vec<_>>(), [2, 4]);
    dialogue.fail(id, None, true, None);
    dialogue.after(60.0);
    dialogue.expect_none_sent();
    assert_eq!((dialogue.responses()[0].state, dialogue.failure.is_none()), ("incomplete", true));
    assert_eq!(dialogue.told().len(), 1, "what was heard is told");
}

#[test]
fn answers_that_are_cut_say_so() {
    for (reason, state) in [("length", "incomplete"), ("content_filter", "incomplete"), ("stop", "completed")] {
        let mut dialogue = Dialogue::new(Config::default());
        dialogue.text("Hi", None);
        let (id, _) = dialogue.expect_sent();
        dialogue.chunk(id, json!({"content": "Once upon"}), Some(reason));
        dialogue.input(Input::Answer(id, AnswerEvent::Ended { done: true }));
        assert_eq!(dialogue.responses()[0].state, state);
        assert_eq!(dialogue.warnings(), if state == "completed" { vec![] } else { vec![reason] });
        assert_eq!(dialogue.told()[0].0, "Once upon");
    }
}

#[test]
fn an_error_in_the_midst_of_a_stream_is_one() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.text("Hi", None);
    for _ in 0..3 {
        let (id, _) = dialogue.expect_sent();
        dialogue.chunk(id, json!({"content": "Once"}), None);
        dialogue.chunk_of(id, &json!({"error": {"message": "overloaded", "type": "server_error"}}));
        assert_eq!(dialogue.aborted.pop(), Some(id));
        dialogue.after(9.0);
    }
    assert!(dialogue.failure.as_ref().is_some_and(|failure| failure.to_string().contains("overloaded")));
    assert_eq!(dialogue.told(), []);
}

#[test]
fn history_goes_along_and_requests_wait_for_it() {
    let mut dialogue = Dialogue::new(Config { history: 1, max_requests: 4, speak: true, ..Config::default() });
    dialogue.text("one", None);
    dialogue.text("two", None);
    dialogue.text("three", None);
    for (text, expires) in [("one", UNIX + 3600), ("two", UNIX + 1)] {
        let (id, body) = dialogue.expect_sent();
        assert_eq!(body["messages"].as_array().and_then(|all| all.last()).expect("one")["content"][0]["text"], text);
        dialogue.expect_none_sent();
        dialogue.chunk(id, json!({"audio": {"id": format!("audio_{text}"), "data": "AQI=", "transcript": text}}), None);
        dialogue.chunk(id, json!({"audio": {"expires_at": expires}}), Some("stop"));
        dialogue.input(Input::Answer(id, AnswerEvent::Ended { done: true }));
        if text == "one" {
            let messages = &dialogue.sent[0].2["messages"];
            assert_eq!(messages[1], json!({"role": "assistant", "audio": {"id": "audio_one"}}));
        }
    }
    let (_, body) = dialogue.expect_sent();
    assert_eq!(body["messages"].as_array().map(Vec::len), Some(3), "one turn and this one");
    assert_eq!(body["messages"][1], json!({"role": "assistant", "content": "two"}), "it expires too soon");
}

#[test]
fn functions_are_called_and_their_outputs_answered_once() {
    let tools = request::tools(json!([{"type": "function", "name": "now"}])).expect("tools");
    let config = Config { tools: Some(tools), tool_timeout: Some(seconds(5.0)), ..Config::default() };
    let mut dialogue = Dialogue::new(config);
    dialogue.text("What time is it?", None);
    let (id, body) = dialogue.expect_sent();
    assert_eq!(body["tools"][0]["function"]["name"], "now");
    for (index, name) in ["now", "later"].into_iter().enumerate() {
        let call = json!({"index": index, "id": name, "function": {"name": name, "arguments": "{}"}});
        dialogue.chunk(id, json!({ "tool_calls": [call] }), None);
    }
    dialogue.chunk(id, json!({}), Some("tool_calls"));
    dialogue.input(Input::Answer(id, AnswerEvent::Ended { done: true }));
    let calls = dialogue.events.iter().filter(|event| matches!(event, Event::FunctionCall(_))).count();
    assert_eq!(calls, 2);
    dialogue.input(Input::FunctionOutput { call_id: "now".into(), output: "noon".into() });
    dialogue.expect_none_sent();
    dialogue.after(5.0);
    let (id, body) = dialogue.expect_sent();
    assert_eq!(body["messages"][2], json!({"role": "tool", "tool_call_id": "now", "content": "noon"}));
    assert!(body["messages"][3]["content"].as_str().is_some_and(|output| output.contains("error")));
    assert!(dialogue.events.contains(&Event::CallExpired("later".into())));
    dialogue.answer(id, "It is noon.");
    assert_eq!(dialogue.told()[0].0, "It is noon.");
    dialogue.input(Input::FunctionOutput { call_id: "later".into(), output: "late".into() });
    assert_eq!(dialogue.warnings(), ["tool-timeout", "no-such-call"]);
}

#[test]
fn pictures_are_described_first_where_another_model_does_that() {
    let mut dialogue = Dialogue::new(Config { vision_model: Some("gpt-seer".into()), ..Config::default() });
    dialogue.open("audio_sink");
    dialogue.audio(0.0, 0.5);
    dialogue.frame("video_sink_0", 0.1);
    dialogue.end();
    let (id, target, body) = dialogue.sent.pop_front().expect("a request");
    assert_eq!((target, &body["model"], pictures(&body)), (Target::Vision, &json!("gpt-seer"), 1));
    dialogue.answer(id, "A red door.");
    let (id, target, body) = dialogue.sent.pop_front().expect("a request");
    assert_eq!((target, pictures(&body), audio_length(&body)), (Target::Main, 0, 0.5));
    assert!(body["messages"][0]["content"][0]["text"].as_str().is_some_and(|text| text.ends_with("A red door.")));
    dialogue.answer(id, "It creaks.");
    assert_eq!(dialogue.told(), [("It creaks.", 0.0, Some(0.5))]);
    assert_eq!(dialogue.events.iter().filter(|event| matches!(event, Event::Info(_))).count(), 1);
}

#[test]
fn the_cost_of_parallel_requests_stays_within_the_limit() {
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 40_000,
        "completion_tokens_details": {"text_tokens": 40_000}}});
    // 0.4 dollars each.
    let mut dialogue = Dialogue::new(Config { max_cost: 1.0, max_requests: 8, ..Config::default() });
    (0..8).for_each(|number| dialogue.text(&format!("{number}"), None));
    assert_eq!(dialogue.sent.len(), 1, "what one costs is not known yet");
    let mut most = 0;
    while let Some((id, ..)) = dialogue.sent.pop_front() {
        most = most.max(dialogue.sent.len() + 1);
        dialogue.chunk_of(id, &usage);
        dialogue.answer(id, "yes");
    }
    assert_eq!((dialogue.told().len(), most), (3, 2));
    assert_eq!((dialogue.warnings(), dialogue.finished.is_some()), (vec!["max-cost"], true));
    let cancelled = dialogue.events.iter().filter(|e| matches!(e, Event::Request(r) if r.state == "cancelled"));
    assert_eq!(cancelled.count(), 5, "what is not asked is told");
}

#[test]
fn only_so_many_requests_are_made_in_a_minute() {
    let mut dialogue = Dialogue::new(Config { requests_per_minute: 2, max_requests: 8, ..Config::default() });
    (0..5).for_each(|number| dialogue.text(&format!("{number}"), None));
    for expected in [2, 2, 1] {
        assert_eq!(dialogue.sent.len(), expected);
        for (id, ..) in std::mem::take(&mut dialogue.sent) {
            dialogue.answer(id, "yes");
        }
        dialogue.expect_none_sent();
        if let Some(at) = dialogue.conversation.deadline() {
            dialogue.after((at - dialogue.now).as_secs_f64());
        }
    }
    assert_eq!(dialogue.told().len(), 5);
}

#[test]
fn cancelling_and_flushing_end_what_is_in_flight() {
    for input in [Input::Cancel, Input::Flushed("audio_sink".into())] {
        let mut dialogue = Dialogue::new(Config { max_requests: 2, ..Config::default() });
        (0..3).for_each(|number| dialogue.text(&format!("{number}"), None));
        dialogue.input(input);
        assert_eq!(dialogue.aborted.len(), 2);
        let (id, _) = dialogue.expect_sent();
        dialogue.answer(id, "too late");
        assert_eq!(dialogue.told(), []);
        dialogue.end();
        assert!(dialogue.finished.is_some());
    }
}

#[test]
fn silence_ends_a_segment_and_only_speech_is_sent() {
    use crate::realtime::conversation::tests::recording;
    let mut dialogue = Dialogue::new(Config {
        segment_gap: Some(seconds(0.6)),
        vad_threshold: 0.5,
        max_requests: 8,
        ..Config::default()
    });
    dialogue.open("audio_sink");
    dialogue.input(Input::Format(AudioCoding::Pcm(24_000)));
    let mut sound = vec![0; 48_000];
    for _ in 0..2 {
        sound.extend(recording("goforward.wav"));
        sound.extend(vec![0; 96_000]);
    }
    let length = sound.len() as f64 / 48_000.0;
    for (index, piece) in sound.chunks(960).enumerate() {
        let at = Some(Duration::from_millis(20) * index as u32);
        dialogue.input(Input::Audio(AudioChunk { data: piece.to_vec().into(), at }));
    }
    assert_eq!(dialogue.sent.len(), 2, "one for each time that it is said");
    let lengths: f64 = dialogue.sent.iter().map(|(_, _, body)| audio_length(body) * 16.0 / 24.0).sum();
    assert!(lengths > 2.0 && lengths < length - 2.0, "{lengths} of {length} seconds are sent");
    dialogue.end();
    assert_eq!(dialogue.sent.len(), 2);
}

#[test]
fn nothing_but_silence_is_told() {
    let mut dialogue =
        Dialogue::new(Config { segment_gap: Some(seconds(0.6)), vad_threshold: 0.5, ..Config::default() });
    dialogue.open("audio_sink");
    dialogue.audio(0.0, 3.0);
    dialogue.end();
    assert_eq!((dialogue.warnings(), dialogue.sent.len()), (vec!["no-speech"], 0));
    assert!(dialogue.finished.is_some());
    let mut dialogue = Dialogue::new(Config { segment_gap: Some(seconds(0.6)), ..Config::default() });
    dialogue.input(Input::Format(AudioCoding::Mp3));
    assert_eq!(dialogue.failure.as_ref().map(Error::kind), Some(ErrorKind::Settings));
}

#[test]
fn mp3_goes_through_as_it_is() {
    let mut dialogue =
        Dialogue::new(Config { segment_duration: Some(seconds(1.0)), max_requests: 4, ..Config::default() });
    dialogue.open("audio_sink");
    dialogue.input(Input::Format(AudioCoding::Mp3));
    for index in 0..6u8 {
        let at = Some(seconds(0.3 * f64::from(index)));
        dialogue.input(Input::Audio(AudioChunk { data: vec![index; 3].into(), at }));
    }
    dialogue.end();
    let parts: Vec<_> =
        dialogue.sent.iter().map(|(_, _, body)| body["messages"][0]["content"][0]["input_audio"].clone()).collect();
    assert_eq!(
        parts,
        [json!({"data": "AAAAAQEBAgICAwMD", "format": "mp3"}), json!({"data": "BAQEBQUF", "format": "mp3"})]
    );
}

#[test]
fn holes_keep_their_length_and_jitter_is_none() {
    let mut dialogue = Dialogue::new(Config::default());
    dialogue.open("audio_sink");
    dialogue.audio(0.0, 1.0);
    dialogue.audio(1.01, 1.99);
    dialogue.audio(3.0, 3.5);
    dialogue.end();
    assert_eq!(audio_length(&dialogue.expect_sent().1), 3.5);
}

#[test]
fn more_input_is_wanted_only_while_few_segments_wait() {
    let mut dialogue = Dialogue::new(Config { max_requests: 2, ..Config::default() });
    let mut count = 0;
    while dialogue.conversation.wants_input() && count < 1000 {
        dialogue.text("x", None);
        count += 1;
    }
    assert_eq!(count, 2 + MAX_WAITING);
    let (id, _) = dialogue.expect_sent();
    dialogue.answer(id, "y");
    assert!(dialogue.conversation.wants_input());
}
