//! Parser of `accounts.csv`. Messages name lines and columns by number.

use std::path::Path;

use serde::Deserialize;

use super::{BrokenRow, FileError};
use crate::row::{CredentialRow, Identity, Row};

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
    expires: Option<String>,
    tier: Option<String>,
    project: Option<String>,
}

/// Columns of `accounts.csv`; the first three must be there.
const COLUMNS: [&str; 11] = [
    "email",
    "provider",
    "key",
    "owner",
    "entitlement",
    "attested_by",
    "organization",
    "base_url",
    "expires",
    "tier",
    "project",
];

/// Characters between cells that are tried.
const SEPARATORS: [u8; 3] = [b',', b';', b'\t'];

pub(super) fn rows(file: &Path, text: &str) -> Result<Vec<Result<Row, BrokenRow>>, FileError> {
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

/// Checks the names of the columns; a wrong one is named by its place only.
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
            expires: given(line.expires),
            models: Vec::new(),
            limits: Vec::new(),
            tier: given(line.tier),
            project: given(line.project),
            admin_key: None,
            project_limits: Vec::new(),
        }],
    })
}
