//! Addresses of real servers for a test run, and the report of suites that ran against them.
//!
//! `cargo xtask test` starts the servers, passes their addresses in environment variables and reads
//! the report at the end. Nothing is started here. A test without a server prints that it was
//! skipped and passes, unless the variable `CI` is set.

use std::fs::OpenOptions;
use std::io::Write;

/// Path of the file to which [`record_run`] appends: implementation, suite and number of cases,
/// separated by tabs.
const REPORT: &str = "CHORUS_TEST_REPORT";

/// Value of a variable that skips the service on purpose.
const SKIP: &str = "skip";

/// A server that tests can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Name of the server, for messages.
    pub name: &'static str,
    /// Environment variable with the server's address.
    pub variable: &'static str,
}

/// URL of a PostgreSQL server on which tests create databases.
pub const POSTGRES: Service = Service {
    name: "PostgreSQL",
    variable: "CHORUS_TEST_POSTGRES",
};

/// URL of a Redis server reserved for the tests.
pub const REDIS: Service = Service {
    name: "Redis",
    variable: "CHORUS_TEST_REDIS",
};

/// `host:port` of a Kafka broker on which tests create topics.
pub const KAFKA: Service = Service {
    name: "Kafka",
    variable: "CHORUS_TEST_KAFKA",
};

/// `<base url>;<journal file>` of the model started by `scripts/local-model`.
pub const LOCAL_MODEL: Service = Service {
    name: "local model",
    variable: "CHORUS_TEST_LOCAL_MODEL",
};

impl Service {
    /// Returns the address of the server. Without one, prints that the test was skipped.
    ///
    /// # Panics
    /// If `CI` is set and the variable is not: in CI the server is used, or skipped on purpose.
    pub fn address(&self) -> Option<String> {
        match self.resolve(variable(self.variable), variable("CI").is_some()) {
            Ok(place) => Some(place),
            Err(why) => {
                println!("{} was not tried: {why}", self.name);
                None
            }
        }
    }

    fn resolve(&self, value: Option<String>, ci: bool) -> Result<String, String> {
        let variable = self.variable;
        match value {
            Some(value) if value == SKIP => Err(format!("{variable} is {SKIP}")),
            Some(place) => Ok(place),
            None if ci => panic!(
                "CI must try {}: set {variable}, to `{SKIP}` to leave it out on purpose",
                self.name
            ),
            None => Err(format!(
                "{variable} is not set; `cargo xtask test` starts one and sets it"
            )),
        }
    }
}

/// Reports a suite that ran on an implementation: prints it, and appends it to the report file if
/// one is set.
///
/// # Panics
/// If the report cannot be written, which would hide a suite.
pub fn record_run(implementation: &str, suite: &str, cases: usize) {
    println!("{implementation}: {suite}: {cases} cases");
    let Some(path) = variable(REPORT) else { return };
    let line = format!("{implementation}\t{suite}\t{cases}\n");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // One write, because many tests append at the same time.
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{REPORT} names {path}: {error}"));
}

/// Value of an environment variable; `None` if it is empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the environment names the servers of a test binary"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Option<&str>, ci: bool, expected: Result<&str, &str>) {
        let resolve = KAFKA.resolve(value.map(str::to_owned), ci);
        assert_eq!(resolve.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn a_service_is_tried_where_it_is_named_and_left_out_on_purpose_only() {
        check(Some("127.0.0.1:9092"), true, Ok("127.0.0.1:9092"));
        check(Some("127.0.0.1:9092"), false, Ok("127.0.0.1:9092"));
        check(Some("skip"), true, Err("CHORUS_TEST_KAFKA is skip"));
        check(
            None,
            false,
            Err("CHORUS_TEST_KAFKA is not set; `cargo xtask test` starts one and sets it"),
        );
    }

    #[test]
    #[should_panic(expected = "CI must try Kafka")]
    fn ci_does_not_pass_over_a_service_in_silence() {
        check(None, true, Ok("never"));
    }
}
