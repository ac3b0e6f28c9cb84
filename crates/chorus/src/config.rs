//! The configuration: one struct a section, every key in `chorus.default.toml`, unknown keys refused.
//!
//! The loader here is the only code that reads the environment. Errors name file, key, what was found and
//! what was expected.

mod check;
mod error;
mod hidden;
mod load;
mod section;
mod services;

pub(crate) use check::Role;
pub(crate) use error::ConfigError;
pub(crate) use load::{Environment, Process, load};
pub(crate) use section::{Config, Dollars, LogFormat, Roles};
#[cfg(feature = "distributed")]
pub(crate) use services::Security;
pub(crate) use services::{Bus, BusKind, GatewayAuth, Limits, LimitsKind};

/// The defaults, which are also their documentation.
pub(crate) const DEFAULTS: &str = include_str!("../../../chorus.default.toml");
