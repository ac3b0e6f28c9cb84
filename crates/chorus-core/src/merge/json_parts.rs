//! Joining of several JSON texts: lists one after the other, objects side by side. The text of each
//! part stays as it was written.

use std::collections::BTreeSet;

use serde_json::Value;

use super::PartSpan;
use crate::id::TaskKey;

/// Returns the joined text and the positions of the parts' insides; none for a single part, parts
/// of different kinds, broken or empty ones, and objects that share a key. The checks of
/// [`verdict`](crate::verdict::check) report those.
pub(super) fn joined(parts: &[(TaskKey, &str)]) -> Option<(String, Vec<PartSpan>)> {
    let values: Vec<Value> = parts
        .iter()
        .map(|(_, text)| serde_json::from_str(text).ok())
        .collect::<Option<_>>()?;
    let (open, close) = match values.as_slice() {
        [_, _, ..] if values.iter().all(Value::is_array) => ("[", "]"),
        [_, _, ..] if disjoint(&values) => ("{", "}"),
        _ => return None,
    };
    let mut text = open.to_owned();
    let mut spans = Vec::new();
    for (at, (task, part)) in parts.iter().enumerate() {
        let inside = part.strip_prefix(open)?.strip_suffix(close)?.trim();
        if inside.is_empty() {
            return None;
        }
        text.push_str(if at == 0 { "\n" } else { ",\n" });
        let start = text.len();
        text.push_str(inside);
        spans.push(PartSpan {
            task: task.clone(),
            range: start..text.len(),
        });
    }
    Some((format!("{text}\n{close}\n"), spans))
}

fn disjoint(values: &[Value]) -> bool {
    let mut seen = BTreeSet::new();
    values.iter().all(|value| {
        value
            .as_object()
            .is_some_and(|object| object.keys().all(|key| seen.insert(key.as_str())))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keyed<'a>(parts: &[&'a str]) -> Vec<(TaskKey, &'a str)> {
        let keyed = parts.iter().enumerate();
        keyed
            .map(|(at, text)| (TaskKey::new(format!("t{at}")), *text))
            .collect()
    }

    fn check(parts: &[&str], expected: Option<&str>) {
        let joined = joined(&keyed(parts));
        assert_eq!(
            joined.map(|(text, _)| text).as_deref(),
            expected,
            "{parts:?}"
        );
    }

    #[test]
    fn parts_of_one_kind_are_joined_as_they_were_written() {
        check(&["[1, 2]", "[ 3 ]"], Some("[\n1, 2,\n3\n]\n"));
        check(
            &["{\"a\": 1}", "{\"b\":\n2}"],
            Some("{\n\"a\": 1,\n\"b\":\n2\n}\n"),
        );
    }

    #[test]
    fn parts_that_cannot_be_one_text_are_left_alone() {
        check(&[], None);
        check(&["[1]"], None);
        check(&["[1]", "{\"a\":1}"], None);
        check(&["[1]", "2"], None);
        check(&["[1]", "[2"], None);
        check(&["[1]", "[]"], None);
        check(&["{\"a\":1}", "{\"a\":2}"], None);
    }

    proptest! {
        #[test]
        fn the_joined_list_holds_every_element_and_the_spans_hold_the_parts(
            lists in prop::collection::vec(prop::collection::vec("[a-z\\]\",é]{0,4}", 1..4), 2..5),
        ) {
            let texts: Vec<String> = lists.iter().map(|list| serde_json::to_string(list).expect("texts are JSON")).collect();
            let parts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let (text, spans) = joined(&keyed(&parts)).expect("lists are joined");
            let read: Vec<String> = serde_json::from_str(&text).expect("it is JSON");
            prop_assert_eq!(read, lists.concat());
            for (span, part) in spans.iter().zip(&parts) {
                prop_assert_eq!(format!("[{}]", &text[span.range.clone()]), *part);
            }
        }
    }
}
