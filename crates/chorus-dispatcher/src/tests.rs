//! Dispatchers over the in-memory ports, under virtual time, with a store that may fail.

mod feedback;
mod fixture;
mod outages;
mod queueing;
mod reading;
mod rows;
mod waiting;
