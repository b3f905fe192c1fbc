// SPDX-License-Identifier: MPL-2.0

//! Reads scripts. A line is a statement; an indented line goes on with the one before it; `#` begins a comment line.

use crate::engines::audio_placeholder;
use crate::engines::script::cursor::{Cursor, Fault};
use crate::engines::script::{ConnectionScript, Handshake, Script, Statement, Step};

use serde_json::{Value, json};

/// The longest binary message; what no machine can hold would end the server.
const MAX_BINARY: usize = 1 << 30;

/// Reads a script.
pub fn script(text: &str) -> Result<Script, Fault> {
    let mut script = Script::default();
    for (line, statement) in statements(text)? {
        let mut cursor = Cursor::new(line, &statement);
        if cursor.peek() == "connection" {
            let scene = connection(&mut cursor, &script)?;
            script.connections.push(scene);
            continue;
        }
        if script.connections.is_empty() {
            script.connections.push(ConnectionScript {
                number: Some(1),
                handshake: Handshake::Accept,
                steps: Vec::new(),
            });
        }
        let Some(scene) = script.connections.last_mut() else { unreachable!("one was pushed") };
        statement_into(&mut cursor, scene)?;
    }
    Ok(script)
}

/// The statements with the numbers of their first lines.
fn statements(text: &str) -> Result<Vec<(usize, String)>, Fault> {
    let mut statements: Vec<(usize, String)> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (number, content) = (index + 1, line.trim());
        if content.is_empty() || content.starts_with('#') {
            // Keeps the numbers of the lines after it right, should the statement go on.
            if let Some((_, statement)) = statements.last_mut() {
                statement.push('\n');
            }
        } else if !line.starts_with(char::is_whitespace) {
            statements.push((number, line.trim_end().to_string()));
        } else if let Some((_, statement)) = statements.last_mut() {
            statement.push('\n');
            statement.push_str(line.trim_end());
        } else {
            return Err(Fault {
                line: number,
                column: 1,
                problem: "an indented line goes on with a statement, but there is none".into(),
            });
        }
    }
    Ok(statements)
}

fn connection(cursor: &mut Cursor<'_>, script: &Script) -> Result<ConnectionScript, Fault> {
    cursor.word();
    let number = cursor.parse("the number of the connection, or * for all others", |word| match word {
        "*" => Some(None),
        word => word.parse().ok().filter(|number| *number > 0).map(Some),
    })?;
    cursor.end()?;
    if script.connections.iter().any(|scene| scene.number == number) {
        return Err(cursor.fault_at(0, "this connection has a scene already"));
    }
    Ok(ConnectionScript { number, handshake: Handshake::Accept, steps: Vec::new() })
}

fn statement_into(cursor: &mut Cursor<'_>, scene: &mut ConnectionScript) -> Result<(), Fault> {
    let is_over = scene
        .steps
        .last()
        .is_some_and(|step| matches!(step.act, Statement::Close { .. } | Statement::Drop | Statement::Reset));
    if is_over || scene.handshake != Handshake::Accept {
        return Err(cursor.fault("the connection has ended before this"));
    }
    if matches!(cursor.peek(), "refuse" | "hang") {
        if !scene.steps.is_empty() {
            return Err(cursor.fault("this must be the first statement of its connection"));
        }
        scene.handshake = handshake(cursor)?;
    } else {
        let line = cursor.line;
        let act = act(cursor)?;
        scene.steps.push(Step { line, act });
    }
    cursor.end()
}

fn handshake(cursor: &mut Cursor<'_>) -> Result<Handshake, Fault> {
    if cursor.word() == "hang" {
        return Ok(Handshake::Hang);
    }
    if cursor.accept("drop") {
        return Ok(Handshake::Drop);
    }
    if cursor.accept("reset") {
        return Ok(Handshake::Reset);
    }
    let status = cursor.parse("a status from 300 to 599, drop or reset", |word| {
        word.parse().ok().filter(|status| (300..600).contains(status))
    })?;
    let (mut headers, mut body) = (Vec::new(), None);
    while !cursor.rest().is_empty() {
        if cursor.accept("body") {
            body = Some(cursor.all().to_string());
            break;
        }
        let line = cursor.rest().split('\n').next().unwrap_or_default();
        let Some((name, value)) = line.split_once(':') else {
            return Err(cursor.fault("expected a header such as 'Retry-After: 2', or 'body' and its text"));
        };
        headers.push((name.trim().to_string(), value.trim().to_string()));
        cursor.skip(line.len());
    }
    Ok(Handshake::Refuse { status, headers, body })
}

fn act(cursor: &mut Cursor<'_>) -> Result<Statement, Fault> {
    let fault = cursor.fault(format!("'{}' is no statement", cursor.peek()));
    Ok(match cursor.word() {
        "expect" => expect(cursor, false)?,
        "await" => expect(cursor, true)?,
        "ignore" => Statement::Ignore(cursor.all().split_whitespace().map(str::to_string).collect()),
        "send" => Statement::Send(event(cursor)?),
        "hello" => Statement::Hello,
        "respond" => respond(cursor)?,
        "text" => Statement::Text(cursor.all().to_string()),
        "binary" => {
            Statement::Binary(cursor.parse("a number of bytes up to 1 GiB", |word| {
                word.parse().ok().filter(|count| *count <= MAX_BINARY)
            })?)
        }
        "invalid-frame" => Statement::InvalidFrame,
        "invalid-utf8" => Statement::InvalidUtf8,
        "half-frame" => Statement::HalfFrame(event(cursor)?),
        "ping" => Statement::Ping,
        "wait" if cursor.accept("audio") => {
            let ms = usize::try_from(cursor.duration()?.as_millis()).unwrap_or(usize::MAX);
            Statement::WaitAudio { ms, within: cursor.within()? }
        }
        "wait" => Statement::Wait(cursor.duration()?),
        "stop-reading" => Statement::StopReading,
        "close" => {
            let code =
                cursor.parse("a close code", |word| word.parse().ok().filter(|code| (1000..5000).contains(code)))?;
            Statement::Close { code, reason: cursor.all().to_string() }
        }
        "drop" => Statement::Drop,
        "reset" => Statement::Reset,
        _ => return Err(fault),
    })
}

fn expect(cursor: &mut Cursor<'_>, skip: bool) -> Result<Statement, Fault> {
    if cursor.accept("close") {
        let code = cursor.peek().parse().ok();
        if code.is_some() {
            cursor.word();
        }
        return Ok(Statement::ExpectClose { code, within: cursor.within()? });
    }
    if cursor.accept("pong") {
        return Ok(Statement::ExpectPong { within: cursor.within()? });
    }
    let is_name = |word: &str| word.starts_with(|c: char| c.is_ascii_alphabetic());
    let name = cursor.parse("the type of an event", |word| is_name(word).then(|| word.to_string()))?;
    let within = cursor.within()?;
    let pattern = if cursor.rest().is_empty() { None } else { Some(cursor.object()?) };
    Ok(Statement::Expect { name, pattern, within, skip })
}

/// An event: its JSON, or its type and the JSON of the rest.
fn event(cursor: &mut Cursor<'_>) -> Result<Value, Fault> {
    if cursor.peek().starts_with('{') {
        return cursor.object();
    }
    let name = cursor.parse("an event", |word| (!word.is_empty()).then(|| word.to_string()))?;
    let mut event = json!({"type": name});
    if !cursor.rest().is_empty()
        && let (Value::Object(event), Value::Object(rest)) = (&mut event, cursor.object()?)
    {
        event.extend(rest);
    }
    Ok(event)
}

/// A whole answer: the words in quotes, then stand-ins for the sound.
fn respond(cursor: &mut Cursor<'_>) -> Result<Statement, Fault> {
    let rest = cursor.rest();
    let mut words = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let Some(Ok(text)) = words.next() else {
        return Err(cursor.fault("expected the words of the answer in double quotes"));
    };
    let read = words.byte_offset();
    cursor.skip(read);
    let mut sounds = Vec::new();
    while !cursor.rest().is_empty() {
        let is_sound = |word: &str| audio_placeholder::read(word).map(|_| word.to_string());
        sounds.push(cursor.parse("a stand-in such as <tone:440:500>", is_sound)?);
    }
    Ok(Statement::Respond { text, sounds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engines::script::cursor::WITHIN;
    use std::time::Duration;

    fn fault(text: &str) -> String {
        script(text).expect_err("a fault").to_string()
    }

    fn acts(text: &str) -> Vec<Statement> {
        let script = script(text).unwrap_or_else(|fault| panic!("{fault}"));
        script.connections.into_iter().flat_map(|scene| scene.steps).map(|step| step.act).collect()
    }

    #[test]
    fn statements_are_read() {
        let text = "# a comment\nhello\n\nexpect session.update within 2s {\"session\":\n  # within\n  {\"type\": \"realtime\"}}\nwait audio 500ms\nclose 1001 see you\n";
        let within = Duration::from_secs(2);
        let pattern = Some(json!({"session": {"type": "realtime"}}));
        assert_eq!(
            acts(text),
            [
                Statement::Hello,
                Statement::Expect { name: "session.update".into(), pattern, within, skip: false },
                Statement::WaitAudio { ms: 500, within: WITHIN },
                Statement::Close { code: 1001, reason: "see you".into() },
            ]
        );
        assert_eq!(
            acts("respond \"Hi, \\\"you\\\".\" <tone:440:500> <pcm:20>"),
            [Statement::Respond {
                text: "Hi, \"you\".".into(),
                sounds: vec!["<tone:440:500>".into(), "<pcm:20>".into()]
            }]
        );
    }

    #[test]
    fn a_refusal_has_headers_and_a_body() {
        let script = script(
            "refuse 503\n  Retry-After: 2\n  X-Y: z\n  body try later\nconnection 2\nhang\nconnection *\nrefuse reset",
        )
        .expect("a script");
        let entrances: Vec<_> =
            script.connections.iter().map(|scene| (scene.number, scene.handshake.clone())).collect();
        let headers = vec![("Retry-After".into(), "2".into()), ("X-Y".into(), "z".into())];
        let refuse = Handshake::Refuse { status: 503, headers, body: Some("try later".into()) };
        assert_eq!(entrances, [(Some(1), refuse), (Some(2), Handshake::Hang), (None, Handshake::Reset)]);
    }

    #[test]
    fn faults_name_their_place() {
        for (text, expected) in [
            ("hello\nshout loudly", "2:1: 'shout' is no statement"),
            ("wait soon", "1:6: expected a duration such as 500ms or 2s, found 'soon'"),
            ("wait", "1:5: expected a duration such as 500ms or 2s"),
            ("send {\"type\": }", "1:15: expected value"),
            ("send a.b {\n  \"x\": 1,\n  oops\n}", "3:3: key must be a string"),
            ("send session.created [1]", "1:22: expected a JSON object"),
            ("hello now", "1:7: 'now' is too much here"),
            ("binary 1073741825", "1:8: expected a number of bytes up to 1 GiB, found '1073741825'"),
            ("close 1000\nhello", "2:1: the connection has ended before this"),
            ("hello\nhang", "2:1: this must be the first statement of its connection"),
            ("connection 1\nconnection 1", "2:1: this connection has a scene already"),
            ("connection zero", "1:12: expected the number of the connection, or * for all others, found 'zero'"),
            ("  hello", "1:1: an indented line goes on with a statement, but there is none"),
            ("respond hello", "1:9: expected the words of the answer in double quotes"),
            ("respond \"hello\" <song:5>", "1:17: expected a stand-in such as <tone:440:500>, found '<song:5>'"),
        ] {
            assert_eq!(fault(text), expected, "{text}");
        }
    }
}
