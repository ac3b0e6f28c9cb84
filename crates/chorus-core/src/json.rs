//! The ladder by which a model's answer becomes JSON: strict, fenced, embedded in prose, repaired.
//!
//! Plans, clarifications, resolutions and verdicts are all read through [`read`]. It finds an
//! object and grades it by [`Rung`]; each reader decides which fields the object must have.

mod find;
mod relaxed;

use serde_json::{Map, Value};

use crate::thought::without_thought;

/// A JSON object found in a model's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The object.
    pub object: Map<String, Value>,
    /// Rung of the ladder on which it was found.
    pub rung: Rung,
}

/// Rungs of the ladder, surest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rung {
    /// The whole answer is the object.
    Strict,
    /// The object stood in a code fence.
    Fenced,
    /// The object stood between other text.
    Embedded,
    /// Its syntax was mended; nothing is missing.
    Repaired,
    /// Its end was missing between two values; brackets were closed.
    Closed,
    /// Its end was missing in the middle of a value, which was dropped.
    Cut,
}

/// Reads the object that an answer holds. `wanted` names keys by which it is known among others; a
/// bare array is taken as the value of the first of them.
pub fn read(answer: &str, wanted: &[&str]) -> Result<Found, String> {
    // An object may speak of the tags of thoughts: as long as it is whole, nothing is cut.
    if let Some(found) = strict(answer, wanted).filter(|found| knows(&found.object, wanted)) {
        return Ok(found);
    }
    let text = without_thought(answer).trim();
    if text.is_empty() {
        return Err("the reply is empty".into());
    }
    strict(text, wanted)
        .or_else(|| fenced(text, wanted))
        .or_else(|| embedded(text, wanted))
        .or_else(|| repaired(text, wanted))
        .ok_or_else(|| {
            format!(
                "the reply holds no JSON object; it begins {:?}",
                opening(text)
            )
        })
}

/// Converts a value to text: strings as they are, numbers and flags as written; none for the rest.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Converts a value to a list of texts: one text is a list of one, values without a text are
/// skipped.
pub fn texts(value: Option<&Value>) -> Vec<String> {
    let all: Vec<String> = match value {
        Some(Value::Array(values)) => values.iter().filter_map(text).collect(),
        Some(value) => text(value).into_iter().collect(),
        None => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty()).collect()
}

/// Returns the text under the first of these keys that has one.
pub fn text_of(object: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    keys.iter()
        .filter_map(|key| object.get(*key))
        .filter_map(text)
        .find(|text| !text.is_empty())
}

/// Returns the list under the first of these keys that is there; a single value is a list of one.
pub fn list_of<'a>(object: &'a Map<String, Value>, keys: &[&str]) -> &'a [Value] {
    match keys.iter().find_map(|key| object.get(*key)) {
        Some(Value::Array(values)) => values,
        Some(value @ (Value::Object(_) | Value::String(_) | Value::Number(_))) => {
            std::slice::from_ref(value)
        }
        _ => &[],
    }
}

fn strict(text: &str, wanted: &[&str]) -> Option<Found> {
    object_in(text, wanted).map(|object| Found {
        object,
        rung: Rung::Strict,
    })
}

fn fenced(text: &str, wanted: &[&str]) -> Option<Found> {
    let objects = find::fences(text)
        .into_iter()
        .filter_map(|inside| object_in(inside, wanted))
        .collect();
    best(objects, wanted).map(|object| Found {
        object,
        rung: Rung::Fenced,
    })
}

fn embedded(text: &str, wanted: &[&str]) -> Option<Found> {
    let objects: Vec<_> = find::balanced(text)
        .into_iter()
        .filter_map(|inside| object_in(inside, wanted))
        .collect();
    let known = objects
        .into_iter()
        .filter(|object| knows(object, wanted))
        .collect();
    best(known, wanted).map(|object| Found {
        object,
        rung: Rung::Embedded,
    })
}

fn repaired(text: &str, wanted: &[&str]) -> Option<Found> {
    // A list inside another value is not what was wanted, however whole it is.
    let first = find::openings(text).next();
    let starts = find::fences(text).into_iter().chain(find::openings(text));
    let found = starts.filter_map(|start| {
        let (value, rung) = relaxed::parse(start)?;
        let is_outermost = first == Some(start) || !start.starts_with('[');
        let object = mended_object(value, wanted).filter(|_| is_outermost)?;
        knows(&object, wanted).then_some(Found { object, rung })
    });
    let has_first = |found: &Found| {
        wanted
            .first()
            .is_some_and(|key| found.object.contains_key(*key))
    };
    found.min_by_key(|found| (!has_first(found), found.rung))
}

fn object_in(text: &str, wanted: &[&str]) -> Option<Map<String, Value>> {
    serde_json::from_str(text.trim())
        .ok()
        .and_then(|value| as_object(value, wanted))
}

/// Returns an object, or a bare array under the first wanted key. An array of anything but objects
/// and texts is not what was wanted.
fn as_object(value: Value, wanted: &[&str]) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        Value::Array(values) => {
            let fits = |value: &Value| value.is_object() || value.is_string();
            let key = wanted.first().filter(|_| values.iter().all(fits))?;
            Some(Map::from_iter([((*key).to_owned(), Value::Array(values))]))
        }
        _ => None,
    }
}

/// Like [`as_object`] for text with mended syntax: an array must hold objects, because other
/// brackets stand in any text.
fn mended_object(value: Value, wanted: &[&str]) -> Option<Map<String, Value>> {
    let is_list = value
        .as_array()
        .is_none_or(|values| !values.is_empty() && values.iter().all(Value::is_object));
    as_object(value, wanted).filter(|_| is_list)
}

fn knows(object: &Map<String, Value>, wanted: &[&str]) -> bool {
    wanted.is_empty() || wanted.iter().any(|key| object.contains_key(*key))
}

/// Returns the last object that has a wanted key, else the last.
fn best(mut objects: Vec<Map<String, Value>>, wanted: &[&str]) -> Option<Map<String, Value>> {
    match objects.iter().rposition(|object| knows(object, wanted)) {
        Some(at) => Some(objects.swap_remove(at)),
        None => objects.pop(),
    }
}

fn opening(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(answer: &str, rung: Rung, expected: &Value) {
        let found = read(answer, &["tasks"]).expect("an object is found");
        assert_eq!(
            (&Value::Object(found.object), found.rung),
            (expected, rung),
            "{answer}"
        );
    }

    #[test]
    fn each_rung_of_the_ladder_holds() {
        let one = json!({"tasks": [{"id": 1}]});
        check(r#"{"tasks":[{"id":1}]}"#, Rung::Strict, &one);
        check(
            "<think>maybe {\"tasks\":[]}?</think>\n{\"tasks\":[{\"id\":1}]}",
            Rung::Strict,
            &one,
        );
        check(
            "thinking without a start tag</think>{\"tasks\":[{\"id\":1}]}",
            Rung::Strict,
            &one,
        );
        check("[{\"id\":1}]", Rung::Strict, &one);
        check(
            "Here it is:\n```json\n{\"tasks\":[{\"id\":1}]}\n```\nGood luck!",
            Rung::Fenced,
            &one,
        );
        check(
            "A draft {\"tasks\":[]} and then the plan: {\"tasks\":[{\"id\":1}]} {done}",
            Rung::Embedded,
            &one,
        );
        check("{\"tasks\":[{\"id\":1,},],}", Rung::Repaired, &one);
        check("{'tasks': [{'id': 1}]} // all", Rung::Repaired, &one);
        check("{tasks: [{\"id\": 1} /* first */]}", Rung::Repaired, &one);
        check("```json\n{\"tasks\":[{\"id\":1}\n", Rung::Closed, &one);
        check(
            "{\"tasks\":[{\"id\":1},{\"id\":2,\"title\":\"unfini",
            Rung::Cut,
            &json!({"tasks": [{"id": 1}, {"id": 2}]}),
        );
    }

    #[test]
    fn brackets_that_hold_no_objects_are_not_what_was_wanted() {
        for answer in [
            "{\"hello\": [1,2,",
            "see [1] and [2]",
            "[1, 2]",
            "['a', 'b',",
        ] {
            assert!(read(answer, &["tasks"]).is_err(), "{answer}");
        }
    }

    #[test]
    fn a_tag_inside_a_whole_object_cuts_nothing() {
        let answer = "{\"tasks\": [\"explain </think>it\"]}";
        check(
            answer,
            Rung::Strict,
            &json!({"tasks": ["explain </think>it"]}),
        );
        let draft = "```json\n{\"draft\": true}\n```\nNo.\n</think>\n{\"tasks\": []}";
        check(draft, Rung::Strict, &json!({"tasks": []}));
    }

    #[test]
    fn odd_values_are_mended() {
        let expected = json!({"tasks": [null, null, true, false, null, "line\nbreak", "it's"]});
        check(
            "{\"tasks\":[NaN,Infinity,True,False,None,\"line\nbreak\",'it\\'s']}",
            Rung::Repaired,
            &expected,
        );
    }

    #[test]
    fn prose_and_thinking_alone_hold_no_object() {
        for answer in [
            "",
            "I cannot do that.",
            "<think>{\"tasks\":[]}",
            "use {braces} wisely",
            "{}}}{{{",
        ] {
            assert!(read(answer, &["tasks"]).is_err(), "{answer}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_not_followed() {
        assert!(read(&"[".repeat(200_000), &["tasks"]).is_err());
        assert!(read(&"{\"tasks\":".repeat(50_000), &["other"]).is_err());
    }

    proptest! {
        #[test]
        fn no_answer_of_a_model_is_a_panic(answer in "[\\[\\]{}\"':,a-z0-9\\\\ \n`/*<>é]{0,200}") {
            let _ = read(&answer, &["tasks"]);
        }

        #[test]
        fn a_cut_anywhere_is_closed_or_refused(at in 0usize..60) {
            let whole = r#"{"tasks":[{"id":"t1","title":"ä"},{"id":"t2"}],"title":"x"}"#;
            let at = (0..=at.min(whole.len())).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
            if let Ok(found) = read(&whole[..at], &["tasks"]) {
                prop_assert!(found.object.contains_key("tasks"));
            }
        }
    }
}
