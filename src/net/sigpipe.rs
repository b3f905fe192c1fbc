// SPDX-License-Identifier: MPL-2.0

//! SIGPIPE, which ends a process that does not expect it.

/// Makes a broken pipe or connection an error of the write, and not a signal, on the calling thread.
///
/// Rust's programs ignore the signal, but a plugin is loaded into programs that do not (`gst-launch-1.0`), and what a
/// process does about a signal is not its to change. Sockets can be written to without one as long as it is one piece
/// (`MSG_NOSIGNAL`); TLS and HTTP write several at once (`writev`), and a pipe has no such flag. So each thread that
/// writes calls this first. A child process starts with an empty mask, whatever thread has started it.
#[cfg(unix)]
pub(crate) fn block_on_this_thread() {
    use nix::sys::signal::{SigSet, Signal};

    let blocked = SigSet::from(Signal::SIGPIPE).thread_block();
    debug_assert!(blocked.is_ok(), "refused only for a wrong argument: {blocked:?}");
}

/// There is no such signal.
#[cfg(not(unix))]
pub(crate) fn block_on_this_thread() {}
