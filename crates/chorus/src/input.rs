//! Reads a brief and its attachments from files, and names exactly what is wrong with a refused one.
//!
//! What a text and a name may be is decided by [`chorus_core::intake`], as in the gateway. This module
//! adds files, folders, and advice for a person at a terminal.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use chorus_core::intake::{
    AcceptedAttachment, AttachmentRefusal, Attachments, Limits, Part, TextRefusal, brief_text,
    check_size,
};

use crate::failure::ErrorCode;

/// A document that will be attached, read and checked.
pub(crate) type Document = AcceptedAttachment;

/// A brief or [`Document`] that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{part} {} cannot be read: {reason}", path.display())]
    Unreadable {
        part: Part,
        path: PathBuf,
        reason: String,
    },
    #[error("{part} {} {source}", path.display())]
    Text {
        part: Part,
        path: PathBuf,
        source: TextRefusal,
    },
    #[error("the attachment {} {source}", path.display())]
    Attachment {
        path: PathBuf,
        source: AttachmentRefusal,
    },
    #[error("the attached folder {} holds no text file", path.display())]
    EmptyFolder { path: PathBuf },
}

impl InputError {
    /// [`ErrorCode`] of this reason.
    pub(crate) const fn code(&self) -> ErrorCode {
        match self {
            Self::Unreadable { .. } => ErrorCode::FileUnreadable,
            Self::EmptyFolder { .. } => ErrorCode::FolderEmpty,
            Self::Text { source, .. } => match source {
                TextRefusal::Empty => ErrorCode::BriefEmpty,
                TextRefusal::TooLarge { .. } => ErrorCode::BriefTooLong,
                _ => ErrorCode::BriefNotText,
            },
            Self::Attachment { source, .. } => match source {
                AttachmentRefusal::Text(TextRefusal::TooLarge { .. }) => {
                    ErrorCode::AttachmentTooLarge
                }
                AttachmentRefusal::Text(_) => ErrorCode::AttachmentNotText,
                _ => ErrorCode::AttachmentRefused,
            },
        }
    }

    /// Advice for a person at a terminal.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Text { part, source, .. } => advice(*part, source),
            Self::Attachment { source, .. } => name_advice(source),
            Self::Unreadable { .. } | Self::EmptyFolder { .. } => self.code().entry().advice,
        }
    }
}

fn advice(part: Part, refusal: &TextRefusal) -> &'static str {
    match (refusal, part) {
        (TextRefusal::Empty, _) => "write what is to be made, then run again",
        (TextRefusal::TooLarge { .. }, Part::Brief) => {
            "move long texts into files and attach them with --attach, or raise project.max_brief_bytes"
        }
        (TextRefusal::TooLarge { .. }, Part::Attachment) => {
            "split it, or raise project.max_attachment_bytes"
        }
        (
            TextRefusal::NotUtf8 { .. }
            | TextRefusal::BrokenUtf16(_)
            | TextRefusal::Unmarked(_)
            | TextRefusal::Utf32,
            _,
        ) => "save it as UTF-8",
        (TextRefusal::Binary | TextRefusal::Format(_), Part::Attachment) => {
            "only text can be attached; convert it to .md or .txt first"
        }
        (TextRefusal::Binary | TextRefusal::Format(_), Part::Brief) => {
            "only text is taken; convert it to .md or .txt first"
        }
    }
}

fn name_advice(refusal: &AttachmentRefusal) -> &'static str {
    match refusal {
        AttachmentRefusal::TooMany { .. } => "join some of them",
        AttachmentRefusal::DuplicateName => "rename one, or attach the folder that holds both",
        AttachmentRefusal::Name(_) => "rename it",
        AttachmentRefusal::Text(refusal) => advice(Part::Attachment, refusal),
    }
}

/// The brief's text.
pub(crate) fn brief(path: &Path, limits: &Limits) -> Result<String, InputError> {
    let bytes = bytes(Part::Brief, path, limits)?;
    brief_text(bytes, limits).map_err(|source| InputError::Text {
        part: Part::Brief,
        path: path.to_owned(),
        source,
    })
}

/// The documents of all these files and folders, folder by folder and sorted by name in each.
pub(crate) fn documents(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Document>, InputError> {
    let mut attachments = Attachments::new(*limits);
    for path in paths {
        for (name, file) in files(path)? {
            let bytes = bytes(Part::Attachment, &file, limits)?;
            attachments
                .add(name, bytes)
                .map_err(|source| InputError::Attachment { path: file, source })?;
        }
    }
    Ok(attachments.into_accepted())
}

/// The file itself, or the files below a folder by name; hidden files are passed over.
fn files(path: &Path) -> Result<Vec<(String, PathBuf)>, InputError> {
    let kind = std::fs::metadata(path).map_err(|error| unreadable(path, &error))?;
    if !kind.is_dir() {
        let name = path.file_name().map_or_else(
            || "attachment".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        return Ok(vec![(name, path.to_owned())]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, &error))? {
            let entry = entry.map_err(|error| unreadable(&folder, &error))?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let kind = entry
                .file_type()
                .map_err(|error| unreadable(&entry.path(), &error))?;
            match (hidden, kind.is_dir()) {
                (true, _) => {}
                (false, true) => folders.push(entry.path()),
                (false, false) => found.push((name_below(path, &entry.path()), entry.path())),
            }
        }
    }
    if found.is_empty() {
        return Err(InputError::EmptyFolder {
            path: path.to_owned(),
        });
    }
    found.sort();
    Ok(found)
}

/// The path of a file below its attached folder, with `/`.
fn name_below(folder: &Path, file: &Path) -> String {
    let below = file.strip_prefix(folder).unwrap_or(file);
    let parts = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

fn unreadable(path: &Path, error: &std::io::Error) -> InputError {
    InputError::Unreadable {
        part: Part::Attachment,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// Reads a file that is not too large. A file that grows meanwhile is read up to its bound only.
fn bytes(part: Part, path: &Path, limits: &Limits) -> Result<Vec<u8>, InputError> {
    let unreadable = |error: std::io::Error| InputError::Unreadable {
        part,
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let refused = |source| InputError::Text {
        part,
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    check_size(part, size, limits).map_err(refused)?;
    let most = match part {
        Part::Brief => limits.brief_bytes,
        Part::Attachment => limits.attachment_bytes,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes))
        .map_err(unreadable)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        brief_bytes: 40,
        attachment_bytes: 40,
        attachments: 3,
    };

    fn check(
        name: &str,
        content: &[u8],
        read: impl Fn(&Path) -> Result<String, InputError>,
    ) -> String {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(name);
        std::fs::write(&path, content).expect("the file is written");
        read(&path)
            .unwrap_or_else(|error| format!("{error}: {}", error.advice()))
            .replace(&format!("{}/", dir.path().display()), "")
    }

    #[test]
    fn a_brief_that_cannot_be_taken_is_named_with_what_to_do() {
        let read = |path: &Path| brief(path, &LIMITS);
        let cases: [(&[u8], &str); 7] = [
            (b"Write a poem.", "Write a poem."),
            (b"\xef\xbb\xbfWith a mark.", "With a mark."),
            (
                b" \n\t\n",
                "the brief b.md is empty: write what is to be made, then run again",
            ),
            (
                b"caf\xe9",
                "the brief b.md is not UTF-8 text (byte 3 is not): save it as UTF-8",
            ),
            (
                b"W\0r\0i\0t\0e\0",
                "the brief b.md is UTF-16 (little-endian) text without a byte order mark: save it as UTF-8",
            ),
            (
                b"%PDF-1.7",
                "the brief b.md is a PDF document: only text is taken; convert it to .md or .txt first",
            ),
            (
                &[b'x'; 41],
                "the brief b.md has 41 bytes, at most 40 are taken: move long texts into files and attach them with --attach, or raise project.max_brief_bytes",
            ),
        ];
        for (content, expected) in cases {
            assert_eq!(check("b.md", content, read), expected);
        }
    }

    #[test]
    fn an_attachment_that_is_binary_or_missing_is_named() {
        let read = |path: &Path| {
            documents(&[path.to_owned()], &LIMITS).map(|documents| documents[0].text.clone())
        };
        assert_eq!(check("a.txt", b"text", read), "text");
        assert_eq!(
            check("a.png", b"\x89PNG\0\0", read),
            "the attachment a.png is binary: only text can be attached; convert it to .md or .txt first"
        );
        let missing = documents(&["/no/such/folder".into()], &LIMITS)
            .expect_err("it is not there")
            .to_string();
        assert!(
            missing.starts_with("the attachment /no/such/folder cannot be read:"),
            "{missing}"
        );
    }

    #[test]
    fn a_folder_is_read_in_order_of_names_without_hidden_files() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(dir.path().join("part")).expect("a folder");
        for name in ["z.md", "part/a.md", ".hidden"] {
            std::fs::write(dir.path().join(name), "text").expect("the file is written");
        }
        let names: Vec<String> = documents(&[dir.path().to_owned()], &LIMITS)
            .expect("readable")
            .into_iter()
            .map(|document| document.name)
            .collect();
        assert_eq!(names, ["part/a.md", "z.md"]);
    }

    #[test]
    fn files_of_one_name_or_too_many_are_named_with_what_to_do() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for folder in ["one", "two", "many"] {
            std::fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        for name in [
            "one/a.md", "two/a.md", "many/1", "many/2", "many/3", "many/4",
        ] {
            std::fs::write(dir.path().join(name), "text").expect("the file is written");
        }
        let read = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(|path| dir.path().join(path)).collect();
            documents(&paths, &LIMITS)
                .map(|documents| documents.len())
                .map_err(|error| {
                    format!("{error}: {}", error.advice())
                        .replace(&format!("{}/", dir.path().display()), "")
                })
        };
        assert_eq!(
            read(&["one", "two"]),
            Err("the attachment two/a.md has the name of another attachment: rename one, or attach the folder that holds both".to_owned())
        );
        assert_eq!(
            read(&["many"]),
            Err(
                "the attachment many/4 is one too many, at most 3 are taken: join some of them"
                    .to_owned()
            )
        );
        assert_eq!(read(&["one", "many/1", "many/2"]), Ok(3));
    }
}
