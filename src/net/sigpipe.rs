// SPDX-License-Identifier: MPL-2.0

//! SIGPIPE, which ends a process that does not expect it.

/// Makes a broken pipe or connection an error of the write, and not a signal, on the calling thread.
///
/// Rust's programs ignore the signal, but a plugin is loaded into programs that do not (`gst-launch-1.0`), and what a
/// process does about a signal is not its to change. Connections are written to without one on any thread
/// ([`TcpConnection`](crate::net::tcp::TcpConnection)), but a pipe has no such flag. So each thread that writes to one calls
/// this first, and so do those of the runtime. A child process starts with an empty mask, whatever thread has started it.
#[cfg(unix)]
pub(crate) fn block_on_this_thread() {
    use nix::sys::signal::{SigSet, Signal};

    let blocked = SigSet::from(Signal::SIGPIPE).thread_block();
    debug_assert!(blocked.is_ok(), "refused only for a wrong argument: {blocked:?}");
}

/// There is no such signal.
#[cfg(not(unix))]
pub(crate) fn block_on_this_thread() {}
