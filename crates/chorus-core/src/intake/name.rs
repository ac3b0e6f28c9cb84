//! Rules for the names of attachments.
//!
//! A name is the attachment's path below the attached folder. Plans and prompts quote it, so it may
//! neither leave its folder nor hold characters that change a terminal or a log.

/// Maximum length of an attachment's name, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Reason why a name is refused. The text continues "has a name that …".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameRefusal {
    /// The name has no character.
    #[error("is empty")]
    Empty,
    /// The name is longer than [`MAX_NAME_BYTES`].
    #[error("has {found} bytes, at most {MAX_NAME_BYTES} are taken")]
    TooLong {
        /// Length of the name, in bytes.
        found: usize,
    },
    /// The name begins at a root: `/a` or `C:\a`.
    #[error("is absolute, it must be a relative path")]
    Absolute,
    /// A part of the path is `.` or `..`.
    #[error("has a part `.` or `..`, it must stay below its folder")]
    DotPart,
    /// Two slashes follow each other, or the name ends in one.
    #[error("has an empty part")]
    EmptyPart,
    /// The name holds `\`.
    #[error("holds a backslash, parts are separated by /")]
    Backslash,
    /// The name holds a control character.
    #[error("holds the control character U+{0:04X}")]
    Control(u32),
}

/// Checks that a name is a relative path with `/` that stays below its folder.
pub fn check_name(name: &str) -> Result<(), NameRefusal> {
    if name.is_empty() {
        return Err(NameRefusal::Empty);
    }
    if name.len() > MAX_NAME_BYTES {
        return Err(NameRefusal::TooLong { found: name.len() });
    }
    if let Some(control) = name.chars().find(|c| c.is_control()) {
        return Err(NameRefusal::Control(control.into()));
    }
    if name.starts_with(['/', '\\']) || has_drive(name) {
        return Err(NameRefusal::Absolute);
    }
    if name.contains('\\') {
        return Err(NameRefusal::Backslash);
    }
    name.split('/').try_for_each(|part| match part {
        "" => Err(NameRefusal::EmptyPart),
        "." | ".." => Err(NameRefusal::DotPart),
        _ => Ok(()),
    })
}

/// Returns true for a Windows drive such as `C:` at the beginning.
fn has_drive(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':'
}
