//! Several texts of records, CSV or TSV, as one: the header stands once, above all records. Parts
//! with different headers are a fault that names them.

use std::collections::BTreeSet;

use super::{Joined, TaskPart, concatenated};

/// Returns the delimiter that most of the first line's cells are separated by.
pub(super) fn delimiter(parts: &[TaskPart<'_>]) -> u8 {
    let first = parts.iter().find(|(_, text)| !text.trim().is_empty());
    let line = first.and_then(|(_, text)| text.trim_start().lines().next());
    let count = |mark: char| line.unwrap_or_default().matches(mark).count();
    [(',', b','), (';', b';'), ('\t', b'\t')]
        .into_iter()
        .rev()
        .max_by_key(|(mark, _)| count(*mark))
        .map_or(b',', |(_, byte)| byte)
}

pub(super) fn joined(parts: &[TaskPart<'_>], delimiter: u8) -> Joined {
    let mut plain = concatenated(parts);
    let read: Vec<Records> = parts
        .iter()
        .map(|(_, text)| Records::of(text, delimiter))
        .collect();
    let Some(first) = read.iter().position(|records| !records.header.is_empty()) else {
        return plain;
    };
    let header = &read[first].header;
    let mut joined = Joined::default();
    for (at, ((task, text), records)) in parts.iter().zip(&read).enumerate() {
        let text = text
            .trim_start_matches('\u{feff}')
            .trim_start_matches(['\n', '\r']);
        let repeats = at > first && same(&records.header, header);
        if at > first && !repeats && records.is_other_header(header) {
            let (wanted, found) = (header.join(", "), records.header.join(", "));
            plain.fault(
                vec![task.clone()],
                format!("the part of {task} has the header {found}, the part of {} has {wanted}", parts[first].0),
                format!("all parts become one table: use exactly the header {wanted}, and these columns in this order"),
            );
        }
        let piece = if repeats {
            &text[records.after_header..]
        } else {
            text
        };
        let piece = piece.trim_start_matches(['\n', '\r']);
        let piece = if at == first { parts[at].1 } else { piece };
        let piece = piece.trim_end_matches(['\n', '\r']);
        joined.push(task, piece);
        let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
        joined
            .text
            .push_str(if piece.is_empty() { "" } else { end });
    }
    if plain.faults.is_empty() {
        joined
    } else {
        plain
    }
}

fn same(one: &[String], other: &[String]) -> bool {
    let plain = |cells: &[String]| -> Vec<String> {
        cells
            .iter()
            .map(|cell| cell.trim().to_lowercase())
            .collect()
    };
    plain(one) == plain(other)
}

/// First record of a text, and what shows that it is a header.
struct Records {
    header: Vec<String>,
    /// Bytes up to the second record, of the text without byte order mark and leading line ends.
    after_header: usize,
    /// True if a cell of the first record stands above numbers and is none.
    is_titled: bool,
}

impl Records {
    fn of(text: &str, delimiter: u8) -> Self {
        let text = text
            .trim_start_matches('\u{feff}')
            .trim_start_matches(['\n', '\r']);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        let mut record = csv::StringRecord::new();
        let is_read = reader.read_record(&mut record).is_ok_and(|is_read| is_read);
        let header: Vec<String> = record.iter().map(str::to_owned).collect();
        let after_header = usize::try_from(reader.position().byte()).unwrap_or(text.len());
        let rest: Vec<csv::StringRecord> = reader.records().filter_map(Result::ok).collect();
        let titles = |(at, cell): (usize, &String)| {
            let below = || rest.iter().filter_map(|record| record.get(at));
            !is_number(cell) && below().next().is_some() && below().all(is_number)
        };
        Self {
            is_titled: header.iter().enumerate().any(titles),
            header: if is_read { header } else { Vec::new() },
            after_header: after_header.min(text.len()),
        }
    }

    /// Returns true if the first record is a header, and not this one: it names some of its
    /// columns, has another number of them, or stands above numbers.
    fn is_other_header(&self, header: &[String]) -> bool {
        let names: BTreeSet<String> = header
            .iter()
            .map(|name| name.trim().to_lowercase())
            .collect();
        let shares = self
            .header
            .iter()
            .map(|cell| cell.trim().to_lowercase())
            .any(|cell| !cell.is_empty() && !is_number(&cell) && names.contains(&cell));
        !self.header.is_empty() && (shares || self.is_titled || self.header.len() != header.len())
    }
}

fn is_number(cell: &str) -> bool {
    let bare = cell
        .trim()
        .trim_start_matches(['-', '+', '$', '€'])
        .trim_end_matches('%');
    bare.starts_with(|letter: char| letter.is_ascii_digit())
        && bare
            .chars()
            .all(|letter| letter.is_ascii_digit() || ".,:/- eE".contains(letter))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskKey;

    fn merged(parts: &[&str]) -> Joined {
        let parts: Vec<TaskPart<'_>> = parts
            .iter()
            .enumerate()
            .map(|(at, text)| (TaskKey::new(format!("t{at}")), *text))
            .collect();
        joined(&parts, delimiter(&parts))
    }

    fn check(parts: &[&str], expected: &str) {
        let joined = merged(parts);
        assert_eq!(
            (joined.text.as_str(), joined.faults.len()),
            (expected, 0),
            "{parts:?}"
        );
    }

    #[test]
    fn a_repeated_header_stands_once() {
        check(
            &["name,age\nMara,40\n", "name,age\nTom,7\n"],
            "name,age\nMara,40\nTom,7\n",
        );
        check(
            &["Name, Age\nMara,40\n\n", "name,age\r\nTom,7\r\n"],
            "Name, Age\nMara,40\nTom,7\r\n",
        );
        check(
            &["a;b\n1;\"x\n\ny\"", "a;b\n2;z"],
            "a;b\n1;\"x\n\ny\"\n2;z\n",
        );
        check(
            &["name,age\nMara,40", "Tom,7\nAda,9"],
            "name,age\nMara,40\nTom,7\nAda,9\n",
        );
        check(&["\"a\",b\n1,2", "a,b\n"], "\"a\",b\n1,2\n");
    }

    #[test]
    fn different_headers_are_a_fault_that_names_them() {
        for other in [
            "age,name\n7,Tom\n",
            "name,age,town\nTom,7,Varn\n",
            "person,years\nTom,7\n",
        ] {
            let faults = merged(&["name,age\nMara,40\n", other]).faults;
            assert_eq!(faults.len(), 1, "{other}");
            let header = other.lines().next().unwrap_or_default().replace(',', ", ");
            assert!(faults[0].message.contains(&header) && faults[0].message.contains("name, age"));
            assert_eq!(faults[0].tasks, [TaskKey::new("t1")]);
        }
    }
}
