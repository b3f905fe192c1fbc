// SPDX-License-Identifier: MPL-2.0

//! What the element must not leave behind: threads and connections.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Threads and connections of this process that have to do with the element.
pub fn left() -> (BTreeSet<String>, usize) {
    let threads = std::fs::read_dir("/proc/self/task").expect("Linux").filter_map(|entry| {
        let name = std::fs::read_to_string(entry.ok()?.path().join("comm")).ok()?;
        // The streaming threads are GStreamer's, which keeps them for the next pad that needs one.
        let name = name.trim();
        (name == "openairealtime" || name.starts_with("openairt-")).then(|| name.to_owned())
    });
    // TCP alone: GStreamer keeps socket pairs of its own.
    let tcp = std::fs::read_to_string("/proc/self/net/tcp").expect("Linux");
    let inodes: BTreeSet<&str> = tcp.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9)).collect();
    let sockets = std::fs::read_dir("/proc/self/fd").expect("Linux").filter(|entry| {
        let target = entry.as_ref().ok().and_then(|entry| std::fs::read_link(entry.path()).ok());
        let name = target.map(|target| target.to_string_lossy().into_owned()).unwrap_or_default();
        name.strip_prefix("socket:[")
            .and_then(|name| name.strip_suffix(']'))
            .is_some_and(|inode| inodes.contains(inode))
    });
    (threads.collect(), sockets.count())
}

/// Waits until nothing is left; threads that have ended take a moment to be gone.
#[track_caller]
pub fn assert_nothing_left(sockets_before: usize) {
    let limit = Instant::now() + Duration::from_secs(10);
    loop {
        let (threads, sockets) = left();
        if threads.is_empty() && sockets <= sockets_before {
            return;
        }
        assert!(Instant::now() < limit, "left: {threads:?}, {sockets} sockets (before: {sockets_before})");
        std::thread::sleep(Duration::from_millis(2));
    }
}
