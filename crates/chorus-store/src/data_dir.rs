//! The data directory of one process: an embedded database bears no second one.
//!
//! The lock is the operating system's, on an open file: it is free the moment its holder is gone, however it
//! died. The file tells who holds it, for the message only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chorus_core::port::StoreError;

/// A data directory that is this process's own while this value lives.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Makes the directory when it is not there, and takes it.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let path = root.join("lock");
        let failed = |error: io::Error| {
            let message = format!(
                "failed to open the data directory {}: {error}",
                root.display()
            );
            StoreError::broken(message).caused_by(error)
        };
        fs::create_dir_all(&root).map_err(failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let mut file = file.map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(taken(&root, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        sign(&mut file).map_err(failed)?;
        Ok(Self { root, _lock: file })
    }

    /// The embedded database's file.
    pub fn database(&self) -> PathBuf {
        self.root.join("chorus.db")
    }

    /// The folder of artifacts.
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn taken(root: &Path, file: &mut File) -> StoreError {
    let mut holder = String::new();
    // Some systems forbid reading a locked file; then the message goes without the number.
    let _ = file.read_to_string(&mut holder);
    let holder = if holder.trim().is_empty() {
        "another process".to_owned()
    } else {
        format!("process {}", holder.trim())
    };
    StoreError::unavailable(format!(
        "the data directory {} is in use by {holder}; stop it, or give this one a directory of its own",
        root.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let first = DataDir::open(folder.path()).expect("nobody holds it");
        let refusal = DataDir::open(folder.path()).expect_err("it is held");
        assert!(
            refusal
                .to_string()
                .contains(&format!("process {}", std::process::id())),
            "{refusal}"
        );
        drop(first);
        DataDir::open(folder.path()).expect("it is free again");
    }

    #[test]
    fn a_path_that_is_a_file_is_refused_with_its_name() {
        let file = tempfile::NamedTempFile::new().expect("a file for the test");
        let refusal = DataDir::open(file.path()).expect_err("a file is no directory");
        assert!(
            refusal
                .to_string()
                .contains(&file.path().display().to_string()),
            "{refusal}"
        );
    }
}
