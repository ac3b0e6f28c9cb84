//! Shared limiter state: the ledger of limits and leases, in memory.
