//! Several TOML, YAML or HTML texts as one: one after the other, with faults where that would change
//! their meaning. Syntax is checked elsewhere.

use std::collections::BTreeMap;

use super::{Joined, TaskPart, concatenated};
use crate::id::TaskKey;

/// Joins TOML: keys at the beginning of a part would fall into the last table of the part before.
pub(super) fn joined_toml(parts: &[TaskPart<'_>]) -> Joined {
    let mut joined = concatenated(parts);
    let mut table: Option<(TaskKey, String)> = None;
    for (task, text) in parts {
        let first = lines(text).next();
        if let (Some((owner, name)), Some(line)) = (&table, first)
            && !line.starts_with('[')
        {
            let message = format!(
                "the part of {task} begins with {line:?} outside of any table, which would fall into {name} of the part of {owner}"
            );
            let feedback =
                "begin with a table header `[…]`: your part stands under the tables of other parts"
                    .to_owned();
            joined.fault(vec![task.clone()], message, feedback);
        }
        let header = |line: &&str| line.starts_with('[') && line.ends_with(']');
        if let Some(line) = lines(text).filter(header).last() {
            table = Some((task.clone(), line.to_owned()));
        }
    }
    joined
}

/// Joins YAML: a key at the top level belongs to one part, unless the parts are documents.
pub(super) fn joined_yaml(parts: &[TaskPart<'_>]) -> Joined {
    let mut joined = concatenated(parts);
    let mut keys: BTreeMap<String, TaskKey> = BTreeMap::new();
    for (task, text) in parts {
        if lines(text)
            .next()
            .is_some_and(|line| line.starts_with("---"))
        {
            keys.clear();
        }
        for key in top_level_keys(text) {
            match keys.get(&key) {
                Some(owner) if owner != task => {
                    let message =
                        format!("the parts of {owner} and {task} both have the key `{key}`");
                    let feedback = format!(
                        "the key `{key}` is in the part of {owner} too: the parts become one file, so leave it out"
                    );
                    joined.fault(vec![task.clone()], message, feedback);
                }
                Some(_) => {}
                None => {
                    keys.insert(key, task.clone());
                }
            }
        }
    }
    joined
}

/// Joins HTML: only one part may be a whole page, and only the last may end it.
pub(super) fn joined_html(parts: &[TaskPart<'_>]) -> Joined {
    let mut joined = Joined::default();
    for (at, (task, text)) in parts.iter().enumerate() {
        let piece = text.trim_matches('\n');
        joined.text.push_str(if at == 0 || piece.is_empty() {
            ""
        } else {
            "\n\n"
        });
        joined.push(task, piece);
        let lower = text.to_lowercase();
        let begins = at > 0 && (lower.contains("<!doctype") || lower.contains("<html"));
        let ends = at + 1 < parts.len() && lower.contains("</html>");
        if begins || ends {
            let what = if begins {
                "begins a page of its own"
            } else {
                "ends the page"
            };
            joined.fault(
                vec![task.clone()],
                format!("the part of {task} {what}, although other parts stand beside it"),
                "write only the elements of your part: the page is begun by the first part and ended by the last".to_owned(),
            );
        }
    }
    joined.text.push('\n');
    joined
}

/// Returns the lines that are neither blank nor comments.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Returns the keys at the left margin, of the last document of a text.
fn top_level_keys(text: &str) -> Vec<String> {
    let mut keys = Vec::new();
    for line in text.lines() {
        if line.starts_with("---") {
            keys.clear();
        }
        let Some((key, rest)) = line.split_once(':') else {
            continue;
        };
        let begins =
            key.starts_with(|letter: char| letter.is_alphanumeric() || "_\"'.$".contains(letter));
        if begins && (rest.is_empty() || rest.starts_with([' ', '\t'])) {
            keys.push(key.trim().trim_matches(['"', '\'']).to_owned());
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(joined: fn(&[TaskPart<'_>]) -> Joined, parts: [&str; 2]) -> Vec<String> {
        let [one, other] = parts;
        let parts = [(TaskKey::new("t1"), one), (TaskKey::new("t2"), other)];
        let joined = joined(&parts);
        assert!(joined.text.contains(other.trim()), "{joined:?}");
        joined
            .faults
            .into_iter()
            .map(|fault| fault.message)
            .collect()
    }

    #[test]
    fn toml_that_would_fall_into_another_table_is_a_fault() {
        assert_eq!(
            faults(joined_toml, ["[a]\nx = 1\n", "# more\n[b]\ny = 2"]).len(),
            0
        );
        assert_eq!(faults(joined_toml, ["x = 1\n", "y = 2"]).len(), 0);
        let found = faults(joined_toml, ["[a]\nx = 1\n", "y = 2"]);
        assert!(found[0].contains("fall into [a]"), "{found:?}");
    }

    #[test]
    fn yaml_keys_belong_to_one_part() {
        assert_eq!(faults(joined_yaml, ["a: 1\n", "b:\n  a: 2\n"]).len(), 0);
        assert_eq!(faults(joined_yaml, ["- a: 1\n", "- a: 2\n"]).len(), 0);
        assert_eq!(
            faults(joined_yaml, ["kind: A\n", "---\nkind: B\n"]).len(),
            0
        );
        let found = faults(joined_yaml, ["jobs:\n  a: 1\n", "jobs:\n  b: 1\n"]);
        assert!(found[0].contains("`jobs`"), "{found:?}");
    }

    #[test]
    fn only_one_part_begins_and_ends_a_page() {
        let page = "<!doctype html><html><body><p>a</p>";
        assert_eq!(
            faults(joined_html, [page, "<p>b</p></body></html>"]).len(),
            0
        );
        assert_eq!(
            faults(joined_html, [page, "<html><p>b</p></html>"]).len(),
            1
        );
        assert_eq!(
            faults(joined_html, ["<p>a</p></html>", "<p>b</p>"]).len(),
            1
        );
    }
}
