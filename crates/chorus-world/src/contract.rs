//! What every implementation of a port must do: one suite of named cases a port, run against each of them.
//! A case panics when the contract is broken. Runs print how many cases each adapter passed.

pub mod bus;
