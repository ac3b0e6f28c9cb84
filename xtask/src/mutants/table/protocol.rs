//! Mutants of the delivery protocol: rows, leases, records and leadership.

use super::{Edit, Mutant, Search, World, simulation};

const MEMORY_ATTEMPTS: &str = "crates/chorus-store/src/memory/attempts.rs";
const MEMORY_COMMIT: &str = "crates/chorus-store/src/memory/commit.rs";
const COMMIT_RULES: &str = "crates/chorus-store/src/rows/commit.rs";
const ATTEMPT_ROW: &str = "crates/chorus-store/src/rows/attempt.rs";
const LEDGER_ENDING: &str = "crates/chorus-limits/src/ledger/ending.rs";
const LIMITS_MEMORY: &str = "crates/chorus-limits/src/memory.rs";
const LEDGER_METER: &str = "crates/chorus-limits/src/ledger/meter.rs";
const LEDGER_TALLY: &str = "crates/chorus-limits/src/ledger/tally.rs";
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
                find: "self.on_success(lease); } self.over(lease, now, true);",
                replace: "self.on_success(lease); }
                self.free(lease, now);
                self.live_on(lease, Life::Expired { until: now + REMEMBERED });",
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
                find: "None => drop(freed.get_or_insert(kind))",
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
                find: "load(context, project, decided.artifacts).await?",
                replace: "load(context, project, ArtifactCache::default()).await?",
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
            .until_answered("commit a project", || {
                context.projects.commit(commit.clone())
            })
            .await?;"#,
                replace: r#"let bare = Commit { attempts: Vec::new(), ..commit.clone() };
        let mut committed = context
            .until_answered("commit a project", || context.projects.commit(bare.clone()))
            .await?;
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
                .until_answered("commit a project", || context.projects.commit(rest.clone()))
                .await?;
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
        name: "an arrow of tasks that no code takes",
        edits: &[
            Edit {
                file: PROJECT_MACHINES,
                find: "pub const TASK_ARROWS: [Arrow<TaskStateKind>; 21] = {",
                replace: "pub const TASK_ARROWS: [Arrow<TaskStateKind>; 22] = {",
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
];
