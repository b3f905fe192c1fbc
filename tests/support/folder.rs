// SPDX-License-Identifier: MPL-2.0

//! A folder for the files of a test. It is a test's own, and gone with it, however the test ends.

#![allow(dead_code, reason = "shared by tests that need different parts")]

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// A folder that is gone with the test.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty one that no other test has.
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("openairealtime-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    /// Where a file of this name stands in it.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }

    /// A program that uses GStreamer, with the plugin that was built beside this one, without any key, and with pipes.
    pub fn program(&self, name: impl AsRef<OsStr>) -> Command {
        let built = std::env::current_exe().expect("this program").with_file_name("libgstopenairealtime.so");
        // Alone in a folder, so that GStreamer looks at nothing else that was built.
        let plugins = self.join("plugins");
        std::fs::create_dir_all(&plugins).expect("a folder");
        let plugin = plugins.join("libgstopenairealtime.so");
        if !plugin.exists() {
            std::os::unix::fs::symlink(&built, &plugin).expect("a link");
        }
        let mut command = Command::new(name);
        command
            .env("GST_PLUGIN_PATH", plugins)
            .env("GST_REGISTRY", self.join("registry.bin"))
            .env("GST_DEBUG_NO_COLOR", "1")
            .env_remove("GST_DEBUG")
            .env("GST_DEBUG_FILE", self.join("gst.log"))
            .env_remove("G_DEBUG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for key in ["OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY"] {
            command.env_remove(key);
        }
        command
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nothing can be done about what cannot be removed.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
