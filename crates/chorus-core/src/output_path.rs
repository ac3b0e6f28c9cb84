//! Rules for the paths of a deliverable's files: safe on every system, visible, apart from Chorus's
//! own report.
//!
//! A plan comes from a model that read texts of strangers, so a path is never trusted. [`plan`](crate::plan)
//! mends planned paths, the gateway mends the entries of a zip, and the command line mends what it
//! writes. Deliberately absent: file systems, links, existing files.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

use crate::artifact::ArtifactHash;

/// Maximum length of a path, in bytes.
pub const MAX_BYTES: usize = 200;

/// Folder of the report and of Chorus's own notes. No deliverable may be in it.
pub const REPORT_FOLDER: &str = "chorus-report";

/// Reason why a path is not used as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unusable {
    /// The path leaves its folder, is too long, or holds what some system refuses or hides.
    Unportable,
    /// A part belongs to a version control system, which may run what it holds.
    Repository,
    /// A part begins with a dot: programs read such files without being asked.
    Hidden,
    /// The path is in [`REPORT_FOLDER`] or in a folder named like it.
    Reserved,
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unportable => "it is not a name that every system can keep",
            Self::Repository => "a version control system would read it",
            Self::Hidden => "hidden files are not written unasked",
            Self::Reserved => "the folder is that of the report",
        })
    }
}

/// Checks that a path may be written below any folder without being asked.
pub fn check(path: &str) -> Result<(), Unusable> {
    check_planned(path)?;
    if path.split('/').any(|part| part.starts_with('.')) {
        return Err(Unusable::Hidden);
    }
    Ok(())
}

/// Checks that a plan may name a path: as [`check`], but hidden files may be planned.
pub fn check_planned(path: &str) -> Result<(), Unusable> {
    if path.len() > MAX_BYTES || !path.split('/').all(is_portable) {
        return Err(Unusable::Unportable);
    }
    if path.split('/').any(is_repository) {
        return Err(Unusable::Repository);
    }
    if path.split('/').next().is_some_and(is_reserved) {
        return Err(Unusable::Reserved);
    }
    Ok(())
}

/// Returns the path itself if [`check`] takes it, else the nearest path that it takes.
pub fn visible(path: &str) -> String {
    mended(path, check, true)
}

/// Returns the path itself if [`check_planned`] takes it, else the nearest path that it takes.
pub fn planned(path: &str) -> String {
    mended(path, check_planned, false)
}

/// Returns a key that is equal for paths which some file system takes for one: letter case, width
/// and composition of letters make no difference.
pub fn key(path: &str) -> String {
    let folded: String = path.nfkc().flat_map(char::to_lowercase).collect();
    folded.nfkc().collect()
}

/// Returns a short name for a folder, made of the letters and digits of a title; empty if there are
/// none.
pub fn slug(title: &str) -> String {
    /// Maximum length in characters.
    const LONGEST: usize = 40;
    let plain: String = title
        .nfkd()
        .filter(|letter| !unicode_normalization::char::is_combining_mark(*letter))
        .flat_map(char::to_lowercase)
        .map(|letter| match letter {
            'đ' => 'd',
            letter if letter.is_alphanumeric() => letter,
            _ => ' ',
        })
        .collect();
    let joined = plain.split_whitespace().collect::<Vec<_>>().join("-");
    let mut end = joined.len().min(LONGEST * 2);
    while !joined.is_char_boundary(end) {
        end -= 1;
    }
    let cut: String = joined[..end].nfc().take(LONGEST).collect();
    cut.trim_matches('-').to_owned()
}

fn mended(path: &str, check: fn(&str) -> Result<(), Unusable>, is_visible: bool) -> String {
    if check(path).is_ok() {
        return path.to_owned();
    }
    let slashes = path.replace('\\', "/");
    let mut parts: Vec<String> = slashes
        .split('/')
        .filter_map(|part| mended_part(part, is_visible))
        .collect();
    if let Some(first) = parts.first_mut().filter(|first| is_reserved(first)) {
        first.insert_str(0, "deliverable-");
    }
    let joined = parts.join("/");
    if check(&joined).is_ok() {
        return joined;
    }
    let digest = ArtifactHash::of(path.as_bytes()).to_string();
    let ending = joined
        .rsplit_once('.')
        .map(|(_, ending)| ending)
        .filter(|ending| ending.len() <= 8 && ending.bytes().all(|b| b.is_ascii_alphanumeric()))
        .unwrap_or("md");
    format!("file-{}.{ending}", &digest[..8])
}

/// Returns the nearest portable part; none if nothing is left.
fn mended_part(part: &str, is_visible: bool) -> Option<String> {
    let plain: String = part.chars().filter(|letter| is_plain(*letter)).collect();
    let trimmed = plain.trim().trim_end_matches(['.', ' ']);
    if trimmed.is_empty() {
        return None;
    }
    let hidden = trimmed.starts_with('.') && (is_visible || is_repository(trimmed));
    Some(if hidden {
        format!("dot-{}", trimmed.trim_start_matches(['.', ' ']))
    } else if is_device(trimmed) || is_repository(trimmed) {
        format!("file-{trimmed}")
    } else {
        trimmed.to_owned()
    })
}

fn is_portable(part: &str) -> bool {
    !part.is_empty()
        && part != "."
        && part != ".."
        && !part.ends_with(['.', ' '])
        && !part.starts_with(' ')
        && part.trim() == part
        && part.chars().all(is_plain)
        && !is_device(part)
}

/// Returns true for letters that every system keeps and shows.
fn is_plain(letter: char) -> bool {
    let is_invisible = matches!(
        letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    );
    !letter.is_control() && !is_invisible && !"/\\:*?\"<>|".contains(letter)
}

/// Returns true for a name that Windows keeps for a device, with any ending.
fn is_device(part: &str) -> bool {
    let folded = key(part);
    let stem = folded.split('.').next().unwrap_or("").trim_end();
    let numbered = ["com", "lpt"].iter().any(|device| {
        stem.strip_prefix(device)
            .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
    });
    numbered || matches!(stem, "con" | "prn" | "aux" | "nul" | "conin$" | "conout$")
}

/// Returns true for the folder of a version control system, also by its short name on Windows.
fn is_repository(part: &str) -> bool {
    let folded = key(part);
    let short = folded
        .strip_prefix("git~")
        .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    short || matches!(folded.as_str(), ".git" | ".hg" | ".svn" | ".bzr" | ".jj")
}

fn is_reserved(part: &str) -> bool {
    let folded = key(part);
    folded
        .strip_prefix(REPORT_FOLDER)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_path_that_leaves_its_folder_or_hides_is_mended_to_a_visible_one() {
        for (path, mended) in [
            ("guide.md", "guide.md"),
            ("dir/ä ö.md", "dir/ä ö.md"),
            ("../../etc/passwd", "etc/passwd"),
            ("/etc/passwd", "etc/passwd"),
            ("C:\\Windows\\a.md", "C/Windows/a.md"),
            ("a/./b//c.md", "a/b/c.md"),
            (".git/config", "dot-git/config"),
            (
                "sub/.GIT/hooks/post-checkout",
                "sub/dot-GIT/hooks/post-checkout",
            ),
            (".g\u{200c}it/config", "dot-git/config"),
            ("git~1/config", "file-git~1/config"),
            (".github/workflows/ci.yml", "dot-github/workflows/ci.yml"),
            (".bashrc", "dot-bashrc"),
            ("app/.env", "app/dot-env"),
            ("con.md", "file-con.md"),
            ("a/LPT¹.txt", "a/file-LPT¹.txt"),
            ("a\0b.md", "ab.md"),
            ("name. ", "name"),
            ("\u{202e}dm.exe", "dm.exe"),
            (
                "chorus-report/report.html",
                "deliverable-chorus-report/report.html",
            ),
            ("Chorus-Report-2/x", "deliverable-Chorus-Report-2/x"),
            ("report.html", "report.html"),
        ] {
            assert_eq!(visible(path), mended, "{path:?}");
        }
        for path in ["", "..", "/", "\u{200b}", &"é/".repeat(150)] {
            let mended = visible(path);
            assert!(
                mended.starts_with("file-") && check(&mended).is_ok(),
                "{mended}"
            );
        }
        let long = format!("{}.py", "a".repeat(300));
        assert!(visible(&long).ends_with(".py"));
        assert_ne!(
            visible(&long),
            visible(&format!("b{long}")),
            "long paths stay apart"
        );
    }

    #[test]
    fn a_plan_may_name_hidden_files_but_no_part_of_a_repository() {
        assert_eq!(check_planned(".github/workflows/ci.yml"), Ok(()));
        assert_eq!(check(".github/workflows/ci.yml"), Err(Unusable::Hidden));
        assert_eq!(check_planned("a/.git/config"), Err(Unusable::Repository));
        assert_eq!(planned("a/.git/config"), "a/dot-git/config");
        assert_eq!(check_planned("chorus-report"), Err(Unusable::Reserved));
        assert_eq!(check_planned("../a"), Err(Unusable::Unportable));
    }

    #[test]
    fn names_that_a_file_system_takes_for_one_have_one_key() {
        for (one, other) in [
            ("README.md", "readme.MD"),
            ("é.md", "e\u{301}.md"),
            ("ﬁ", "FI"),
        ] {
            assert_eq!(key(one), key(other));
        }
        assert_ne!(key("a.md"), key("b.md"));
    }

    #[test]
    fn a_slug_has_the_letters_of_the_title() {
        for (title, expected) in [
            ("Study guide: The Tide!", "study-guide-the-tide"),
            ("Hướng dẫn Đọc", "huong-dan-doc"),
            ("灯台守", "灯台守"),
            ("../..", ""),
        ] {
            assert_eq!(slug(title), expected);
        }
        assert!(slug(&"long words ".repeat(20)).chars().count() <= 40);
    }

    proptest! {
        #[test]
        fn any_path_becomes_one_that_is_taken(path in "(\\.\\./|[a-zA-Z0-9 .:/\\\\~é\u{200b}\u{1}]|\\.git|con|chorus-report){0,40}") {
            let mended = visible(&path);
            prop_assert_eq!(check(&mended), Ok(()), "{} -> {}", path, mended);
            prop_assert_eq!(visible(&mended), mended);
            prop_assert_eq!(check_planned(&planned(&path)), Ok(()));
            let slug = slug(&path);
            prop_assert!(slug.is_empty() || check(&slug).is_ok() || is_device(&slug) || is_reserved(&slug), "{}", slug);
        }
    }
}
