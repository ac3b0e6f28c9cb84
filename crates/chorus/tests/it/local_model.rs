//! One small project with a real model on this machine: real tokens, really streamed.
//!
//! The proof is the model server's own journal: it has every call that the project counts, and no
//! simulator was started. The server is started by `scripts/local-model`, and `cargo xtask test`
//! passes its address. The quality of the deliverable is not tested, as a model of this size has
//! none.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use chorus_core::attempt::{DeliveryEnd, DeliveryRow};
use chorus_core::port::Deliveries;
use chorus_simulation::real;
use chorus_store::sql::{DatabaseUrl, Pending, Store};
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::read;

/// Provider row of the server, and model row of the served model.
const PROVIDER: &str = "llama-cpp";
const MODEL: &str = "local/smollm2-135m";

/// Minimum number of calls of a project: clarify, plan, one part, verdict.
const LEAST_CALLS: usize = 4;

/// Maximum duration, longer than the slowest machine has needed.
const LONGEST: Duration = Duration::from_secs(1_200);

/// A running server, and its journal of completions.
struct LocalModel {
    base_url: String,
    journal: PathBuf,
}

/// One completion in the journal of the model's server.
struct Completion {
    streamed: bool,
    status: u64,
    pieces: u64,
    took_ms: u64,
    form: Option<String>,
}

impl LocalModel {
    /// The server in the environment, if any.
    fn from_environment() -> Option<Self> {
        let text = real::LOCAL_MODEL.address()?;
        let (base_url, journal) = text
            .split_once(';')
            .expect("CHORUS_TEST_LOCAL_MODEL is `<base url>;<journal file>`");
        Some(Self {
            base_url: base_url.to_owned(),
            journal: PathBuf::from(journal),
        })
    }

    /// All completions of the server, by the reference of the caller.
    fn completions(&self) -> BTreeMap<String, Vec<Completion>> {
        let text = std::fs::read_to_string(&self.journal).expect("the server keeps its journal");
        let mut completions: BTreeMap<String, Vec<Completion>> = BTreeMap::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).expect("a line of the journal");
            let number = |key: &str| line[key].as_u64().unwrap_or_default();
            completions
                .entry(line["reference"].as_str().unwrap_or_default().to_owned())
                .or_default()
                .push(Completion {
                    streamed: line["stream"] == true,
                    status: number("status"),
                    pieces: number("pieces"),
                    took_ms: number("took_ms"),
                    form: line["response_format"].as_str().map(ToOwned::to_owned),
                });
        }
        completions
    }
}

/// A folder with the brief, one account at the local server, and the real binary.
struct Workdir(TempDir);

impl Workdir {
    fn new(model: &LocalModel) -> Self {
        let workdir = Self(tempfile::tempdir().expect("a temporary folder"));
        let account = format!(
            "[[account]]\nemail = \"me@example.com\"\n[[account.credential]]\nprovider = \"{PROVIDER}\"\nbase_url = \"{}\"\nmodels = [\"{MODEL}\"]\n\
             limits = [{{ dimension = \"concurrency\", amount = 1, window = {{ kind = \"held\" }} }}]\n",
            model.base_url
        );
        let roles: String = ["planner", "writer", "merger", "judge"]
            .map(|role| format!("{role} = [[\"{MODEL}\"]]\n"))
            .concat();
        let files = [
            ("accounts.toml", account),
            ("chorus.toml", format!("[roles]\n{roles}")),
            (
                "brief.md",
                "Write one short paragraph that explains to a child why the sky is blue.\n"
                    .to_owned(),
            ),
        ];
        for (name, text) in files {
            std::fs::write(workdir.path(name), text).expect("the file is written");
        }
        workdir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs the real binary with a time limit; returns its output.
    fn chorus(&self, arguments: &[&str]) -> (ExitStatus, String) {
        let errors = self.path("errors.txt");
        let mut command = Command::new(env!("CARGO_BIN_EXE_chorus"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .env("PATH", "/usr/bin:/bin")
            .current_dir(self.0.path());
        command
            .args(["--data", "data", "--config", "chorus.toml"])
            .args(arguments)
            .stdin(Stdio::null());
        command
            .stdout(Stdio::piped())
            .stderr(File::create(&errors).expect("a file for what it complains of"));
        let mut child = command.spawn().expect("the binary starts");
        let mut output = child.stdout.take().expect("its output is piped");
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            let mut output_text = Vec::new();
            let _ = output.read_to_end(&mut output_text);
            let _ = sender.send(output_text);
        });
        let output_text = ended.recv_timeout(LONGEST);
        if output_text.is_err() {
            child.kill().expect("the binary can be killed");
        }
        let status = child.wait().expect("the binary ends");
        let errors = std::fs::read_to_string(errors).unwrap_or_default();
        let output_text = output_text.unwrap_or_else(|_| {
            panic!(
                "chorus {} did not end within {LONGEST:?}: {errors}",
                arguments.join(" ")
            )
        });
        (
            status,
            format!("{}{errors}", String::from_utf8_lossy(&output_text)),
        )
    }

    /// Every delivery that a worker finished.
    async fn deliveries(&self) -> Vec<DeliveryRow> {
        let (_, listed) = self.chorus(&["project", "list"]);
        let id = listed
            .split_whitespace()
            .find(|word| word.starts_with("prj_"))
            .expect("a project in the list");
        let place = DatabaseUrl::Sqlite(self.path("data").join("chorus.db"));
        let store = Store::open(place, Pending::Refuse)
            .await
            .expect("the database opens");
        let mut rows = store
            .of_project(id.parse().expect("an id"))
            .await
            .expect("the rows are read");
        store.close().await;
        rows.retain(|row| matches!(row.end, Some(DeliveryEnd::Finished { .. })));
        rows
    }
}

/// Returns the completion of a delivery.
fn completion<'a>(
    completions: &'a BTreeMap<String, Vec<Completion>>,
    row: &DeliveryRow,
) -> &'a Completion {
    let reference = format!("{}.{}", row.attempt, row.epoch.0);
    match completions.get(&reference).map(Vec::as_slice) {
        Some([completion]) => completion,
        other => panic!(
            "{reference} stands {} times in the journal of the model's server",
            other.map_or(0, <[_]>::len)
        ),
    }
}

fn check_files(out: &Path, report: &Value) {
    let files = report["files"].as_array().expect("files");
    assert!(!files.is_empty(), "nothing was delivered");
    for file in files {
        let name = file["path"].as_str().expect("a path");
        assert!(!read(out, name).trim().is_empty(), "{name} is empty");
    }
}

/// Runs a project to its end. A model of this size may reply with nothing to every try of a task,
/// and then nothing can be delivered: up to three projects are run.
fn project(model: &LocalModel) -> (Workdir, ExitStatus, String) {
    const PROJECTS: u32 = 3;
    let mut number = 1;
    loop {
        let workdir = Workdir::new(model);
        let (imported, output_text) = workdir.chorus(&["account", "import", "accounts.toml"]);
        assert!(imported.success(), "{output_text}");
        let (status, output_text) =
            workdir.chorus(&["run", "brief.md", "--out", "out", "--yes", "--assume"]);
        if number == PROJECTS || status.code() != Some(1) {
            return (workdir, status, output_text);
        }
        println!("project {number} of {PROJECTS} delivered nothing:\n{output_text}");
        number += 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_real_model_brings_a_project_to_its_end() {
    let Some(model) = LocalModel::from_environment() else {
        return;
    };
    let (workdir, status, output_text) = project(&model);
    assert!(
        matches!(status.code(), Some(0 | 3)),
        "{status}\n{output_text}"
    );

    let out = workdir.path("out");
    let report: Value =
        serde_json::from_str(&read(&out, "chorus-report/report.json")).expect("a report");
    assert_eq!(report["simulated"], false);
    let done = if status.success() { "done" } else { "partial" };
    assert_eq!(report["state"], done, "{output_text}");
    check_files(&out, &report);

    let rows = workdir.deliveries().await;
    let completions = model.completions();
    let calls: Vec<&Completion> = rows
        .iter()
        .map(|row| completion(&completions, row))
        .collect();
    for (row, call) in rows.iter().zip(&calls) {
        assert_eq!(
            (
                row.assignment.provider.as_str(),
                row.assignment.model.as_str()
            ),
            (PROVIDER, MODEL)
        );
        assert!(row.usage.is_some_and(|usage| usage.prompt() > 0), "{row:?}");
        assert!(
            call.streamed && call.status == 200,
            "{} was answered {}, streamed: {}",
            row.attempt,
            call.status,
            call.streamed
        );
    }
    let spoken = calls.iter().filter(|call| call.pieces > 1).count();
    assert!(
        spoken >= LEAST_CALLS,
        "{spoken} of {} calls were streamed in pieces",
        calls.len()
    );
    assert!(
        calls
            .iter()
            .any(|call| call.form.as_deref() == Some("json_object")),
        "no call was held to a schema"
    );

    let (pieces, spent) = calls.iter().fold((0, 0), |(pieces, spent), call| {
        (pieces + call.pieces, spent + call.took_ms)
    });
    let tokens = &report["totals"]["output_tokens"];
    assert!(
        tokens.as_u64().is_some_and(|tokens| tokens > 0),
        "{}",
        report["totals"]
    );
    println!(
        "a real model: {done} after {} calls, {tokens} tokens in {pieces} pieces, {spent} ms in the server",
        calls.len()
    );
    real::record_run("local model", "a whole project, calls", calls.len());
}
