// SPDX-License-Identifier: MPL-2.0

//! What the kernel says about this process and its threads, and the server in a process of its own.

use realtime_server::{Cli, ServerThread};
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Tells the program that it is the server.
const SERVER: &str = "BENCH_SERVER";

/// What one thread has used so far.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    pub name: String,
    pub running: Duration,
    /// How often the processor was taken from it or given up by it.
    pub switches: u64,
}

/// All threads of this process, by their id.
#[derive(Debug, Default)]
pub struct Sample {
    pub threads: BTreeMap<u32, Thread>,
}

/// The name of the thread in which `main` runs.
pub fn main_thread_name() -> String {
    fs::read_to_string("/proc/self/comm").expect("Linux").trim().to_owned()
}

/// What every thread has used so far.
pub fn sample() -> Sample {
    let threads = fs::read_dir("/proc/self/task").expect("Linux").filter_map(|entry| {
        let directory = entry.ok()?.path();
        // A thread may end while it is looked at.
        let read = |file: &str| fs::read_to_string(directory.join(file)).ok();
        let (name, times, status) = (read("comm")?, read("schedstat")?, read("status")?);
        let running = Duration::from_nanos(times.split_whitespace().next()?.parse().ok()?);
        let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
        let switches = switches.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum();
        let id = directory.file_name()?.to_str()?.parse().ok()?;
        Some((id, Thread { name: name.trim().to_owned(), running, switches }))
    });
    Sample { threads: threads.collect() }
}

/// What all threads that are still there have used so far.
pub fn cpu_time() -> Duration {
    sample().threads.values().map(|thread| thread.running).sum()
}

fn status_kib(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of the kernel");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// The memory in use, in KiB.
pub fn memory_kib() -> u64 {
    status_kib("VmRSS")
}

/// The most memory that was in use, in KiB.
pub fn peak_memory_kib() -> u64 {
    status_kib("VmHWM")
}

/// Serves until the standard input ends, where this process was started for that. False where it was not.
pub fn serve() -> bool {
    if std::env::var_os(SERVER).is_none() {
        return false;
    }
    let cli = Cli::from_args(["--engine", "echo"]).expect("arguments");
    let server = ServerThread::start(cli).expect("the server starts");
    println!("{}", server.url());
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("a pipe");
    true
}

/// A running server. Dropping it ends it.
pub struct ServerProcess {
    child: Child,
    base: String,
}

impl ServerProcess {
    pub fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .env(SERVER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server can be started");
        let mut url = String::new();
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut url).expect("a server that listens");
        let base = url.trim().trim_end_matches("/realtime").to_owned();
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
