//! Parser of `accounts.toml` and `accounts.csv`.
//!
//! A [`BrokenRow`] does not spoil the others; [`FileError`] is for a file that has no rows at all.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::row::{CredentialRow, Identity, Row};

/// Reason that [`read`] cannot use a file as a whole.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file does not exist, cannot be read or is not UTF-8.
    #[error("cannot read {}: {reason}", file.display())]
    Unreadable {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Message of the operating system or the decoder.
        reason: String,
    },
    /// The name ends neither in `.toml` nor in `.csv`.
    #[error("{}: expected a file named *.toml or *.csv", file.display())]
    UnknownKind {
        /// Path as the caller gave it.
        file: PathBuf,
    },
    /// The text is not TOML.
    #[error("{}, line {line}: not valid TOML: {reason}", file.display())]
    Syntax {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Line of the error, from 1.
        line: usize,
        /// Message of the parser.
        reason: String,
    },
    /// The file has no accounts.
    #[error("{}: no accounts found; expected {expected}", file.display())]
    Empty {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Form in which an account is written.
        expected: &'static str,
    },
}

/// A row that could not be parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRow {
    /// Place in the file, such as `line 3`.
    pub place: String,
    /// Reason, with the key that is wrong.
    pub reason: String,
}

/// Parses a file into [`Row`]s, in the order of the file.
pub fn read(file: &Path) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let unreadable = |reason: String| FileError::Unreadable {
        file: file.to_owned(),
        reason,
    };
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!(
            "not UTF-8 after byte {}",
            error.utf8_error().valid_up_to()
        ))
    })?;
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => from_toml(file, &text),
        Some("csv") => from_csv(file, &text),
        _ => Err(FileError::UnknownKind {
            file: file.to_owned(),
        }),
    }
}

fn from_toml(file: &Path, text: &str) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let mut table = text.parse::<Table>().map_err(|error| FileError::Syntax {
        file: file.to_owned(),
        line: error.span().map_or(1, |span| {
            text[..span.start.min(text.len())].lines().count().max(1)
        }),
        reason: error.message().to_owned(),
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
        let reason = error.inner().message().trim_end().replace('\n', " ");
        if path == "." {
            reason
        } else {
            format!("`{path}`: {reason}")
        }
    })
}

/// A line of CSV: one credential of one account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    email: String,
    provider: String,
    key: String,
    owner: Option<String>,
    entitlement: Option<String>,
    attested_by: Option<String>,
    organization: Option<String>,
    base_url: Option<String>,
}

fn from_csv(file: &Path, text: &str) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .from_reader(text.as_bytes());
    let headers = reader
        .headers()
        .map_err(|error| FileError::Unreadable {
            file: file.to_owned(),
            reason: error.to_string(),
        })?
        .clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let place = |line: Option<u64>| {
            line.map_or_else(|| "a line".to_owned(), |line| format!("line {line}"))
        };
        rows.push(match record {
            Ok(record) => {
                let place = place(record.position().map(csv::Position::line));
                if record.len() == headers.len() {
                    csv_row(&place, record.deserialize::<Line>(Some(&headers)))
                } else {
                    Err(BrokenRow {
                        place,
                        reason: format!(
                            "{} fields, expected {} as in the first line",
                            record.len(),
                            headers.len()
                        ),
                    })
                }
            }
            Err(error) => Err(BrokenRow {
                place: place(error.position().map(csv::Position::line)),
                reason: error.to_string(),
            }),
        });
    }
    if rows.is_empty() {
        return Err(FileError::Empty {
            file: file.to_owned(),
            expected: "a first line `email,provider,key` and a line for each credential",
        });
    }
    Ok(rows)
}

fn csv_row(place: &str, line: Result<Line, csv::Error>) -> Result<Row, BrokenRow> {
    let line = line.map_err(|error| BrokenRow {
        place: place.to_owned(),
        reason: error.to_string(),
    })?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Row {
        place: place.to_owned(),
        identity: Identity {
            email: line.email,
            owner: given(line.owner),
            entitlement: given(line.entitlement).unwrap_or_else(|| "own".to_owned()),
            attested_by: given(line.attested_by),
            same_owner_spill: false,
        },
        credentials: vec![CredentialRow {
            provider: line.provider,
            key: line.key,
            organization: given(line.organization),
            base_url: given(line.base_url),
            models: Vec::new(),
            limits: Vec::new(),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, text: &str) -> Vec<Result<(String, usize), String>> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        read(&path)
            .expect("the file as a whole is readable")
            .into_iter()
            .map(|row| {
                row.map(|row| (row.identity.email, row.credentials.len()))
                    .map_err(|broken| format!("{}: {}", broken.place, broken.reason))
            })
            .collect()
    }

    #[test]
    fn a_broken_line_of_csv_does_not_spoil_the_others() {
        let rows = check(
            "a.csv",
            "email,provider,key\na@x.org,anthropic,k1\nb@x.org,openai\nc@x.org,openai,k3\n",
        );
        assert_eq!(rows[0], Ok(("a@x.org".to_owned(), 1)));
        assert_eq!(
            rows[1],
            Err("line 3: 2 fields, expected 3 as in the first line".to_owned())
        );
        assert_eq!(rows[2], Ok(("c@x.org".to_owned(), 1)));
    }

    #[test]
    fn a_broken_account_of_toml_names_the_key() {
        let text = "[[account]]\nemail = \"a@x.org\"\n[[account.credential]]\nprovider = \"openai\"\nkee = \"k\"\n\n[[account]]\nemail = 3\n\n\
                    [[account]]\nemail = \"c@x.org\"\n[[account.credential]]\nprovider = \"openai\"\nkey = \"k\"\n";
        let rows = check("a.toml", text);
        let first = rows[0].as_ref().expect_err("kee is no key");
        assert!(
            first.starts_with("account 1: credential 1:") && first.contains("kee"),
            "{first}"
        );
        let second = rows[1].as_ref().expect_err("3 is no address");
        assert!(
            second.starts_with("account 2: `email`: invalid type"),
            "{second}"
        );
        assert_eq!(rows[2], Ok(("c@x.org".to_owned(), 1)));
    }

    #[test]
    fn a_key_never_shows_in_debug_output() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("a.csv");
        std::fs::write(&path, "email,provider,key\na@x.org,anthropic,very-secret\n")
            .expect("the file is written");
        assert!(!format!("{:?}", read(&path).expect("readable")).contains("very-secret"));
    }
}
