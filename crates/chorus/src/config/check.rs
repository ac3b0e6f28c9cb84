//! Checks that sections fit each other and the features of this build. An error names the key and what to set.

use super::services::{ArtifactPlace, Bus, BusKind, Database, Limits, LimitsKind, Security};
use super::values::{Misfit, values};
use super::{Config, ConfigError, ProcessRole};

/// Features of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Built {
    /// Kafka and Redis.
    pub(super) distributed: bool,
    /// TLS to all three services.
    pub(super) tls: bool,
}

/// This program.
pub(super) const BUILT: Built = Built {
    distributed: cfg!(feature = "distributed"),
    tls: cfg!(feature = "tls"),
};

impl Config {
    /// Returns an error that lists everything missing if a process of this role needs services shared with other
    /// processes and the configuration names none.
    pub(crate) fn check_role(&self, role: &ProcessRole) -> Result<(), ConfigError> {
        if matches!(role, ProcessRole::All) {
            return Ok(());
        }
        let mut missing = Vec::new();
        if !self.database.is_shared() {
            missing.push("database.url = \"postgres://…\" (SQLite's file belongs to one process)");
        }
        if self.bus.kind != BusKind::Kafka {
            missing.push(
                "bus.kind = \"kafka\" with bus.brokers (the embedded bus ends with its process)",
            );
        }
        if self.limits.kind != LimitsKind::Redis {
            missing.push("limits.kind = \"redis\" with limits.url (a ledger in memory is seen by one process)");
        }
        if missing.is_empty() {
            return Ok(());
        }
        Err(ConfigError::Alone {
            role: role.name(),
            missing: missing.join("; "),
        })
    }

    /// The database as it may be shown.
    pub(crate) fn database_name(&self) -> String {
        if self.database.is_shared() {
            self.database.url.url()
        } else {
            format!("SQLite in {}", self.data.dir.display())
        }
    }

    /// Returns true if artifacts are rows of the database.
    pub(crate) fn artifacts_in_database(&self) -> bool {
        match self.artifacts.place {
            ArtifactPlace::Auto => self.database.is_shared(),
            ArtifactPlace::Directory => false,
            ArtifactPlace::Database => true,
        }
    }
}

/// The first thing that does not fit.
pub(super) fn check(config: &Config, built: Built, file: &str) -> Result<(), ConfigError> {
    let checks = [
        database(&config.database, built),
        bus(&config.bus, built),
        limits(&config.limits, built),
        together(config),
        values(config),
    ];
    let refusal = |(key, reason): Misfit| ConfigError::Key {
        file: file.to_owned(),
        key: key.to_owned(),
        reason,
    };
    checks
        .into_iter()
        .collect::<Result<(), Misfit>>()
        .map_err(refusal)
}

fn database(database: &Database, built: Built) -> Result<(), Misfit> {
    if database.connections == 0 {
        return Err((
            "database.connections",
            "found 0, expected at least 1".to_owned(),
        ));
    }
    if !database.is_shared() {
        return Ok(());
    }
    let url = database.url.expose();
    if !["postgres://", "postgresql://"]
        .iter()
        .any(|scheme| url.starts_with(scheme))
    {
        return Err((
            "database.url",
            "expected \"postgres://user:password@host:5432/name\", or nothing for SQLite"
                .to_owned(),
        ));
    }
    let wants_tls = [
        "sslmode=require",
        "sslmode=verify-ca",
        "sslmode=verify-full",
    ]
    .iter()
    .any(|mode| url.contains(mode));
    if wants_tls && !built.tls {
        return Err(("database.url", without("TLS", "distributed,tls")));
    }
    Ok(())
}

/// SASL mechanisms that are supported.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

fn bus(bus: &Bus, built: Built) -> Result<(), Misfit> {
    match (bus.kind, bus.brokers.is_empty()) {
        (BusKind::Kafka, _) if !built.distributed => {
            return Err(("bus.kind", without("Kafka", "distributed")));
        }
        (BusKind::Kafka, true) => {
            return Err((
                "bus.brokers",
                "bus.kind is \"kafka\", expected brokers such as \"127.0.0.1:9092\"".to_owned(),
            ));
        }
        (BusKind::Embedded, false) => {
            return Err((
                "bus.brokers",
                "bus.kind is \"embedded\", which has none; set bus.kind = \"kafka\"".to_owned(),
            ));
        }
        (BusKind::Kafka, false) | (BusKind::Embedded, true) => {}
    }
    if bus.security != Security::Plaintext && !built.tls {
        return Err(("bus.security", without("TLS and SASL", "distributed,tls")));
    }
    let by_name = [
        ("bus.sasl_mechanism", bus.sasl_mechanism.is_empty()),
        ("bus.sasl_username", bus.sasl_username.is_empty()),
        ("bus.sasl_password", bus.sasl_password.is_empty()),
    ];
    let security = bus.security.name();
    for (key, empty) in by_name {
        match (bus.security.has_sasl(), empty) {
            (true, true) => {
                return Err((
                    key,
                    format!("is empty, and bus.security = \"{security}\" needs it"),
                ));
            }
            (false, false) => {
                return Err((
                    key,
                    format!(
                        "is set, and bus.security = \"{security}\" would not use it; expected \"sasl_ssl\" there"
                    ),
                ));
            }
            (true, false) | (false, true) => {}
        }
    }
    if bus.security.has_sasl() && !MECHANISMS.contains(&bus.sasl_mechanism.as_str()) {
        let known = MECHANISMS.join(", ");
        return Err((
            "bus.sasl_mechanism",
            format!("found {:?}, expected one of: {known}", bus.sasl_mechanism),
        ));
    }
    if bus.replication == 0 {
        return Err(("bus.replication", "found 0, expected at least 1".to_owned()));
    }
    if !bus.ca_file.is_empty() && !bus.security.has_tls() {
        return Err((
            "bus.ca_file",
            format!(
                "is set, and bus.security = \"{security}\" has no TLS; expected \"ssl\" or \"sasl_ssl\" there"
            ),
        ));
    }
    Ok(())
}

fn limits(limits: &Limits, built: Built) -> Result<(), Misfit> {
    let url = limits.url.expose();
    match (limits.kind, url.is_empty()) {
        (LimitsKind::Redis, _) if !built.distributed => {
            Err(("limits.kind", without("Redis", "distributed")))
        }
        (LimitsKind::Redis, true) => Err((
            "limits.url",
            "limits.kind is \"redis\", expected a URL such as \"redis://127.0.0.1:6379\""
                .to_owned(),
        )),
        (LimitsKind::Memory, false) => Err((
            "limits.url",
            "limits.kind is \"memory\", which has none; set limits.kind = \"redis\"".to_owned(),
        )),
        (LimitsKind::Redis, false) if url.starts_with("rediss://") && !built.tls => {
            Err(("limits.url", without("TLS", "distributed,tls")))
        }
        (LimitsKind::Redis, false)
            if !url.starts_with("redis://") && !url.starts_with("rediss://") =>
        {
            Err((
                "limits.url",
                "expected \"redis://host:6379\" or \"rediss://host:6379\"".to_owned(),
            ))
        }
        (LimitsKind::Redis, false) | (LimitsKind::Memory, true) => Ok(()),
    }
}

/// Kafka hands work to every process, so all of them must keep one ledger.
fn together(config: &Config) -> Result<(), Misfit> {
    if config.bus.kind == BusKind::Kafka && config.limits.kind == LimitsKind::Memory {
        return Err((
            "limits.kind",
            "found \"memory\", and bus.kind is \"kafka\": processes that share work must share the ledger of limits; \
             expected \"redis\" with limits.url"
                .to_owned(),
        ));
    }
    Ok(())
}

fn without(what: &str, features: &str) -> String {
    format!(
        "this program was built without {what}; build it with `cargo build --release --features {features}`"
    )
}

#[cfg(test)]
mod tests;
