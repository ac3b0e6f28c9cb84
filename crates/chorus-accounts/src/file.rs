//! Parser of `accounts.toml` and `accounts.csv`.
//!
//! A [`BrokenRow`] does not spoil the others; [`FileError`] is for a file that has no rows at all. Messages name
//! line and column and never repeat a cell or a key of the file, because any of them may be a secret in the wrong place.

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
    /// The first line of CSV does not name the columns.
    #[error("{}, line 1: {reason}; the first line names the columns, for instance email,provider,key", file.display())]
    Header {
        /// Path as the caller gave it.
        file: PathBuf,
        /// Column that is wrong or missing.
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

/// Maximum size of a file of accounts, in bytes.
const MAX_BYTES: u64 = 16 << 20;

/// Parses a file into [`Row`]s, in the order of the file.
pub fn read(file: &Path) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let unreadable = |reason: String| FileError::Unreadable {
        file: file.to_owned(),
        reason,
    };
    let kind = file.extension().and_then(|extension| extension.to_str());
    if !matches!(kind, Some("toml" | "csv")) {
        return Err(FileError::UnknownKind {
            file: file.to_owned(),
        });
    }
    let metadata = std::fs::metadata(file).map_err(|error| unreadable(error.to_string()))?;
    // A pipe or a device would be waited for without an end.
    if !metadata.is_file() {
        return Err(unreadable("it is no regular file".to_owned()));
    }
    if metadata.len() > MAX_BYTES {
        return Err(unreadable(format!("it has more than {MAX_BYTES} bytes")));
    }
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(format!(
            "not UTF-8 after byte {}",
            error.utf8_error().valid_up_to()
        ))
    })?;
    match kind {
        Some("toml") => from_toml(file, &text),
        _ => from_csv(file, &text),
    }
}

fn from_toml(file: &Path, text: &str) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
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
const KEYS: [&str; 19] = [
    "email",
    "owner",
    "entitlement",
    "attested_by",
    "same_owner_spill",
    "provider",
    "key",
    "organization",
    "base_url",
    "models",
    "limits",
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

/// Columns of `accounts.csv`; the first three must be there.
const COLUMNS: [&str; 8] = [
    "email",
    "provider",
    "key",
    "owner",
    "entitlement",
    "attested_by",
    "organization",
    "base_url",
];

/// Characters between cells that are tried.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

fn from_csv(file: &Path, text: &str) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .flexible(true)
        .delimiter(separator(text))
        .from_reader(text.as_bytes());
    let headers = reader
        .headers()
        .map_err(|error| FileError::Unreadable {
            file: file.to_owned(),
            reason: error.to_string(),
        })?
        .clone();
    if text.trim().is_empty() {
        return Err(empty_csv(file));
    }
    check_columns(&headers).map_err(|reason| FileError::Header {
        file: file.to_owned(),
        reason,
    })?;
    let rows: Vec<_> = reader
        .records()
        .map(|record| csv_record(record, &headers))
        .collect();
    if rows.is_empty() {
        return Err(empty_csv(file));
    }
    Ok(rows)
}

fn empty_csv(file: &Path) -> FileError {
    FileError::Empty {
        file: file.to_owned(),
        expected: "a first line `email,provider,key` and a line for each credential",
    }
}

/// Returns the separator by which most names of columns are found in the first line.
fn separator(text: &str) -> u8 {
    let first = text.lines().next().unwrap_or("");
    let known = |separator: u8| {
        let cells = first.split(char::from(separator));
        let names = cells.map(|cell| cell.trim().trim_matches('"'));
        names.filter(|name| COLUMNS.contains(name)).count()
    };
    let mut best = SEPARATORS[0];
    for separator in SEPARATORS {
        if known(separator) > known(best) {
            best = separator;
        }
    }
    best
}

/// Checks the names of the columns; a wrong one is told by its place only.
fn check_columns(headers: &csv::StringRecord) -> Result<(), String> {
    for (at, name) in headers.iter().enumerate() {
        if !COLUMNS.contains(&name) {
            return Err(format!(
                "column {} is none of {}",
                at + 1,
                COLUMNS.join(", ")
            ));
        }
        if headers.iter().take(at).any(|other| other == name) {
            return Err(format!("the column `{name}` is there twice"));
        }
    }
    let missing = COLUMNS[..3]
        .iter()
        .find(|name| headers.iter().all(|header| header != **name));
    missing.map_or(Ok(()), |name| {
        Err(format!("the column `{name}` is missing"))
    })
}

fn csv_record(
    record: Result<csv::StringRecord, csv::Error>,
    headers: &csv::StringRecord,
) -> Result<Row, BrokenRow> {
    let place =
        |line: Option<u64>| line.map_or_else(|| "a line".to_owned(), |line| format!("line {line}"));
    let record = record.map_err(|error| BrokenRow {
        place: place(error.position().map(csv::Position::line)),
        reason: "not readable as CSV".to_owned(),
    })?;
    let place = place(record.position().map(csv::Position::line));
    if record.len() == headers.len() {
        return csv_row(&place, record.deserialize::<Line>(Some(headers)));
    }
    Err(BrokenRow {
        place,
        reason: format!(
            "{} fields, expected {} as in the first line",
            record.len(),
            headers.len()
        ),
    })
}

fn csv_row(place: &str, line: Result<Line, csv::Error>) -> Result<Row, BrokenRow> {
    let line = line.map_err(|_| BrokenRow {
        place: place.to_owned(),
        reason: "the cells do not fit the columns".to_owned(),
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
            first.starts_with("account 1: credential 1: a key is unknown, expected one of")
                && !first.contains("kee"),
            "{first}"
        );
        let second = rows[1].as_ref().expect_err("3 is no address");
        assert!(
            second.starts_with("account 2: `email`: found integer, expected a string"),
            "{second}"
        );
        assert_eq!(rows[2], Ok(("c@x.org".to_owned(), 1)));
    }

    /// Checks that neither messages nor `Debug` of a file repeat a key, a cell or a wrong name in it.
    #[track_caller]
    fn check_silence(name: &str, text: &str) -> String {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("the file is written");
        let (debug, shown) = match read(&path) {
            Err(error) => (format!("{error:?}"), error.to_string()),
            Ok(rows) => {
                let broken = rows.iter().filter_map(|row| row.as_ref().err());
                let texts: Vec<String> = broken
                    .map(|broken| format!("{}: {}", broken.place, broken.reason))
                    .collect();
                (format!("{rows:?}"), texts.join("\n"))
            }
        };
        for secret in ["aaaa", "bbbb", "cccc", "example.com"] {
            assert!(
                !debug.contains(secret) && !shown.contains(secret),
                "{debug}\n{shown}"
            );
        }
        shown
    }

    #[test]
    fn a_key_in_any_wrong_place_is_never_repeated() {
        for (name, text, expected) in [
            (
                "a.csv",
                "sk-aaaa0001,deepseek,an@example.com\nsk-bbbb0002,deepseek,bo@example.com\n",
                "line 1: column 1 is none of email",
            ),
            (
                "a.csv",
                "an@example.com;deepseek;sk-aaaa0001\n bo@example.com;openai;sk-proj-bbbb0002\n",
                "line 1: column 1 is none of",
            ),
            (
                "a.csv",
                "email|provider|key\nan@example.com|deepseek|sk-aaaa0001\n",
                "column 1 is none of",
            ),
            (
                "a.csv",
                "email,provider\nan@example.com,sk-aaaa0001\n",
                "the column `key` is missing",
            ),
            (
                "a.csv",
                "email,provider,key\nan@example.com,sk-aaaa0001\n",
                "line 2: 2 fields, expected 3",
            ),
            (
                "a.csv",
                "email,provider,key\nan@example.com,deepseek,sk-aaaa0001,sk-bbbb0002\n",
                "line 2: 4 fields",
            ),
            (
                "a.csv",
                "email,email,provider,key\na,b,sk-aaaa0001,c\n",
                "`email` is there twice",
            ),
            (
                "a.csv",
                "email,provider,key\nan@example.com,sk-aaaa0001,deepseek\n",
                "",
            ),
            ("a.csv", "", "no accounts found"),
            (
                "a.toml",
                "[[account]]\nemail = \"an@example.com\"\n[[account.credential]]\nprovider = \"deepseek\"\n\"sk-aaaa0001\" = \"\"\n",
                "a key is unknown",
            ),
            (
                "a.toml",
                "[[account]]\nsk-aaaa0001 = \"an@example.com\"\n",
                "a key is unknown",
            ),
            (
                "a.toml",
                "[[account]]\nemail = \"an@example.com\"\ncredential = \"sk-aaaa0001\"\n",
                "`credential` is string",
            ),
            (
                "a.toml",
                "[[account]]\nemail = [\"sk-aaaa0001\"]\n",
                "`email`: found sequence",
            ),
            (
                "a.toml",
                "[[account]]\nemail = \"a@example.com\"\nsame_owner_spill = \"sk-aaaa0001\"\n",
                "`same_owner_spill`: found string",
            ),
            ("a.toml", "key = sk-aaaa0001\n", "line 1: not valid TOML"),
            (
                "a.toml",
                "sk-aaaa0001 = 1\nsk-aaaa0001 = 2\n",
                "line 2: not valid TOML",
            ),
            (
                "a.toml",
                "[[account]]\nemail = \"x@example.com\"\n[[account.credential]]\nprovider = \"x\"\n[[account.credential.limits]]\ndimension = \"sk-aaaa0001\"\n",
                "the value is unknown",
            ),
            (
                "a.toml",
                "[account]\n\"sk-aaaa0001\" = 1\n",
                "no accounts found",
            ),
        ] {
            let shown = check_silence(name, text);
            assert!(shown.contains(expected), "{shown}");
        }
    }

    #[test]
    fn what_is_no_regular_file_is_refused_without_reading_it() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let folder = dir.path().join("a.csv");
        std::fs::create_dir(&folder).expect("a folder");
        let device = dir.path().join("zero.toml");
        std::os::unix::fs::symlink("/dev/zero", &device).expect("a link");
        for path in [folder, device] {
            let error = read(&path).expect_err("refused").to_string();
            assert!(error.ends_with("it is no regular file"), "{error}");
        }
        let unknown = read(Path::new("/dev/zero")).expect_err("refused");
        assert!(matches!(unknown, FileError::UnknownKind { .. }));
    }

    #[test]
    fn cells_may_be_separated_by_semicolons_or_tabs() {
        for separator in [";", "\t", ", "] {
            let text = "email,provider,key\na@x.org,openai,k1\n".replace(',', separator);
            assert_eq!(check("a.csv", &text), [Ok(("a@x.org".to_owned(), 1))]);
        }
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
