//! Mutants of the ledger: what a crash, a restart, a header and a refusal leave.

use super::{Edit, Mutant, Search};

const LEDGER_ENDING: &str = "crates/chorus-limits/src/ledger/ending.rs";
const LIMITS_MEMORY: &str = "crates/chorus-limits/src/memory.rs";
const LEDGER_METER: &str = "crates/chorus-limits/src/ledger/meter.rs";
const LEDGER_TALLY: &str = "crates/chorus-limits/src/ledger/tally.rs";
const LEDGER_BOOKING: &str = "crates/chorus-limits/src/ledger/booking.rs";
const LEDGER_ADDRESSED: &str = "crates/chorus-limits/src/ledger/addressed.rs";
const RESTORATION: &str = "crates/chorus-dispatcher/src/restoration.rs";
const CLAIM_RULES: &str = "crates/chorus-core/src/attempt/claim.rs";
const ATTEMPT_QUEUE: &str = "crates/chorus-core/src/attempt/queue.rs";
const LEDGER_GROUP: &str = "crates/chorus-limits/src/ledger/group.rs";
const CALL_RUNNER: &str = "crates/chorus-call/src/runner.rs";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "slots of an ended process that come back at the takeover",
        edits: &[Edit {
            file: RESTORATION,
            find: "Some(alone_since + grace)",
            replace: "Some(alone_since)",
        }],
        search: Search::Tests {
            package: "chorus-dispatcher",
            filter: "slots_of_an_ended_process",
        },
    },
    Mutant {
        name: "a restart that forgets what was used",
        edits: &[Edit {
            file: LIMITS_MEMORY,
            find: "state.ledger = Ledger::after(past, now);",
            replace: "state.ledger = Ledger::after(&past[..0], now);",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "memory_keeps_the_contract_of_limits",
        },
    },
    Mutant {
        name: "a lost lease that outlives its deadline",
        edits: &[Edit {
            file: LEDGER_ENDING,
            find: "let until = until.min(now + *grace);",
            replace: "let until = until.max(now + *grace);",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "memory_keeps_the_contract_of_limits",
        },
    },
    Mutant {
        name: "headers without what came back since",
        edits: &[Edit {
            file: LEDGER_METER,
            find: "let most = shown - later + self.returned(mark, age);",
            replace: "let most = shown - later;",
        }],
        search: Search::Tests {
            package: "chorus-limits",
            filter: "headers_of_calls_of_a_minute",
        },
    },
    Mutant {
        name: "headers that are read at the end of a reply",
        edits: &[Edit {
            file: CALL_RUNNER,
            find: "join(reader.read(body), observed).await",
            replace: "(reader.read(body).await, observed.await)",
        }],
        search: Search::Tests {
            package: "chorus-call",
            filter: "headers_are_followed_at_the_first_byte",
        },
    },
    Mutant {
        name: "a refusal for a rate that empties money",
        edits: &[Edit {
            file: LEDGER_GROUP,
            find: "is_rate(&meter.limit) && meter.limit.dimension != Dimension::Spend",
            replace: "is_rate(&meter.limit)",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "memory_keeps_the_contract_of_limits",
        },
    },
    Mutant {
        name: "a cap on calls in flight that counts reservations",
        edits: &[Edit {
            file: LEDGER_GROUP,
            find: "Ramp::below(self.sent)",
            replace: "Ramp::below(self.in_flight)",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "memory_keeps_the_contract_of_limits",
        },
    },
    Mutant {
        name: "a closure that outlives its reason",
        edits: &[Edit {
            file: LEDGER_GROUP,
            find: "sent_at.is_none_or(|sent_at| sent_at <= closure.since)",
            replace: "sent_at.is_none_or(|_| true)",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "memory_keeps_the_contract_of_limits",
        },
    },
    Mutant {
        name: "a new amount that drops what came back in part",
        edits: &[Edit {
            file: LEDGER_TALLY,
            find: "Self::Bucket { .. } if surplus == 0 => {}",
            replace: "Self::Bucket { .. } if surplus != surplus => {}",
        }],
        search: Search::Tests {
            package: "chorus-limits",
            filter: "two_opinions_about_one_group",
        },
    },
    Mutant {
        name: "a call that passes a booking and delays it",
        edits: &[Edit {
            file: LEDGER_BOOKING,
            find: "projected(due) - need < booked",
            replace: "projected(due) - need < 0",
        }],
        search: Search::Tests {
            package: "chorus-limits",
            filter: "a_booked_head_is_never_later",
        },
    },
    Mutant {
        name: "a withdrawn call that still holds others back",
        edits: &[Edit {
            file: LIMITS_MEMORY,
            find: "self.with(|ledger, _| ledger.withdraw(lease));",
            replace: "self.with(|_, _| drop(lease));",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "memory_keeps_the_contract_of_limits",
        },
    },
    Mutant {
        name: "headers that count what running calls produced twice",
        edits: &[Edit {
            file: LEDGER_METER,
            find: "sums.sent - mark.sent - sums.running",
            replace: "sums.sent - mark.sent",
        }],
        search: Search::Tests {
            package: "chorus-limits",
            filter: "headers_move_an_exact_ledger",
        },
    },
    Mutant {
        name: "a limit that falls untold and is never learned",
        edits: &[Edit {
            file: LEDGER_GROUP,
            find: "if !is_explained && self.is_suspect(call, now) {",
            replace: "if is_explained && self.is_suspect(call, now) {",
        }],
        search: Search::Tests {
            package: "chorus-limits",
            filter: "a_limit_that_falls_untold",
        },
    },
    Mutant {
        name: "a header that speaks about every group",
        edits: &[Edit {
            file: LEDGER_ADDRESSED,
            find: "Some((differs, number, place))",
            replace: "Some((differs * 0, number, place))",
        }],
        search: Search::Tests {
            package: "chorus-limits",
            filter: "a_header_corrects_only_the_group",
        },
    },
    Mutant {
        name: "workers of an ended process that are awaited",
        edits: &[Edit {
            file: CLAIM_RULES,
            find: "silent_since.max(alone.min(now))",
            replace: "silent_since.max(silent_since.min(alone))",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "the_memory_store_keeps_its_contract",
        },
    },
    Mutant {
        name: "a continued call without the parts that were cut",
        edits: &[Edit {
            file: ATTEMPT_QUEUE,
            find: "self.input.saturating_add(grown)",
            replace: "self.input.saturating_add(grown * 0)",
        }],
        search: Search::Tests {
            package: "chorus-core",
            filter: "a_continued_call_has_the_parts",
        },
    },
];
