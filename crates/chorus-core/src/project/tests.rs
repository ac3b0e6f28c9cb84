//! Behaviour of the project machine, driven through [`fixture::Fixture`]: it hands commands and finished
//! attempts to a project as a shell would, and checks every decision against the invariants of a project.

mod attention;
mod cases;
mod commands;
mod coverage;
pub(super) mod fixture;
mod inconsistent;
mod judging;
mod properties;
pub(super) mod recorder;
mod script;
