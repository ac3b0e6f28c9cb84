//! [Findings](Finding) about this machine: configuration, envelope key, data folder.

use chorus_vault::EnvelopeKey;

use super::finding::Finding;
use crate::config::{BusKind, Config, LimitsKind};

/// The configuration was read and fits together, or nothing would have come here: what it amounts to.
pub(super) fn configuration(config: &Config) -> Finding {
    let bus = match config.bus.kind {
        BusKind::Embedded => "embedded bus".to_owned(),
        BusKind::Kafka => format!("Kafka at {}", config.bus.brokers),
    };
    let limits = match config.limits.kind {
        LimitsKind::Memory => "limits in memory".to_owned(),
        LimitsKind::Redis => format!("limits in {}", config.limits.url.url()),
    };
    let artifacts = if config.artifacts_in_database() {
        "the database"
    } else {
        "files"
    };
    Finding::well(
        "configuration",
        format!(
            "{}, {bus}, {limits}, artifacts in {artifacts}",
            config.database_name()
        ),
    )
}

/// The key that seals credentials; it is not made here.
pub(super) fn key(config: &Config) -> (Option<EnvelopeKey>, Finding) {
    const PART: &str = "envelope key";
    let (given, file) = (&config.data.key, &config.data.key_file);
    let (place, key) = if given.is_empty() {
        (file.display().to_string(), EnvelopeKey::from_file(file))
    } else {
        (
            "data.key".to_owned(),
            EnvelopeKey::from_text(given.expose()),
        )
    };
    match key {
        Ok(key) => {
            let found = Finding::well(
                PART,
                format!("{} of {place}; keep a copy elsewhere", key.id()),
            );
            (Some(key), found)
        }
        Err(_) if given.is_empty() && !file.exists() && !config.database.is_shared() => (
            None,
            Finding::well(PART, format!("not made yet; the first run makes {place}")),
        ),
        Err(_) if given.is_empty() && !file.exists() => {
            let advice = "`chorus envelope-key` makes one; give the same key to every process, as data.key_file or CHORUS_DATA_KEY";
            (
                None,
                Finding::wrong(PART, format!("{place} is not there and data.key is empty"))
                    .advise(advice),
            )
        }
        Err(error) => {
            let advice =
                "give the key that sealed your credentials; without it they must be imported again";
            (
                None,
                Finding::wrong(PART, format!("{place}: {error}")).advise(advice),
            )
        }
    }
}

/// The data folder, where one is used: whether files can be made in it.
pub(super) fn folder(config: &Config) -> Option<Finding> {
    const PART: &str = "data folder";
    if config.database.is_shared() && config.artifacts_in_database() {
        return None;
    }
    let folder = &config.data.dir;
    let shown = folder.display();
    if !folder.exists() {
        return Some(Finding::well(
            PART,
            format!("{shown} is not there yet; the first run makes it"),
        ));
    }
    let trial = folder.join(format!(".doctor-{}", std::process::id()));
    let tried = std::fs::write(&trial, b"may files be made here?")
        .and_then(|()| std::fs::remove_file(&trial));
    Some(match tried {
        Ok(()) => Finding::well(PART, format!("{shown} can be written")),
        Err(error) => Finding::wrong(PART, format!("{shown} cannot be written: {error}"))
            .advise("make room on its disk, or let it belong to the user who runs Chorus, or name another with --data"),
    })
}
