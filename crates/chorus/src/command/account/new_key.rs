//! A new key from the person at the terminal, who does not see it, or from the first line of standard input. A key is
//! never an argument: other users of the machine see those.

use std::io::{BufRead as _, IsTerminal as _};

use anyhow::Context as _;
use console::Term;

/// Maximum length of a key, in bytes.
const MAX_LENGTH: u64 = 16 << 10;

/// Reads a key; the prompt names it by `what`.
pub(super) fn read(what: &str) -> anyhow::Result<String> {
    let input = std::io::stdin();
    if input.is_terminal() {
        let terminal = Term::stderr();
        terminal.write_str(&format!("Key for {what}: "))?;
        let key = terminal.read_secure_line();
        return key.context("cannot read the key from the terminal");
    }
    let mut line = String::new();
    std::io::Read::take(input.lock(), MAX_LENGTH)
        .read_line(&mut line)
        .context("cannot read the key from standard input")?;
    Ok(line.trim().to_owned())
}
