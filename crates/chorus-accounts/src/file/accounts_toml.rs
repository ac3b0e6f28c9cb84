//! Parser of `accounts.toml`. Messages name keys of Chorus only.

use std::path::Path;

use serde::Deserialize;
use toml::{Table, Value};

use super::{BrokenRow, FileError};
use crate::row::{CredentialRow, Identity, Row};

/// Parses the rows of a file, in its order.
pub(super) fn rows(file: &Path, text: &str) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let mut table = text.parse::<Table>().map_err(|error| FileError::Syntax {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| {
            1 + text[..span.start.min(text.len())].matches('\n').count()
        }),
        reason: without_quotations(error.message()),
    })?;
    let Some(Value::Array(accounts)) = table.remove("account") else {
        return Err(FileError::Empty {
            file: file.to_owned(),
            expected: "[[account]] tables with email and [[account.credential]]",
        });
    };
    Ok(accounts
        .into_iter()
        .enumerate()
        .map(|(at, account)| toml_row(format!("account {}", at + 1), account))
        .collect())
}

fn toml_row(place: String, account: Value) -> Result<Row, BrokenRow> {
    let broken = |reason: String| BrokenRow {
        place: place.clone(),
        reason,
    };
    let Value::Table(mut account) = account else {
        return Err(broken("expected a table [[account]]".to_owned()));
    };
    let listed = match account.remove("credential") {
        Some(Value::Array(credentials)) => credentials,
        Some(other) => {
            return Err(broken(format!(
                "`credential` is {}, expected tables [[account.credential]]",
                other.type_str()
            )));
        }
        None => Vec::new(),
    };
    let identity: Identity = typed(Value::Table(account)).map_err(broken)?;
    let credentials = toml_credentials(listed).map_err(broken)?;
    Ok(Row {
        place,
        identity,
        credentials,
    })
}

fn toml_credentials(listed: Vec<Value>) -> Result<Vec<CredentialRow>, String> {
    listed
        .into_iter()
        .enumerate()
        .map(|(at, credential)| {
            typed(credential).map_err(|reason| format!("credential {}: {reason}", at + 1))
        })
        .collect()
}

fn typed<T: for<'de> Deserialize<'de>>(value: Value) -> Result<T, String> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        let reason = without_found(error.inner().message());
        // A path may end in a key of the file that is no key of Chorus.
        let is_known = path
            .split(['.', '['])
            .all(|part| part.ends_with(']') || KEYS.contains(&part));
        if is_known {
            format!("`{path}`: {reason}")
        } else {
            reason
        }
    })
}

/// Keys of `accounts.toml` that messages may name.
const KEYS: [&str; 26] = [
    "email",
    "owner",
    "entitlement",
    "attested_by",
    "same_owner_spill",
    "provider",
    "key",
    "organization",
    "base_url",
    "expires",
    "models",
    "limits",
    "tier",
    "project",
    "workspace",
    "project_limits",
    "admin_key",
    "zone",
    "dimension",
    "amount",
    "burst",
    "window",
    "reserve",
    "cache_read_percent",
    "output_weight",
    "per_ms",
];

/// The message of a deserializer without what it found.
fn without_found(message: &str) -> String {
    let message = message.trim_end().replace('\n', " ");
    let expected = message
        .split_once(", expected ")
        .map(|(_, expected)| format!(", expected {expected}"))
        .unwrap_or_default();
    let found = match message
        .split([':', ' '])
        .take(2)
        .collect::<Vec<_>>()
        .as_slice()
    {
        ["unknown", "field"] => "a key is unknown",
        ["unknown", "variant"] => "the value is unknown",
        ["invalid", "type"] => {
            let kind = message.strip_prefix("invalid type: ").unwrap_or("");
            let kind = kind.split([' ', ',']).next().unwrap_or("");
            return format!("found {kind}{expected}");
        }
        ["missing", "field"] => return message,
        ["duplicate", "field"] => return message,
        _ => "the value is not as it should be",
    };
    format!("{found}{expected}")
}

/// A parser's message without what it quotes.
fn without_quotations(message: &str) -> String {
    let mut shown = String::new();
    let mut quote = None;
    for letter in message.chars() {
        match quote {
            None if "`\"'".contains(letter) => {
                quote = Some(letter);
                shown.push('…');
            }
            Some(open) if open == letter => quote = None,
            Some(_) => {}
            None => shown.push(letter),
        }
    }
    shown.trim_end().replace('\n', " ")
}
