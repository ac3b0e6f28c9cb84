//! A deliverable as a zip, packed while it is sent: one file in memory at a time. Equal
//! deliverables give equal bytes.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use chorus_core::merge::MergedFile;
use chorus_core::output_path;
use chorus_core::port::error::full_text;
use futures_util::stream::{self, Stream};
use zip::write::SimpleFileOptions;
use zip::write::StreamWriter;
use zip::{CompressionMethod, DateTime, ZipWriter};

use crate::app_state::AppState;

/// Bytes of the zip: a chunk for each file, and one for the directory at the end.
///
/// An error aborts the transfer, so that a client never mistakes half a zip for a whole one.
pub(super) fn stream(
    state: Arc<AppState>,
    files: Vec<MergedFile>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let archive = Archive::new();
    let entries = entries(&files);
    stream::try_unfold(
        (state, files.into_iter().zip(entries), Some(archive)),
        async |(state, mut files, archive)| {
            let Some(mut archive) = archive else {
                return Ok(None);
            };
            match files.next() {
                Some((file, entry)) => {
                    let content = state
                        .ports
                        .artifacts
                        .get(file.content)
                        .await
                        .map_err(|error| aborted(&file, io::Error::other(error)))?;
                    let content =
                        content.ok_or_else(|| aborted(&file, io::ErrorKind::NotFound.into()))?;
                    archive.add(&entry, &content)?;
                    Ok(Some((archive.take(), (state, files, Some(archive)))))
                }
                None => Ok(Some((archive.finish()?, (state, files, None)))),
            }
        },
    )
}

/// Names of the files in a zip: safe and visible wherever it is unpacked, and distinct on every system.
fn entries(files: &[MergedFile]) -> Vec<String> {
    let mut keys = BTreeSet::new();
    let mut distinct = |path: String| {
        let numbered = (2..).map(|at| format!("{at}-{}", path.replace('/', "-")));
        std::iter::once(path.clone())
            .chain(numbered)
            .find(|name| keys.insert(output_path::key(name)))
            .unwrap_or(path)
    };
    files
        .iter()
        .map(|file| distinct(output_path::visible(&file.path)))
        .collect()
}

/// Logs the reason why a transfer is cut; the client sees only the cut.
fn aborted(file: &MergedFile, error: io::Error) -> io::Error {
    tracing::error!(artifact.hash = %file.content, artifact.error = full_text(&error), "a zip was cut");
    error
}

/// A zip being written, and its bytes not yet taken.
struct Archive {
    writer: ZipWriter<StreamWriter<Pipe>>,
    pipe: Pipe,
}

/// Buffer between the writer and [`Archive::take`].
#[derive(Clone, Default)]
struct Pipe(Arc<Mutex<Vec<u8>>>);

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Archive {
    fn new() -> Self {
        let pipe = Pipe::default();
        Self {
            writer: ZipWriter::new_stream(pipe.clone()),
            pipe,
        }
    }

    fn add(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(DateTime::DEFAULT)
            .unix_permissions(0o644);
        self.writer
            .start_file(path, options)
            .map_err(io::Error::other)?;
        self.writer.write_all(content)
    }

    fn take(&self) -> Bytes {
        std::mem::take(&mut *self.pipe.0.lock().unwrap_or_else(PoisonError::into_inner)).into()
    }

    fn finish(self) -> io::Result<Bytes> {
        let Self { writer, pipe } = self;
        drop(writer.finish().map_err(io::Error::other)?);
        Ok(std::mem::take(&mut *pipe.0.lock().unwrap_or_else(PoisonError::into_inner)).into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read};

    use super::*;

    #[test]
    fn an_entry_of_a_zip_is_visible_and_stays_below_its_folder() {
        let file = |path: &str| MergedFile {
            path: path.to_owned(),
            media_type: "text/plain".to_owned(),
            content: chorus_core::artifact::ArtifactHash::of(b""),
            bytes: 0,
        };
        let paths = ["../a.md", "a.md", "A.md", ".git/config", "/etc/x", "nul"].map(file);
        assert_eq!(
            entries(&paths),
            [
                "a.md",
                "2-a.md",
                "3-A.md",
                "dot-git/config",
                "etc/x",
                "file-nul"
            ]
        );
    }

    #[test]
    fn a_zip_made_in_pieces_opens_and_is_the_same_each_time() {
        let files = [
            ("a.md", "# A\n".repeat(5000)),
            ("teil/Ü.md", "Grüße".to_owned()),
            ("empty.txt", String::new()),
        ];
        let make = || {
            let mut archive = Archive::new();
            let mut bytes = Vec::new();
            for (path, text) in &files {
                archive
                    .add(path, text.as_bytes())
                    .expect("memory takes all");
                bytes.extend(archive.take());
            }
            bytes.extend(archive.finish().expect("memory takes all"));
            bytes
        };
        let bytes = make();
        assert_eq!(bytes, make());
        assert!(bytes.len() < 2000, "{} bytes: it is packed", bytes.len());
        let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).expect("it opens");
        for (path, text) in &files {
            let mut read = String::new();
            zip.by_name(path)
                .expect("the file is in it")
                .read_to_string(&mut read)
                .expect("it unpacks");
            assert_eq!(read, *text);
        }
        assert_eq!(zip.len(), files.len());
    }
}
