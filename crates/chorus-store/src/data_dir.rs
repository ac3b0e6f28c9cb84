//! The data directory, locked for one process: an embedded database allows no second one.
//!
//! The lock is the operating system's, on an open file: it is free as soon as its holder has ended. The file
//! holds the process id of the holder, for the message only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use chorus_core::port::StoreError;

/// A data directory, locked for this process until the value is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    _lock: File,
}

impl DataDir {
    /// Creates the directory when it is missing, and locks it.
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
        write_holder(&mut file).map_err(failed)?;
        Ok(Self { root, _lock: file })
    }

    /// Path of the embedded database.
    pub fn database(&self) -> PathBuf {
        self.root.join("chorus.db")
    }

    /// Path of the artifacts' folder.
    pub fn artifacts(&self) -> PathBuf {
        self.root.join("artifacts")
    }

    /// Path of the directory itself.
    pub fn root(&self) -> &Path {
        &self.root
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    writeln!(file, "{}", std::process::id())
}

fn taken(root: &Path, file: &mut File) -> StoreError {
    let mut holder = String::new();
    // Some systems forbid reading a locked file; then the message lacks the process id.
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
    fn a_second_holder_is_refused_with_the_process_of_the_first() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let first = DataDir::open(folder.path()).expect("the folder is new");
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
