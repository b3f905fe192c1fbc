// SPDX-License-Identifier: MPL-2.0

//! The local server for tests, in the test's own process: started, waited for, and ended when the test is over.

// Every test uses a part of this.
#![allow(dead_code, reason = "shared by tests that need different parts")]

use realtime_server::{Cli, ServerThread};
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A running server. Dropping it ends it.
pub struct Server {
    thread: ServerThread,
    script: Option<PathBuf>,
}

/// Whether clients did what the server's script expects.
#[derive(Debug)]
pub struct Verdict(bool);

impl Verdict {
    /// Whether all went as the script says.
    pub fn success(&self) -> bool {
        self.0
    }
}

impl Server {
    /// Starts the server on a free port of loopback, with these arguments of `realtime-server`.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let cli = Cli::from_args(args.iter().copied()).expect("arguments of realtime-server");
        Self { thread: ServerThread::start(cli).expect("the server starts"), script: None }
    }

    /// Starts a server that plays a script.
    #[track_caller]
    pub fn script(text: &str) -> Self {
        Self::script_with(text, &[])
    }

    /// The same, with more arguments.
    #[track_caller]
    pub fn script_with(text: &str, args: &[&str]) -> Self {
        let path = file(text);
        let path_text = path.to_str().expect("a readable path");
        let mut server = Self::start(&[&["--engine", "script", path_text], args].concat());
        server.script = Some(path);
        server
    }

    /// Its URL, e.g. `ws://127.0.0.1:41234/v1/realtime`.
    pub fn url(&self) -> &str {
        self.thread.url()
    }

    /// The base that the SDKs and the element's `uri` take, e.g. `ws://127.0.0.1:41234/v1`.
    pub fn base(&self) -> &str {
        self.url().trim_end_matches("/realtime")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        let authority = self.url().split("://").nth(1).and_then(|rest| rest.split('/').next());
        authority.and_then(|authority| authority.rsplit(':').next()?.parse().ok()).expect("a URL with a port")
    }

    /// Ends it; says whether its script was followed, and what was not.
    pub fn terminate(&mut self) -> (Verdict, String) {
        let failures = self.thread.stop();
        (Verdict(failures.is_empty()), failures.join("\n"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let failures = self.thread.stop();
        if std::thread::panicking() && !failures.is_empty() {
            eprintln!("not as the script says:\n{}", failures.join("\n"));
        }
        if let Some(script) = &self.script {
            let _ = fs::remove_file(script);
        }
    }
}

/// A file with this text that no other test has.
pub fn file(text: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("openairealtime-test-{}-{number}.txt", std::process::id()));
    fs::write(&path, text).expect("a temporary file");
    path
}
