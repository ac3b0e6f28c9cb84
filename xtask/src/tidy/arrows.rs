//! Which crate may name which, as drawn in design and ARCHITECTURE.md.

use cargo_metadata::{DependencyKind, Metadata};

/// Crates and the crates of ours that they may name outside tests; everything else is a fault.
const ALLOWED: &[(&str, &[&str])] = &[
    ("chorus-core", &[]),
    ("chorus-api", &["chorus-core"]),
    (
        "chorus-client",
        &[
            "chorus-api",
            "chorus-core",
            "chorus-dialect",
            "chorus-report",
        ],
    ),
    ("chorus-dialect", &["chorus-core"]),
    ("chorus-pool", &["chorus-core"]),
    ("chorus-call", &["chorus-core"]),
    ("chorus-vault", &["chorus-core"]),
    (
        "chorus-upstream",
        &["chorus-core", "chorus-dialect", "chorus-vault"],
    ),
    ("chorus-accounts", &["chorus-core", "chorus-vault"]),
    ("chorus-limits", &["chorus-core"]),
    ("chorus-store", &["chorus-core"]),
    ("chorus-bus", &["chorus-core"]),
    ("chorus-syntax", &["chorus-core"]),
    ("chorus-orchestrator", &["chorus-core", "chorus-syntax"]),
    ("chorus-dispatcher", &["chorus-core", "chorus-pool"]),
    ("chorus-worker", &["chorus-call", "chorus-core"]),
    ("chorus-report", &["chorus-core"]),
    (
        "chorus-gateway",
        &[
            "chorus-accounts",
            "chorus-api",
            "chorus-core",
            "chorus-pool",
            "chorus-report",
            "chorus-vault",
        ],
    ),
    ("chorus-provider-sim", &[]),
    ("chorus-virtual-time", &["chorus-core"]),
    ("chorus-simulation", ANY),
    ("chorus", ANY),
    ("chorus-bench", ANY),
    ("xtask", &["chorus-core"]),
];

/// The wiring: it names concrete adapters.
const ANY: &[&str] = &["*"];

/// Crates that no pure or service crate may name: runtimes, sockets, databases, clocks, chance.
const IMPURE: [&str; 9] = [
    "tokio",
    "tokio-util",
    "sqlx",
    "axum",
    "reqwest",
    "hyper",
    "fastrand",
    "jiff",
    "rdkafka",
];

/// Rules of time zones, compiled in: arithmetic on instants that are arguments. `clippy.toml` forbids the
/// clock of the same crate.
const RULES_OF_ZONES: (&str, &str) = ("chorus-core", "jiff");

/// Crates without runtime, sockets, databases, clocks and chance.
const PURE: [&str; 11] = [
    "chorus-core",
    "chorus-api",
    "chorus-client",
    "chorus-dialect",
    "chorus-pool",
    "chorus-call",
    "chorus-report",
    "chorus-syntax",
    "chorus-orchestrator",
    "chorus-dispatcher",
    "chorus-worker",
];

/// Arrows that the drawing does not have.
pub(super) fn faults(metadata: &Metadata) -> Vec<String> {
    let mut faults = Vec::new();
    for package in &metadata.packages {
        let name = package.name.as_str();
        let Some((_, allowed)) = ALLOWED.iter().find(|(known, _)| *known == name) else {
            faults.push(format!("{name} is not in the drawing: add it to xtask/src/tidy/arrows.rs and to ARCHITECTURE.md"));
            continue;
        };
        for dependency in package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind == DependencyKind::Normal)
        {
            let target = dependency.name.as_str();
            if target.starts_with("chorus") && *allowed != ANY && !allowed.contains(&target) {
                faults.push(format!("{name} may not name {target}"));
            }
            let is_pure_use = (name, target) == RULES_OF_ZONES;
            if PURE.contains(&name) && IMPURE.contains(&target) && !is_pure_use {
                faults.push(format!(
                    "{name} is pure or a service and may not name {target}"
                ));
            }
        }
    }
    faults
}
