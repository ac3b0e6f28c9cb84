//! The [`EnvelopeKey`] of a process: from the configuration, from its file, or made on a first run.

use anyhow::Context;
use chorus_vault::EnvelopeKey;

use crate::config::Config;
use crate::failure::{ErrorCode, Failure};

/// The key. Only with a database of one's own is a new one made, said loudly then unless nothing here is kept:
/// processes that share a database must share the key, so none of them may make its own.
pub(super) fn envelope(config: &Config) -> anyhow::Result<EnvelopeKey> {
    let (given, file) = (&config.data.key, &config.data.key_file);
    if !given.is_empty() {
        return EnvelopeKey::from_text(given.expose()).context(Failure::new(
            ErrorCode::EnvelopeKey,
            "data.key cannot be used",
        ));
    }
    if config.database.is_shared() {
        if !file.exists() {
            let message = format!(
                "there is no envelope key, with which credentials are sealed: {} is not there and data.key is empty. \
                 `chorus envelope-key` makes one; give the same key to every process, as a file named by data.key_file or in CHORUS_DATA_KEY",
                file.display()
            );
            return Err(Failure::new(ErrorCode::EnvelopeKey, message).into());
        }
        return Ok(EnvelopeKey::from_file(file)?);
    }
    let (key, made) = EnvelopeKey::from_file_or_new(file)?;
    if made && !config.is_demo {
        eprintln!(
            "A key that seals your credentials was made: {}",
            file.display()
        );
        eprintln!("Back it up: without it the credentials must be imported again.\n");
    }
    Ok(key)
}
