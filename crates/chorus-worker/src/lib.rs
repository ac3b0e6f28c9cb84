//! One delivery: claim, call with the lease it was given, record.
