//! Reads a brief and its attachments from files, and says exactly what is wrong with those it cannot take.

use std::path::{Path, PathBuf};

/// A document that will be attached, read and checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    /// Path below the attached folder, with `/`.
    pub(crate) name: String,
    /// Its text.
    pub(crate) text: String,
}

/// Sizes that are too large, in bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) brief: u64,
    pub(crate) attachment: u64,
}

/// A brief or attachment that cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{what} {} cannot be read: {reason}", path.display())]
    Unreadable {
        what: &'static str,
        path: PathBuf,
        reason: String,
    },
    #[error("the brief {} is empty: write what is to be made, then run again", path.display())]
    EmptyBrief { path: PathBuf },
    #[error("{what} {} has {found} bytes, at most {most} are taken: {advice}", path.display())]
    TooLarge {
        what: &'static str,
        path: PathBuf,
        found: u64,
        most: u64,
        advice: &'static str,
    },
    #[error("{what} {} is not UTF-8 text (byte {at} is not): save it as UTF-8", path.display())]
    NotUtf8 {
        what: &'static str,
        path: PathBuf,
        at: usize,
    },
    #[error("the attachment {} is binary: only text can be attached; convert it to .md or .txt first", path.display())]
    Binary { path: PathBuf },
    #[error("the attached folder {} holds no text file", path.display())]
    EmptyFolder { path: PathBuf },
}

/// The brief's text.
pub(crate) fn brief(path: &Path, bounds: Bounds) -> Result<String, InputError> {
    let advice = "move long texts into files and attach them with --attach, or raise project.max_brief_bytes";
    let bytes = bytes("the brief", path, bounds.brief, advice)?;
    let text = text("the brief", path, bytes)?;
    if text.trim().is_empty() {
        return Err(InputError::EmptyBrief {
            path: path.to_owned(),
        });
    }
    Ok(text)
}

/// The documents of a file or folder, sorted by name; hidden files are passed over.
pub(crate) fn documents(path: &Path, bounds: Bounds) -> Result<Vec<Document>, InputError> {
    let unreadable = |path: &Path, reason: String| InputError::Unreadable {
        what: "the attachment",
        path: path.to_owned(),
        reason,
    };
    let kind = std::fs::metadata(path).map_err(|error| unreadable(path, error.to_string()))?;
    if !kind.is_dir() {
        let name = path.file_name().map_or_else(
            || "attachment".into(),
            |name| name.to_string_lossy().into_owned(),
        );
        return Ok(vec![document(path, name, bounds)?]);
    }
    let mut found = Vec::new();
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).map_err(|error| unreadable(&folder, error.to_string()))?
        {
            let entry = entry.map_err(|error| unreadable(&folder, error.to_string()))?;
            let hidden = entry.file_name().to_string_lossy().starts_with('.');
            let kind = entry
                .file_type()
                .map_err(|error| unreadable(&entry.path(), error.to_string()))?;
            match (hidden, kind.is_dir()) {
                (true, _) => {}
                (false, true) => folders.push(entry.path()),
                (false, false) => found.push(entry.path()),
            }
        }
    }
    let mut documents = found
        .into_iter()
        .map(|file| {
            let below = file.strip_prefix(path).unwrap_or(&file);
            let name = below
                .components()
                .map(|part| part.as_os_str().to_string_lossy())
                .collect::<Vec<_>>()
                .join("/");
            document(&file, name, bounds)
        })
        .collect::<Result<Vec<_>, _>>()?;
    if documents.is_empty() {
        return Err(InputError::EmptyFolder {
            path: path.to_owned(),
        });
    }
    documents.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(documents)
}

fn document(path: &Path, name: String, bounds: Bounds) -> Result<Document, InputError> {
    let advice = "split it, or raise project.max_attachment_bytes";
    let bytes = bytes("the attachment", path, bounds.attachment, advice)?;
    if bytes.iter().take(8192).any(|byte| *byte == 0) {
        return Err(InputError::Binary {
            path: path.to_owned(),
        });
    }
    Ok(Document {
        name,
        text: text("the attachment", path, bytes)?,
    })
}

fn bytes(
    what: &'static str,
    path: &Path,
    most: u64,
    advice: &'static str,
) -> Result<Vec<u8>, InputError> {
    let unreadable = |error: std::io::Error| InputError::Unreadable {
        what,
        path: path.to_owned(),
        reason: error.to_string(),
    };
    let found = std::fs::metadata(path).map_err(unreadable)?.len();
    if found > most {
        return Err(InputError::TooLarge {
            what,
            path: path.to_owned(),
            found,
            most,
            advice,
        });
    }
    std::fs::read(path).map_err(unreadable)
}

fn text(what: &'static str, path: &Path, bytes: Vec<u8>) -> Result<String, InputError> {
    let text = String::from_utf8(bytes).map_err(|error| InputError::NotUtf8 {
        what,
        path: path.to_owned(),
        at: error.utf8_error().valid_up_to(),
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        brief: 40,
        attachment: 40,
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
            .unwrap_or_else(|error| error.to_string())
            .replace(&format!("{}/", dir.path().display()), "")
    }

    #[test]
    fn a_brief_that_cannot_be_taken_is_named_with_what_to_do() {
        let read = |path: &Path| brief(path, BOUNDS);
        let cases: [(&[u8], &str); 5] = [
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
        let read = |path: &Path| documents(path, BOUNDS).map(|documents| documents[0].text.clone());
        assert_eq!(check("a.txt", b"text", read), "text");
        assert_eq!(
            check("a.png", b"\x89PNG\0\0", read),
            "the attachment a.png is binary: only text can be attached; convert it to .md or .txt first"
        );
        let missing = documents(Path::new("/no/such/folder"), BOUNDS)
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
        let names: Vec<String> = documents(dir.path(), BOUNDS)
            .expect("readable")
            .into_iter()
            .map(|document| document.name)
            .collect();
        assert_eq!(names, ["part/a.md", "z.md"]);
    }
}
