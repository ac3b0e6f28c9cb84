//! Limits of a quota group with their levels ([`LimitResource`]), as operators read them.

use chorus_core::limit::{Dimension, Limit, Window};
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// One limit. Every level is absent where no process with a ledger was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LimitResource {
    /// Dimension that is counted.
    pub dimension: Dimension,
    /// Window of the limit.
    pub window: Window,
    /// Amount that was configured at the import.
    pub configured: u64,
    /// Amount in force: as the provider showed it last, else the configured one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_force: Option<u64>,
    /// Amount that new calls can take now; below zero when more is used than the limit allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<i64>,
    /// Amount that calls under way reserve.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<u64>,
    /// Time at which the whole amount is free, if nothing more is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_at_ms: Option<Timestamp>,
    /// Source of the level: `own`, `header`, `refusal`, `past` or `configured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Time of the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_at_ms: Option<Timestamp>,
}

impl LimitResource {
    /// A limit of which no level is known.
    pub fn configured(limit: &Limit) -> Self {
        Self {
            dimension: limit.dimension,
            window: limit.window,
            configured: limit.amount,
            in_force: None,
            room: None,
            held: None,
            full_at_ms: None,
            source: None,
            source_at_ms: None,
        }
    }
}
