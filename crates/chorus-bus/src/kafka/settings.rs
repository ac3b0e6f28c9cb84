//! Connection to the brokers, and the options of producers and consumers that the design fixes.
//!
//! Times are settings because tests that kill members cannot wait for those of production. Deliberately absent: a
//! way to set any other option of librdkafka; an option that must be tuned becomes a field of [`Settings`].

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chorus_core::port::bus::BusError;
use chorus_core::time::Millis;
use rdkafka::config::{ClientConfig, RDKafkaLogLevel};

/// Addresses of the brokers, security and times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Bootstrap addresses, `host:port`, separated by commas.
    pub brokers: String,
    /// Prefix of the names of topics and groups, joined by a dot; none when empty.
    pub namespace: String,
    /// Encryption and login.
    pub security: Security,
    /// Client id in the brokers' logs; each connection appends its number.
    pub client: String,
    /// Replicas of each partition of topics that are created.
    pub replication: u16,
    /// Silence after which a member of a group loses its partitions to others.
    pub session_timeout: Millis,
    /// Time without acknowledgement after which a record counts as not published.
    pub delivery_timeout: Millis,
    /// Longest wait for an answer about topics, offsets and the broker itself.
    pub answer_timeout: Millis,
}

/// Encryption and login of the brokers' listener.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Security {
    /// No encryption, no login.
    #[default]
    Plaintext,
    /// Encryption without login.
    Ssl(Tls),
    /// Login without encryption: the password travels in the clear with `PLAIN`.
    SaslPlaintext(Login),
    /// Login over an encrypted connection.
    SaslSsl(Login, Tls),
}

/// Authorities of certificates that are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tls {
    /// PEM file of certificates; the machine's own store when absent.
    pub ca_file: Option<PathBuf>,
}

/// Username, password and mechanism.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// Mechanism of SASL.
    pub mechanism: Mechanism,
    /// Name that the broker knows.
    pub username: String,
    /// Password, which `Debug` leaves out.
    pub password: String,
}

/// Mechanism by which a password is proven to the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Sent as it is.
    Plain,
    /// Challenge and response over SHA-256.
    ScramSha256,
    /// Challenge and response over SHA-512.
    ScramSha512,
}

impl Settings {
    /// Settings for brokers without encryption or login.
    pub fn new(brokers: impl Into<String>) -> Self {
        Self {
            brokers: brokers.into(),
            namespace: String::new(),
            security: Security::Plaintext,
            client: format!("chorus-{}", std::process::id()),
            replication: 1,
            session_timeout: Millis::from_secs(10),
            delivery_timeout: Millis::from_secs(10),
            answer_timeout: Millis::from_secs(5),
        }
    }

    /// Fails when the settings name no broker or need a feature that this build lacks.
    pub fn check(&self) -> Result<(), BusError> {
        if self.brokers.trim().is_empty() {
            return Err(BusError::new("no broker is named"));
        }
        let scram = |login: &Login| login.mechanism != Mechanism::Plain;
        let wants_openssl = match &self.security {
            Security::Plaintext => false,
            Security::SaslPlaintext(login) => scram(login),
            Security::Ssl(_) | Security::SaslSsl(..) => true,
        };
        if wants_openssl && !cfg!(feature = "kafka-tls") {
            return Err(BusError::new(
                "this build speaks to Kafka without TLS and SCRAM: build it with the feature kafka-tls",
            ));
        }
        Ok(())
    }

    /// Options of every connection; `number` makes its client id unique.
    pub(super) fn connection(&self, number: u64) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config.set("client.id", format!("{}-{number}", self.client));
        // A deleted or recreated topic is noticed within 3 s, a broker that returned within 1 s.
        config.set("topic.metadata.refresh.interval.ms", "3000");
        config.set("reconnect.backoff.max.ms", "1000");
        config.set("socket.keepalive.enable", "true");
        config.set("socket.nagle.disable", "true");
        config.set_log_level(RDKafkaLogLevel::Notice);
        self.security.apply(&mut config);
        config
    }

    /// Options of a producer that waits `linger` milliseconds for a batch.
    pub(super) fn producer(&self, number: u64, linger: u32) -> ClientConfig {
        let mut config = self.connection(number);
        config.set("enable.idempotence", "true");
        config.set("acks", "all");
        config.set("compression.type", "lz4");
        config.set("linger.ms", linger.to_string());
        config.set("message.timeout.ms", self.delivery_timeout.0.to_string());
        config
    }

    /// Options of a member of a group. Offsets are stored by hand and committed within 250 ms: records that a
    /// killed member had acknowledged after that are delivered again and denied at their claim.
    pub(super) fn member(&self, number: u64, group: &str) -> ClientConfig {
        let mut config = self.reader(number, group);
        config.set("group.protocol", "classic");
        config.set("partition.assignment.strategy", "cooperative-sticky");
        config.set("session.timeout.ms", self.session_timeout.0.to_string());
        // Rebalances travel with heartbeats: often, so that partitions move fast.
        config.set(
            "heartbeat.interval.ms",
            (self.session_timeout.0 / 10).clamp(100, 1_000).to_string(),
        );
        config.set("enable.auto.commit", "true");
        config.set("auto.commit.interval.ms", "250");
        config
    }

    /// Options of a reader with fixed partitions, which commits nothing.
    pub(super) fn tail(&self, number: u64) -> ClientConfig {
        let mut config = self.reader(number, &self.named("tail"));
        config.set("enable.auto.commit", "false");
        config
    }

    /// Name of a topic or group in this namespace.
    pub(super) fn named(&self, name: &str) -> String {
        if self.namespace.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.namespace)
        }
    }

    fn reader(&self, number: u64, group: &str) -> ClientConfig {
        let mut config = self.connection(number);
        config.set("group.id", group);
        config.set("enable.auto.offset.store", "false");
        // Readers of a recreated topic begin at its start; a tail sets its first offsets.
        config.set("auto.offset.reset", "earliest");
        config.set("allow.auto.create.topics", "false");
        // Records are small and few: memory matters more than read-ahead.
        config.set("queued.min.messages", "2000");
        config.set("queued.max.messages.kbytes", "8192");
        config.set("fetch.error.backoff.ms", "250");
        config
    }
}

impl Security {
    fn apply(&self, config: &mut ClientConfig) {
        let (protocol, login, tls) = match self {
            Self::Plaintext => ("plaintext", None, None),
            Self::Ssl(tls) => ("ssl", None, Some(tls)),
            Self::SaslPlaintext(login) => ("sasl_plaintext", Some(login), None),
            Self::SaslSsl(login, tls) => ("sasl_ssl", Some(login), Some(tls)),
        };
        config.set("security.protocol", protocol);
        if let Some(login) = login {
            config.set("sasl.mechanism", login.mechanism.to_string());
            config.set("sasl.username", &login.username);
            config.set("sasl.password", &login.password);
        }
        if let Some(file) = tls.and_then(|tls| tls.ca_file.as_ref()) {
            config.set("ssl.ca.location", file.to_string_lossy());
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("mechanism", &self.mechanism)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        })
    }
}

/// Text that names no mechanism.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a login mechanism: expected PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512")]
pub struct UnknownMechanism(pub String);

impl FromStr for Mechanism {
    type Err = UnknownMechanism;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Plain, Self::ScramSha256, Self::ScramSha512]
            .into_iter()
            .find(|mechanism| mechanism.to_string().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownMechanism(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login {
            mechanism: Mechanism::ScramSha512,
            username: "chorus".to_owned(),
            password: "open sesame".to_owned(),
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let settings = Settings {
            security: Security::SaslSsl(login(), Tls::default()),
            ..Settings::new("host:9092")
        };
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("chorus") && !shown.contains("sesame"),
            "{shown}"
        );
    }

    #[test]
    fn a_login_reaches_the_connection() {
        let settings = Settings {
            security: Security::SaslPlaintext(login()),
            ..Settings::new("host:9092")
        };
        let config = settings.connection(7);
        assert_eq!(config.get("security.protocol"), Some("sasl_plaintext"));
        assert_eq!(config.get("sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(config.get("sasl.password"), Some("open sesame"));
        assert!(config.get("client.id").is_some_and(|id| id.ends_with("-7")));
    }

    #[test]
    fn what_needs_openssl_is_refused_by_a_build_without_it() {
        let tls = Settings {
            security: Security::Ssl(Tls::default()),
            ..Settings::new("host:9092")
        };
        let scram = Settings {
            security: Security::SaslPlaintext(login()),
            ..Settings::new("host:9092")
        };
        for settings in [tls, scram] {
            assert_eq!(settings.check().is_ok(), cfg!(feature = "kafka-tls"));
        }
        assert!(Settings::new("host:9092").check().is_ok());
        assert!(Settings::new(" ").check().is_err());
    }

    #[test]
    fn mechanisms_are_read_in_any_case() {
        assert_eq!("plain".parse(), Ok(Mechanism::Plain));
        assert_eq!("SCRAM-sha-256".parse(), Ok(Mechanism::ScramSha256));
        assert!("GSSAPI".parse::<Mechanism>().is_err());
    }
}
