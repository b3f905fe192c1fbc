// SPDX-License-Identifier: MPL-2.0

//! `…/audio/speech` and `…/audio/transcriptions` by plain HTTP: what they give, and every refusal.

#[path = "support/http.rs"]
mod http;
#[path = "support/server.rs"]
mod server;

use audio_dsp::wav;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Answer, Form, request};
use serde_json::{Value, json};
use server::Server;
use std::path::Path;

fn speech(server: &Server, body: &Value) -> Answer {
    request(server, "POST /v1/audio/speech", &[("Content-Type", "application/json")], body.to_string().as_bytes())
}

fn transcribe(server: &Server, form: &Form) -> Answer {
    let kind = form.content_type();
    request(server, "POST /v1/audio/transcriptions", &[("Content-Type", &kind)], &form.body())
}

fn recording(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A form with a recording and a model.
fn form(file: &[u8]) -> Form {
    Form::new().file("sound", file).field("model", "gpt-4o-mini-transcribe")
}

/// A wish for speech, with a field changed.
fn wish(name: &str, value: Value) -> Value {
    let mut wish = json!({"model": "gpt-4o-mini-tts", "input": "One two. Three four five.", "voice": "alloy"});
    wish[name] = value;
    wish
}

/// The events of a stream.
fn events(answer: &Answer) -> Vec<Value> {
    assert_eq!(answer.header("content-type"), Some("text/event-stream; charset=utf-8"));
    let lines =
        answer.text().lines().filter_map(|line| line.strip_prefix("data: ").map(str::to_owned)).collect::<Vec<_>>();
    lines.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_text_is_spoken_in_the_format_that_is_asked_for() {
    let server = Server::start(&["--engine", "echo"]);
    // The echo takes 100 ms for a word.
    let samples = 5 * 2_400;
    let wav = speech(&server, &wish("response_format", json!("wav")));
    assert_eq!((wav.status, wav.header("content-type")), (200, Some("audio/wav")));
    assert!(wav.body.starts_with(b"RIFF") && wav.body.len() == 44 + 2 * samples, "{} bytes", wav.body.len());
    let same = speech(&server, &wish("response_format", Value::Null));
    assert_eq!(same.body, wav.body);
    let pcm = speech(&server, &wish("response_format", json!("pcm")));
    assert_eq!((pcm.header("content-type"), &pcm.body[..]), (Some("audio/pcm"), &wav.body[44..]));
    let mut quick = wish("speed", json!(2));
    quick["response_format"] = json!("pcm");
    assert_eq!(speech(&server, &quick).body.len(), samples);
    let mut streamed = wish("stream_format", json!("sse"));
    streamed["response_format"] = json!("pcm");
    let events = events(&speech(&server, &streamed));
    let (last, deltas) = events.split_last().expect("events");
    assert_eq!(deltas.len(), 2, "one for each sentence");
    let sound = deltas.iter().map(|event| {
        assert_eq!(event["type"], "speech.audio.delta");
        STANDARD.decode(event["audio"].as_str().expect("base64")).expect("base64")
    });
    assert_eq!(sound.collect::<Vec<_>>().concat(), pcm.body);
    assert_eq!(last["type"], "speech.audio.done");
    let count = |name: &str| last["usage"][name].as_u64().expect("a number");
    assert!(count("input_tokens") > 0 && count("total_tokens") == count("input_tokens") + count("output_tokens"));
}

#[test]
fn what_is_wrong_with_a_wish_for_speech_is_named() {
    let server = Server::start(&["--engine", "echo", "--refuse-model", "tts-9"]);
    let long = "word ".repeat(900);
    for (body, status, code, param, said) in [
        (wish("model", Value::Null), 400, "missing_required_parameter", "model", "'model'"),
        (wish("input", Value::Null), 400, "missing_required_parameter", "input", "'input'"),
        (wish("input", json!(" ")), 400, "invalid_value", "input", "not empty"),
        (wish("input", json!(7)), 400, "invalid_value", "input", "a string"),
        (wish("input", json!(long)), 400, "string_above_max_length", "input", "at most 4096 characters, but got 4500"),
        (wish("voice", Value::Null), 400, "missing_required_parameter", "voice", "'voice'"),
        (wish("response_format", json!("mp3")), 400, "unsupported_value", "response_format", "'wav' and 'pcm'"),
        (wish("response_format", json!("au")), 400, "invalid_value", "response_format", "'wav' and 'pcm'"),
        (wish("speed", json!(5)), 400, "invalid_value", "speed", "0.25 to 4.0, but got 5"),
        (wish("speed", json!("1")), 400, "invalid_value", "speed", "a number"),
        (wish("stream_format", json!("x")), 400, "invalid_value", "stream_format", "'audio' and 'sse'"),
        (wish("model", json!("tts-9")), 404, "model_not_found", "model", "`tts-9`"),
    ] {
        speech(&server, &body).assert_refused(status, Some(code), Some(param), said);
    }
    let no_json = request(&server, "POST /v1/audio/speech", &[], b"{");
    no_json.assert_refused(400, None, None, "not valid JSON");
    request(&server, "GET /v1/audio/speech", &[], b"").assert_refused(
        405,
        Some("method_not_supported"),
        None,
        "/v1/audio/speech",
    );
    let too_long = request(&server, "POST /v1/audio/speech", &[], &vec![b' '; (1 << 20) + 1]);
    too_long.assert_refused(413, Some("invalid_value"), None, "longer than 1048576 bytes");
}

#[test]
fn what_is_wrong_with_a_wish_for_a_transcript_is_named() {
    let server = Server::start(&[]);
    let file = recording("goforward.wav");
    let with = |name: &str, value: &str| form(&file).field(name, value);
    for (form, status, code, param, said) in [
        (Form::new().field("model", "m"), 400, "missing_required_parameter", "file", "'file'"),
        (Form::new().file("a.wav", &file), 400, "missing_required_parameter", "model", "'model'"),
        (form(b"OggS\0\0\0"), 400, "invalid_value", "file", "neither WAV nor MP3"),
        (form(&file[..20]), 400, "invalid_value", "file", "Invalid 'file'"),
        (with("language", "de"), 400, "unsupported_value", "language", "understands no 'de'"),
        (with("response_format", "diarized_json"), 400, "invalid_value", "response_format", "'verbose_json'"),
        (with("stream", "yes"), 400, "invalid_value", "stream", "'true' or 'false'"),
        (with("stream", "true").field("response_format", "srt"), 400, "unsupported_value", "response_format", "'srt'"),
        (with("timestamp_granularities[]", "word"), 400, "unsupported_value", "timestamp_granularities", "'segment'"),
        (with("timestamp_granularities[]", "x"), 400, "invalid_value", "timestamp_granularities", "'segment'"),
        (Form::new().file("a", &file).field("model", "no-such"), 404, "model_not_found", "model", "`no-such`"),
    ] {
        transcribe(&server, &form).assert_refused(status, Some(code), Some(param), said);
    }
    // Silence at 4 kHz.
    let long = [&wav::header(4_000, 31 * 60 * 8_000)[..], &vec![0; 31 * 60 * 8_000]].concat();
    let too_long = transcribe(&server, &form(&long));
    too_long.assert_refused(400, Some("invalid_value"), Some("file"), "it lasts 31 minutes; at most 30");
    let path = "POST /v1/audio/transcriptions";
    request(&server, path, &[("Content-Type", "application/json")], b"{}").assert_refused(
        400,
        None,
        None,
        "multipart/form-data",
    );
    let cut = form(&file);
    let body = cut.body();
    let kind = cut.content_type();
    request(&server, path, &[("Content-Type", &kind)], &body[..body.len() / 2]).assert_refused(
        400,
        None,
        None,
        "The form could not be read",
    );
    request(&server, "DELETE /v1/audio/transcriptions", &[], b"").assert_refused(
        405,
        Some("method_not_supported"),
        None,
        "method",
    );
}

#[test]
fn a_recording_is_written_down_in_every_format() {
    let server = Server::start(&[]);
    let file = recording("goforward.wav");
    let whole = transcribe(&server, &form(&file).field("language", "en").field("prompt", "A robot.")).json();
    let text = whole["text"].as_str().expect("text");
    assert!(text.to_lowercase().contains("forward"), "{whole}");
    assert_eq!(whole["usage"]["type"], "duration");
    let format = |name: &str| transcribe(&server, &form(&file).field("response_format", name));
    assert_eq!(format("text").text().trim_end(), text);
    let verbose = format("verbose_json").json();
    let segment = &verbose["segments"][0];
    let (start, end) = (segment["start"].as_f64().expect("seconds"), segment["end"].as_f64().expect("seconds"));
    assert!(start < end && end <= verbose["duration"].as_f64().expect("seconds"), "{verbose}");
    assert_eq!((&verbose["text"], &segment["text"]), (&json!(text), &json!(text)));
    let srt = format("srt").text();
    assert!(srt.starts_with("1\n00:00:0") && srt.contains(&format!("\n{text}\n")), "{srt}");
    let vtt = format("vtt");
    assert_eq!(vtt.header("content-type"), Some("text/vtt; charset=utf-8"));
    assert!(vtt.text().starts_with("WEBVTT\n\n00:00:0") && vtt.text().contains(text), "{}", vtt.text());
    let streamed = events(&transcribe(&server, &form(&file).field("stream", "true")));
    let (done, deltas) = streamed.split_last().expect("events");
    let said: String = deltas.iter().map(|event| event["delta"].as_str().expect("words")).collect();
    assert_eq!((said.as_str(), &done["text"], &done["type"]), (text, &json!(text), &json!("transcript.text.done")));
}

#[test]
fn silence_has_no_words_and_what_is_spoken_can_be_written_down() {
    let server = Server::start(&[]);
    let spoken = speech(&server, &wish("input", json!("The weather is nice today.")));
    let heard = transcribe(&server, &form(&spoken.body)).json();
    assert!(heard["text"].as_str().expect("text").to_lowercase().contains("weather is nice today"), "{heard}");
    let mut silence = spoken.body;
    silence[44..].fill(0);
    assert_eq!(transcribe(&server, &form(&silence)).json()["text"], "");
}

#[test]
fn the_key_is_asked_for_and_a_script_has_no_voice() {
    let server = Server::start(&["--engine", "echo", "--api-key", "secret"]);
    for path in ["speech", "transcriptions"] {
        let path = format!("POST /v1/audio/{path}");
        for headers in [&[][..], &[("Authorization", "Bearer wrong")]] {
            request(&server, &path, headers, b"").assert_refused(401, Some("invalid_api_key"), None, "API key");
        }
    }
    let known = [("Authorization", "Bearer secret")];
    let body = wish("voice", json!("nova")).to_string();
    assert_eq!(request(&server, "POST /v1/audio/speech", &known, body.as_bytes()).status, 200);
    let models = request(&server, "GET /v1/models", &known, b"").json();
    let has = |id: &str| models["data"].as_array().is_some_and(|list| list.iter().any(|model| model["id"] == id));
    assert!(has("gpt-realtime") && has("gpt-4o-mini-tts") && has("gpt-4o-mini-transcribe"), "{models}");
    let server = Server::script("hello\nclose 1000\n");
    speech(&server, &wish("voice", json!("nova"))).assert_refused(501, None, None, "no voice");
}
