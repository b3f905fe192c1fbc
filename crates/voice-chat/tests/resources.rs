// SPDX-License-Identifier: MPL-2.0

//! Visitors leave nothing behind. A program of its own, because it counts all of its process.

mod support;

use std::time::Duration;
use support::Gateway;
use support::client::{Client, Media, within};

/// Calls that start what is kept: worker threads, plugins.
const FIRST: usize = 3;
const CALLS: usize = 8;
/// Threads of a pool may come and go.
const TOLERANCE: usize = 3;

fn count(path: &str) -> usize {
    std::fs::read_dir(path).expect("procfs").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_leave_neither_sockets_nor_threads() {
    let gateway = Gateway::start(&["--engine", "echo"], &[]).await;
    let resources = || (count("/proc/self/fd"), count("/proc/self/task"));
    let mut before = (usize::MAX, usize::MAX);
    for number in 0..CALLS {
        let mut client = Client::connect(&gateway, Media::default()).await;
        client.expect("session.created").await;
        client.hang_up(&gateway).await;
        gateway.wait_for_metric("voice_chat_visitors", 0.0).await;
        if number + 1 == FIRST {
            before = resources();
        }
    }
    // Each call has some 20 sockets, so five calls that leak are far above.
    let is_back = || resources().0 <= before.0 + TOLERANCE && resources().1 <= before.1 + TOLERANCE;
    let settled = async {
        while !is_back() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let settled = tokio::time::timeout(Duration::from_secs(20), settled).await;
    assert!(settled.is_ok(), "sockets and threads were {before:?} and are {:?}", resources());
    within("the end", async { drop(gateway) }).await;
}
