//! The configuration: one struct a section, every key in `chorus.default.toml`, unknown keys refused.
//!
//! The loader here is the only code that reads the environment. Errors name file, key, what was found and
//! what was expected.

mod check;
mod dollars;
mod error;
mod hidden;
mod load;
mod process_role;
mod section;
mod services;
mod values;

pub(crate) use dollars::Dollars;
pub(crate) use error::ConfigError;
pub(crate) use load::{Environment, ProcessEnvironment, load};
pub(crate) use process_role::ProcessRole;
pub(crate) use section::{Config, LogFormat, Roles};
#[cfg(feature = "distributed")]
pub(crate) use services::Security;
pub(crate) use services::{Bus, BusKind, GatewayAuth, Limits, LimitsKind};

/// Tenant of every project and account on a machine that one person uses alone.
pub(crate) const LOCAL_TENANT: &str = "local";

/// Text of `chorus.default.toml`: every key with its default and its reason.
pub(crate) const DEFAULTS: &str = include_str!("../../../chorus.default.toml");
