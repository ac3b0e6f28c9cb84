//! Invalid input of users: each case has a clear message and an exit code, and loses nothing.

use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::fixture::output_text;

struct Workdir(TempDir);

impl Workdir {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn with(self, name: &str, content: &[u8]) -> Self {
        std::fs::write(self.0.path().join(name), content).expect("the file is written");
        self
    }

    fn chorus(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chorus"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.0.path());
        command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the binary runs")
    }
}

#[track_caller]
fn check(output: &Output, code: i32, words: &[&str]) {
    let output_text = output_text(output);
    assert_eq!(output.status.code(), Some(code), "{output_text}");
    for word in words {
        assert!(
            output_text.contains(word),
            "{word:?} is missing in: {output_text}"
        );
    }
}

#[test]
fn a_wrong_configuration_names_file_key_found_and_expected() {
    let workdir = Workdir::new()
        .with("c.toml", b"[worker]\nslots = \"many\"\n")
        .with("d.toml", b"[worker]\nslotz = 3\n");
    check(
        &workdir.chorus(&["--config", "c.toml", "project", "list"]),
        78,
        &[
            "error[configuration_invalid]",
            "c.toml",
            "worker.slots",
            "\"many\"",
            "expected u32",
        ],
    );
    check(
        &workdir.chorus(&["--config", "d.toml", "project", "list"]),
        78,
        &["d.toml", "worker.slotz", "expected one of"],
    );
    check(
        &workdir.chorus(&["--config", "e.toml", "project", "list"]),
        78,
        &["cannot read the configuration e.toml"],
    );
}

#[test]
fn a_brief_that_cannot_be_taken_is_refused_before_anything_is_opened() {
    let workdir = Workdir::new()
        .with("empty.md", b" \n")
        .with("latin.md", b"caf\xe9")
        .with("huge.md", &[b'x'; 200_001])
        .with("good.md", b"Write a poem.")
        .with("a.bin", b"\0\x01");
    check(
        &workdir.chorus(&["run", "empty.md"]),
        64,
        &["the brief empty.md is empty"],
    );
    check(
        &workdir.chorus(&["run", "latin.md"]),
        64,
        &["latin.md is not UTF-8"],
    );
    check(
        &workdir.chorus(&["run", "huge.md"]),
        64,
        &["huge.md has 200001 bytes", "--attach"],
    );
    check(
        &workdir.chorus(&["run", "none.md"]),
        64,
        &["none.md cannot be read"],
    );
    check(
        &workdir.chorus(&["run", "good.md", "--attach", "a.bin"]),
        64,
        &["a.bin is binary"],
    );
    check(
        &workdir.chorus(&["run", "good.md", "--attach", "nowhere"]),
        64,
        &["nowhere cannot be read"],
    );
    assert!(
        !workdir.0.path().join(".local").exists(),
        "nothing was opened"
    );
}

#[test]
fn without_an_account_the_message_names_what_to_set() {
    let workdir = Workdir::new().with("good.md", b"Write a poem.");
    check(
        &workdir.chorus(&["run", "good.md"]),
        1,
        &[
            "no account yet",
            "DEEPSEEK_API_KEY",
            "chorus account import",
            "chorus demo",
        ],
    );
}

#[test]
fn good_rows_of_an_account_file_are_kept_and_each_refused_row_is_named() {
    let rows = "email,provider,key\n\
                good@example.com,compatible-typo,k\n\
                oat@example.com,anthropic,sk-ant-oat01-abcdefghijkl\n\
                broken@example.com,openai\n\
                fine@example.com,openai,sk-proj-fine-0001\n\
                twin@example.com,openai,sk-proj-fine-0001\n";
    let workdir = Workdir::new().with("accounts.csv", rows.as_bytes());
    let output = workdir.chorus(&["account", "import", "--no-check", "accounts.csv"]);
    check(
        &output,
        1,
        &[
            "added    fine@example.com",
            "line 2 (good@example.com)",
            "expected one of",
            "line 3 (oat@example.com)",
            "official API key",
            "line 4",
            "line 6 (twin@example.com)",
            "there already",
            "1 added, 4 refused",
        ],
    );
    assert!(
        !output_text(&output).contains("abcdefghijkl"),
        "a secret was shown"
    );
    check(
        &workdir.chorus(&["account", "list"]),
        0,
        &["fine@example.com"],
    );
}

#[test]
fn a_key_is_never_repeated_wherever_it_was_typed() {
    let files = [
        (
            "first.csv",
            "sk-aaaa0001,deepseek,an@example.com\nsk-bbbb0002,deepseek,bo@example.com\n",
        ),
        (
            "headless.csv",
            "an@example.com;deepseek;sk-aaaa0001\n bo@example.com;openai;sk-proj-bbbb0002\n",
        ),
        (
            "swapped.csv",
            "email,provider,key\nan@example.com,sk-aaaa0001,deepseek\nsk-proj-bbbb0002,openai,bo@example.com\n",
        ),
        (
            "url.csv",
            "email,provider,key,base_url\nan@example.com,compatible,,https://sk-aaaa0001@gw.example.com/v1\nan@example.com,compatible,,sk-aaaa0001\nan@example.com,compatible,,https://gw.example.com/sk-aaaa0001\n",
        ),
        (
            "owner.csv",
            "email,provider,key,owner,entitlement\nan@example.com,openai,k,sk-aaaa0001,own\nan@example.com,openai,k,o,sk-aaaa0001\n",
        ),
        (
            "leak.toml",
            "[[account]]\nemail = \"an@example.com\"\n[[account.credential]]\nprovider = \"sk-aaaa0001\"\nkey = \"deepseek\"\n",
        ),
        (
            "leak2.toml",
            "[[account]]\nemail = \"an@example.com\"\n[[account.credential]]\nprovider = \"deepseek\"\n\"sk-aaaa0001\" = \"\"\n",
        ),
        (
            "models.toml",
            "[[account]]\nemail = \"an@example.com\"\n[[account.credential]]\nprovider = \"deepseek\"\nkey = \"k\"\nmodels = [\"sk-aaaa0001\"]\n",
        ),
    ];
    let mut workdir = Workdir::new()
        .with("config.toml", b"[worker]\nslots = \"sk-aaaa0001\"\n")
        .with("brief.md", b"Write a poem.\nThe key is sk-aaaa0001.\n");
    for (name, text) in files {
        workdir = workdir.with(name, text.as_bytes());
    }
    let imports = files.map(|(name, _)| vec!["account", "import", "--no-check", name]);
    let others = [
        vec!["--config", "config.toml", "project", "list"],
        vec!["run", "sk-aaaa0001"],
        vec!["run", "brief.md"],
        vec!["run", "brief.md", "sk-aaaa0001"],
        vec!["run", "brief.md", "--budget", "sk-aaaa0001"],
        vec!["run", "brief.md", "--server", "sk-aaaa0001"],
        vec![
            "run",
            "brief.md",
            "--server",
            "http://sk-aaaa0001@127.0.0.1:9",
        ],
        vec!["run", "brief.md", "--api-key", "sk-aaaa0001"],
        vec!["project", "list", "--server", "http://sk-aaaa0001.invalid"],
        vec!["project", "list", "--state", "sk-aaaa0001"],
        vec!["project", "show", "sk-aaaa0001"],
        vec!["account", "remove", "sk-aaaa0001"],
        vec!["sk-aaaa0001"],
    ];
    for arguments in imports.into_iter().chain(others) {
        let output = workdir.chorus(&arguments);
        let shown = output_text(&output);
        assert!(!output.status.success(), "{arguments:?}: {shown}");
        for secret in ["aaaa", "bbbb"] {
            assert!(!shown.contains(secret), "{arguments:?}: {shown}");
        }
    }
    let warned = output_text(&workdir.chorus(&["run", "brief.md"]));
    assert!(
        warned.contains("the brief, line 2: this looks like an API key"),
        "{warned}"
    );
}

#[test]
fn a_second_process_on_the_same_folder_and_a_broken_database_differ() {
    let workdir = Workdir::new().with("brief.md", b"Write a guide.");
    check(
        &workdir.chorus(&["--data", "data", "project", "list"]),
        0,
        &["No projects yet"],
    );
    let lock =
        chorus_store::DataDir::open(workdir.0.path().join("data")).expect("no process holds it");
    check(
        &workdir.chorus(&["--data", "data", "project", "list"]),
        0,
        &["No projects yet"],
    );
    check(
        &workdir.chorus(&["--data", "data", "run", "brief.md"]),
        1,
        &["error[data_folder_busy]", "is in use by process"],
    );
    drop(lock);
    std::fs::write(
        workdir.0.path().join("data/chorus.db"),
        b"this is no database, it only looks like a file",
    )
    .expect("written");
    check(
        &workdir.chorus(&["--data", "data", "project", "list"]),
        1,
        &["chorus.db"],
    );
}

#[test]
fn an_unknown_project_is_named_with_what_to_do() {
    let workdir = Workdir::new();
    check(
        &workdir.chorus(&["--data", "data", "resume", "prj_1"]),
        64,
        &[
            "error[invalid_id]: \"prj_1\" is no project's id",
            "chorus project list",
            "docs/errors/invalid_id.md",
        ],
    );
    check(
        &workdir.chorus(&[
            "--data",
            "data",
            "project",
            "show",
            "prj_00000000000000000000000000000001",
        ]),
        64,
        &["error[no_such_project]", "there is no project"],
    );
}

#[test]
fn an_accounts_file_that_is_missing_is_reported_before_anything_is_opened() {
    let workdir = Workdir::new();
    check(
        &workdir.chorus(&["account", "import", "/none.toml"]),
        64,
        &["error[accounts_file_invalid]", "/none.toml"],
    );
    assert!(
        !workdir.0.path().join(".local").exists(),
        "nothing was opened"
    );
}

#[test]
fn an_address_without_a_scheme_is_no_server() {
    let workdir = Workdir::new();
    check(
        &workdir.chorus(&["project", "list", "--server", "127.0.0.1:1"]),
        64,
        &["error[invalid_server]", "http://"],
    );
}
