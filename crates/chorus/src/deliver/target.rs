//! Finds a place for one file below a folder and writes it there, in full or not at all.
//!
//! Every folder on the way is opened without following a link, from the handle of the one before. A
//! file of the client is never replaced, except by a forced path.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Write as _};

use cap_fs_ext::DirExt as _;
use cap_std::fs::{Dir, OpenOptions};
use chorus_core::artifact::ArtifactHash;
use chorus_core::output_path;

use super::MAX_NAMES;
use super::notes::Notes;
use super::regular_file::open_file;

/// Name of a file while it is written.
const PART: &str = "part";

/// Maximum number of bytes of a present file that are compared with what was written before.
const MAX_COMPARED: u64 = 1 << 30;

/// Surroundings of one file.
pub(super) struct Target<'a> {
    pub(super) folder: &'a Dir,
    /// Folder of Chorus itself, where files are written before they get their names.
    pub(super) scratch: &'a Dir,
    pub(super) before: &'a Notes,
    /// [`output_path::key`] of every path that this delivery wrote already.
    pub(super) keys: &'a BTreeSet<String>,
    /// True if a file of the client may be replaced.
    pub(super) is_forced: bool,
}

/// Place where a file was written.
pub(super) struct Placed {
    pub(super) path: String,
    /// Reason for a name other than the wanted one.
    pub(super) reason: Option<String>,
}

impl Target<'_> {
    /// Writes the file at its path, or at the nearest one that is free.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> io::Result<Placed> {
        let mut reason = None;
        let mut folder = self.folder.try_clone()?;
        let mut way = String::new();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_some() {
                let (name, next) = descend(&folder, part)?;
                if name != part {
                    reason = Some(format!("{way}{part} is no folder"));
                }
                way = format!("{way}{name}/");
                folder = next;
            } else {
                let name = self.publish((&folder, &way), part, bytes)?;
                if name != part {
                    reason = Some(format!("{way}{part} is there already"));
                }
                way.push_str(&name);
            }
        }
        Ok(Placed { path: way, reason })
    }

    /// Writes the bytes beside the report, then gives them the first name that is free.
    fn publish(&self, (folder, way): (&Dir, &str), name: &str, bytes: &[u8]) -> io::Result<String> {
        write_part(self.scratch, bytes)?;
        for at in 1..MAX_NAMES {
            let name = numbered(name, at);
            let path = format!("{way}{name}");
            if self.keys.contains(&output_path::key(&path)) {
                continue;
            }
            if self.is_published(folder, &path, &name, bytes)? {
                return Ok(name);
            }
        }
        Err(io::Error::from(io::ErrorKind::AlreadyExists))
    }

    fn is_published(&self, folder: &Dir, path: &str, name: &str, bytes: &[u8]) -> io::Result<bool> {
        match folder.symlink_metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return link(self.scratch, folder, name);
            }
            Err(error) => return Err(error),
            Ok(found) if found.is_dir() => return Ok(false),
            Ok(_) => {}
        }
        let present = hash_of(folder, name);
        let is_ours = present.is_some() && present == self.before.content(path);
        if self.is_forced || is_ours {
            self.scratch.rename(PART, folder, name)?;
            return Ok(true);
        }
        Ok(present == Some(ArtifactHash::of(bytes)))
    }
}

/// Opens the folder of that name, or makes one; a file or link of that name is passed by.
fn descend(folder: &Dir, part: &str) -> io::Result<(String, Dir)> {
    for at in 1..MAX_NAMES {
        let name = numbered(part, at);
        match folder.create_dir(&name) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        let is_folder = folder.symlink_metadata(&name)?.is_dir();
        if is_folder {
            return Ok((name.clone(), folder.open_dir_nofollow(&name)?));
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// Returns the name itself, then `name-2.md`, `name-3.md`, …
fn numbered(name: &str, at: usize) -> String {
    if at == 1 {
        return name.to_owned();
    }
    match name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()) {
        Some((stem, ending)) => format!("{stem}-{at}.{ending}"),
        None => format!("{name}-{at}"),
    }
}

/// Gives the written part a name that is free. Returns false if the name is taken meanwhile.
fn link(scratch: &Dir, folder: &Dir, name: &str) -> io::Result<bool> {
    match scratch.hard_link(PART, folder, name) {
        Ok(()) => scratch.remove_file(PART).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        // Some file systems have no second names for a file.
        Err(_) => scratch.rename(PART, folder, name).map(|()| true),
    }
}

fn write_part(scratch: &Dir, bytes: &[u8]) -> io::Result<()> {
    match scratch.remove_file(PART) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    let mut file = scratch.open_with(PART, &options)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Writes a file of Chorus's own folder, in place of the one before.
pub(super) fn replace(folder: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    write_part(folder, bytes)?;
    folder.rename(PART, folder, name)
}

/// Writes a file under a name that is free, and removes it.
pub(super) fn try_write(folder: &Dir) -> io::Result<()> {
    for at in 1..MAX_NAMES {
        let name = numbered(".chorus-try", at);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        match folder.open_with(&name, &options) {
            Ok(mut file) => {
                let written = file.write_all(b"chorus\n");
                folder.remove_file(&name)?;
                return written;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// Hash of a regular file; none for anything else.
fn hash_of(folder: &Dir, name: &str) -> Option<ArtifactHash> {
    let mut bytes = Vec::new();
    let file = open_file(folder, name).ok()?;
    // Larger files are not Chorus's.
    file.take(MAX_COMPARED).read_to_end(&mut bytes).ok()?;
    Some(ArtifactHash::of(&bytes))
}
