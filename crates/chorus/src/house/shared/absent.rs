//! This program was built without them.

use std::sync::Arc;

use anyhow::bail;
use chorus_core::port::Clock;

use super::{SharedBus, SharedLimits};
use crate::config;

pub(in crate::house) async fn kafka(_: &config::Bus) -> anyhow::Result<SharedBus> {
    bail!("this program was built without Kafka")
}

pub(in crate::house) async fn redis(_: &config::Limits, _: &Arc<dyn Clock>) -> anyhow::Result<SharedLimits> {
    bail!("this program was built without Redis")
}
