//! Faults of structured texts, by the parser of each kind.

use chorus_core::verdict::SyntaxFault;
use saphyr_parser::{Event, Parser};
use serde_json::Value;

use crate::fault_at;

/// Finds the fault of one JSON value.
pub(crate) fn json(text: &str) -> Option<SyntaxFault> {
    let error = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}')).err()?;
    let what = format!("no valid JSON: {error}");
    Some(fault_at(text, line_start(text, error.line()), &what, true))
}

/// Finds the first line that is no JSON value.
pub(crate) fn json_lines(text: &str) -> Option<SyntaxFault> {
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        if !line.trim().is_empty()
            && let Err(error) = serde_json::from_str::<Value>(line)
        {
            return Some(fault_at(text, at, &format!("no valid JSON: {error}"), true));
        }
        at += line.len();
    }
    None
}

/// Finds the fault of a TOML document.
pub(crate) fn toml(text: &str) -> Option<SyntaxFault> {
    let error = text.parse::<toml::Table>().err()?;
    let at = error.span().map_or(0, |span| span.start);
    let what = format!("no valid TOML: {}", error.message().replace('\n', " "));
    Some(fault_at(text, at, &what, true))
}

/// Finds the fault of a stream of YAML documents.
pub(crate) fn yaml(text: &str) -> Option<SyntaxFault> {
    for event in Parser::new_from_str(text) {
        match event {
            Ok((Event::StreamEnd, _)) => return None,
            Ok(_) => {}
            Err(error) => {
                let what = format!("no valid YAML: {}", error.info());
                let at = line_start(text, error.marker().line());
                return Some(fault_at(text, at, &what, true));
            }
        }
    }
    None
}

/// Finds the first record that has another number of cells than the header.
pub(crate) fn records(text: &str, delimiter: u8) -> Option<SyntaxFault> {
    let semicolons = delimiter == b',' && is_semicolon_separated(text);
    let delimiter = if semicolons { b';' } else { delimiter };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .from_reader(text.as_bytes());
    let mut wanted: Option<usize> = None;
    for record in reader.records() {
        let record = record.ok()?;
        let count = record.len();
        let at = record.position().map_or(0, csv::Position::byte);
        match wanted {
            None => wanted = Some(count),
            Some(wanted) if wanted != count => {
                let what = format!("the record has {count} cells, the header has {wanted}");
                let at = usize::try_from(at).unwrap_or(0);
                return Some(fault_at(text, at, &what, false));
            }
            Some(_) => {}
        }
    }
    None
}

fn is_semicolon_separated(text: &str) -> bool {
    let line = text.lines().next().unwrap_or_default();
    line.matches(';').count() > line.matches(',').count()
}

/// Returns the byte at which a line begins; lines are counted from 1.
fn line_start(text: &str, line: usize) -> usize {
    let lines = text.split_inclusive('\n').take(line.saturating_sub(1));
    lines.map(str::len).sum()
}
