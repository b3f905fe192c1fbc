// SPDX-License-Identifier: MPL-2.0

//! Traces: sessions as lines of JSON, written by `--record` and played by the engine `replay`.
//!
//! The first line is a header with a title. Each line after it is something that one side said: `dir` is `c` for the
//! client and `s` for the server, `t` the seconds since the connection was made, and then `ev` with an event, `close`
//! with a code and a reason, or `raw` with text that is no JSON. Keys and tokens for other services, which a client
//! may put into its tools, are left out.

use anyhow::Context;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::fs::File;
use tokio::io::{AsyncWriteExt, BufWriter};

/// Who said it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    /// The client.
    #[serde(rename = "c")]
    Client,
    /// The server.
    #[serde(rename = "s")]
    Server,
}

/// A line of a trace.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Line {
    /// Who said it.
    pub dir: Side,
    /// Seconds since the connection was made.
    #[serde(default)]
    pub t: f64,
    /// The event.
    #[serde(default)]
    pub ev: Option<Value>,
    /// The end of the connection.
    #[serde(default)]
    pub close: Option<Close>,
}

/// How a connection was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Close {
    /// The code.
    pub code: u16,
    /// The reason.
    #[serde(default)]
    pub reason: String,
}

/// Reads a trace. An error names file and line.
pub fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    let text = std::fs::read_to_string(path).map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?;
    parse(&text).map_err(|(line, error)| anyhow::anyhow!("{}:{line}: {error}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Line>, (usize, serde_json::Error)> {
    let mut lines = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let value: Value = serde_json::from_str(line).map_err(|error| (index + 1, error))?;
        if value.get("dir").is_some() {
            lines.push(serde_json::from_value(value).map_err(|error| (index + 1, error))?);
        }
    }
    Ok(lines)
}

/// Where traces are to be written.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    count: AtomicUsize,
}

impl Recorder {
    /// Traces go to this file and its numbered siblings. A file that cannot be written is found out now; what is in it
    /// stays until a session begins.
    pub fn new(path: PathBuf) -> anyhow::Result<Self> {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(&path);
        opened.with_context(|| format!("cannot record to {}", path.display()))?;
        Ok(Self { path, count: AtomicUsize::new(0) })
    }

    /// A file for the next session. What cannot be written is logged and not recorded.
    pub async fn begin(&self, dialect: &str) -> Option<Recording> {
        let number = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let path = numbered(&self.path, number);
        match File::create(&path).await {
            Ok(file) => {
                let mut recording = Recording { file: Some(BufWriter::new(file)), path, since: Instant::now() };
                recording.line(&json!({"trace": format!("session {number}"), "dialect": dialect}).to_string()).await;
                Some(recording)
            }
            Err(error) => {
                tracing::error!("cannot record to {}: {error}", path.display());
                None
            }
        }
    }
}

/// The file of a session: `a.jsonl`, `a-2.jsonl`, `a-3.jsonl`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_path_buf();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
    path.with_file_name(format!("{stem}-{number}{extension}"))
}

/// The trace of one session in the making.
#[derive(Debug)]
pub struct Recording {
    /// None once it could not be written.
    file: Option<BufWriter<File>>,
    path: PathBuf,
    since: Instant,
}

impl Recording {
    /// Writes what one side said.
    pub async fn message(&mut self, dir: Side, text: &str) {
        let redacted = redact(text);
        let text = redacted.as_deref().unwrap_or(text);
        let t = self.seconds();
        let line = match serde_json::from_str::<&RawValue>(text) {
            // JSON may be spread over lines; a trace has one line an event.
            Ok(_) if text.contains('\n') => {
                let ev: Value = serde_json::from_str(text).unwrap_or_default();
                json!({"dir": dir, "t": t, "ev": ev}).to_string()
            }
            Ok(ev) => {
                let dir = if dir == Side::Client { "c" } else { "s" };
                format!(r#"{{"dir":"{dir}","t":{t},"ev":{ev}}}"#)
            }
            Err(_) => json!({"dir": dir, "t": t, "raw": text}).to_string(),
        };
        self.line(&line).await;
    }

    /// Writes how one side closed.
    pub async fn close(&mut self, dir: Side, close: &Close) {
        let line = json!({"dir": dir, "t": self.seconds(), "close": close}).to_string();
        self.line(&line).await;
    }

    fn seconds(&self) -> f64 {
        (self.since.elapsed().as_secs_f64() * 1000.0).round() / 1000.0
    }

    async fn line(&mut self, line: &str) {
        let Some(file) = &mut self.file else { return };
        let written = async {
            file.write_all(line.as_bytes()).await?;
            file.write_all(b"\n").await?;
            file.flush().await
        };
        if let Err(error) = written.await {
            tracing::error!("{} ends here, for it cannot be written: {error}", self.path.display());
            self.file = None;
        }
    }
}

/// The text without the credentials in it; `None` where there are none.
fn redact(text: &str) -> Option<String> {
    if !text.contains("\"authorization\"") && !text.contains("\"headers\"") {
        return None;
    }
    let mut value: Value = serde_json::from_str(text).ok()?;
    hide(&mut value);
    Some(value.to_string())
}

fn hide(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match name.as_str() {
                    "authorization" | "headers" if !value.is_null() => *value = "[redacted]".into(),
                    _ => hide(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_skipped_and_a_fault_names_its_line() {
        let text = "{\"trace\": \"x\"}\n{\"dir\": \"s\", \"t\": 0.1, \"ev\": {\"type\": \"a\"}}\n\n{\"dir\": \"c\", \"close\": {\"code\": 1000}}\n";
        let lines = parse(text).expect("a trace");
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[1].close, Some(Close { code: 1000, reason: String::new() }));
        assert_eq!(parse("{\"dir\": \"s\"}\n{").map_err(|(line, _)| line), Err(2));
    }

    #[test]
    fn credentials_of_tools_are_left_out() {
        let text = r#"{"session":{"tools":[{"type":"mcp","authorization":"abc","headers":{"x":"abc"}}]}}"#;
        let redacted = redact(text).expect("something to hide");
        assert!(!redacted.contains("abc") && redacted.contains("[redacted]"));
        assert_eq!(redact(r#"{"type":"response.create"}"#), None);
    }

    #[test]
    fn sessions_are_numbered() {
        assert_eq!(numbered(Path::new("/a/b.jsonl"), 1), Path::new("/a/b.jsonl"));
        assert_eq!(numbered(Path::new("/a/b.jsonl"), 2), Path::new("/a/b-2.jsonl"));
        assert_eq!(numbered(Path::new("b"), 3), Path::new("b-3"));
    }
}
