//! Stores of projects, attempts, deliveries, records, leaders, accounts, keys and artifacts.
//!
//! Two implementations of the same ports: [`memory::Store`] is the model that the others are compared with and
//! that the simulation runs on; [`sql::Store`] keeps the rows in SQLite or PostgreSQL from one SQL text. Pure
//! rules that both obey (money, steps of attempts, checks of a commit) are in [`rows`]. [`LocalDirectory`] keeps
//! artifacts as files.
//!
//! Deliberately absent: decisions about projects (the orchestrator's), calls, limits, the bus.

pub mod data_dir;
pub mod lasting_failure;
pub mod local_directory;
pub mod memory;
pub mod rows;
pub mod sql;

pub use data_dir::DataDir;
pub use lasting_failure::LastingFailure;
pub use local_directory::LocalDirectory;
