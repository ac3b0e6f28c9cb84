//! `chorus doctor` on one machine: the finding for each fault, and that nothing is changed.

use std::path::Path;
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::fixture::output_text;

/// A home folder in which commands run.
struct Home(TempDir);

impl Home {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    fn data(&self) -> std::path::PathBuf {
        self.0.path().join("data")
    }

    fn chorus(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chorus"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.0.path());
        command
            .envs(variables.iter().copied())
            .arg("--data")
            .arg(self.data())
            .args(arguments);
        command.output().expect("the binary runs")
    }

    /// Creates a data folder as a first command does.
    fn begun(&self) {
        let listed = self.chorus(&["project", "list"], &[]);
        assert!(listed.status.success(), "{}", output_text(&listed));
    }
}

/// Runs the doctor and checks its output; the exit code is 1 if something is wrong.
fn check(home: &Home, variables: &[(&str, &str)], code: i32, expected: &[&str]) {
    let output = home.chorus(&["doctor"], variables);
    assert_eq!(output.status.code(), Some(code), "{}", output_text(&output));
    for line in expected {
        assert!(
            output_text(&output).contains(line),
            "{line:?} is not in\n{}",
            output_text(&output)
        );
    }
    assert!(
        !output_text(&output).contains("s3cret"),
        "a password is shown: {}",
        output_text(&output)
    );
}

#[test]
fn a_machine_on_which_nothing_was_done_yet_is_well_and_stays_as_it_is() {
    let home = Home::new();
    check(
        &home,
        &[],
        0,
        &[
            "envelope key   well   not made yet",
            "database       well   not there yet",
            "accounts       LOOK   none yet",
            "Nothing is wrong; 1 to look at.",
        ],
    );
    assert!(
        !home.data().exists() && !home.data().with_extension("key").exists(),
        "the doctor only looks"
    );
}

#[test]
fn what_is_missing_for_work_is_named_with_the_command_that_brings_it() {
    let home = Home::new();
    home.begun();
    check(
        &home,
        &[],
        0,
        &[
            "accounts       LOOK   none yet",
            "`chorus account import accounts.toml`",
            "Nothing is wrong; 1 to look at.",
        ],
    );
}

#[test]
fn a_server_that_is_away_and_a_key_that_is_nowhere_are_both_named_at_once() {
    let away = [(
        "CHORUS_DATABASE_URL",
        "postgres://chorus:s3cret@127.0.0.1:1/chorus",
    )];
    let expected = [
        "envelope key   WRONG",
        "`chorus envelope-key` makes one",
        "database       WRONG  postgres://127.0.0.1:1/chorus",
        "2 wrong.",
    ];
    check(&Home::new(), &away, 1, &expected);
}

#[test]
fn a_damaged_key_and_a_damaged_database_differ_from_missing_ones() {
    let home = Home::new();
    home.begun();
    overwrite(&home.data().with_extension("key"), b"this was a key once");
    overwrite(&home.data().join("chorus.db"), &[7; 8192]);
    let expected = [
        "envelope key   WRONG",
        "give the key that sealed your credentials",
        "database       WRONG",
        "a backup of the data folder",
    ];
    check(&home, &[], 1, &expected);
}

fn overwrite(file: &Path, content: &[u8]) {
    for rest in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{rest}", file.display()));
    }
    std::fs::write(file, content).expect("the file is there to be spoilt");
}
