//! Kafka and Redis, where the configuration asks for them.

use std::sync::Arc;

use chorus_core::port::Clock;

use super::finding::Finding;
use super::{PATIENCE, clocks};
use crate::config::{BusKind, Config, LimitsKind};
use crate::house::{self, BusState, Staff};

const BUS: &str = "bus";
const LIMITS: &str = "limits";
/// Records that a group may be behind before a person should look.
const MUCH: u64 = 10_000;

/// The brokers: whether they answer, have the topics, and whether anybody reads them.
pub(super) async fn bus(config: &Config, clock: &Arc<dyn Clock>) -> Vec<Finding> {
    if config.bus.kind == BusKind::Embedded {
        return Vec::new();
    }
    let brokers = &config.bus.brokers;
    let pools = Staff::pools();
    let asked = clock.deadline(clock.now() + PATIENCE, house::look_at_bus(&config.bus, &pools)).await;
    match asked {
        Some(Ok(state)) => bus_state(brokers, &state),
        Some(Err(error)) => vec![Finding::wrong(BUS, format!("Kafka at {brokers}: {error:#}")).advise(
            "start the brokers, or mend bus.brokers (CHORUS_BUS_BROKERS), bus.security, bus.ca_file or the bus.sasl_ keys (a refused password \
             looks like this, too); the brokers' advertised.listeners must be reachable from here",
        )],
        None => vec![
            Finding::wrong(BUS, format!("Kafka at {brokers} gave no answer within {} s", PATIENCE.0 / 1000))
                .advise("see whether the address is right, and that bus.security fits the brokers' listener (TLS against plain text waits for ever)"),
        ],
    }
}

fn bus_state(brokers: &str, state: &BusState) -> Vec<Finding> {
    if !state.unfit.is_empty() {
        let found = Finding::wrong(BUS, format!("Kafka at {brokers} answers, but {}", state.unfit.join(", ")));
        return vec![
            found.advise("run `chorus migrate`; it makes what is missing. Partitions of a topic that is there are yours to change"),
        ];
    }
    let mut findings = vec![Finding::well(BUS, format!("Kafka at {brokers} answers and has every topic"))];
    for (group, behind) in state.lag.iter().filter(|(_, behind)| *behind > MUCH) {
        let found = Finding::doubtful(BUS, format!("the group {group} is {behind} records behind"));
        findings.push(found.advise("see that its processes run (/readyz) and are not starved; add some"));
    }
    if state.letters > 0 {
        let found = Finding::doubtful(BUS, format!("{} records could not be read by anybody", state.letters));
        findings.push(found.advise("`chorus dlq list` says why, `chorus dlq replay` sends them again"));
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
    let state = match clock.deadline(asked + PATIENCE, house::look_at_limits(&config.limits)).await {
        Some(Ok(state)) => state,
        Some(Err(error)) => {
            let advice = "start it, or mend limits.url (CHORUS_LIMITS_URL): host, port, password, redis:// or rediss://";
            return vec![Finding::wrong(LIMITS, format!("{url}: {error:#}")).advise(advice)];
        }
        None => return vec![Finding::wrong(LIMITS, format!("{url} gave no answer within {} s", PATIENCE.0 / 1000))],
    };
    let mut findings = vec![Finding::well(LIMITS, format!("Redis {} at {url} answers", state.release))];
    if state.eviction != "noeviction" || state.evicted > 0 {
        let what = format!("it throws keys away when its memory is full ({}, {} so far): a key is a limit", state.eviction, state.evicted);
        findings.push(Finding::wrong(LIMITS, what).advise("set maxmemory-policy noeviction, and give the ledger a server of its own"));
    }
    findings.push(clocks(LIMITS, "the server's", state.now, asked, clock.now()));
    findings
}
