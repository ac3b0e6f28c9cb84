//! Number of passed and failed tests over all binaries of a cargo run.

use std::fmt;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Sum of the lines `test result: …` of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    /// Runs cargo with additional variables. Its output is passed through and counted.
    pub(super) fn cargo(
        &mut self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> anyhow::Result<()> {
        println!("+ cargo {}", arguments.join(" "));
        let mut cargo = Command::new("cargo");
        let mut running = cargo
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .context("start cargo")?;
        let output = running.stdout.take().expect("the output was asked for");
        for line in BufReader::new(output).split(b'\n') {
            let line = line.context("read the output of cargo")?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            self.read(&line);
        }
        if !running.wait().context("wait for cargo")?.success() {
            bail!("cargo {} failed", arguments.join(" "));
        }
        Ok(())
    }

    fn read(&mut self, line: &str) {
        let Some((_, counts)) = line
            .strip_prefix("test result: ")
            .and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            let Some((Ok(number), what)) = count
                .split_once(' ')
                .map(|(number, what)| (number.parse::<u64>(), what))
            else {
                continue;
            };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "{} passed, {} failed, {} ignored",
            self.passed, self.failed, self.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: &str) {
        let mut tally = Tally::default();
        lines.iter().for_each(|line| tally.read(line));
        assert_eq!(tally.to_string(), expected);
    }

    #[test]
    fn results_of_all_binaries_add_up() {
        let ok = "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.51s";
        let bad = "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.00s";
        check(&[ok, bad, ok], "26 passed, 1 failed, 2 ignored");
    }

    #[test]
    fn other_lines_count_nothing() {
        check(
            &[
                "running 3 tests",
                "test result: odd",
                "5 passed; 1 failed",
                "",
            ],
            "0 passed, 0 failed, 0 ignored",
        );
    }
}
