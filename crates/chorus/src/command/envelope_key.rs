//! `chorus envelope-key`: makes a key that seals credentials, for processes that share a database.

use std::path::Path;

use chorus_vault::EnvelopeKey;

use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Writes a fresh key to a file that only its owner may read, or to standard output.
pub(crate) fn run(file: Option<&Path>) -> anyhow::Result<Exit> {
    let Some(file) = file else {
        println!("{}", EnvelopeKey::generate().to_text().as_str());
        return Ok(Exit::Done);
    };
    if file.exists() {
        let message = format!(
            "{} is there already; it may seal credentials, so it is not replaced",
            file.display()
        );
        return Err(Failure::new(ErrorCode::FileExists, message).into());
    }
    EnvelopeKey::from_file_or_new(file)?;
    eprintln!(
        "A key was made: {}. Back it up: without it the credentials must be imported again.",
        file.display()
    );
    Ok(Exit::Done)
}
