//! Opens a file of a folder for reading, if it is a regular one.

use std::io;

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt as _};
use cap_std::fs::{Dir, File, OpenOptions};

/// Opens a regular file without following a link.
pub(super) fn open_file(folder: &Dir, name: &str) -> io::Result<File> {
    if !folder.symlink_metadata(name)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut options = OpenOptions::new();
    options.read(true).follow(FollowSymlinks::No);
    folder.open_with(name, &options)
}
