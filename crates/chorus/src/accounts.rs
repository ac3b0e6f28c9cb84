//! Accounts from files and from the environment, checked row by row: good rows are kept, each refused row is
//! named with the reason and what to do.
//!
//! Neighbours: `chorus-vault` seals secrets and knows which are not for us; `Directory` stores.

mod environment;
mod file;
mod import;
mod row;

pub(crate) use environment::from_environment;
pub(crate) use file::read;
pub(crate) use import::Importer;
pub(crate) use row::{CredentialRow, Identity, Row};
