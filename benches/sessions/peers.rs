// SPDX-License-Identifier: MPL-2.0

//! The element beside others that do the same, in one run, each in a process of its own against the same server. Counted is the
//! whole process, also what makes the sound.

use crate::process::{Sample, peak_memory_kib_of, sample_of};
use crate::{bare, feed, pipelines};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Environment variable with the peer that a process of this program runs.
const ROLE: &str = "BENCH_PEER";
/// Time before the measurement.
const WARM_UP: Duration = Duration::from_secs(3);

/// Runs the peer that this process was started for, until its standard input ends. False if it was started for none.
pub fn run() -> bool {
    let Ok(role) = std::env::var(ROLE) else { return false };
    let [base, sessions] = std::env::args().skip(1).collect::<Vec<_>>().try_into().expect("base and sessions");
    let sessions: u32 = sessions.parse().expect("a number");
    std::thread::spawn(|| {
        std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("a pipe");
        std::process::exit(0);
    });
    match role.as_str() {
        "openairealtime" => {
            crate::init();
            let pipelines = pipelines(&base, sessions as usize);
            println!("connected");
            feed(&pipelines, 0..u64::MAX, Instant::now());
        }
        "tungstenite" => bare::tungstenite(&base, sessions),
        "tcp" => bare::tcp(&base, sessions),
        role => panic!("{role}?"),
    }
    true
}

/// The element, or another program that does what it does.
struct Peer {
    name: &'static str,
    command: Command,
}

fn own(name: &'static str, role: &str, base: &str) -> Peer {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.env(ROLE, role).arg(base);
    Peer { name, command }
}

fn script(name: &'static str, program: impl AsRef<std::ffi::OsStr>, file: &str, base: &str) -> Peer {
    let mut command = Command::new(program);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/sessions/peers").join(file)).arg(base);
    Peer { name, command }
}

/// Those that are installed here; the others are named.
fn peers(base: &str) -> Vec<Peer> {
    let mut peers = vec![
        own("openairealtime", "openairealtime", base),
        own("tokio and tungstenite, bare", "tungstenite", base),
        own("TCP, the same bytes one way", "tcp", &bare::tcp_port()),
    ];
    match std::env::var_os("OPENAI_NODE_DIR") {
        Some(_) => peers.push(script("openai-node", "node", "openai_node.mjs", base)),
        None => println!("openai-node: OPENAI_NODE_DIR does not say where it is"),
    }
    match std::env::var_os("AIOHTTP_PYTHON") {
        Some(python) => peers.push(script("aiohttp, bare", python, "bare_aiohttp.py", base)),
        None => println!("aiohttp: AIOHTTP_PYTHON names no interpreter that has it"),
    }
    peers
}

/// A peer at work. Dropping it ends it.
struct Running(Child);

impl Running {
    fn start(mut command: Command, sessions: usize) -> Self {
        let command = command.arg(sessions.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the peer can be started");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "connected"), "the peer does not connect");
        Self(child)
    }

    fn sample(&self) -> Sample {
        sample_of(&self.0.id().to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which the measurement tells.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Measures all peers, one after the other, and prints a table.
pub fn measure(base: &str, seconds: u64, sessions: usize) {
    println!(
        "| {sessions} sessions, {seconds} s | CPU s a session-minute | context switches a second and session | threads | memory, MB |"
    );
    println!("| --- | --- | --- | --- | --- |");
    for Peer { name, command } in peers(base) {
        let mut running = Running::start(command, sessions);
        std::thread::sleep(WARM_UP);
        let (first, since) = (running.sample(), Instant::now());
        std::thread::sleep(Duration::from_secs(seconds));
        let (last, length) = (running.sample(), since.elapsed().as_secs_f64());
        assert!(running.0.try_wait().expect("a child").is_none(), "{name} has ended");
        let cpu_time: Duration = last.since(&first).map(|thread| thread.running).sum();
        let switches: u64 = last.since(&first).map(|thread| thread.switches).sum();
        let per_session = |value: f64| value / sessions as f64 / length;
        println!(
            "| {name} | {:.3} | {:.0} | {} | {:.1} |",
            per_session(cpu_time.as_secs_f64()) * 60.0,
            per_session(switches as f64),
            last.threads.len(),
            peak_memory_kib_of(&running.0.id().to_string()) as f64 / 1024.0
        );
    }
}
