//! Kafka and Redis, where the configuration asks for them: [`bus`] and [`limits`].

use std::collections::BTreeSet;
use std::sync::Arc;

use chorus_core::id::Pool;
use chorus_core::port::Clock;
use chorus_core::port::error::full_text;

use super::finding::Finding;
use super::{PATIENCE, clocks};
use crate::app::{self, BusState, Group};
use crate::config::{BusKind, Config, LimitsKind};

const BUS: &str = "bus";
const LIMITS: &str = "limits";
/// Records that a group may be behind before a person should look.
const MUCH: u64 = 10_000;

/// The brokers: whether they answer, have the topics, and whether what lies there is read. Their state, when it can be used.
pub(super) async fn bus(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> (Option<BusState>, Vec<Finding>) {
    if config.bus.kind == BusKind::Embedded {
        return (None, Vec::new());
    }
    let brokers = &config.bus.brokers;
    let pools = config.catalog.pools();
    let asked = clock
        .deadline(
            clock.now() + PATIENCE,
            app::look_at_bus(&config.bus, &pools),
        )
        .await;
    let found = match asked {
        Some(Ok(state)) => {
            let findings = bus_state(brokers, &state);
            return (state.unfit.is_empty().then_some(state), findings);
        }
        Some(Err(error)) => vec![Finding::wrong(BUS, format!("Kafka at {brokers}: {}", full_text(error.as_ref()))).advise(
            "start the brokers, or mend bus.brokers (CHORUS_BUS_BROKERS), bus.security, bus.ca_file or the bus.sasl_ keys (a refused password \
             looks like this, too); the brokers' advertised.listeners must be reachable from here",
        )],
        None => vec![
            Finding::wrong(BUS, format!("Kafka at {brokers} gave no answer within {} s", PATIENCE.0 / 1000))
                .advise("see whether the address is right, and that bus.security fits the brokers' listener (TLS against plain text waits for ever)"),
        ],
    };
    (None, found)
}

/// Finding about the readers that a project needs: an orchestrator, and workers of the pools that its tasks go to.
pub(super) fn readers(state: &BusState, pools: &BTreeSet<Pool>) -> Finding {
    let needed = state
        .groups
        .iter()
        .filter(|group| group.pool.as_ref().is_none_or(|pool| pools.contains(pool)));
    let (there, absent): (Vec<&Group>, Vec<&Group>) = needed.partition(|group| group.members > 0);
    if absent.is_empty() {
        let there: Vec<String> = there
            .iter()
            .map(|group| format!("{} ({})", group.name, group.members))
            .collect();
        return Finding::well(BUS, format!("read by {}", there.join(", ")));
    }
    let names: Vec<&str> = absent.iter().map(|group| group.name.as_str()).collect();
    let start = |group: &&Group| match &group.pool {
        None => "`chorus orchestrator`".to_owned(),
        Some(pool) => format!("`chorus worker --pool {pool}`"),
    };
    let commands: Vec<String> = absent.iter().map(start).collect();
    Finding::doubtful(
        BUS,
        format!(
            "nobody reads as {}: projects wait for them",
            names.join(", ")
        ),
    )
    .advise(format!(
        "start {}, or `chorus serve` for all roles in one process",
        commands.join(", ")
    ))
}

fn bus_state(brokers: &str, state: &BusState) -> Vec<Finding> {
    if !state.unfit.is_empty() {
        let found = Finding::wrong(
            BUS,
            format!("Kafka at {brokers} answers, but {}", state.unfit.join(", ")),
        );
        return vec![
            found.advise("run `chorus migrate`; it makes what is missing. Partitions of a topic that is there are yours to change"),
        ];
    }
    let mut findings = vec![Finding::well(
        BUS,
        format!("Kafka at {brokers} answers and has every topic"),
    )];
    for group in state.groups.iter().filter(|group| group.behind > MUCH) {
        let found = Finding::doubtful(
            BUS,
            format!(
                "the group {} is {} records behind",
                group.name, group.behind
            ),
        );
        findings.push(
            found.advise("see that its processes run (/readyz) and are not starved; add some"),
        );
    }
    if state.letters > 0 {
        let found = Finding::doubtful(
            BUS,
            format!("{} records could not be read by anybody", state.letters),
        );
        findings
            .push(found.advise("`chorus dlq list` says why, `chorus dlq replay` sends them again"));
    }
    findings
}

/// The server of limits: whether it answers, may forget, and what time it thinks it is.
pub(super) async fn limits(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    if config.limits.kind == LimitsKind::Memory {
        return Vec::new();
    }
    let url = config.limits.url.url();
    let asked = clock.now();
    let state = match clock
        .deadline(asked + PATIENCE, app::look_at_limits(&config.limits))
        .await
    {
        Some(Ok(state)) => state,
        Some(Err(error)) => {
            let advice = "start it, or mend limits.url (CHORUS_LIMITS_URL): host, port, password, redis:// or rediss://";
            return vec![
                Finding::wrong(LIMITS, format!("{url}: {}", full_text(error.as_ref())))
                    .advise(advice),
            ];
        }
        None => {
            return vec![Finding::wrong(
                LIMITS,
                format!("{url} gave no answer within {} s", PATIENCE.0 / 1000),
            )];
        }
    };
    let mut findings = vec![Finding::well(
        LIMITS,
        format!("Redis {} at {url} answers", state.release),
    )];
    if state.eviction != "noeviction" || state.evicted > 0 {
        let what = format!(
            "it throws keys away when its memory is full ({}, {} so far): a key is a limit",
            state.eviction, state.evicted
        );
        findings
            .push(Finding::wrong(LIMITS, what).advise(
                "set maxmemory-policy noeviction, and give the ledger a server of its own",
            ));
    }
    findings.push(clocks(
        LIMITS,
        "the server's",
        state.now,
        asked,
        clock.now(),
    ));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(pool: Option<&str>, members: usize) -> Group {
        Group {
            name: format!("group of {}", pool.unwrap_or("orchestrators")),
            pool: pool.map(Pool::new),
            members,
            behind: 0,
        }
    }

    #[test]
    fn a_pool_without_a_worker_is_named_with_the_command_that_starts_one() {
        let state = BusState {
            unfit: Vec::new(),
            groups: vec![
                group(None, 1),
                group(Some("claude"), 2),
                group(Some("qwen"), 0),
                group(Some("gemini"), 0),
            ],
            letters: 0,
        };
        let pools = BTreeSet::from([Pool::new("claude"), Pool::new("qwen")]);
        let finding = readers(&state, &pools);
        assert!(finding.is_doubtful());
        let text = finding.to_string();
        assert!(
            text.contains("group of qwen") && text.contains("`chorus worker --pool qwen`"),
            "{text}"
        );
        assert!(!text.contains("gemini"), "no task goes there: {text}");
    }
}
