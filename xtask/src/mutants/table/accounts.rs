//! Mutants of accounts, their health, the queue and the order of calls.

use super::{Edit, Mutant, tests};

const HEALTH_STREAK: &str = "crates/chorus-pool/src/health/streak.rs";
const BREAKER: &str = "crates/chorus-pool/src/breaker.rs";
const ENGINE: &str = "crates/chorus-pool/src/engine.rs";
const ENGINE_CHOICE: &str = "crates/chorus-pool/src/engine/choice.rs";
const ENGINE_FIND: &str = "crates/chorus-pool/src/engine/find.rs";
const FIT_TREE: &str = "crates/chorus-pool/src/fit_tree.rs";
const MODEL_CHOICE: &str = "crates/chorus-pool/src/endpoint_index/model_choice.rs";
const ORDER: &str = "crates/chorus-pool/src/order.rs";
const DIRECTORY: &str = "crates/chorus-core/src/port/directory/state.rs";
const ROWS_WAIT: &str = "crates/chorus-store/src/rows/wait.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "an account that fails and never rests",
        edits: &[Edit {
            file: HEALTH_STREAK,
            find: "begins_after: 3,",
            replace: "begins_after: u32::MAX,",
        }],
        search: tests("chorus-pool", "few_calls_meet_it"),
    },
    Mutant {
        name: "a route that one account opens",
        edits: &[Edit {
            file: BREAKER,
            find: "failing >= LEAST_ACCOUNTS && failing == self.accounts.len();",
            replace: "failing >= LEAST_ACCOUNTS.min(1);",
        }],
        search: tests("chorus-pool", "one_account_that_fails_opens_no_route"),
    },
    Mutant {
        name: "a binding to an account that never ends",
        edits: &[Edit {
            file: ENGINE,
            find: "self.bindings.insert((request.refused_until, row));",
            replace: "",
        }],
        search: tests("chorus-pool", "no_longer_than_its_binding"),
    },
    Mutant {
        name: "equal accounts that are used in the order of the file",
        edits: &[Edit {
            file: ENGINE_CHOICE,
            find: "let turn = (target.in_flight, target.last_use, one.leaf);",
            replace: "let turn = (0, 0, one.leaf);",
        }],
        search: tests("chorus-pool", "accounts_without_limits_share_the_calls"),
    },
    Mutant {
        name: "calls that no worker has a slot for",
        edits: &[Edit {
            file: ENGINE_FIND,
            find: "if !self.has_slot(pool) {",
            replace: "if !self.has_slot(pool) && pool.as_str().is_empty() {",
        }],
        search: tests("chorus-pool", "than_workers_have_slots"),
    },
    Mutant {
        name: "a booking that others take from",
        edits: &[Edit {
            file: ENGINE_FIND,
            find: "booking.row != row",
            replace: "booking.row != row && booking.row == row",
        }],
        search: tests("chorus-pool", "b01_a_large_prompt"),
    },
    Mutant {
        name: "a search that stops at the first target that is full",
        edits: &[Edit {
            file: FIT_TREE,
            find: "if next.at > now && next.at >= best {",
            replace: "if next.at > now {",
        }],
        search: tests("chorus-pool", "a_search_finds_a_leaf_with_room"),
    },
    Mutant {
        name: "a session that stays whatever the load",
        edits: &[Edit {
            file: ENGINE_CHOICE,
            find: "(load(&kept) <= 1.0).then_some(kept.target)",
            replace: "Some(kept.target)",
        }],
        search: tests("chorus-pool", "forty_seven_calls_with_one_session"),
    },
    Mutant {
        name: "a role that waits for its resting first model",
        edits: &[Edit {
            file: MODEL_CHOICE,
            find: "(!has_open || is_open(model))",
            replace: "(!has_open || is_served(model))",
        }],
        search: tests("chorus-pool", "falls_to_its_next_model"),
    },
    Mutant {
        name: "age that raises no priority",
        edits: &[Edit {
            file: ORDER,
            find: "u64::from(priority) + now.since(since).0 / AGES_IN.0",
            replace: "u64::from(priority) + now.since(since).0 / u64::MAX",
        }],
        search: tests("chorus-pool", "age_raises_the_priority"),
    },
    Mutant {
        name: "old evidence that wins over newer",
        edits: &[Edit {
            file: DIRECTORY,
            find: "stored.is_none_or(|stored| stored.at <= self.at)",
            replace: "stored.is_none_or(|stored| stored.at <= stored.at)",
        }],
        search: tests("chorus-simulation", "the_memory_store_keeps_its_contract"),
    },
    Mutant {
        name: "a reading that one long line fills",
        edits: &[Edit {
            file: ROWS_WAIT,
            find: "(limit / lines).clamp(LEAST.min(limit), LONGEST)",
            replace: "(limit / lines.min(1)).clamp(LEAST.min(limit), LONGEST)",
        }],
        search: tests("chorus-simulation", "the_memory_store_keeps_its_contract"),
    },
];
