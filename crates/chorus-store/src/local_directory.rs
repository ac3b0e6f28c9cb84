//! Artifacts as files of one directory: `ab/cdef…` by the hash of their bytes.
//!
//! A file appears under its name only whole and durable: written under another name, synced, renamed, and the
//! folder synced. Writing the same bytes twice is harmless, so there are no locks.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::port::{ArtifactStore, StoreError};

use crate::LastingFailure;

/// Artifacts in a local directory; clones share it.
#[derive(Debug, Clone)]
pub struct LocalDirectory {
    root: Arc<PathBuf>,
    /// Number of the next unfinished file.
    unfinished: Arc<AtomicU64>,
    lasting_failure: LastingFailure,
}

impl LocalDirectory {
    /// Opens the directory and creates it when it is missing; unfinished files of earlier processes are removed.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let unfinished = root.join(UNFINISHED);
        let made = match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => fs::create_dir_all(&unfinished),
        };
        made.map_err(|error| explain("make the artifact folder", &unfinished, error))?;
        Ok(Self::new(root))
    }

    /// Opens the directory beside the process that holds it, whose unfinished files are left alone.
    pub fn beside(root: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let root = root.into();
        let unfinished = root.join(UNFINISHED);
        fs::create_dir_all(&unfinished)
            .map_err(|error| explain("make the artifact folder", &unfinished, error))?;
        Ok(Self::new(root))
    }

    fn new(root: PathBuf) -> Self {
        Self {
            root: Arc::new(root),
            unfinished: Arc::default(),
            lasting_failure: LastingFailure::default(),
        }
    }

    /// Records lasting failures to write there.
    #[must_use]
    pub fn with_lasting_failure(self, lasting_failure: &LastingFailure) -> Self {
        Self {
            lasting_failure: lasting_failure.clone(),
            ..self
        }
    }

    fn path(&self, hash: ArtifactHash) -> PathBuf {
        let name = hash.to_string();
        let (shard, rest) = name.split_at(2);
        self.root.join(shard).join(rest)
    }

    fn write(&self, bytes: &[u8]) -> Result<ArtifactHash, StoreError> {
        let hash = ArtifactHash::of(bytes);
        let path = self.path(hash);
        if path.exists() && self.read(hash).is_ok() {
            return Ok(hash);
        }
        let number = self.unfinished.fetch_add(1, Ordering::Relaxed);
        let name = format!("{hash}.{}.{number}", std::process::id());
        let unfinished = self.root.join(UNFINISHED).join(name);
        let mut written = write_durably(bytes, &unfinished, &path);
        if matches!(&written, Err(error) if error.kind() == ErrorKind::NotFound) {
            // Another process opened the directory and removed what was unfinished.
            written = fs::create_dir_all(self.root.join(UNFINISHED))
                .and_then(|()| write_durably(bytes, &unfinished, &path));
        }
        let written = written.map_err(|error| explain("keep an artifact in", &path, error));
        if written.is_err() {
            // The first failure matters, not that of the removal.
            let _ = fs::remove_file(&unfinished);
        }
        written.map(|()| hash)
    }

    fn read(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        let path = self.path(hash);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(explain("read the artifact", &path, error)),
        };
        if ArtifactHash::of(&bytes) == hash {
            return Ok(Some(Bytes::from(bytes)));
        }
        Err(StoreError::broken(format!(
            "the artifact {} is damaged: its bytes do not have its hash; restore it from a backup",
            path.display()
        )))
    }

    /// Runs a blocking call on a blocking thread.
    async fn blocking<T: Send + 'static>(
        &self,
        call: impl FnOnce(Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let this = self.clone();
        let done = tokio::task::spawn_blocking(move || call(this)).await;
        done.unwrap_or_else(|error| {
            let message = format!("a call on the artifact folder was aborted: {error}");
            Err(StoreError::unavailable(message).caused_by(error))
        })
    }
}

#[async_trait]
impl ArtifactStore for LocalDirectory {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError> {
        let kept = self.blocking(move |this| this.write(&bytes)).await;
        self.lasting_failure.record(&kept);
        kept
    }

    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        self.blocking(move |this| this.read(hash)).await
    }
}

const UNFINISHED: &str = "unfinished";

fn write_durably(bytes: &[u8], unfinished: &Path, path: &Path) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    let is_new_folder = !folder.exists();
    fs::create_dir_all(folder)?;
    let mut file = File::create(unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(unfinished, path)?;
    sync_folder(folder)?;
    if is_new_folder {
        folder.parent().map_or(Ok(()), sync_folder)
    } else {
        Ok(())
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Other systems cannot open a folder as a file; their journals make renames durable.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

fn explain(what: &str, path: &Path, error: io::Error) -> StoreError {
    let hint = match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            "; the disk is full: free some space and start again, nothing accepted is lost"
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            "; check the folder's owner and permissions"
        }
        _ => "",
    };
    let message = format!("failed to {what} {}: {error}{hint}", path.display());
    StoreError::broken(message).caused_by(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check_damaged(spoil: impl FnOnce(&Path), expected: &str) {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let store = LocalDirectory::open(folder.path()).expect("an empty folder opens");
        let hash = store
            .put(Bytes::from_static(b"text"))
            .await
            .expect("there is room");
        spoil(&store.path(hash));
        let error = store
            .get(hash)
            .await
            .expect_err("a damaged file is an error");
        assert!(
            matches!(&error, StoreError::Broken { message: text, .. } if text.contains(expected)),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_changed_file_is_reported_as_damaged() {
        check_damaged(
            |path| fs::write(path, b"other").expect("the file is ours"),
            "is damaged",
        )
        .await;
    }

    #[tokio::test]
    async fn an_unreadable_file_is_reported_with_its_path() {
        let spoil = |path: &Path| {
            fs::remove_file(path).expect("the file is ours");
            fs::create_dir(path).expect("the folder is ours");
        };
        check_damaged(spoil, "failed to read the artifact").await;
    }

    #[test]
    fn a_process_beside_the_holder_leaves_what_the_holder_writes() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        LocalDirectory::open(folder.path()).expect("an empty folder opens");
        let unfinished = folder.path().join(UNFINISHED).join("half");
        fs::write(&unfinished, b"ha").expect("the folder is ours");
        LocalDirectory::beside(folder.path()).expect("it opens");
        assert!(unfinished.exists());
    }

    #[tokio::test]
    async fn an_artifact_is_kept_although_another_process_cleared_what_was_unfinished() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let store = LocalDirectory::open(folder.path()).expect("an empty folder opens");
        fs::remove_dir_all(folder.path().join(UNFINISHED)).expect("the folder is ours");
        let kept = store.put(Bytes::from_static(b"text")).await;
        assert_eq!(
            kept.expect("it is written again"),
            ArtifactHash::of(b"text")
        );
    }

    #[tokio::test]
    async fn putting_again_repairs_a_damaged_file() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        let store = LocalDirectory::open(folder.path()).expect("an empty folder opens");
        let hash = store
            .put(Bytes::from_static(b"text"))
            .await
            .expect("there is room");
        fs::write(store.path(hash), b"other").expect("the file is ours");
        assert_eq!(
            store
                .put(Bytes::from_static(b"text"))
                .await
                .expect("there is room"),
            hash
        );
        assert_eq!(
            store.get(hash).await.expect("it is repaired"),
            Some(Bytes::from_static(b"text"))
        );
    }

    #[tokio::test]
    async fn unfinished_files_are_removed() {
        let folder = tempfile::tempdir().expect("a folder for the test");
        LocalDirectory::open(folder.path()).expect("an empty folder opens");
        let left = folder.path().join(UNFINISHED).join("half");
        fs::write(&left, b"ha").expect("the folder is ours");
        LocalDirectory::open(folder.path()).expect("it opens again");
        assert!(!left.exists());
    }

    #[tokio::test]
    async fn a_full_disk_is_reported_as_such() {
        let full = io::Error::from(ErrorKind::StorageFull);
        let error = explain("keep an artifact in", Path::new("ab/cd"), full);
        assert!(
            matches!(&error, StoreError::Broken { message: text, .. } if text.contains("the disk is full") && text.contains("ab/cd")),
            "{error}"
        );
    }
}
