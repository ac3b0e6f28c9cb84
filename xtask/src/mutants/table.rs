//! The mutants: the edits, the simulation or test that searches them, and the invariants that may
//! find them.

use std::fmt;

/// A planted fault.
pub(super) struct Mutant {
    /// Wrong behaviour of the program.
    pub(super) name: &'static str,
    /// Edits that cause it.
    pub(super) edits: &'static [Edit],
    /// Simulation in which it is searched.
    pub(super) world: World,
    /// Maximum number of seeds.
    pub(super) seeds: u64,
    /// Invariants that may find it.
    pub(super) expected: &'static [&'static str],
}

/// One text and its replacement.
pub(super) struct Edit {
    /// Path of the file.
    pub(super) file: &'static str,
    /// Text to replace. It occurs once, regardless of white space.
    pub(super) find: &'static str,
    /// Replacement.
    pub(super) replace: &'static str,
}

/// Parameters of the simulations in which a mutant is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct World {
    /// Name of the fault plan.
    pub(super) faults: &'static str,
    /// Safety nets that are switched off.
    pub(super) without: &'static [&'static str],
}

impl World {
    const fn of(faults: &'static str) -> Self {
        Self {
            faults,
            without: &[],
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "worlds with {}", self.faults)?;
        self.without
            .iter()
            .try_for_each(|net| write!(f, ", without {net}"))
    }
}

const MEMORY_ATTEMPTS: &str = "crates/chorus-store/src/memory/attempts.rs";
const MEMORY_COMMIT: &str = "crates/chorus-store/src/memory/commit.rs";
const COMMIT_RULES: &str = "crates/chorus-store/src/rows/commit.rs";
const ATTEMPT_ROW: &str = "crates/chorus-store/src/rows/attempt.rs";
const LEDGER_ENDING: &str = "crates/chorus-limits/src/ledger/ending.rs";
const LIMITS_MEMORY: &str = "crates/chorus-limits/src/memory.rs";
const LEDGER_METER: &str = "crates/chorus-limits/src/ledger/meter.rs";
const LEDGER_TALLY: &str = "crates/chorus-limits/src/ledger/tally.rs";
const LEDGER_GROUP: &str = "crates/chorus-limits/src/ledger/group.rs";
const ROSTER: &str = "crates/chorus-pool/src/roster.rs";
const JUDGE: &str = "crates/chorus-worker/src/judge.rs";
const RECONCILER: &str = "crates/chorus-dispatcher/src/reconciler.rs";
const DELIVERY: &str = "crates/chorus-worker/src/delivery.rs";
const INTAKE: &str = "crates/chorus-worker/src/intake.rs";
const WORKER: &str = "crates/chorus-worker/src/worker.rs";
const FOLD: &str = "crates/chorus-orchestrator/src/fold.rs";
const ORCHESTRATOR: &str = "crates/chorus-orchestrator/src/orchestrator.rs";

/// All mutants.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "finish without the epoch guard",
        edits: &[Edit {
            file: MEMORY_ATTEMPTS,
            find: "if !row.is_held_by(*epoch, holder) {",
            replace: "if row.state != AttemptState::Running {",
        }],
        world: World::of("pauses"),
        seeds: 100,
        expected: &["FencedReport"],
    },
    Mutant {
        name: "a requeue that keeps the epoch",
        edits: &[Edit { file: ATTEMPT_ROW, find: "self.epoch = self.epoch.next();", replace: "" }],
        world: World::of("crashes"),
        seeds: 60,
        expected: &["EpochGrows"],
    },
    Mutant {
        name: "a claim without the epoch guard",
        edits: &[Edit {
            file: MEMORY_ATTEMPTS,
            find: "let claimable = row.state == AttemptState::Dispatched && row.epoch == claim.epoch;",
            replace: "let claimable = matches!(row.state, AttemptState::Dispatched | AttemptState::Running);",
        }],
        world: World::of("bus"),
        seeds: 60,
        expected: &["OneClaim"],
    },
    Mutant {
        name: "a call before its lease is sent",
        edits: &[Edit {
            file: DELIVERY,
            find: "match until_answered(self.shop.clock(), \"sending a lease\", || self.send()).await {",
            replace: "drop(self.send());
        match Sent::Sent {",
        }],
        world: World::of("calm"),
        seeds: 10,
        expected: &["CallNeedsLease"],
    },
    Mutant {
        name: "expiry of a sent lease that refunds",
        edits: &[Edit {
            file: LEDGER_ENDING,
            find: "self.settle(lease, now, |_, part| part.charged.is_none().then_some(part.set_aside));",
            replace: "self.settle(lease, now, |_, _| Some(0));",
        }],
        world: World::of("crashes"),
        seeds: 60,
        expected: &["LedgerBalance"],
    },
    Mutant {
        name: "a claimer that was denied ends the lease",
        edits: &[Edit {
            file: INTAKE,
            find: "    let claimed = delivery.map(|delivery| {",
            replace: "    if delivery.is_none()
        && let Ok(project) = record::project_of(&record)
        && let Ok(rows) = shop.ports.deliveries.of_project(project).await
    {
        for row in rows.iter().filter(|row| row.attempt == claim.attempt && row.epoch == claim.epoch) {
            let end = chorus_core::limit::End::Refused { counts_request: false };
            let _ = shop.ports.limits.end(row.assignment.lease.id, end).await;
        }
    }
    let claimed = delivery.map(|delivery| {",
        }],
        world: World::of("bus"),
        seeds: 60,
        expected: &["CallNeedsLease"],
    },
    Mutant {
        name: "a double end that charges twice",
        edits: &[
            Edit {
                file: LEDGER_ENDING,
                find: "(_, Life::Over { .. })",
                replace: "(End::Unused | End::Aborted { .. } | End::Refused { .. }, Life::Over { .. })",
            },
            Edit {
                file: LEDGER_ENDING,
                find: "(End::Used { usage, cost }, Life::Aborted { .. }) =>",
                replace: "(End::Used { usage, cost }, Life::Aborted { .. } | Life::Over { .. }) =>",
            },
            Edit { file: LEDGER_ENDING, find: "used - before", replace: "used - before * 0" },
        ],
        world: World::of("lost replies"),
        seeds: 60,
        expected: &["LedgerBalance"],
    },
    Mutant {
        name: "an unchecked reserve",
        edits: &[Edit { file: LEDGER_GROUP, find: "None => freed = true,", replace: "None => {}" }],
        world: World::of("calm"),
        seeds: 60,
        expected: &["LimiterCount"],
    },
    Mutant {
        name: "two keys of one organisation counted apart",
        edits: &[Edit {
            file: ROSTER,
            find: "credential.groups.iter().map(|of| (Arc::new(of.group.clone()), of.models.clone())).collect()",
            replace: "credential
                .groups
                .iter()
                .map(|of| {
                    let id = GroupId::new(format!(\"{}/{}\", of.group.id, credential.id));
                    (Arc::new(QuotaGroup { id, ..of.group.clone() }), of.models.clone())
                })
                .collect()",
        }],
        world: World::of("calm"),
        seeds: 60,
        expected: &["ProviderCount"],
    },
    Mutant {
        name: "a call cut at its deadline that frees its slot at once",
        edits: &[Edit {
            file: JUDGE,
            find: "(CallEnd::Failed(_), Some(heard)) if self.now >= self.cut_at =>",
            replace: "(CallEnd::Failed(_), Some(heard)) if false =>",
        }],
        world: World::of("providers"),
        seeds: 60,
        expected: &["ProviderCount"],
    },
    Mutant {
        name: "a header that gives back a call that it had overtaken",
        edits: &[Edit {
            file: LEDGER_METER,
            find: "const OVERTAKEN: Millis = Millis(2_000);",
            replace: "const OVERTAKEN: Millis = Millis(0);",
        }],
        world: World::of("overtaking"),
        seeds: 100,
        expected: &["ProviderCount"],
    },
    Mutant {
        name: "a full bucket that fills while the call travels",
        edits: &[Edit { file: LEDGER_TALLY, find: "const TRAVEL: Millis = Millis(500);", replace: "const TRAVEL: Millis = Millis(0);" }],
        world: World::of("overtaking"),
        seeds: 100,
        expected: &["ProviderCount"],
    },
    Mutant {
        name: "a reserve after a flush without a restore",
        edits: &[Edit {
            file: LIMITS_MEMORY,
            find: "if state.lost { Err(LimiterError::Lost) } else { Ok(state.act(now, act)) }",
            replace: "Ok(state.act(now, act))",
        }],
        world: World::of("flushes"),
        seeds: 100,
        expected: &["ProviderCount"],
    },
    Mutant {
        name: "no reconciliation of unclaimed dispatches",
        edits: &[Edit {
            file: RECONCILER,
            find: "unclaimed_for: settings.unclaimed_after",
            replace: "unclaimed_for: chorus_core::time::Millis(u64::MAX / 4)",
        }],
        world: World::of("bus"),
        seeds: 60,
        expected: &["NoProjectLost", "NothingLeft"],
    },
    Mutant {
        name: "no reconciliation of stale beats",
        edits: &[Edit {
            file: RECONCILER,
            find: "silent_for: settings.beat_stale",
            replace: "silent_for: chorus_core::time::Millis(u64::MAX / 4)",
        }],
        world: World::of("crashes"),
        seeds: 60,
        expected: &["NoProjectLost", "NothingLeft"],
    },
    Mutant {
        name: "commit without the version guard",
        // Two nets guard this: folded records, which this simulation is without, and the sequence
        // numbers of events, which have no gaps.
        edits: &[
            Edit { file: MEMORY_COMMIT, find: "row.version != commit.expected || ", replace: "" },
            Edit {
                file: COMMIT_RULES,
                find: "event.seq == next && event.project == commit.project",
                replace: "event.project == commit.project",
            },
        ],
        world: World { faults: "orchestrators freeze", without: &["folded"] },
        seeds: 100,
        expected: &["OneWriter"],
    },
    Mutant {
        name: "no deduplication of records",
        edits: &[Edit { file: MEMORY_COMMIT, find: " || commit.folded.iter().any(|id| self.rows.folded.contains(id))", replace: "" }],
        world: World::of("bus"),
        seeds: 60,
        expected: &["FoldedOnce"],
    },
    Mutant {
        name: "a cached aggregate kept after revocation",
        edits: &[
            Edit {
                file: ORCHESTRATOR,
                find: "Event::Fed(SubscriberEvent::Incoming(Incoming::Revoked(gone))) => self.forget(|partition| gone.contains(partition)),",
                replace: "Event::Fed(SubscriberEvent::Incoming(Incoming::Revoked(gone))) => self.intake.forget(|partition| gone.contains(partition)),",
            },
            Edit {
                file: FOLD,
                find: "let fresh = load(shop, project, decided.shelf).await?;",
                replace: "let fresh = load(shop, project, Shelf::default()).await?;",
            },
            Edit {
                file: FOLD,
                find: "                fresh\n",
                replace: "                Aggregate { version: fresh.version, seq: fresh.seq, ..decided }\n",
            },
        ],
        world: World::of("crashes"),
        seeds: 200,
        expected: &["TerminalAbsorbs", "ReadyHasAttempt", "ParentPolicy", "NoProjectLost", "Panic"],
    },
    Mutant {
        name: "a child inserted in a second transaction",
        edits: &[Edit {
            file: FOLD,
            find: "        let committed = shop.until_answered(\"a commit\", || shop.ports.projects.commit(commit.clone())).await;\n",
            replace: "        let bare = Commit { attempts: Vec::new(), ..commit.clone() };
        let mut committed = shop.until_answered(\"a commit\", || shop.ports.projects.commit(bare.clone())).await;
        if let Committed::Done(version) = committed {
            let rest = Commit {
                expected: version,
                tasks: Vec::new(),
                cancel: Vec::new(),
                events: Vec::new(),
                outbox: Vec::new(),
                folded: Vec::new(),
                ..commit.clone()
            };
            committed = shop.until_answered(\"a commit\", || shop.ports.projects.commit(rest.clone())).await;
        }
",
        }],
        world: World::of("calm"),
        seeds: 10,
        expected: &["ReadyHasAttempt"],
    },
    Mutant {
        name: "reconciling without the wait after an outage",
        edits: &[Edit {
            file: RECONCILER,
            find: "while office.watch.well_for(settings.whole_lease(), office.now()) {",
            replace: "while settings.sweep_size > 0 {",
        }],
        world: World::of("store only"),
        seeds: 100,
        expected: &["PaidCallKept"],
    },
    Mutant {
        name: "a sent lease that is released",
        edits: &[
            Edit {
                file: LEDGER_ENDING,
                find: "(End::Unused, Life::Sent { .. } | Life::Aborted { .. } | Life::Expired { .. })",
                replace: "(End::Unused, Life::Aborted { .. } | Life::Expired { .. })",
            },
            Edit {
                file: LEDGER_ENDING,
                find: "(End::Unused, Life::Reserved) =>",
                replace: "(End::Unused, Life::Reserved | Life::Sent { .. }) =>",
            },
        ],
        world: World::of("crashes"),
        seeds: 60,
        expected: &["LedgerBalance"],
    },
    Mutant {
        name: "records that are never swept",
        edits: &[Edit { file: RECONCILER, find: "office.publish(unsent.unwrap_or_default()).await;", replace: "drop(unsent);" }],
        world: World::of("crashes"),
        seeds: 60,
        expected: &["NothingLeft", "NoProjectLost"],
    },
    Mutant {
        name: "the offset stored before the claim",
        edits: &[Edit {
            file: WORKER,
            find: "Event::Fed(SubscriberEvent::Incoming(Incoming::Record { record, at })) => self.intake.take(record, at),",
            replace: "Event::Fed(SubscriberEvent::Incoming(Incoming::Record { record, at })) => {
                    feed.ack(&at).await;
                    self.intake.take(record, at);
                }",
        }],
        world: World { faults: "workers die", without: &["unclaimed"] },
        seeds: 300,
        expected: &["NoProjectLost", "NothingLeft"],
    },
    Mutant {
        name: "task.done acknowledged before it is folded",
        edits: &[Edit {
            file: ORCHESTRATOR,
            find: "Event::Fed(SubscriberEvent::Incoming(Incoming::Record { record, at })) => self.take(record, at, &mut feed).await,",
            replace: "Event::Fed(SubscriberEvent::Incoming(Incoming::Record { record, at })) => {
                    feed.ack(&at).await;
                    self.take(record, at, &mut feed).await;
                }",
        }],
        world: World { faults: "orchestrators die", without: &["resend"] },
        seeds: 300,
        expected: &["NoProjectLost", "NothingLeft"],
    },
    Mutant {
        name: "a forgotten end",
        edits: &[Edit {
            file: DELIVERY,
            find: "until(self.shop.clock(), give_up, \"the end of a lease\", || limits.end(lease, end.clone())).await;",
            replace: "let _ = (give_up, limits, lease, end);",
        }],
        world: World { faults: "calm", without: &["expiry"] },
        seeds: 20,
        expected: &["NothingLeft", "NoProjectLost"],
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_every_mutant_stands_once_in_its_file() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the workspace");
        for mutant in MUTANTS {
            for edit in mutant.edits {
                let text =
                    std::fs::read_to_string(root.join(edit.file)).expect("the file is there");
                assert_eq!(
                    text.matches(edit.find).count(),
                    1,
                    "{}: {:?} in {}",
                    mutant.name,
                    edit.find,
                    edit.file
                );
            }
        }
    }
}
