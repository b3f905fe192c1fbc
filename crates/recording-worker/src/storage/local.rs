// SPDX-License-Identifier: MPL-2.0

//! Files of this machine.

use crate::failure::{Failure, FailureKind};
use crate::storage::Stat;
use bytes::Bytes;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A recording, or a folder of results, which is made when something is written.
#[derive(Debug)]
pub struct Local {
    path: PathBuf,
}

impl Local {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The version of a file is its size and the time of its last change.
    pub fn stat(&self) -> Result<Stat, Failure> {
        let metadata = fs::metadata(&self.path).map_err(|error| self.unreadable(&error))?;
        if !metadata.is_file() {
            return Err(Failure::new(FailureKind::Corrupt, format!("{} is no file", self.path.display())));
        }
        let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let etag = format!("{:x}-{:x}", metadata.len(), changed.unwrap_or_default().as_nanos());
        Ok(Stat { etag: Some(etag) })
    }

    pub fn copy_to(&self, file: &mut File) -> Result<u64, Failure> {
        let copied = File::open(&self.path).and_then(|mut source| io::copy(&mut source, file));
        copied.map_err(|error| self.unreadable(&error))
    }

    pub fn get(&self, name: &str) -> Result<Option<Bytes>, Failure> {
        match fs::read(self.path.join(name)) {
            Ok(content) => Ok(Some(content.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.unwritable(name, &error)),
        }
    }

    pub fn put(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        let write = || {
            fs::create_dir_all(&self.path)?;
            let mut file = tempfile::Builder::new().prefix(".part-").tempfile_in(&self.path)?;
            file.write_all(content)?;
            file.as_file().sync_all()?;
            share(file.as_file())?;
            file.persist(self.path.join(name)).map_err(io::Error::from)
        };
        write().map(drop).map_err(|error| self.unwritable(name, &error))
    }

    pub fn delete(&self, name: &str) -> Result<(), Failure> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unwritable(name, &error)),
            _ => Ok(()),
        }
    }

    fn unreadable(&self, error: &io::Error) -> Failure {
        let kind = match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => FailureKind::InputNotFound,
            ErrorKind::PermissionDenied => FailureKind::InputDenied,
            _ => FailureKind::InputUnreachable,
        };
        Failure::new(kind, format!("cannot read {}: {error}", self.path.display()))
    }

    fn unwritable(&self, name: &str, error: &io::Error) -> Failure {
        Failure::new(FailureKind::Output, format!("cannot write {}: {error}", self.path.join(name).display()))
    }
}

/// A temporary file is its owner's alone; a result is for those who may read the folder.
#[cfg(unix)]
fn share(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn share(_file: &File) -> io::Result<()> {
    Ok(())
}
