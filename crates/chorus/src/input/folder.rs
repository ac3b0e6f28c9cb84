//! Files of an attached folder: which are read, and which are left out and why.
//!
//! Rules for ignoring are those of ripgrep (crate `ignore`): `.gitignore`, `.ignore`, hidden files. Every
//! file is opened from the handle of its folder without following a link and without waiting.

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use cap_fs_ext::{DirExt as _, FollowSymlinks, OpenOptionsFollowExt as _, OpenOptionsSyncExt as _};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, File, FileType, OpenOptions};
use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};

/// Folders of version control systems that are not hidden.
const REPOSITORIES: [&str; 3] = ["CVS", "_darcs", "SCCS"];

/// Maximum number of entries that are looked at.
const MAX_ENTRIES: usize = 100_000;

/// Entries of a folder, in order of names.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Regular files, each a path below the folder.
    pub(super) files: Vec<PathBuf>,
    /// Entries that are neither files nor folders, with what they are.
    pub(super) strange: Vec<(String, &'static str)>,
    /// Entries that could not be looked at, with the reason.
    pub(super) unreadable: Vec<(String, String)>,
    /// Number of entries that are hidden.
    pub(super) hidden: usize,
    /// Number of entries that a rule for ignoring or `--exclude` names.
    pub(super) ignored: usize,
}

/// Reason why a folder cannot be listed.
#[derive(Debug, thiserror::Error)]
pub(super) enum ListingError {
    #[error("--exclude {glob:?} is no pattern: {reason}")]
    Glob { glob: String, reason: String },
    #[error("the folder has more than {MAX_ENTRIES} entries")]
    TooMany,
}

/// Lists a folder by the rules for ignoring.
pub(super) fn list(folder: &Path, excludes: &[String]) -> Result<Listing, ListingError> {
    let mut walk = WalkBuilder::new(folder);
    walk.follow_links(false)
        .require_git(false)
        .git_global(false)
        .overrides(overrides(folder, excludes)?)
        .filter_entry(|entry| {
            let name = entry.file_name();
            !REPOSITORIES.iter().any(|repository| name == *repository)
        });
    let mut listing = Listing::default();
    let mut seen = BTreeSet::new();
    let mut folders = Vec::new();
    for entry in walk.build() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                listing.unreadable.push(unreadable(folder, &error));
                continue;
            }
        };
        if seen.len() >= MAX_ENTRIES {
            return Err(ListingError::TooMany);
        }
        let path = entry.path().to_owned();
        let kind = entry.file_type();
        if kind.is_some_and(|kind| kind.is_dir()) {
            folders.push(path.clone());
        } else {
            let below = path.strip_prefix(folder).unwrap_or(&path).to_owned();
            match kind.filter(|kind| !kind.is_file()) {
                None => listing.files.push(below),
                Some(kind) => listing.strange.push((name_of(&below), strange(kind))),
            }
        }
        seen.insert(path);
    }
    count_passed_over(&folders, &seen, &mut listing);
    listing.files.sort();
    listing.strange.sort();
    Ok(listing)
}

fn unreadable(folder: &Path, error: &ignore::Error) -> (String, String) {
    let reason = match error.io_error() {
        Some(error) => error.to_string(),
        None => error.to_string(),
    };
    let path = match error {
        ignore::Error::WithPath { path, .. } => path.as_path(),
        ignore::Error::WithDepth { err, .. } => match &**err {
            ignore::Error::WithPath { path, .. } => path.as_path(),
            _ => folder,
        },
        _ => folder,
    };
    (name_of(path.strip_prefix(folder).unwrap_or(path)), reason)
}

/// Counts the entries of the visited folders that the walk did not give.
fn count_passed_over(folders: &[PathBuf], seen: &BTreeSet<PathBuf>, listing: &mut Listing) {
    let entries = folders
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    for entry in entries.flatten().filter_map(Result::ok) {
        if seen.contains(&entry.path()) {
            continue;
        }
        if entry.file_name().to_string_lossy().starts_with('.') {
            listing.hidden += 1;
        } else {
            listing.ignored += 1;
        }
    }
}

fn overrides(folder: &Path, excludes: &[String]) -> Result<Override, ListingError> {
    let refused = |glob: &str, error: &ignore::Error| ListingError::Glob {
        glob: glob.to_owned(),
        reason: error.to_string(),
    };
    let mut builder = OverrideBuilder::new(folder);
    for glob in excludes {
        builder
            .add(&format!("!{glob}"))
            .map_err(|error| refused(glob, &error))?;
    }
    builder
        .build()
        .map_err(|error| refused(&excludes.join(", "), &error))
}

/// The path below its folder, with `/`.
pub(super) fn name_of(path: &Path) -> String {
    let parts = path
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    parts.collect::<Vec<_>>().join("/")
}

/// A file that is open for reading, regular at the time of opening.
pub(super) struct Opened {
    file: File,
    /// Size in bytes at the time of opening.
    pub(super) size: u64,
}

impl Opened {
    /// Reads at most so many bytes, from the present place.
    pub(super) fn read(&mut self, most: u64, bytes: &mut Vec<u8>) -> io::Result<()> {
        (&mut self.file).take(most).read_to_end(bytes).map(drop)
    }
}

/// Reason why a path is not opened.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// The entry is neither a file nor a folder.
    Strange(&'static str),
    Failed(io::Error),
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Opens the handle of a folder, or of the folder that holds a file.
pub(super) fn open_folder(path: &Path) -> io::Result<Dir> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    Dir::open_ambient_dir(path, ambient_authority())
}

/// Opens a file below a folder, by folders that are no links.
pub(super) fn open_below(folder: &Dir, path: &Path) -> Result<Opened, NotOpened> {
    let mut dir = folder.try_clone()?;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return open(&dir, Path::new(part.as_os_str()));
        }
        dir = dir.open_dir_nofollow(Path::new(part.as_os_str()))?;
    }
    Err(NotOpened::Failed(io::ErrorKind::NotFound.into()))
}

/// Opens a regular file without following a link and without waiting for a writer.
fn open(folder: &Dir, name: &Path) -> Result<Opened, NotOpened> {
    let check = |kind: FileType| match kind.is_file() {
        true => Ok(()),
        false => Err(NotOpened::Strange(strange_of(kind))),
    };
    check(folder.symlink_metadata(name)?.file_type())?;
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No).nonblock(true);
    let file = folder.open_with(name, &options)?;
    let metadata = file.metadata()?;
    check(metadata.file_type())?;
    Ok(Opened {
        file,
        size: metadata.len(),
    })
}

/// Says what an entry is, if it is neither a file nor a folder.
pub(super) fn strange(kind: std::fs::FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    if kind.is_symlink() {
        LINK
    } else if kind.is_fifo() {
        PIPE
    } else if kind.is_socket() {
        SOCKET
    } else {
        DEVICE
    }
}

fn strange_of(kind: FileType) -> &'static str {
    use cap_fs_ext::FileTypeExt as _;
    if kind.is_symlink() {
        LINK
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        PIPE
    } else if kind.is_socket() {
        SOCKET
    } else {
        DEVICE
    }
}

const LINK: &str = "a link, which is not followed";
const PIPE: &str = "a named pipe";
const SOCKET: &str = "a socket";
const DEVICE: &str = "a device";
