//! The ports: interfaces that services need and adapters implement, one trait a file, seven methods
//! at most. [`Ports`] holds one of each; [`subscriber`], [`relay`] and [`retry`] are made of ports and
//! nothing else.
//!
//! Services hold ports as `Arc<dyn …>`; only the binary and the simulation name an adapter. Every
//! port has one contract suite that all its implementations pass. [`error`] says how a caller may
//! react to a failure.

pub mod artifacts;
pub mod attempts;
pub mod audit;
pub mod bus;
pub mod clock;
pub mod deliveries;
pub mod directory;
pub mod error;
pub mod keys;
pub mod leaders;
pub mod limit_state;
pub mod outbox;
mod ports;
pub mod projects;
pub mod relay;
pub mod retry;
pub mod subscriber;
pub mod upstream;
pub mod waits;
pub mod workers;

pub use artifacts::ArtifactStore;
pub use attempts::Attempts;
pub use audit::Audit;
pub use bus::Bus;
pub use clock::Clock;
pub use deliveries::Deliveries;
pub use directory::Directory;
pub use error::StoreError;
pub use keys::Keys;
pub use leaders::Leaders;
pub use limit_state::{LimitLevels, LimitState};
pub use outbox::Outbox;
pub use ports::Ports;
pub use projects::Projects;
pub use upstream::Upstream;
pub use waits::Waits;
pub use workers::Workers;
