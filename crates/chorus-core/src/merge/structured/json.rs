//! Several JSON texts as one value: arrays one after the other, objects side by side. A key that
//! several objects have is joined by the same rules; two different values of it are a fault.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::{Joined, TaskPart, concatenated};
use crate::id::TaskKey;

/// One value of a part: its task and its text.
type Piece<'a> = (&'a TaskKey, &'a str);

/// An entry of an object, as places in its text.
struct Entry {
    key: String,
    whole: Range<usize>,
    value: Range<usize>,
}

pub(super) fn joined(parts: &[TaskPart<'_>]) -> Joined {
    let mut plain = concatenated(parts);
    if serde_json::from_str::<Value>(&plain.text).is_ok() {
        return plain;
    }
    let mut broken = false;
    for (task, text) in parts {
        if let Err(error) = serde_json::from_str::<Value>(text) {
            broken = true;
            let message = format!("the part of {task} is no JSON: {error}");
            let feedback =
                format!("answer with one whole JSON value; yours was not valid: {error}");
            plain.fault(vec![task.clone()], message, feedback);
        }
    }
    if broken {
        return plain;
    }
    let pieces: Vec<Piece<'_>> = parts
        .iter()
        .map(|(task, text)| (task, text.trim()))
        .collect();
    let mut joined = Joined::default();
    write(&pieces, &mut Vec::new(), &mut joined);
    if joined.faults.is_empty() {
        joined.text.push('\n');
        joined
    } else {
        plain.faults = joined.faults;
        plain
    }
}

/// Writes several values as one.
fn write(pieces: &[Piece<'_>], path: &mut Vec<String>, joined: &mut Joined) {
    let kinds: Vec<&str> = pieces.iter().map(|(_, text)| kind(text)).collect();
    match kinds.as_slice() {
        [] => {}
        ["array", rest @ ..] if rest.iter().all(|kind| *kind == "array") => {
            let insides = pieces.iter().map(|(task, text)| (*task, inside(text)));
            write_list(insides, ("[", "]"), joined);
        }
        ["object", rest @ ..] if rest.iter().all(|kind| *kind == "object") => {
            write_object(pieces, path, joined);
        }
        [first, ..] => mixed(pieces, first, path, joined),
    }
}

fn write_list<'a>(
    insides: impl Iterator<Item = Piece<'a>>,
    (open, close): (&str, &str),
    joined: &mut Joined,
) {
    joined.text.push_str(open);
    let mut between = "\n";
    for (task, inside) in insides.filter(|(_, inside)| !inside.is_empty()) {
        joined.text.push_str(between);
        joined.push(task, inside);
        between = ",\n";
    }
    joined
        .text
        .push_str(if between == "\n" { "" } else { "\n" });
    joined.text.push_str(close);
}

/// Writes objects side by side; only where they share keys are they taken apart.
fn write_object(pieces: &[Piece<'_>], path: &mut Vec<String>, joined: &mut Joined) {
    let mut order: Vec<String> = Vec::new();
    let mut values: BTreeMap<String, Vec<(&TaskKey, &str, &str)>> = BTreeMap::new();
    for (task, text) in pieces {
        for entry in entries(text) {
            let all = values.entry(entry.key.clone()).or_insert_with(|| {
                order.push(entry.key.clone());
                Vec::new()
            });
            all.push((*task, &text[entry.whole], &text[entry.value]));
        }
    }
    if values.values().all(|all| all.len() == 1) {
        let insides = pieces.iter().map(|(task, text)| (*task, inside(text)));
        return write_list(insides, ("{", "}"), joined);
    }
    joined.text.push('{');
    for (at, key) in order.iter().enumerate() {
        joined.text.push_str(if at == 0 { "\n" } else { ",\n" });
        match values[key].as_slice() {
            [(task, whole, _)] => joined.push(task, whole),
            all => {
                joined.text.push_str(&Value::from(key.as_str()).to_string());
                joined.text.push_str(": ");
                path.push(key.clone());
                let pieces: Vec<Piece<'_>> =
                    all.iter().map(|(task, _, value)| (*task, *value)).collect();
                write_shared(&pieces, path, joined);
                path.pop();
            }
        }
    }
    joined.text.push_str("\n}");
}

/// Writes the values that several objects have under one key.
fn write_shared(pieces: &[Piece<'_>], path: &mut Vec<String>, joined: &mut Joined) {
    let value = |text: &str| serde_json::from_str::<Value>(text).ok();
    let equal = pieces
        .iter()
        .all(|(_, text)| value(text) == value(pieces[0].1));
    if equal {
        joined.push(pieces[0].0, pieces[0].1);
    } else {
        write(pieces, path, joined);
    }
}

/// Adds the fault of values that cannot be one.
fn mixed(pieces: &[Piece<'_>], first: &str, path: &[String], joined: &mut Joined) {
    let owner = pieces[0].0;
    let others: Vec<TaskKey> = pieces[1..]
        .iter()
        .filter(|(task, _)| *task != owner)
        .map(|(task, _)| (*task).clone())
        .collect();
    let list = pieces
        .iter()
        .map(|(task, text)| format!("{task} has {}", shortened(text)))
        .collect::<Vec<_>>()
        .join(", ");
    let place = path.join(".");
    let (message, feedback) = match (path.is_empty(), first) {
        (true, "array" | "object") => (
            format!("the parts are different kinds of JSON: {list}"),
            format!(
                "answer with one JSON {first}, as the part of {owner} is: the parts become one value"
            ),
        ),
        (true, _) => (
            format!("the parts are single values and cannot be joined: {list}"),
            "answer with one JSON array or one JSON object: the parts become one value".to_owned(),
        ),
        (false, _) => (
            format!("the parts contradict each other in the key `{place}`: {list}"),
            format!(
                "the key `{place}` is in the part of {owner} too, with another value: leave it out, or give it the same value"
            ),
        ),
    };
    let tasks = if others.is_empty() || (path.is_empty() && !matches!(first, "array" | "object")) {
        pieces.iter().map(|(task, _)| (*task).clone()).collect()
    } else {
        others
    };
    joined.fault(tasks, message, feedback);
}

fn kind(text: &str) -> &'static str {
    match text.trim_start().chars().next() {
        Some('[') => "array",
        Some('{') => "object",
        _ => "value",
    }
}

fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(40) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Returns the text between the brackets of an array or object.
fn inside(text: &str) -> &str {
    let text = text.trim();
    text.get(1..text.len() - 1).unwrap_or_default().trim()
}

/// Returns the entries of a valid object.
fn entries(text: &str) -> Vec<Entry> {
    let bytes = text.as_bytes();
    let mut entries = Vec::new();
    let mut at = text.find('{').map_or(bytes.len(), |at| at + 1);
    while let Some(start) = next(bytes, at, |byte| byte == b'"') {
        let key_end = value_end(bytes, start);
        let Some(colon) = next(bytes, key_end, |byte| byte == b':') else {
            break;
        };
        let is_value = |byte: u8| !byte.is_ascii_whitespace();
        let Some(value) = next(bytes, colon + 1, is_value) else {
            break;
        };
        let end = value_end(bytes, value);
        entries.push(Entry {
            key: serde_json::from_str(&text[start..key_end]).unwrap_or_default(),
            whole: start..end,
            value: value..end,
        });
        at = end;
    }
    entries
}

fn next(bytes: &[u8], from: usize, is_wanted: impl Fn(u8) -> bool) -> Option<usize> {
    (from..bytes.len()).find(|at| is_wanted(bytes[*at]))
}

/// Returns the end of the value that begins at `start`.
fn value_end(bytes: &[u8], start: usize) -> usize {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => {
                quoted = !quoted;
                if !quoted && depth == 0 {
                    return at + 1;
                }
            }
            _ if quoted => {}
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            b',' if depth == 0 => return at,
            _ if depth == 0 && byte.is_ascii_whitespace() => return at,
            _ => {}
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keyed<'a>(parts: &[&'a str]) -> Vec<TaskPart<'a>> {
        let keyed = parts.iter().enumerate();
        keyed
            .map(|(at, text)| (TaskKey::new(format!("t{at}")), *text))
            .collect()
    }

    fn check(parts: &[&str], expected: &str) {
        let joined = joined(&keyed(parts));
        assert_eq!(joined.text, expected, "{parts:?}");
        assert_eq!(joined.faults, [], "{parts:?}");
    }

    fn refused(parts: &[&str], task: &str, words: &str) {
        let joined = joined(&keyed(parts));
        let fault = joined.faults.first().expect("a fault");
        assert_eq!(fault.tasks, [TaskKey::new(task)], "{fault:?}");
        assert!(fault.message.contains(words), "{fault:?}");
    }

    #[test]
    fn parts_of_one_kind_are_joined_as_they_were_written() {
        check(&["[1, 2]", "[ 3 ]"], "[\n1, 2,\n3\n]\n");
        check(&["[1]", "[]"], "[\n1\n]\n");
        check(&["[]", "[]"], "[]\n");
        check(
            &["{\"a\": 1.50}", "{\"b\":\n2}"],
            "{\n\"a\": 1.50,\n\"b\":\n2\n}\n",
        );
    }

    #[test]
    fn objects_with_a_common_key_are_joined_inside_it() {
        check(
            &[
                "{\"version\": 1, \"items\": [1]}",
                "{\"version\": 1, \"items\": [2], \"b\": \"x, {y}\"}",
            ],
            "{\n\"version\": 1,\n\"items\": [\n1,\n2\n],\n\"b\": \"x, {y}\"\n}\n",
        );
        check(
            &["{\"de\": {\"a\": \"1\"}}", "{\"de\": {\"b\": \"2\"}}"],
            "{\n\"de\": {\n\"a\": \"1\",\n\"b\": \"2\"\n}\n}\n",
        );
    }

    #[test]
    fn parts_that_cannot_be_one_value_are_a_fault_of_one_task() {
        refused(&["[1]", "{\"a\":1}"], "t1", "different kinds");
        refused(&["[1]", "2"], "t1", "different kinds");
        refused(&["[1]", "[2"], "t1", "no JSON");
        refused(&["{\"a\":1}", "{\"a\":2}"], "t1", "in the key `a`");
        refused(
            &["{\"a\":{\"b\":1}}", "{\"a\":{\"b\":\"x\"}}"],
            "t1",
            "in the key `a.b`",
        );
    }

    proptest! {
        #[test]
        fn the_joined_list_holds_every_element_and_the_spans_hold_the_parts(
            lists in prop::collection::vec(prop::collection::vec("[a-z\\]\",é]{0,4}", 1..4), 2..5),
        ) {
            let texts: Vec<String> = lists.iter().map(|list| serde_json::to_string(list).expect("texts are JSON")).collect();
            let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let joined = joined(&keyed(&parts));
            let read: Vec<String> = serde_json::from_str(&joined.text).expect("it is JSON");
            prop_assert_eq!(read, lists.concat());
            for (span, part) in joined.spans.iter().zip(&parts) {
                prop_assert_eq!(format!("[{}]", &joined.text[span.range.clone()]), *part);
            }
        }

        #[test]
        fn a_joined_object_holds_all_that_its_parts_hold(
            objects in prop::collection::vec(prop::collection::btree_map("[ab\"\\\\,{é]{0,3}", "[a-z\\]},\"\\\\ ]{0,5}", 0..4), 2..5),
        ) {
            let texts: Vec<String> = objects.iter().map(|object| serde_json::to_string_pretty(object).expect("maps are JSON")).collect();
            let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let joined = joined(&keyed(&parts));
            if joined.faults.is_empty() {
                let read: BTreeMap<String, String> = serde_json::from_str(&joined.text).expect("it is JSON");
                for (key, value) in objects.iter().flatten() {
                    prop_assert_eq!(read.get(key), Some(value));
                }
            } else {
                let all: Vec<_> = objects.iter().flatten().collect();
                prop_assert!(all.iter().any(|(key, value)| all.iter().any(|(other, second)| key == other && value != second)));
            }
        }
    }
}
