//! Operators beside a running process: the control socket, rotation and pauses with calls under way, and the audit.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use serde_json::Value;

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};

const TEXT: Chronicle = Chronicle {
    seed: 5,
    chapters: 2,
    contradiction: false,
};

const RUN: [&str; 8] = [
    "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
];

/// Maximum time for a condition to hold.
const DEADLINE: Duration = Duration::from_secs(60);

#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
fn now() -> Instant {
    Instant::now()
}

async fn fixture(faults: Vec<FaultRule>) -> Fixture {
    let mut config = quick();
    config.faults = faults;
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &TEXT.text());
    fixture
}

/// A run beside which commands are given; it is ended when dropped.
struct Running(Child);

impl Running {
    fn start(fixture: &Fixture) -> Self {
        let mut command = fixture.process(&RUN);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("the binary runs"))
    }

    fn kill(&mut self) {
        self.0.kill().expect("the run can be ended");
        self.0.wait().expect("it has ended");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Repeats a command until its output has a text.
fn until(fixture: &Fixture, arguments: &[&str], text: &str) -> Output {
    let end = now() + DEADLINE;
    loop {
        let output = fixture.chorus(arguments);
        if output_text(&output).contains(text) {
            return output;
        }
        assert!(now() < end, "{text:?} never came: {}", output_text(&output));
    }
}

/// A command with this line on standard input.
fn with_input(fixture: &Fixture, arguments: &[&str], line: &str) -> Output {
    let mut command = fixture.process(arguments);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut input = child.stdin.take().expect("standard input is a pipe");
    writeln!(input, "{line}").expect("it reads its input");
    drop(input);
    child.wait_with_output().expect("it ends")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", output_text(output)))
}

fn states(fixture: &Fixture, account: &str) -> Vec<String> {
    let shown = json(&fixture.chorus(&["account", "show", account, "--json"]));
    let credentials = shown["credentials"].as_array().expect("credentials");
    let mut states: Vec<String> = credentials
        .iter()
        .map(|credential| credential["state"].as_str().expect("a state").to_owned())
        .collect();
    states.sort_unstable();
    states
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_terminal_acts_through_the_control_socket_which_only_its_owner_can_open() {
    let fixture = fixture(vec![FaultRule::always(Fault::Hang)]).await;
    let run = Running::start(&fixture);
    until(&fixture, &["project", "list"], "prj_");
    let socket = fixture.path("data/control.sock");
    let mode = std::fs::metadata(&socket).expect("the socket is there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    let id = fixture.project().to_string();
    until(&fixture, &["project", "show", &id], "1 call under way");
    let status = json(&fixture.chorus(&["pool", "status", "--json"]));
    let pools = status["pools"].as_array().expect("pools");
    let pool = pools.iter().find(|pool| pool["pool"] == "deepseek");
    let pool = pool.expect("the accounts' pool");
    assert_eq!(pool["credentials"]["active"], 2);
    assert_eq!(pool["open"], 1);
    let began = now();
    let cancelled = fixture.chorus(&["project", "cancel", &id]);
    let text = output_text(&cancelled);
    assert!(text.contains("is cancelled"), "{text}");
    assert!(!text.contains("beside"), "{text}");
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "it does not wait for a sweep"
    );
    drop(run);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_a_killed_process_is_no_obstacle() {
    let fixture = fixture(vec![FaultRule::always(Fault::Hang)]).await;
    let mut run = Running::start(&fixture);
    until(&fixture, &["project", "list"], "prj_");
    run.kill();
    assert!(fixture.path("data/control.sock").exists(), "it was left");
    let listed = fixture.chorus(&["account", "list"]);
    assert!(listed.status.success(), "{}", output_text(&listed));
    let limits = output_text(&fixture.chorus(&["account", "limits", "one@example.com"]));
    assert!(limits.contains("Nothing runs here"), "{limits}");
    let second = Running::start(&fixture);
    until(&fixture, &["project", "list"], "prj_");
    drop(second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_with_calls_under_way_loses_none_and_retires_the_old_key() {
    let mut config = quick();
    // The second key is one of the same organisation.
    config.providers[0].organisations[0]
        .keys
        .push("sk-sim-one-0003".to_owned());
    config.speed = 1.0;
    config.providers[0].service.writes_per_second = 200;
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &TEXT.text());
    fixture.chorus(&["account", "pause", "two@example.com"]);
    let mut run = Running::start(&fixture);
    until(&fixture, &["project", "list"], "prj_");
    let id = fixture.project().to_string();
    until(&fixture, &["project", "show", &id], "under way");
    let rotate = ["account", "rotate", "one@example.com"];
    let dead = with_input(&fixture, &rotate, "sk-sim-not-a-key");
    assert_ne!(dead.status.code(), Some(0), "{}", output_text(&dead));
    assert!(!output_text(&dead).contains("sk-sim-not-a-key"));
    assert_eq!(states(&fixture, "one@example.com"), ["active"]);
    let rotated = with_input(&fixture, &rotate, "sk-sim-one-0003");
    assert!(rotated.status.success(), "{}", output_text(&rotated));
    let end = now() + DEADLINE;
    while states(&fixture, "one@example.com") != ["active"] {
        assert!(now() < end, "the old key is not retired");
    }
    let status = run.0.wait().expect("the run ends");
    assert_eq!(status.code(), Some(0), "every call found a key");
    let acts = output_text(&fixture.chorus(&["audit", "--account", "one@example.com"]));
    for act in ["rotate", "retire", "by operator", "by dispatcher"] {
        assert!(acts.contains(act), "{act}: {acts}");
    }
    let uses = json(&fixture.chorus(&["audit", "--uses", "--json"]));
    let uses = uses["uses"].as_array().expect("uses").clone();
    assert!(!uses.is_empty());
    for one in &uses {
        assert_eq!(one["caller"], "operator", "{one}");
        assert_eq!(one["project"], id.as_str());
        assert_eq!(one["account_name"], "one@example.com");
    }
    let credentials: std::collections::BTreeSet<&str> = uses
        .iter()
        .filter_map(|one| one["credential"].as_str())
        .collect();
    assert_eq!(credentials.len(), 2, "both keys made calls");
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_of_an_owner_cuts_calls_and_the_project_says_that_it_needs_attention() {
    let fixture = fixture(vec![FaultRule::always(Fault::Hang)]).await;
    let run = Running::start(&fixture);
    until(&fixture, &["project", "list"], "prj_");
    let id = fixture.project().to_string();
    until(&fixture, &["project", "show", &id], "1 call under way");
    for owner in ["one@example.com", "two@example.com"] {
        let pause = [
            "account", "pause", "--owner", owner, "--cut", "--reason", "leaked",
        ];
        let paused = fixture.chorus(&pause);
        assert!(paused.status.success(), "{}", output_text(&paused));
    }
    let show = ["project", "show", &id];
    let shown = output_text(&until(&fixture, &show, "needs attention"));
    assert!(shown.contains("paused"), "{shown}");
    assert!(!shown.contains("call under way"), "{shown}");
    let probed = output_text(&fixture.chorus(&["account", "probe", "one@example.com"]));
    assert!(probed.contains("the pause holds"), "{probed}");
    assert_eq!(states(&fixture, "one@example.com"), ["paused"]);
    let wrong = fixture.chorus(&["account", "pause", "--owner", "'; DROP TABLE accounts; --"]);
    assert_eq!(wrong.status.code(), Some(64), "{}", output_text(&wrong));
    assert!(output_text(&wrong).contains("no_such_account"));
    drop(run);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_added_with_its_key_on_standard_input_and_no_argument() {
    let fixture = Fixture::bare(quick(), "").await;
    let address = fixture.base_url();
    let add = [
        "account",
        "add",
        "one@example.com",
        "--provider",
        "deepseek",
        "--base-url",
        &address,
        "--expires",
        "2020-01-31",
        "--owner",
        "an",
    ];
    let added = with_input(&fixture, &add, "sk-sim-one-0001");
    let text = output_text(&added);
    assert!(text.contains("added    one@example.com"), "{text}");
    assert!(!text.contains("sk-sim"), "{text}");
    let listed = output_text(&fixture.chorus(&["account", "list", "--owner", "an"]));
    assert!(listed.contains("EXPIRED"), "{listed}");
    let again = with_input(&fixture, &add, "sk-sim-one-0001");
    assert!(
        output_text(&again).contains("unchanged"),
        "{}",
        output_text(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn why_says_what_a_task_waits_for_and_what_it_could_run_on() {
    let fixture = fixture(vec![FaultRule::always(Fault::Hang)]).await;
    let run = Running::start(&fixture);
    until(&fixture, &["project", "list"], "prj_");
    let id = fixture.project().to_string();
    until(&fixture, &["project", "show", &id], "1 call under way");
    let named = format!("{id}/clarify");
    let why = fixture.chorus(&["why", &named]);
    let text = output_text(&why);
    assert!(text.contains("a call of it is under way"), "{text}");
    assert!(text.contains("one@example.com"), "{text}");
    let none = fixture.chorus(&["why", &format!("{id}/no-such-task")]);
    assert!(
        output_text(&none).contains("no_such_task"),
        "{}",
        output_text(&none)
    );
    drop(run);
}
