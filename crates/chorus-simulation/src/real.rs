//! Which real services a run of tests was given, and the account of what ran against them.
//!
//! `cargo xtask test` starts the services, names them in variables and reads the account when all is over. Nothing is
//! started here; a test that is given no server says so and passes, unless the variable `CI` is set.

use std::fs::OpenOptions;
use std::io::Write;

/// Names the file to which [`ran`] adds a line: implementation, suite and number of cases, with tabs between.
const REPORT: &str = "CHORUS_TEST_REPORT";

/// What a variable says when the service is left out on purpose.
const SKIP: &str = "skip";

/// A server that tests may be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is called.
    pub name: &'static str,
    /// The variable that says where it is.
    pub variable: &'static str,
}

/// The URL of a server on which databases may be made.
pub const POSTGRES: Service = Service {
    name: "PostgreSQL",
    variable: "CHORUS_TEST_POSTGRES",
};

/// The URL of a server whose keys are the test's.
pub const REDIS: Service = Service {
    name: "Redis",
    variable: "CHORUS_TEST_REDIS",
};

/// `host:port` of a broker on which topics may be made.
pub const KAFKA: Service = Service {
    name: "Kafka",
    variable: "CHORUS_TEST_KAFKA",
};

/// `<base url>;<journal file>` of the model that `scripts/local-model` starts.
pub const LOCAL_MODEL: Service = Service {
    name: "local model",
    variable: "CHORUS_TEST_LOCAL_MODEL",
};

impl Service {
    /// Where it is. Without one the test says that it was not tried.
    ///
    /// # Panics
    /// When `CI` is set and nobody value where it is: there it must be tried, or be left out on purpose.
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
            Some(value) if value == SKIP => Err(format!("{variable} says {SKIP}")),
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

/// Accounts for a suite that ran on an implementation: prints it, and adds it to the report where there is one.
///
/// # Panics
/// When the report cannot be written, which would hide a suite.
pub fn record_run(implementation: &str, suite: &str, cases: usize) {
    println!("{implementation}: {suite}: {cases} cases");
    let Some(path) = variable(REPORT) else { return };
    let line = format!("{implementation}\t{suite}\t{cases}\n");
    let file = OpenOptions::new().create(true).append(true).open(&path);
    // In one piece: many tests add to it at once.
    file.and_then(|mut file| file.write_all(line.as_bytes()))
        .unwrap_or_else(|error| panic!("{REPORT} names {path}: {error}"));
}

/// What the environment says; nothing where it is empty.
#[expect(
    clippy::disallowed_methods,
    reason = "a test binary is told by its environment where servers are"
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
        check(Some("skip"), true, Err("CHORUS_TEST_KAFKA says skip"));
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
