//! Control socket of the process that holds the data folder: commands of a second terminal act through it at once,
//! and read the levels of its ledger.
//!
//! A Unix socket in the data folder, which only the owner of the folder can open, with the routes of the in-process
//! gateway behind it. A file that a killed process left is replaced by the next holder; a command that finds nothing
//! behind it works [beside](crate::app) the holder, or takes the folder.

use std::path::{Path, PathBuf};

use axum::Router;
use tokio::task::JoinHandle;

use crate::config::Config;

/// Name of the socket in the data folder.
const NAME: &str = "control.sock";

/// Path of the socket of a data folder.
pub(super) fn path(config: &Config) -> PathBuf {
    config.data.dir.join(NAME)
}

/// The socket of this process; it ends when the value is dropped.
pub(crate) struct ControlSocket {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl ControlSocket {
    /// Serves the router to the owner of the data folder, which this process holds. Without a socket the process works
    /// as well: commands then change rows beside it.
    pub(crate) fn start(config: &Config, router: Router) -> Option<Self> {
        let path = path(config);
        match listen(&path) {
            Ok(listener) => Some(Self {
                path,
                task: tokio::spawn(serve(listener, router)),
            }),
            Err(error) => {
                tracing::warn!(socket.path = %path.display(), error = %error, "failed to open the control socket, commands of other terminals take effect within seconds");
                None
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.task.abort();
        // The next holder replaces what is left.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Listens on a socket that only this user can open. It appears under its name with its permissions already set.
#[cfg(unix)]
fn listen(path: &Path) -> std::io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    if let Ok(found) = std::fs::symlink_metadata(path)
        && !found.file_type().is_socket()
    {
        let message = "a file of another kind has its name";
        return Err(std::io::Error::other(message));
    }
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = tokio::net::UnixListener::bind(&new)?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

#[cfg(unix)]
async fn serve(listener: tokio::net::UnixListener, router: Router) {
    if let Err(error) = axum::serve(listener, router).await {
        tracing::warn!(error = %error, "the control socket ended");
    }
}

#[cfg(not(unix))]
fn listen(_: &Path) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(not(unix))]
async fn serve((): (), _: Router) {}
