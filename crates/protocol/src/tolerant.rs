// SPDX-License-Identifier: MPL-2.0

//! Reading what is not quite as the API has it, as the official clients do: a field that cannot be read is mended or left
//! out, and the rest of the event counts.
//!
//! An event that is in order never comes here. What is not is taken apart into values; the field at which reading fails
//! is given the nearest form that can be read, and goes if there is none, until the event can be read.

use super::ReadError;
use serde::de::DeserializeOwned;
use serde_json::{Number, Value};
use std::borrow::Cow;

/// Fields that are looked at one by one; after that, what holds the next one goes with it.
const FIELDS: usize = 32;

/// Reads an event of this name. Gives back the places of what was left out as well.
pub(super) fn read<T: DeserializeOwned>(text: &str, name: &str) -> Result<(T, Vec<String>), ReadError> {
    let mut event = None;
    let left_out = mend(text, name, &mut |text| {
        event = Some(serde_json::from_str(text)?);
        Ok(())
    })?;
    let event = event.unwrap_or_else(|| unreachable!("what is mended was read"));
    Ok((event, left_out))
}

/// Changes or leaves out one field after the other until `parse` takes the text; gives back what was left out. The type of
/// the event is behind `parse`, so that this is compiled once and not for each of them.
fn mend(
    text: &str,
    name: &str,
    parse: &mut dyn FnMut(&str) -> Result<(), serde_json::Error>,
) -> Result<Vec<String>, ReadError> {
    let mut value: Value = serde_json::from_str(&with_whole_letters(text)).map_err(ReadError::NotJson)?;
    let mut left_out = Vec::new();
    // The field in hand, and how many forms of it were tried.
    let mut tried: (Vec<Step>, Option<Value>, usize) = Default::default();
    let mut fields = 0;
    loop {
        let error = match parse(&value.to_string()) {
            Ok(()) => return Ok(left_out),
            Err(error) => error,
        };
        let mut place = steps(&error, &value);
        let bad_field = || ReadError::BadField { name: name.to_owned(), source: error };
        if place.is_empty() {
            return Err(bad_field());
        }
        if place != tried.0 {
            fields += 1;
            if fields > FIELDS {
                place.truncate(1);
            }
            tried = (place.clone(), find(&mut value, &place).cloned(), 0);
        }
        let next = tried.1.as_ref().filter(|_| fields <= FIELDS).and_then(|field| form(field, tried.2));
        tried.2 += 1;
        match (next, find(&mut value, &place)) {
            (Some(next), Some(field)) => *field = next,
            _ => {
                // An empty field is one that is not there, and nothing is lost with it.
                if !matches!(tried.1, None | Some(Value::Null)) {
                    left_out.push(words(&place));
                }
                if !remove(&mut value, &place) {
                    return Err(bad_field());
                }
                tried = Default::default();
            }
        }
    }
}

/// A step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

/// The way to the field at which reading `value.to_string()` failed.
///
/// `serde_json` tells the bytes that were read (the text is one line). These end with the field where its type or value is
/// wrong, or where something is missing in it; they end before a list or an object that is not expected, and for an error
/// of syntax (an enum that is no string) one byte later.
fn steps(error: &serde_json::Error, value: &Value) -> Vec<Step> {
    let offset = if error.is_syntax() { error.column().saturating_sub(1) } else { error.column() };
    let mut steps = Vec::new();
    let (mut here, mut start) = (value, 0);
    while let Some((step, next, at)) = child_at(here, start, offset) {
        steps.push(step);
        (here, start) = (next, at);
    }
    steps
}

/// The member of a list or an object, written from `start` on, that these bytes of the text end in; and where it starts.
fn child_at(value: &Value, start: usize, offset: usize) -> Option<(Step, &Value, usize)> {
    // The bracket.
    let mut at = start + 1;
    let mut holds = |key: usize, child: &Value| {
        let begins = at + key;
        // The comma.
        at = begins + child.to_string().len() + 1;
        (begins..at).contains(&offset).then_some(begins)
    };
    match value {
        Value::Object(fields) => fields.iter().find_map(|(name, child)| {
            // The colon.
            let key = Value::from(name.as_str()).to_string().len() + 1;
            Some((Step::Name(name.clone()), child, holds(key, child)?))
        }),
        Value::Array(list) => {
            list.iter().enumerate().find_map(|(index, child)| Some((Step::Index(index), child, holds(0, child)?)))
        }
        _ => None,
    }
}

fn find<'a>(value: &'a mut Value, place: &[Step]) -> Option<&'a mut Value> {
    place.iter().try_fold(value, |value, step| match step {
        Step::Name(name) => value.get_mut(name),
        Step::Index(index) => value.get_mut(index),
    })
}

fn remove(value: &mut Value, place: &[Step]) -> bool {
    let Some((last, way)) = place.split_last() else { return false };
    match (find(value, way), last) {
        (Some(Value::Object(fields)), Step::Name(name)) => fields.remove(name).is_some(),
        (Some(Value::Array(list)), Step::Index(index)) if *index < list.len() => {
            list.remove(*index);
            true
        }
        _ => false,
    }
}

/// Another form of a field that may be the one that is expected: a number for its text and the other way round.
fn form(field: &Value, index: usize) -> Option<Value> {
    let whole = |number: f64| {
        let fits = (i64::MIN as f64..=i64::MAX as f64).contains(&number);
        fits.then(|| Value::from(number as i64))
    };
    let forms: [Option<Value>; 3] = match field {
        Value::Number(number) if number.is_f64() => {
            [number.as_f64().and_then(whole), Some(number.to_string().into()), None]
        }
        Value::Number(number) => [Some(number.to_string().into()), None, None],
        Value::Bool(told) => [Some(told.to_string().into()), None, None],
        Value::String(text) => {
            let number = text.trim().parse::<Number>().ok();
            [
                number.clone().map(Value::Number),
                number.and_then(|number| whole(number.as_f64()?)),
                Some(padded(text)).filter(|text| !text.is_empty()).map(Value::String),
            ]
        }
        Value::Object(_) | Value::Array(_) => [Some(field.to_string().into()), None, None],
        Value::Null => [None, None, None],
    };
    forms.into_iter().flatten().nth(index)
}

/// Base64 with the letters and the padding that the API has: some servers leave the padding out, some use the letters for
/// URLs.
pub(super) fn padded(text: &str) -> String {
    let letter = |letter: char| match letter {
        '-' => '+',
        '_' => '/',
        letter => letter,
    };
    let mut text: String = text.chars().filter(|c| !c.is_whitespace() && *c != '=').map(letter).collect();
    text.extend(std::iter::repeat_n('=', text.len().wrapping_neg() % 4));
    text
}

fn words(place: &[Step]) -> String {
    let mut words = String::new();
    for step in place {
        match step {
            Step::Name(name) if words.is_empty() => words.push_str(name),
            Step::Name(name) => words.extend([".", name.as_str()]),
            // Which one of many it was says nothing.
            Step::Index(_) => words.push_str("[]"),
        }
    }
    words
}

/// The text with every half of a surrogate pair that stands alone made into U+FFFD. JSON can spell them, and servers that
/// cut texts into pieces by UTF-16 send them, but no string can hold them.
pub(super) fn with_whole_letters(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut copied = 0;
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += found;
        let Some(unit) = unit(bytes, at) else {
            // Another escape, of two bytes.
            at += 2;
            continue;
        };
        let is_pair = (0xd800..0xdc00).contains(&unit)
            && self::unit(bytes, at + 6).is_some_and(|low| (0xdc00..0xe000).contains(&low));
        if (0xd800..0xe000).contains(&unit) && !is_pair {
            mended.push_str(&text[copied..at]);
            mended.push_str("\\ufffd");
            copied = at + 6;
        }
        at += if is_pair { 12 } else { 6 };
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

/// The unit of UTF-16 that is spelled out here.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | (*digit as char).to_digit(16)? as u16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServerEvent;
    use serde_json::json;

    fn read_all(event: Value) -> (ServerEvent, Vec<String>) {
        ServerEvent::read(&event.to_string()).unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn numbers_are_read_in_whatever_way_they_are_written() {
        let (event, left_out) = read_all(json!({"type": "input_audio_buffer.speech_started", "audio_start_ms": 120.0,
            "item_id": 7}));
        let ServerEvent::InputAudioBufferSpeechStarted(event) = event else { panic!("{event:?}") };
        assert_eq!((event.audio_start_ms, event.item_id.as_str(), left_out.len()), (120, "7", 0));
        let (event, left_out) =
            read_all(json!({"type": "session.updated", "session": {"id": "s", "expires_at": 1.75e9,
            "audio": {"input": {"turn_detection": {"prefix_padding_ms": "300", "silence_duration_ms": 500.9}}}}}));
        let ServerEvent::SessionUpdated(event) = event else { panic!("{event:?}") };
        assert_eq!((event.session.expires_at, left_out.len()), (Some(1_750_000_000), 0));
        let detection = event
            .session
            .audio
            .expect("it is there")
            .input
            .expect("it is there")
            .turn_detection
            .value()
            .expect("it is there")
            .clone();
        assert_eq!((detection.prefix_padding_ms, detection.silence_duration_ms), (Some(300), Some(500)));
    }

    #[test]
    fn what_cannot_be_read_goes_and_the_rest_stays() {
        let (event, left_out) =
            read_all(json!({"type": "response.done", "response": {"id": "r1", "status": "completed",
            "metadata": {"n": 5, "list": [1]}, "output": [3, {"type": "message", "id": "a1"}],
            "usage": {"input_tokens": 3, "output_tokens": [], "total_tokens": -4}}}));
        let ServerEvent::ResponseDone(event) = event else { panic!("{event:?}") };
        let metadata = event.response.metadata.expect("it is there");
        assert_eq!((metadata["n"].as_str(), metadata["list"].as_str()), ("5", "[1]"));
        assert_eq!((event.response.output.len(), event.response.usage.expect("it is there").input_tokens), (1, 3));
        let lost = ["response.output[]", "response.usage.output_tokens", "response.usage.total_tokens"];
        assert!(lost.iter().all(|lost| left_out.iter().any(|out| out == lost)) && left_out.len() == 3, "{left_out:?}");
    }

    #[test]
    fn an_empty_field_is_one_that_is_not_there() {
        let (event, left_out) =
            read_all(json!({"type": "response.output_audio.delta", "response_id": "r1", "item_id": null,
            "content_index": null, "output_index": null, "delta": "AAAA"}));
        let ServerEvent::ResponseOutputAudioDelta(event) = event else { panic!("{event:?}") };
        assert_eq!((event.delta.0.len(), event.content_index, left_out.len()), (3, 0, 0));
    }

    #[test]
    fn sound_may_lack_its_padding() {
        for (delta, bytes) in [("AAE", 2), ("-_8=", 2), ("AA AA\n", 3), ("AAAA", 3)] {
            let (event, left_out) = read_all(json!({"type": "response.output_audio.delta", "delta": delta}));
            let ServerEvent::ResponseOutputAudioDelta(event) = event else { panic!("{event:?}") };
            assert_eq!((event.delta.0.len(), left_out.len()), (bytes, 0), "{delta}");
        }
        let (_, left_out) = read_all(json!({"type": "response.output_audio.delta", "delta": "not base64!"}));
        assert_eq!(left_out, ["delta"]);
    }

    #[test]
    fn half_a_letter_is_a_replacement_character_and_a_whole_one_stays() {
        let text =
            r#"{"type":"response.output_audio_transcript.delta","delta":"a\ud83d b\ud83d\ude00 c\\ud83d \ude00"}"#;
        let (ServerEvent::ResponseOutputAudioTranscriptDelta(event), left_out) =
            ServerEvent::read(text).expect("it is there")
        else {
            panic!("another event")
        };
        assert_eq!((event.delta.as_str(), left_out.len()), ("a\u{fffd} b\u{1f600} c\\ud83d \u{fffd}", 0));
    }

    #[test]
    fn an_error_keeps_its_words_in_every_form() {
        for (error, message, code) in [
            (json!("no backend"), "no backend", None),
            (json!(503), "503", None),
            (json!({"message": "no", "code": 500, "param": ["a"]}), "no", Some("500")),
            (json!({"message": {"detail": "x"}}), r#"{"detail":"x"}"#, None),
        ] {
            let (event, _) = read_all(json!({"type": "error", "error": error}));
            let ServerEvent::Error(event) = event else { panic!("{event:?}") };
            assert_eq!((event.error.message.as_str(), event.error.code.as_deref()), (message, code));
        }
    }

    #[test]
    fn it_comes_to_an_end_with_whatever_there_is() {
        let bad: Vec<Value> = (0..500).map(|_| json!({"logprob": [], "bytes": "x"})).collect();
        let (event, _) =
            read_all(json!({"type": "conversation.item.input_audio_transcription.completed", "item_id": "u1",
            "transcript": "hi", "logprobs": bad}));
        let ServerEvent::TranscriptionCompleted(event) = event else { panic!("{event:?}") };
        assert_eq!((event.transcript.as_str(), event.logprobs), ("hi", None));
        assert!(ServerEvent::read("{\"type\":\"error\"").is_err());
        assert!(ServerEvent::read("[]").is_err());
    }
}
