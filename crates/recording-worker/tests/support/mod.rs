// SPDX-License-Identifier: MPL-2.0

//! Runs the program, and a web server of one file.

// Every test uses a part of this.
#![allow(dead_code, reason = "shared by tests that need different parts")]

use crate::folder::Folder;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

/// A recording of this repository.
pub fn media(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/media").join(name)
}

/// The program, with nothing of the environment that would lead it elsewhere.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_recording-worker"));
    for name in ["OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AWS_ENDPOINT_URL"] {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

/// What came of a recording.
#[derive(Debug)]
pub struct Done {
    /// The exit status.
    pub code: i32,
    /// The row, as it was printed.
    pub row: Value,
    /// Everything that it printed.
    pub said: String,
}

/// Works on a recording with these settings; what it prints is the row that it writes.
#[track_caller]
pub fn work(input: &str, output: &Path, settings: &Value) -> Done {
    work_with(program(), input, output, settings)
}

/// The same with a prepared program.
#[track_caller]
pub fn work_with(mut program: Command, input: &str, output: &Path, settings: &Value) -> Done {
    let folder = Folder::new();
    let file = folder.join("settings.json");
    std::fs::write(&file, settings.to_string()).expect("settings");
    let ended = program.arg("--").arg(input).arg(output).arg(&file).output().expect("it can be started");
    let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    let printed = String::from_utf8_lossy(&ended.stdout).lines().last().map(str::to_owned).unwrap_or_default();
    let row = serde_json::from_str(&printed).unwrap_or_default();
    if let Ok(written) = std::fs::read_to_string(output.join("row.json")) {
        assert_eq!(written, printed, "the row that is printed is the one that is written: {said}");
    }
    Done { code: ended.status.code().unwrap_or(-1), row, said }
}

/// The names in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let mut names: Vec<_> = entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A web server of one folder in memory: GET, HEAD, PUT and DELETE, a request at a time.
#[derive(Debug)]
pub struct WebServer {
    /// `http://127.0.0.1:PORT`
    pub url: String,
    files: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl WebServer {
    /// Serves these files, with and without TLS as `wrap` makes of a connection.
    pub fn start<S: std::io::Read + Write>(
        scheme: &str,
        files: &[(&str, Vec<u8>)],
        wrap: impl Fn(std::net::TcpStream) -> S + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("{scheme}://localhost:{}", listener.local_addr().expect("an address").port());
        let files: BTreeMap<_, _> = files.iter().map(|(name, content)| ((*name).to_owned(), content.clone())).collect();
        let files = Arc::new(Mutex::new(files));
        let served = files.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // A client that goes away is its own business.
                let _ = answer(&mut wrap(stream), &served);
            }
        });
        Self { url, files }
    }

    /// The files that are there now.
    pub fn names(&self) -> Vec<String> {
        self.files.lock().expect("files").keys().cloned().collect()
    }
}

fn answer<S: std::io::Read + Write>(stream: &mut S, files: &Mutex<BTreeMap<String, Vec<u8>>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(&mut *stream);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let mut request = head.split(' ');
    let (method, target) = (request.next().unwrap_or_default().to_owned(), request.next().unwrap_or_default());
    let name = target.split('?').next().unwrap_or_default().trim_start_matches('/').to_owned();
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    std::io::Read::read_exact(&mut reader, &mut body)?;
    let mut files = files.lock().expect("files");
    let found = match method.as_str() {
        "PUT" => files.insert(name, body).or(Some(Vec::new())).map(|_| Vec::new()),
        "DELETE" => files.remove(&name).map(|_| Vec::new()),
        _ => files.get(&name).cloned(),
    };
    let status = if found.is_some() { "200 OK" } else { "404 Not Found" };
    let content = found.unwrap_or_default();
    write!(
        stream,
        "HTTP/1.1 {status}\r\nETag: \"e1\"\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        content.len()
    )?;
    if method != "HEAD" {
        stream.write_all(&content)?;
    }
    stream.flush()
}
