//! Dispatchers over the in-memory ports, under virtual time, with a store that may fail.

mod house;
mod outages;
mod queueing;
