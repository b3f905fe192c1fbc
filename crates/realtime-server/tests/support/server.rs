// SPDX-License-Identifier: MPL-2.0

//! The local server for tests: started, waited for, and ended when the test is over.
//!
//! The server is a process of its own, as for a user. It tells when it is ready, so no test ever waits for a fixed
//! time. What it writes to standard error is kept, and shown when a test panics.

// Every test uses a part of this.
#![allow(dead_code, reason = "shared by tests that need different parts")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up. Only a bound: nothing ever waits so long when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Dropping it ends it.
pub struct Server {
    child: Child,
    url: String,
    stderr: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    script: Option<PathBuf>,
}

impl Server {
    /// Starts the server on a free port of loopback and waits until it listens.
    pub fn start(args: &[&str]) -> Self {
        Self::start_with(args, &[])
    }

    /// The same, with variables of the environment.
    pub fn start_with(args: &[&str], env: &[(&str, &str)]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_realtime-server"));
        command.args(args).envs(env.iter().copied());
        for name in ["API_KEY", "LLM", "LLM_MODEL", "STT_URL", "STT_MODEL", "TTS_URL", "TTS_MODEL", "TTS_VOICE"] {
            let name = format!("REALTIME_SERVER_{name}");
            if !env.iter().any(|(given, _)| *given == name) {
                command.env_remove(name);
            }
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let (stdout, errors) = (child.stdout.take(), child.stderr.take());
        let stderr = Arc::new(Mutex::new(String::new()));
        let reader = errors.map(|errors| collect(errors, stderr.clone()));
        let mut server = Self { child, url: String::new(), stderr, reader, script: None };
        let (sender, line) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let mut stdout = BufReader::new(stdout.expect("a pipe"));
            let read = stdout.read_line(&mut line);
            // Whoever waited may have given up.
            let _ = sender.send(read.map(|_| line));
        });
        let line = line.recv_timeout(PATIENCE).expect("the server says something in time").expect("readable output");
        match line.trim_end().strip_prefix("listening on ") {
            Some(url) => server.url = url.to_string(),
            None => panic!("the server did not start: {}", server.ended_with().1),
        }
        server
    }

    /// Starts a server that plays a script.
    pub fn script(text: &str) -> Self {
        Self::script_with(text, &[])
    }

    /// The same, with more arguments.
    pub fn script_with(text: &str, args: &[&str]) -> Self {
        let path = file(text);
        let path_text = path.to_str().expect("a readable path");
        let mut server = Self::start(&[&["--engine", "script", path_text], args].concat());
        server.script = Some(path);
        server
    }

    /// The URL that it printed, e.g. `ws://127.0.0.1:41234/v1/realtime`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same URL with a model, ready to be connected to.
    pub fn realtime(&self) -> String {
        format!("{}?model=gpt-realtime", self.url)
    }

    /// The base that the SDKs and the element's `uri` take, e.g. `ws://127.0.0.1:41234/v1`.
    pub fn base(&self) -> &str {
        self.url.trim_end_matches("/realtime")
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let authority = self.url.split("://").nth(1).and_then(|rest| rest.split('/').next());
        authority.and_then(|authority| authority.rsplit(':').next()?.parse().ok()).expect("a URL with a port")
    }

    /// What it wrote to standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.lock().map(|text| text.clone()).unwrap_or_default()
    }

    /// Waits until it has written this to standard error.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.stderr().contains(text) {
            assert!(Instant::now() < until, "the server never said {text:?}, but:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Waits until it ends by itself; gives its status and all that it wrote to standard error.
    pub fn ended_with(&mut self) -> (ExitStatus, String) {
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(Instant::now() < until, "the server did not end:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(5));
        };
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        (status, self.stderr())
    }

    /// Ends it as a user would, with SIGTERM, and waits.
    pub fn terminate(&mut self) -> (ExitStatus, String) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").arg(&pid).status().expect("kill can be run");
        assert!(sent.success(), "the server has ended before");
        self.ended_with()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        if std::thread::panicking() {
            eprintln!("the server wrote:\n{}", self.stderr());
        }
        if let Some(script) = &self.script {
            let _ = fs::remove_file(script);
        }
    }
}

/// Collects a stream as it comes.
fn collect(stream: impl Read + Send + 'static, text: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if let Ok(mut text) = text.lock() {
                text.push_str(&line);
                text.push('\n');
            }
        }
    })
}

/// A file with this text that no other test has.
pub fn file(text: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("realtime-server-{}-{number}.txt", std::process::id()));
    fs::write(&path, text).expect("a temporary file");
    path
}
