//! What a brief, a document and its name must be. The command line reads files by the same rules.

use crate::fault::{Code, Fault};
use crate::settings::Bounds;

/// Bytes of a document that are looked through for what no text holds.
const SAMPLE: usize = 8192;

/// Longest name of a document, in bytes.
const LONGEST_NAME: usize = 255;

/// A brief's text.
pub(super) fn brief(bytes: Vec<u8>, bounds: &Bounds) -> Result<String, Fault> {
    fits(
        "brief",
        "the brief",
        &bytes,
        bounds.brief,
        "move long texts into attachments",
    )?;
    let text = utf8("brief", "the brief", bytes)?;
    if text.trim().is_empty() {
        return Err(Fault::field(
            "brief",
            "the brief is empty: write what is to be made",
        ));
    }
    Ok(text)
}

/// A document's text.
pub(super) fn document(field: &str, bytes: Vec<u8>, bounds: &Bounds) -> Result<String, Fault> {
    fits(
        field,
        "the attachment",
        &bytes,
        bounds.attachment,
        "split it",
    )?;
    if bytes.iter().take(SAMPLE).any(|byte| *byte == 0) {
        return Err(Fault::field(
            field,
            "the attachment is binary: only text can be attached",
        ));
    }
    utf8(field, "the attachment", bytes)
}

/// A document's name: a relative path with `/` that stays below its folder.
pub(super) fn name(field: &str, name: &str) -> Result<(), Fault> {
    let parts_fit = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if parts_fit
        && name.len() <= LONGEST_NAME
        && !name.contains(['\\', ':'])
        && !name.chars().any(char::is_control)
    {
        return Ok(());
    }
    let words = format!(
        "it must be a relative path with / and without `..`, at most {LONGEST_NAME} bytes long"
    );
    Err(Fault::field(format!("{field}.name"), words))
}

fn fits(field: &str, what: &str, bytes: &[u8], most: u64, advice: &str) -> Result<(), Fault> {
    let found = bytes.len() as u64;
    if found <= most {
        return Ok(());
    }
    Err(Fault::new(
        Code::TooLarge,
        format!("{what} has {found} bytes, at most {most} are taken: {advice}"),
    )
    .of_field(field))
}

fn utf8(field: &str, what: &str, bytes: Vec<u8>) -> Result<String, Fault> {
    let text = String::from_utf8(bytes).map_err(|error| {
        Fault::field(
            field,
            format!(
                "{what} is not UTF-8 text (byte {} is not)",
                error.utf8_error().valid_up_to()
            ),
        )
    })?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map(str::to_owned)
        .unwrap_or(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_leave_their_folder_are_refused() {
        for fit in ["a.md", "part/a b.md", "Über.md", "..a/b"] {
            assert_eq!(name("attachments[0]", fit), Ok(()), "{fit}");
        }
        for unfit in [
            "",
            "/a",
            "a/",
            "a//b",
            "../a",
            "a/../b",
            ".",
            "c:\\a",
            "a\nb",
            &"x".repeat(256),
        ] {
            assert!(name("attachments[0]", unfit).is_err(), "{unfit}");
        }
    }
}
