//! Servers for the tests: those that the caller names, else those of a new instance.
//!
//! `scripts/services` installs, starts and stops the servers. The instance has its own data and
//! ports, and ends with this process in any case.

use super::script::Script;
use super::{Availability, Service, variable};

const SCRIPT: Script = Script("scripts/services");

/// Services that run beside all tests.
pub(super) const SERVICES: [Service; 3] = [
    Service {
        name: "PostgreSQL",
        key: "postgres",
        variable: "CHORUS_TEST_POSTGRES",
    },
    Service {
        name: "Redis",
        key: "redis",
        variable: "CHORUS_TEST_REDIS",
    },
    Service {
        name: "Kafka",
        key: "kafka",
        variable: "CHORUS_TEST_KAFKA",
    },
];

/// Instance for one run. It is deleted on drop, and also if this process dies.
pub(super) struct Instance {
    name: String,
    /// Variables for the tests.
    pub(super) variables: Vec<(String, String)>,
}

impl Instance {
    /// Creates an instance without servers.
    pub(super) fn new() -> Self {
        Self {
            name: format!("test-{}", std::process::id()),
            variables: Vec::new(),
        }
    }

    /// Uses the server that the environment names, or starts one.
    pub(super) fn find(&mut self, service: &Service) -> Availability {
        match variable(service.variable) {
            Some(value) if value == super::SKIP => {
                Availability::Skipped(format!("{} is {value}", service.variable))
            }
            Some(_) => Availability::Available(format!("the server of {}", service.variable)),
            None => {
                println!("+ {} up {}", SCRIPT.0, service.key);
                self.start(service.key).map_or_else(
                    |error| Availability::Unavailable(format!("{error:#}")),
                    Availability::Available,
                )
            }
        }
    }

    /// Starts one server and returns its description.
    fn start(&mut self, service: &str) -> anyhow::Result<String> {
        let process = std::process::id().to_string();
        self.stdout("up", &[service, "--with", &process])?;
        let variables = self.stdout("env", &[service])?;
        self.variables.extend(
            variables
                .lines()
                .filter_map(exported)
                .filter(|(name, _)| name.starts_with("CHORUS_TEST_")),
        );
        let status = self.stdout("status", &[service])?;
        Ok(status
            .lines()
            .next()
            .unwrap_or_default()
            .split_whitespace()
            .skip(2)
            .collect::<Vec<_>>()
            .join(" "))
    }

    fn stdout(&self, command: &str, arguments: &[&str]) -> anyhow::Result<String> {
        SCRIPT.stdout(&[&[command, "--name", &self.name], arguments].concat())
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(error) = self.stdout("down", &["--remove"]) {
            eprintln!("servers of the tests may have been left behind: {error:#}");
        }
    }
}

/// Name and value of `export NAME='value'`.
fn exported(line: &str) -> Option<(String, String)> {
    let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
    Some((name.to_owned(), value.trim_matches('\'').to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(&str, &str)>) {
        let read = exported(line);
        assert_eq!(
            read.as_ref()
                .map(|(name, value)| (name.as_str(), value.as_str())),
            expected
        );
    }

    #[test]
    fn variables_are_read_from_lines_for_a_shell() {
        check(
            "export CHORUS_TEST_KAFKA='127.0.0.1:9092'",
            Some(("CHORUS_TEST_KAFKA", "127.0.0.1:9092")),
        );
        check(
            "export URL='redis://h/?a=b'",
            Some(("URL", "redis://h/?a=b")),
        );
        check("redis does not run", None);
    }
}
