//! Tables of what fits and what does not.

use std::path::Path;

use super::*;
use crate::config::load::{Environment, load};

const WHOLE: Built = Built {
    distributed: true,
    tls: true,
};
const SMALL: Built = Built {
    distributed: false,
    tls: false,
};

struct Nothing;

impl Environment for Nothing {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn own(&self) -> Vec<(String, String)> {
        Vec::new()
    }
}

/// The defaults with these values in their place.
fn config(change: impl FnOnce(&mut Config)) -> Config {
    let mut config = load(None::<&Path>, &Nothing).expect("the defaults are valid");
    change(&mut config);
    config
}

fn verdict(built: Built, change: impl FnOnce(&mut Config)) -> String {
    check(&config(change), built, "my.toml")
        .map_or_else(|refusal| refusal.to_string(), |()| "fits".to_owned())
}

fn kafka(config: &mut Config) {
    config.bus.kind = BusKind::Kafka;
    config.bus.brokers = "127.0.0.1:9092".to_owned();
}

fn shared(config: &mut Config) {
    kafka(config);
    config.database.url = "postgres://chorus:s3cret@127.0.0.1/chorus".into();
    config.limits.kind = LimitsKind::Redis;
    config.limits.url = "redis://:s3cret@127.0.0.1:6379".into();
}

#[test]
fn sections_that_fit_each_other_are_taken() {
    assert_eq!(verdict(SMALL, |_| {}), "fits");
    assert_eq!(verdict(WHOLE, shared), "fits");
    assert_eq!(
        verdict(SMALL, |config| config.database.url =
            "postgres://127.0.0.1/chorus".into()),
        "fits",
        "PostgreSQL alone"
    );
    assert_eq!(
        verdict(WHOLE, |config| {
            shared(config);
            config.database.url = Default::default();
        }),
        "fits",
        "SQLite with the rest"
    );
    assert_eq!(
        verdict(WHOLE, |config| {
            shared(config);
            config.bus.security = Security::SaslSsl;
            config.bus.sasl_mechanism = "SCRAM-SHA-512".to_owned();
            config.bus.sasl_username = "chorus".to_owned();
            config.bus.sasl_password = "s3cret".into();
            config.bus.ca_file = "/etc/ca.pem".to_owned();
        }),
        "fits"
    );
}

/// A configuration that does not fit: build, change, key that the refusal names, part of its text.
type Misfit = (Built, fn(&mut Config), &'static str, &'static str);

fn misfits_of_bus_and_limits() -> [Misfit; 8] {
    [
        (
            WHOLE,
            |c| {
                shared(c);
                c.bus.brokers.clear();
            },
            "bus.brokers",
            "127.0.0.1:9092",
        ),
        (
            WHOLE,
            |c| c.bus.brokers = "x:1".to_owned(),
            "bus.brokers",
            "set bus.kind",
        ),
        (SMALL, shared, "bus.kind", "--features distributed"),
        (
            SMALL,
            |c| {
                c.limits.kind = LimitsKind::Redis;
                c.limits.url = "redis://x".into();
            },
            "limits.kind",
            "--features distributed",
        ),
        (
            WHOLE,
            |c| {
                shared(c);
                c.limits.url = Default::default();
            },
            "limits.url",
            "redis://127.0.0.1:6379",
        ),
        (
            WHOLE,
            |c| c.limits.url = "redis://:s3cret@x".into(),
            "limits.url",
            "set limits.kind",
        ),
        (
            WHOLE,
            |c| {
                shared(c);
                c.limits.url = "http://:s3cret@x".into();
            },
            "limits.url",
            "expected \"redis://",
        ),
        (WHOLE, kafka, "limits.kind", "share the ledger"),
    ]
}

fn misfits_of_database_and_security() -> [Misfit; 6] {
    [
        (
            WHOLE,
            |c| c.database.url = "mysql://me:s3cret@x/y".into(),
            "database.url",
            "expected \"postgres://",
        ),
        (
            SMALL,
            |c| c.database.url = "postgres://me:s3cret@x/y?sslmode=require".into(),
            "database.url",
            "distributed,tls",
        ),
        (
            WHOLE,
            |c| c.database.connections = 0,
            "database.connections",
            "at least 1",
        ),
        (
            WHOLE,
            |c| {
                shared(c);
                c.bus.security = Security::SaslPlaintext;
            },
            "bus.sasl_mechanism",
            "needs it",
        ),
        (
            WHOLE,
            |c| {
                shared(c);
                c.bus.sasl_password = "s3cret".into();
            },
            "bus.sasl_password",
            "would not use it",
        ),
        (
            WHOLE,
            |c| {
                shared(c);
                c.bus.replication = 0;
            },
            "bus.replication",
            "at least 1",
        ),
    ]
}

#[test]
fn what_does_not_fit_is_named_with_the_key_and_without_secrets() {
    let cases = misfits_of_bus_and_limits()
        .into_iter()
        .chain(misfits_of_database_and_security());
    for (built, change, key, words) in cases {
        let refusal = verdict(built, change);
        assert!(
            refusal.starts_with(&format!("my.toml: key `{key}`:")) && refusal.contains(words),
            "{key}: {refusal}"
        );
        assert!(!refusal.contains("s3cret"), "{refusal}");
    }
}

#[test]
fn a_role_alone_is_told_all_that_it_lacks_at_once() {
    let refusal = config(|_| {})
        .check_role(&ProcessRole::Worker(Vec::new()))
        .expect_err("nothing is shared")
        .to_string();
    for words in [
        "chorus worker",
        "database.url",
        "bus.kind",
        "limits.kind",
        "chorus serve",
    ] {
        assert!(refusal.contains(words), "{refusal}");
    }
    config(shared)
        .check_role(&ProcessRole::Worker(Vec::new()))
        .expect("all is shared");
}

#[test]
fn artifacts_go_where_the_database_is_shared() {
    assert!(!config(|_| {}).artifacts_in_database());
    assert!(config(shared).artifacts_in_database());
    assert!(
        !config(|config| {
            shared(config);
            config.artifacts.place = ArtifactPlace::Directory;
        })
        .artifacts_in_database()
    );
}

#[test]
fn a_whole_configuration_shows_no_secret() {
    let text = format!("{:?}", config(shared));
    assert!(!text.contains("s3cret"), "{text}");
}
