//! The mutants: the edits, the simulation or test that searches them, and the invariants that may
//! find them.

use std::fmt;

/// A planted fault.
pub(super) struct Mutant {
    /// Wrong behaviour of the program.
    pub(super) name: &'static str,
    /// Edits that cause it.
    pub(super) edits: &'static [Edit],
    /// Search that must find it.
    pub(super) search: Search,
}

/// One text and its replacement.
pub(super) struct Edit {
    /// Path of the file.
    pub(super) file: &'static str,
    /// Text to replace. It occurs once, regardless of formatting; see [`super::text::places`].
    pub(super) find: &'static str,
    /// Replacement.
    pub(super) replace: &'static str,
}

/// Search for a mutant.
pub(super) enum Search {
    /// Simulations, seed after seed.
    Simulation {
        /// Parameters of the simulations.
        world: World,
        /// Maximum number of seeds.
        seeds: u64,
        /// Invariants that may find it.
        expected: &'static [&'static str],
    },
    /// Tests of one package, which must fail.
    Tests {
        /// Name of the package.
        package: &'static str,
        /// Filter of the tests' names.
        filter: &'static str,
    },
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
        write!(f, "simulations with {}", self.faults)?;
        self.without
            .iter()
            .try_for_each(|net| write!(f, ", without {net}"))
    }
}

const fn simulation(world: World, seeds: u64, expected: &'static [&'static str]) -> Search {
    Search::Simulation {
        world,
        seeds,
        expected,
    }
}

const fn tests(package: &'static str, filter: &'static str) -> Search {
    Search::Tests { package, filter }
}

const HEALTH_STREAK: &str = "crates/chorus-pool/src/health/streak.rs";
const BREAKER: &str = "crates/chorus-pool/src/breaker.rs";
const ADMISSION_QUEUE: &str = "crates/chorus-pool/src/admission/queue.rs";
const ADMISSION_ASK: &str = "crates/chorus-pool/src/admission/ask.rs";
const MODEL_CHOICE: &str = "crates/chorus-pool/src/endpoint_index/model_choice.rs";
const ORDER: &str = "crates/chorus-pool/src/order.rs";
const DIRECTORY: &str = "crates/chorus-core/src/port/directory.rs";
const ROWS_WAIT: &str = "crates/chorus-store/src/rows/wait.rs";
const MEMORY_ATTEMPTS: &str = "crates/chorus-store/src/memory/attempts.rs";
const MEMORY_COMMIT: &str = "crates/chorus-store/src/memory/commit.rs";
const COMMIT_RULES: &str = "crates/chorus-store/src/rows/commit.rs";
const ATTEMPT_ROW: &str = "crates/chorus-store/src/rows/attempt.rs";
const LEDGER_ENDING: &str = "crates/chorus-limits/src/ledger/ending.rs";
const LIMITS_MEMORY: &str = "crates/chorus-limits/src/memory.rs";
const LEDGER_METER: &str = "crates/chorus-limits/src/ledger/meter.rs";
const LEDGER_TALLY: &str = "crates/chorus-limits/src/ledger/tally.rs";
const LEDGER_ADDRESSED: &str = "crates/chorus-limits/src/ledger/addressed.rs";
const RESTORATION: &str = "crates/chorus-dispatcher/src/restoration.rs";
const CLAIM_RULES: &str = "crates/chorus-core/src/attempt/claim.rs";
const ATTEMPT_QUEUE: &str = "crates/chorus-core/src/attempt/queue.rs";
const LEDGER_GROUP: &str = "crates/chorus-limits/src/ledger/group.rs";
const ENDPOINT_INDEX: &str = "crates/chorus-pool/src/endpoint_index.rs";
const CALL_RUNNER: &str = "crates/chorus-call/src/runner.rs";
const CALL_OUTCOME: &str = "crates/chorus-call/src/outcome.rs";
const CALL_SETTLE: &str = "crates/chorus-call/src/settle.rs";
const RECONCILER: &str = "crates/chorus-dispatcher/src/reconciler.rs";
const INTAKE: &str = "crates/chorus-worker/src/intake.rs";
const WORKER: &str = "crates/chorus-worker/src/worker.rs";
const FOLD: &str = "crates/chorus-orchestrator/src/fold.rs";
const PROJECT_MACHINES: &str = "crates/chorus-core/src/project/machine.rs";
const ORCHESTRATOR: &str = "crates/chorus-orchestrator/src/orchestrator.rs";

/// All mutants.
pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "finish without the epoch guard",
        edits: &[
            Edit {
                file: ATTEMPT_ROW,
                find: "if !self.is_held_by(*epoch, holder) {",
                replace: "if self.state != AttemptState::Running {",
            },
            Edit {
                file: ATTEMPT_ROW,
                find: "self.step(AttemptTrigger::from(&finish.outcome), *epoch, now)?",
                replace: "self.step(AttemptTrigger::from(&finish.outcome), self.epoch, now)?",
            },
        ],
        search: simulation(World::of("pauses"), 100, &["FencedReport"]),
    },
    Mutant {
        name: "a requeue that keeps the epoch",
        edits: &[
            Edit {
                file: ATTEMPT_ROW,
                find: r#"EpochRule::Next => self.epoch.next(),
            },"#,
                replace: r#"EpochRule::Next => self.epoch,
            },"#,
            },
        ],
        search: simulation(World::of("crashes"), 60, &["EpochGrows"]),
    },
    Mutant {
        name: "a claim without the epoch guard",
        edits: &[
            Edit {
                file: MEMORY_ATTEMPTS,
                find: "*row = row.claim(claim, now)?;",
                replace: r#"let again = AttemptRow { holder: Some(claim.holder.clone()), ..row.clone() };
            let running = row.state == AttemptState::Running;
            *row = row.claim(claim, now).or(running.then_some(again))?;"#,
            },
        ],
        search: simulation(World::of("bus"), 60, &["OneClaim"]),
    },
    Mutant {
        name: "a call before its lease is sent",
        edits: &[
            Edit {
                file: CALL_RUNNER,
                find: "let (ending, lease_end) = match cut.or(sending).await {",
                replace: "drop(sending);
        let (ending, lease_end) = match cut.or(async { Sent::Sent }).await {",
            },
        ],
        search: simulation(World::of("calm"), 10, &["CallNeedsLease"]),
    },
    Mutant {
        name: "expiry of a sent lease that refunds",
        edits: &[
            Edit {
                file: LEDGER_ENDING,
                find: "self.settle(lease, now, |_, part| { part.charged.is_none().then_some(part.set_aside) });",
                replace: "self.settle(lease, now, |_, _| Some(0));",
            },
        ],
        search: simulation(World::of("crashes"), 60, &["LedgerBalance"]),
    },
    Mutant {
        name: "a claimer that was denied ends the lease",
        edits: &[Edit {
            file: INTAKE,
            find: "    let claimed = delivery.map(|delivery| {",
            replace: "    if delivery.is_none()
        && let Ok(project) = record::project_of(&record)
        && let Ok(rows) = context.ports.deliveries.of_project(project).await
    {
        for row in rows.iter().filter(|row| row.attempt == claim.attempt && row.epoch == claim.epoch) {
            let end = chorus_core::limit::End::Refused { counts_request: false };
            let _ = context.ports.limits.end(row.assignment.lease.id, end).await;
        }
    }
    let claimed = delivery.map(|delivery| {",
        }],
        search: simulation(World::of("bus"), 60, &["CallNeedsLease"]),
    },
    Mutant {
        name: "a double end that charges twice",
        edits: &[
            Edit {
                file: LEDGER_ENDING,
                find: "(_, Life::Over { .. })",
                replace: "(End::Unused | End::Lost { .. } | End::Aborted { .. } | End::Refused { .. }, Life::Over { .. })",
            },
            Edit {
                file: LEDGER_ENDING,
                find: "(End::Used { usage, cost }, Life::Aborted { .. }) =>",
                replace: "(End::Used { usage, cost }, Life::Aborted { .. } | Life::Over { .. }) =>",
            },
            Edit { file: LEDGER_ENDING, find: "used - before", replace: "used - before * 0" },
        ],
        search: simulation(World::of("lost replies"), 60, &["LedgerBalance"]),
    },
    Mutant {
        name: "an unchecked reserve",
        edits: &[
            Edit {
                file: LEDGER_GROUP,
                find: "None => drop(freed.get_or_insert(ObstacleKind::Limit { dimension })),",
                replace: "None => {}",
            },
        ],
        search: simulation(World::of("calm"), 60, &["LimiterCount"]),
    },
    Mutant {
        name: "two keys of one organisation counted apart",
        edits: &[
            Edit {
                file: ENDPOINT_INDEX,
                find: ".map(|of| (Arc::new(of.group.clone()), of.models.clone()))",
                replace: r#".map(|of| {
                    let id = chorus_core::id::GroupId::new(format!("{}/{}", of.group.id, credential.id));
                    (Arc::new(QuotaGroup { id, ..of.group.clone() }), of.models.clone())
                })"#,
            },
        ],
        search: simulation(World::of("calm"), 60, &["ProviderCount"]),
    },
    Mutant {
        name: "a call cut at its deadline that frees its slot at once",
        edits: &[Edit {
            file: CALL_OUTCOME,
            find: "Stop::Failed(_) if self.now >= self.call.cut_at => {",
            replace: "Stop::Failed(_) if false => {",
        }],
        search: simulation(World::of("providers"), 60, &["ProviderCount"]),
    },
    Mutant {
        name: "a header that gives back a call that it had overtaken",
        edits: &[Edit {
            file: LEDGER_METER,
            find: "const OVERTAKEN: Millis = Millis(2_000);",
            replace: "const OVERTAKEN: Millis = Millis(0);",
        }],
        search: simulation(World::of("overtaking"), 100, &["ProviderCount"]),
    },
    Mutant {
        name: "a full bucket that fills while the call travels",
        edits: &[Edit { file: LEDGER_TALLY, find: "const TRAVEL: Millis = Millis(500);", replace: "const TRAVEL: Millis = Millis(0);" }],
        search: simulation(World::of("overtaking"), 100, &["ProviderCount"]),
    },
    Mutant {
        name: "a reserve after a flush without a restore",
        edits: &[
            Edit {
                file: LIMITS_MEMORY,
                find: r#"if state.lost {
            Err(LimiterError::StateLost)"#,
                replace: r#"if state.lost && now.0 < 0 {
            Err(LimiterError::StateLost)"#,
            },
        ],
        search: simulation(World::of("flushes"), 100, &["ProviderCount"]),
    },
    Mutant {
        name: "no reconciliation of unclaimed dispatches",
        edits: &[Edit {
            file: RECONCILER,
            find: "unclaimed_for: settings.unclaimed_after",
            replace: "unclaimed_for: chorus_core::time::Millis(u64::MAX / 4)",
        }],
        search: simulation(World::of("bus"), 60, &["NoProjectLost", "NothingLeft"]),
    },
    Mutant {
        name: "no reconciliation of stale beats",
        edits: &[Edit {
            file: RECONCILER,
            find: "silent_for: settings.beat_stale",
            replace: "silent_for: chorus_core::time::Millis(u64::MAX / 4)",
        }],
        search: simulation(World::of("crashes"), 60, &["NoProjectLost", "NothingLeft"]),
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
        search: simulation(World { faults: "orchestrators freeze", without: &["folded"] }, 100, &["OneWriter"]),
    },
    Mutant {
        name: "no deduplication of records",
        edits: &[Edit { file: MEMORY_COMMIT, find: " || commit.folded.iter().any(|id| self.rows.folded.contains(id))", replace: "" }],
        search: simulation(World::of("bus"), 60, &["FoldedOnce"]),
    },
    Mutant {
        name: "a cached aggregate kept after revocation",
        edits: &[
            Edit {
                file: ORCHESTRATOR,
                find: r#"self.forget(|partition| gone.contains(partition));
                }"#,
                replace: r#"self.queue.forget(|partition| gone.contains(partition));
                }"#,
            },
            Edit {
                file: FOLD,
                find: "let fresh = load(context, project, decided.artifacts).await?;",
                replace: "let fresh = load(context, project, ArtifactCache::default()).await?;",
            },
            Edit {
                file: FOLD,
                find: r#"retry(&mut batches, batch, expected == fresh.version);
                fresh"#,
                replace: r#"retry(&mut batches, batch, expected == fresh.version);
                Aggregate { version: fresh.version, seq: fresh.seq, ..decided }"#,
            },
        ],
        search: simulation(World::of("crashes"), 200, &["TerminalAbsorbs", "ReadyHasAttempt", "ParentPolicy", "NoProjectLost", "Panic"]),
    },
    Mutant {
        name: "a child inserted in a second transaction",
        edits: &[
            Edit {
                file: FOLD,
                find: r#"let committed = context
            .until_ok("commit a project", || {
                context.projects.commit(commit.clone())
            })
            .await;"#,
                replace: r#"let bare = Commit { attempts: Vec::new(), ..commit.clone() };
        let mut committed = context
            .until_ok("commit a project", || context.projects.commit(bare.clone()))
            .await;
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
            committed = context
                .until_ok("commit a project", || context.projects.commit(rest.clone()))
                .await;
        }"#,
            },
        ],
        search: simulation(World::of("calm"), 10, &["ReadyHasAttempt"]),
    },
    Mutant {
        name: "reconciling without the wait after an outage",
        edits: &[
            Edit {
                file: RECONCILER,
                find: "while context.store_health.is_well_for(settings.whole_lease(), context.now()) {",
                replace: "while settings.sweep_size > 0 {",
            },
        ],
        search: simulation(World::of("store only"), 100, &["PaidCallKept"]),
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
                find: "(End::Unused | End::Lost { .. }, Life::Reserved) =>",
                replace: "(End::Unused, Life::Sent { .. }) | (End::Unused | End::Lost { .. }, Life::Reserved) =>",
            },
        ],
        search: simulation(World::of("crashes"), 60, &["LedgerBalance"]),
    },
    Mutant {
        name: "records that are never swept",
        edits: &[
            Edit {
                file: RECONCILER,
                find: "context.publish(unsent.unwrap_or_default()).await;",
                replace: "drop(unsent);",
            },
        ],
        search: simulation(World::of("crashes"), 60, &["NothingLeft", "NoProjectLost"]),
    },
    Mutant {
        name: "the offset stored before the claim",
        edits: &[
            Edit {
                file: WORKER,
                find: "self.intake.take(record, at)",
                replace: r#"subscriber.ack(&at).await;
                    self.intake.take(record, at)"#,
            },
        ],
        search: simulation(World { faults: "workers die", without: &["unclaimed"] }, 300, &["NoProjectLost", "NothingLeft"]),
    },
    Mutant {
        name: "task.done acknowledged before it is folded",
        edits: &[
            Edit {
                file: ORCHESTRATOR,
                find: "self.receive(record, at, &mut subscriber).await",
                replace: r#"subscriber.ack(&at).await;
                    self.receive(record, at, &mut subscriber).await;"#,
            },
        ],
        search: simulation(World { faults: "orchestrators die", without: &["resend"] }, 300, &["NoProjectLost", "NothingLeft"]),
    },
    Mutant {
        name: "a forgotten end",
        edits: &[
            Edit {
                file: CALL_SETTLE,
                find: r#"until_ok_before(&*self.clock, give_up, "end a lease", || {
            self.limits.end(lease, end.clone())
        })
        .await;"#,
                replace: "let _ = (give_up, lease, end);",
            },
        ],
        search: simulation(World { faults: "calm", without: &["expiry"] }, 20, &["NothingLeft", "NoProjectLost"]),
    },
    Mutant {
        name: "a store that ignores may_move_to_sibling",
        edits: &[Edit {
            file: ATTEMPT_ROW,
            find: ".filter(|class| !class.rule().may_move_to_sibling)",
            replace: ".filter(|class| class.rule().http_status > 0)",
        }],
        search: Search::Tests {
            package: "chorus-simulation",
            filter: "the_memory_store_keeps_its_contract",
        },
    },
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
            file: ADMISSION_QUEUE,
            find: "request.refused_by = None;",
            replace: "request.refused_until = now;",
        }],
        search: tests("chorus-pool", "no_longer_than_its_binding"),
    },
    Mutant {
        name: "equal accounts that are used in the order of the file",
        edits: &[Edit {
            file: ADMISSION_ASK,
            find: "self.health.use_order(endpoint.account, &endpoint.provider)",
            replace: "(0_u32, endpoint.credential)",
        }],
        search: tests("chorus-pool", "accounts_without_limits_share_the_calls"),
    },
    Mutant {
        name: "calls that no worker has a slot for",
        edits: &[Edit {
            file: ADMISSION_ASK,
            find: "&& self.has_slot(&model.pool)",
            replace: "",
        }],
        search: tests("chorus-pool", "than_workers_have_slots"),
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
    Mutant {
        name: "an arrow of tasks that no code takes",
        edits: &[
            Edit {
                file: PROJECT_MACHINES,
                find: "pub const TASK_ARROWS: [Arrow<TaskStateKind>; 12] = {",
                replace: "pub const TASK_ARROWS: [Arrow<TaskStateKind>; 13] = {",
            },
            Edit {
                file: PROJECT_MACHINES,
                find: "Arrow::new(Pending, Skipped, \"policy can never hold\"),",
                replace: "Arrow::new(Pending, Skipped, \"policy can never hold\"),
        Arrow::new(Skipped, Ready, \"wanted again\"),",
            },
        ],
        search: Search::Tests {
            package: "chorus-core",
            filter: "every_arrow_of_the_tables_is_taken_and_no_other",
        },
    },
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
            replace: "let until = now + *grace + until.since(*until);",
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
            find: "shown + returned",
            replace: "shown",
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
            find: "join(reader.read(body), heard).await",
            replace: "(reader.read(body).await, heard.await)",
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
            find: "sent_at.is_none_or(|sent_at| sent_at <= self.since)",
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::text::places;

    #[test]
    fn the_text_of_every_mutant_occurs_once_in_its_file() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the workspace");
        let mut wrong = Vec::new();
        for mutant in MUTANTS {
            for edit in mutant.edits {
                let text = std::fs::read_to_string(root.join(edit.file)).unwrap_or_default();
                let count = places(&text, edit.find).len();
                if count != 1 {
                    wrong.push(format!(
                        "{}: {count} times in {}: {:?}",
                        mutant.name, edit.file, edit.find
                    ));
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}
