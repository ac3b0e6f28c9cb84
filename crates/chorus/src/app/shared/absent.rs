//! Stand-ins for `present.rs` in a program that was built without Kafka and Redis.

use std::sync::Arc;

use anyhow::bail;
use chorus_core::id::Pool;
use chorus_core::port::Clock;
use chorus_core::port::bus::Topic;

use super::{BusState, DeadLetter, LimitsState, SharedBus, SharedLimits};
use crate::config;

const NO_KAFKA: &str = "this program was built without Kafka";
const NO_REDIS: &str = "this program was built without Redis";

pub(in crate::app) fn kafka(_: &config::Bus, _: Vec<Pool>) -> anyhow::Result<SharedBus> {
    bail!(NO_KAFKA)
}

pub(in crate::app) fn redis(
    _: &config::Limits,
    _: &Arc<dyn Clock>,
) -> anyhow::Result<SharedLimits> {
    bail!(NO_REDIS)
}

pub(crate) async fn create_topics(_: &config::Bus, _: &[Pool]) -> anyhow::Result<Vec<Topic>> {
    bail!(NO_KAFKA)
}

pub(crate) async fn dead_letters(_: &config::Bus) -> anyhow::Result<Vec<DeadLetter>> {
    bail!(NO_KAFKA)
}

pub(crate) async fn replay(
    _: &config::Bus,
    _: impl Fn(&DeadLetter) -> bool,
) -> anyhow::Result<Vec<DeadLetter>> {
    bail!(NO_KAFKA)
}

pub(crate) async fn look_at_bus(_: &config::Bus, _: &[Pool]) -> anyhow::Result<BusState> {
    bail!(NO_KAFKA)
}

pub(crate) async fn look_at_limits(_: &config::Limits) -> anyhow::Result<LimitsState> {
    bail!(NO_REDIS)
}
