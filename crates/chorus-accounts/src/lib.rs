//! Rules by which accounts come into the directory: files are read, rows checked, secrets sealed.
//!
//! [`read`] takes a file apart into [`Row`]s, [`variable_rows`] makes rows of the usual variables, and an
//! [`Importer`] keeps the good rows and reports every [`Refused`] one with its reason and what to do.
//! An [`AccountOperator`] carries out what is done to stored accounts, with an audit of every act.
//! [`chorus_vault`] seals secrets and refuses what is no official key; the `Directory` port stores.
//!
//! Deliberately absent: the process environment, output, HTTP. The caller passes variables in and prints the
//! [`Report`].

mod environment;
mod file;
mod import;
mod operator;
mod quota_groups;
mod reported_limits;
mod row;

pub use environment::variable_rows;
pub use file::{BrokenRow, FileError, read};
pub use import::{ImportError, Importer, Refused, Report, Updated};
pub use operator::{
    AccountOperator, Author, Checkup, OperatorError, Pause, Rotated, Rotation, Selection,
};
pub use row::{CredentialRow, Identity, Row, Written, end_of_day};
