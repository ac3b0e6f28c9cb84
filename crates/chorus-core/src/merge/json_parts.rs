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
