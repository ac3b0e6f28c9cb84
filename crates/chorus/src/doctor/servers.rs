//! Kafka and Redis, where the configuration asks for them.

use std::sync::Arc;

use chorus_core::port::Clock;

use super::finding::Finding;
use crate::config::Config;

pub(super) async fn bus(_: &Config) -> Vec<Finding> {
    Vec::new()
}

pub(super) async fn limits(_: &Config, _: &Arc<dyn Clock>) -> Vec<Finding> {
    Vec::new()
}
