//! What must not be lost: projects, attempts, deliveries, records, leaders, accounts and artifacts.
//!
//! Two implementations of the same ports: `memory` is the plain model that the others are held against and
//! what the test world runs on; the SQL store keeps everything in SQLite or PostgreSQL from one SQL text. Rules
//! that both obey (money, arrows of an attempt's row, what a commit must look like) are pure and live in `rows`.
//!
//! Deliberately absent: decisions about projects (the orchestrator's), calls, limits, the bus.

pub mod data_dir;
pub mod local_directory;
pub mod memory;
pub mod rows;
pub mod sql;
pub mod trouble;

pub use data_dir::DataDir;
pub use local_directory::LocalDirectory;
pub use trouble::Trouble;
