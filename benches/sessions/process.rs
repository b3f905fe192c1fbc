// SPDX-License-Identifier: MPL-2.0

//! CPU, context switches and memory of this process and its threads, by the kernel's account.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

/// CPU time and context switches of a thread.
#[derive(Clone, Debug, Default)]
pub struct Thread {
    pub name: String,
    pub running: Duration,
    /// Context switches, voluntary or not.
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

impl Sample {
    /// CPU time and context switches of each thread since an earlier sample.
    pub fn since(&self, earlier: &Self) -> impl Iterator<Item = Thread> {
        self.threads.iter().map(|(id, thread)| {
            let before = earlier.threads.get(id).cloned().unwrap_or_default();
            Thread {
                name: thread.name.clone(),
                running: thread.running - before.running,
                switches: thread.switches - before.switches,
            }
        })
    }
}

/// The threads of this process, with what they have used so far.
pub fn sample() -> Sample {
    sample_of("self")
}

/// The threads of a process, by its id.
pub fn sample_of(process: &str) -> Sample {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("Linux").filter_map(|entry| {
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

/// CPU time of the threads that have not ended.
pub fn cpu_time() -> Duration {
    sample().threads.values().map(|thread| thread.running).sum()
}

fn status_kib(process: &str, field: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field of the kernel");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

/// The memory in use, in KiB.
pub fn memory_kib() -> u64 {
    status_kib("self", "VmRSS")
}

/// The most memory that was in use, in KiB.
pub fn peak_memory_kib() -> u64 {
    peak_memory_kib_of("self")
}

/// The same of a process, by its id.
pub fn peak_memory_kib_of(process: &str) -> u64 {
    status_kib(process, "VmHWM")
}
