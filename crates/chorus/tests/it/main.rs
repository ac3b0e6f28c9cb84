//! The one integration-test binary: real adapters, real sockets, real processes.

mod account_troubles;
mod bad_input;
mod bad_models;
mod chronicle;
mod control;
mod demo;
mod deploy;
mod doctor;
mod fixture;
mod full_disk;
mod gateway;
mod kill;
#[cfg(feature = "distributed")]
mod limits;
mod local_model;
mod loop_of_briefs;
#[cfg(unix)]
mod operators;
mod process;
mod restart;
#[cfg(all(unix, feature = "distributed"))]
mod roles;
mod sick_wire;
mod store;
