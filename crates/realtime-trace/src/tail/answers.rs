// SPDX-License-Identifier: MPL-2.0

//! Answers of `openaichat` about files, as an object of JSON each: the answer to each second of the input belongs to one of
//! the files.

use crate::structure::Structure;
use serde_json::{Map, Value};

/// The line for a message; `None` if it is no answer.
pub fn answer(message: &Structure, files: &[String]) -> Option<String> {
    let state = message.text("state").filter(|_| message.name == "openaichat/response")?;
    let index = message.number::<u64>("running-time")? / 1_000_000_000;
    let file = usize::try_from(index).ok().and_then(|index| files.get(index));
    let text = message.text("text").unwrap_or_default();
    let mut line = Map::new();
    line.insert("file".into(), file.cloned().into());
    line.insert("answer".into(), serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)));
    if state != "completed" {
        line.insert("error".into(), message.text("error-message").unwrap_or(state).into());
    }
    Some(Value::Object(line).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(fields: &str) -> Option<String> {
        let message = Structure::parse(&format!("openaichat/response, {fields};")).expect("a structure");
        answer(&message, &["a.png".into(), "b.png".into()])
    }

    #[test]
    fn an_answer_belongs_to_the_file_of_its_second() {
        let read =
            line(r#"state=(string)completed, text=(string)"\{\"color\":\"red\"\}", running-time=(guint64)1000000000"#);
        assert_eq!(read.as_deref(), Some(r#"{"answer":{"color":"red"},"file":"b.png"}"#));
        let read = line(r#"state=(string)completed, text=(string)"no JSON", running-time=(guint64)7000000000"#);
        assert_eq!(read.as_deref(), Some(r#"{"answer":"no JSON","file":null}"#));
    }

    #[test]
    fn a_failed_answer_says_why() {
        let read = line(r#"state=(string)failed, error-message=(string)"too\ large", running-time=(guint64)0"#);
        assert_eq!(read.as_deref(), Some(r#"{"answer":"","error":"too large","file":"a.png"}"#));
    }
}
