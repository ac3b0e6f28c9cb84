//! Level that past calls left of one limit ([`PastLevel`]).

use chorus_core::time::Timestamp;

/// Level of one [`Limit`](chorus_core::limit::Limit).
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PastLevel {
    /// Amount left of a bucket or a calendar period.
    Left(i64),
    /// Charges inside a sliding window, oldest first.
    Charges(Vec<(Timestamp, i64)>),
    /// Nothing is charged on this limit.
    Unused,
}
