//! Report of the suites that ran, written by the tests themselves.
//!
//! Cargo hides the output of passing tests, so suites append lines to a file that a variable names.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::Context;

/// Variable with the path of the report: lines of implementation, suite and number of cases,
/// separated by tabs.
pub(super) const VARIABLE: &str = "CHORUS_TEST_REPORT";

/// The report file while the tests run. It is removed on drop.
pub(super) struct File(PathBuf);

impl File {
    /// Creates an empty file.
    pub(super) fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("chorus-test-report-{}", std::process::id()));
        fs::write(&path, "").with_context(|| format!("write {}", path.display()))?;
        Ok(Self(path))
    }

    /// Path for the tests.
    pub(super) fn path(&self) -> anyhow::Result<&str> {
        self.0
            .to_str()
            .context("the folder for temporary files has a name that is no text")
    }

    /// Reads the report.
    pub(super) fn read(&self) -> anyhow::Result<Account> {
        let text =
            fs::read_to_string(&self.0).with_context(|| format!("read {}", self.0.display()))?;
        Account::parse(&text)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            eprintln!("{} was left behind: {error}", self.0.display());
        }
    }
}

/// Number of cases by suite by implementation.
#[derive(Debug, Default)]
pub(super) struct Account(BTreeMap<String, BTreeMap<String, u64>>);

impl Account {
    /// Parses the lines; an invalid line is an error.
    pub(super) fn parse(text: &str) -> anyhow::Result<Self> {
        let mut account = Self::default();
        for line in text.lines() {
            let mut fields = line.split('\t');
            let (Some(implementation), Some(suite), Some(Ok(cases)), None) = (
                fields.next(),
                fields.next(),
                fields.next().map(str::parse::<u64>),
                fields.next(),
            ) else {
                anyhow::bail!("{VARIABLE} was value the line {line:?}");
            };
            *account
                .0
                .entry(implementation.to_owned())
                .or_default()
                .entry(suite.to_owned())
                .or_default() += cases;
        }
        Ok(account)
    }

    /// Implementations with at least one suite.
    pub(super) fn implementations(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Suites of an implementation, for output; `None` if none ran.
    pub(super) fn of(&self, implementation: &str) -> Option<String> {
        let suites = self.0.get(implementation)?;
        Some(
            suites
                .iter()
                .map(|(suite, cases)| format!("{suite} {cases}"))
                .collect::<Vec<_>>()
                .join(", "),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, implementation: &str, expected: Option<&str>) {
        let account = Account::parse(text).expect("lines of the account");
        assert_eq!(account.of(implementation).as_deref(), expected);
    }

    #[test]
    fn suites_of_one_implementation_are_listed_together_and_repeats_add_up() {
        let text = "kafka\tbus\t13\nmemory\tstore\t90\nkafka\tdead letters\t2\nkafka\tbus\t1\n";
        check(text, "kafka", Some("bus 14, dead letters 2"));
        check(text, "memory", Some("store 90"));
        check(text, "redis", None);
    }

    #[test]
    fn a_line_that_cannot_be_read_is_not_passed_over() {
        for line in ["kafka\tbus", "kafka\tbus\tmany", "kafka\tbus\t1\t2", ""] {
            assert!(Account::parse(&format!("{line}\n")).is_err(), "{line:?}");
        }
    }
}
