// SPDX-License-Identifier: MPL-2.0

//! A worker whose parent is gone would go on to spend money for nobody.

use crate::interrupt::Interrupt;

/// Ends this process in order when its parent ends.
///
/// On Linux the kernel tells it (`PR_SET_PDEATHSIG`), and a parent that ends during the call is seen by its number.
#[cfg(target_os = "linux")]
pub fn watch(interrupt: &Interrupt) -> std::io::Result<()> {
    use nix::sys::{prctl, signal::Signal};
    let parent = nix::unistd::getppid();
    prctl::set_pdeathsig(Signal::SIGTERM)?;
    if nix::unistd::getppid() != parent {
        interrupt.raise();
    }
    Ok(())
}

/// The same where the kernel does not tell: an orphan has another parent, which is asked for each second.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn watch(interrupt: &Interrupt) -> std::io::Result<()> {
    use std::os::unix::process::parent_id;
    let (parent, interrupt) = (parent_id(), interrupt.clone());
    std::thread::Builder::new().name("parent".into()).spawn(move || {
        while parent_id() == parent {
            std::thread::sleep(std::time::Duration::from_secs(1));
        }
        interrupt.raise();
    })?;
    Ok(())
}

/// Elsewhere whoever starts the worker has to end it.
#[cfg(not(unix))]
pub fn watch(_interrupt: &Interrupt) -> std::io::Result<()> {
    Ok(())
}
