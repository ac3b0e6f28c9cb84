//! Names of modules, and texts that no source may hold.

use std::path::Path;

use crate::sources::Source;

/// Module names that say nothing.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "common", "manager", "misc"];

/// Texts that no source may hold, with the reason.
const BANNED_TEXTS: [(&str, &str); 4] = [
    (
        "#[allow(",
        "silence a lint with #[expect(…, reason = \"…\")]",
    ),
    (
        "#![allow(",
        "silence a lint with #![expect(…, reason = \"…\")]",
    ),
    ("unordered select!", "select! must be biased"),
    ("thread_rng", "chance comes from the Clock port"),
];

/// Crates in which waiting and chance must come through the `Clock` port.
const SERVICES: [&str; 6] = [
    "chorus-core",
    "chorus-pool",
    "chorus-call",
    "chorus-orchestrator",
    "chorus-dispatcher",
    "chorus-worker",
];

/// Texts that services may not hold, tests included.
const BANNED_IN_SERVICES: [(&str, &str); 3] = [
    ("HashMap", "iteration order is chance: use BTreeMap"),
    ("HashSet", "iteration order is chance: use BTreeSet"),
    ("tokio::", "services run without a runtime"),
];

/// Files and texts that break a rule.
pub(super) fn faults(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let (shown, text) = (&source.shown, &source.text);
        let stem = Path::new(shown)
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        if EMPTY_NAMES.contains(&stem.as_str()) {
            faults.push(format!("{shown}: a module named `{stem}` says nothing"));
        }
        if stem == "mod" {
            faults.push(format!(
                "{shown}: write `foo.rs` beside `foo/`, not `mod.rs`"
            ));
        }
        if shown.starts_with("xtask/src/tidy") {
            continue;
        }
        if !text.starts_with("//!") && !shown.contains("/tests/golden") {
            faults.push(format!(
                "{shown}: begin with `//!` and the purpose of the module"
            ));
        }
        let service = SERVICES
            .iter()
            .any(|name| shown.starts_with(&format!("crates/{name}/")));
        let banned = BANNED_TEXTS
            .iter()
            .chain(BANNED_IN_SERVICES.iter().filter(|_| service));
        for (word, reason) in banned {
            if let Some(at) = text
                .lines()
                .position(|line| line.contains(word) && !line.trim_start().starts_with("//"))
            {
                faults.push(format!("{shown}:{}: `{word}`: {reason}", at + 1));
            }
        }
    }
    faults
}
