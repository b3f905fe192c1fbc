// SPDX-License-Identifier: MPL-2.0

//! The local server in a process of its own, for tests and benchmarks that count what their own process holds.
//!
//! The process is the same program again, which calls [`serve`]: a test program in one ignored test.

use realtime_server::{Cli, ServerThread};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Arguments of the server, one a line.
const ARGUMENTS: &str = "TEST_SERVER_ARGUMENTS";
const READY: &str = "listening on ";

/// A running server. Dropping it ends it.
pub struct ServerProcess {
    child: Child,
    base: String,
}

impl ServerProcess {
    /// Starts the server. A test program must have an ignored test `server_process` that calls [`serve`].
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "server_process", "--nocapture"])
            .env(ARGUMENTS, args.join("\n"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let url = lines.map_while(Result::ok).find_map(|line| Some(line.split_once(READY)?.1.to_string()));
        let base = url.expect("a server that listens").trim_end_matches("/realtime").to_string();
        Self { child, base }
    }

    /// The base that the element's `uri` takes.
    pub fn base(&self) -> &str {
        &self.base
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves until the standard input ends, which it does with the process that has started this one. False, at once, where
/// this process was not started for that, as when the ignored tests are run by hand.
pub fn serve() -> bool {
    let Ok(args) = std::env::var(ARGUMENTS) else { return false };
    let server = ServerThread::start(Cli::from_args(args.lines()).expect("arguments")).expect("the server starts");
    #[allow(clippy::print_stdout, reason = "the line that the other process waits for")]
    {
        println!("{READY}{}", server.url());
    }
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("a pipe");
    true
}
