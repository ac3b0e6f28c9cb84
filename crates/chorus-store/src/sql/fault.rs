//! Failures of statements, by what the caller may do about them.

use chorus_core::port::StoreError;
use chorus_core::port::error::Cause;
use sqlx::Error;

/// A statement or transaction that did not succeed.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Lost to a concurrent transaction: nothing was changed, an immediate retry is safe.
    Again(Reason),
    /// The database is away or busy; the operation may have been executed.
    Away(Reason),
    /// No retry ends it: a person must act.
    Broken(Reason),
}

/// Reason of a [`Fault`]: a text, and the driver's error where there is one.
#[derive(Debug, Clone)]
pub(crate) struct Reason {
    text: String,
    source: Option<Cause>,
}

impl From<String> for Reason {
    fn from(text: String) -> Self {
        Self { text, source: None }
    }
}

impl Fault {
    pub(crate) fn again(text: impl Into<String>) -> Self {
        Self::Again(text.into().into())
    }

    pub(crate) fn away(text: impl Into<String>) -> Self {
        Self::Away(text.into().into())
    }

    pub(crate) fn broken(text: impl Into<String>) -> Self {
        Self::Broken(text.into().into())
    }

    fn caused_by(mut self, error: Error) -> Self {
        match &mut self {
            Self::Again(reason) | Self::Away(reason) | Self::Broken(reason) => {
                reason.source = Some(Cause::new(error));
            }
        }
        self
    }

    /// A stored value that cannot be read.
    pub(crate) fn unreadable(
        table: &str,
        row: &str,
        column: &str,
        why: &dyn std::fmt::Display,
    ) -> Self {
        Self::broken(format!(
            "table {table}, row {row}, column {column} cannot be read: {why}; \
             the database is damaged or was written by another program: restore it from a backup"
        ))
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Again(reason) | Fault::Away(reason) => Self::Unavailable {
                message: reason.text,
                source: reason.source,
            },
            Fault::Broken(reason) => Self::Broken {
                message: reason.text,
                source: reason.source,
            },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let text = error.to_string();
        let fault = match &error {
            Error::Database(refusal) => {
                by_code(refusal.code().as_deref().unwrap_or_default(), text)
            }
            Error::Io(_)
            | Error::Tls(_)
            | Error::Protocol(_)
            | Error::PoolTimedOut
            | Error::PoolClosed
            | Error::WorkerCrashed => Self::away(text),
            _ => Self::broken(text),
        };
        fault.caused_by(error)
    }
}

/// Codes of SQLite are numbers, those of PostgreSQL have five characters.
fn by_code(code: &str, text: String) -> Fault {
    match code.parse::<u32>() {
        Ok(NO_ROOM_FOR_SHM) => by_sqlite_code(FULL, &text),
        Ok(number) if code.len() < 5 => by_sqlite_code(number & 0xff, &text),
        _ => by_postgres_code(code, text),
    }
}

/// SQLite's code for a full disk.
const FULL: u32 = 13;
/// SQLite's code for a shared-memory file that cannot grow: the disk is full too.
const NO_ROOM_FOR_SHM: u32 = 4874;

fn by_sqlite_code(primary: u32, text: &str) -> Fault {
    match primary {
        5 | 6 => Fault::away(format!(
            "the database is locked by another program ({text})"
        )),
        8 | 14 => Fault::broken(format!(
            "the database file cannot be opened for writing ({text}); check its folder's permissions"
        )),
        10 => Fault::broken(format!(
            "the disk failed while the database was used ({text}); check the disk"
        )),
        11 | 26 => Fault::broken(format!(
            "the database file is damaged ({text}); restore it from a backup, or move it away to begin anew"
        )),
        FULL => Fault::broken(format!(
            "the disk is full ({text}); free some space and start again, nothing accepted is lost"
        )),
        _ => Fault::broken(text.to_owned()),
    }
}

fn by_postgres_code(code: &str, text: String) -> Fault {
    match code {
        "40001" | "40P01" => Fault::again(text),
        "53100" => Fault::broken(format!("the database's disk is full ({text})")),
        "25006" | "55P03" => Fault::away(text),
        _ if code.starts_with("08") || code.starts_with("53") || code.starts_with("57P") => {
            Fault::away(text)
        }
        _ => Fault::broken(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(code: &str, expected: &str) {
        let kind = match by_code(code, "text".to_owned()) {
            Fault::Again(_) => "again",
            Fault::Away(_) => "away",
            Fault::Broken(_) => "broken",
        };
        assert_eq!(kind, expected, "code {code}");
    }

    #[test]
    fn each_code_maps_to_what_the_caller_may_do() {
        for (code, expected) in [
            ("5", "away"),
            ("6", "away"),
            ("517", "away"),
            ("13", "broken"),
            ("11", "broken"),
            ("26", "broken"),
            ("778", "broken"),
            ("40001", "again"),
            ("40P01", "again"),
            ("08006", "away"),
            ("57P01", "away"),
            ("53300", "away"),
            ("53100", "broken"),
            ("23505", "broken"),
            ("XX001", "broken"),
        ] {
            check(code, expected);
        }
    }
}
