//! A person in control: a second terminal beside a run, failed calls on the screen, accounts of the environment and
//! edited rows, and readers that go away.

use std::io::Read as _;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use chorus_provider_sim::engine::fault::{Fault, FaultRule};

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};

const BOOK: Chronicle = Chronicle {
    seed: 5,
    chapters: 2,
    contradiction: false,
};

const RUN: [&str; 8] = [
    "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
];

/// Maximum time for a condition to hold.
const DEADLINE: Duration = Duration::from_secs(60);

async fn fixture(faults: Vec<FaultRule>) -> Fixture {
    let mut config = quick();
    config.faults = faults;
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    fixture
}

/// The machine's clock, for deadlines.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
fn now() -> Instant {
    Instant::now()
}

fn started(fixture: &Fixture) -> Child {
    let mut command = fixture.process(&RUN);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// Repeats a command beside a run until its output has a text.
fn until((fixture, run): (&Fixture, &mut Child), arguments: &[&str], text: &str) -> Output {
    let end = now() + DEADLINE;
    loop {
        let output = fixture.chorus(arguments);
        if output_text(&output).contains(text) {
            return output;
        }
        if let Some(status) = run.try_wait().expect("the run can be asked") {
            panic!("the run ended with {status}: {}", rest(run));
        }
        assert!(now() < end, "{text:?} never came: {}", output_text(&output));
    }
}

/// What a run that ended wrote on standard error.
fn rest(run: &mut Child) -> String {
    let mut text = String::new();
    let mut stderr = run.stderr.take().expect("standard error is a pipe");
    stderr.read_to_string(&mut text).expect("it is text");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_terminal_lists_shows_and_cancels_while_a_run_holds_the_folder() {
    let fixture = fixture(vec![FaultRule::always(Fault::Hang)]).await;
    let mut run = started(&fixture);
    let listed = until((&fixture, &mut run), &["project", "list"], "prj_");
    assert!(listed.status.success(), "{}", output_text(&listed));
    let id = fixture.project().to_string();
    let shown = until(
        (&fixture, &mut run),
        &["project", "show", &id],
        "1 call under way",
    );
    assert!(shown.status.success(), "{}", output_text(&shown));
    let accounts = fixture.chorus(&["account", "list"]);
    assert!(accounts.status.success(), "{}", output_text(&accounts));
    let cancelled = fixture.chorus(&["project", "cancel", &id]);
    assert!(
        output_text(&cancelled).contains("is cancelled"),
        "{}",
        output_text(&cancelled)
    );
    let status = run.wait().expect("the run ends");
    assert_eq!(status.code(), Some(1), "a cancelled project is not done");
    drop(fixture);
}

/// A run every task of which is held, because the key of its only account is refused; with the id of its project and
/// what `project show` says. The second account is in `two.toml`.
async fn held() -> (Fixture, Child, String, String) {
    let dead = FaultRule {
        organisation: Some("org-one".to_owned()),
        ..FaultRule::always(Fault::DeadKey)
    };
    let config = chorus_provider_sim::config::Config {
        faults: vec![dead],
        ..quick()
    };
    let fixture = Fixture::bare(config, "").await;
    let accounts = fixture.accounts(4);
    let (one, two) = accounts.split_once("\n\n").expect("two accounts");
    fixture.write("one.toml", one);
    fixture.write("two.toml", two);
    let imported = fixture.chorus(&["account", "import", "one.toml"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let mut run = started(&fixture);
    until((&fixture, &mut run), &["project", "list"], "prj_");
    let id = fixture.project().to_string();
    let show = ["project", "show", &id];
    let shown = output_text(&until((&fixture, &mut run), &show, "needs attention ["));
    (fixture, run, id, shown)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_only_key_is_named_and_a_new_key_makes_the_project_go_on() {
    let (fixture, mut run, _, shown) = held().await;
    for expected in [
        "every credential for the role Planner is refused: deepseek says",
        "one@example.com",
        "Authentication Fails",
        "chorus account import FILE",
    ] {
        assert!(shown.contains(expected), "{expected:?} is missing: {shown}");
    }
    let imported = fixture.chorus(&["account", "import", "two.toml"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    ends_done(&fixture, &mut run);
    fixture.end().await;
}

/// As [`held`], after its process was killed.
async fn held_and_killed() -> (Fixture, String) {
    let (fixture, mut run, id, _) = held().await;
    run.kill().expect("the run can be ended");
    run.wait().expect("the run ends");
    (fixture, id)
}

fn resumed(fixture: &Fixture, id: &str) -> Child {
    let mut command = fixture.process(&["resume", id, "--out", "out", "--yes", "--assume"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary runs")
}

/// Waits until a project is done.
fn ends_done(fixture: &Fixture, run: &mut Child) {
    let end = now() + DEADLINE;
    while run.try_wait().expect("the run can be asked").is_none() {
        if now() >= end {
            run.kill().expect("the run can be ended");
            panic!("the project does not go on: {}", rest(run));
        }
        fixture.chorus(&["project", "list"]);
    }
    let status = run.wait().expect("the run ends");
    assert_eq!(status.code(), Some(0), "{}", rest(run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_imported_after_a_restart_makes_a_held_project_go_on() {
    let (fixture, id) = held_and_killed().await;
    let mut run = resumed(&fixture, &id);
    let show = ["project", "show", &id];
    until((&fixture, &mut run), &show, "needs attention [");
    let imported = fixture.chorus(&["account", "import", "two.toml"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    ends_done(&fixture, &mut run);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_imported_while_nothing_runs_makes_a_held_project_go_on() {
    let (fixture, id) = held_and_killed().await;
    let imported = fixture.chorus(&["account", "import", "two.toml"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    let mut run = resumed(&fixture, &id);
    ends_done(&fixture, &mut run);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_calls_are_shown_with_account_and_message_and_kept_as_history() {
    let refused = FaultRule {
        times: Some(2),
        kind: Some("work".to_owned()),
        ..FaultRule::always(Fault::Overloaded)
    };
    let fixture = fixture(vec![refused]).await;
    let output = fixture.chorus(&RUN);
    let text = output_text(&output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    assert!(text.contains("failed on "), "{text}");
    assert!(text.contains("@example.com, deepseek/"), "{text}");
    let id = fixture.project().to_string();
    let shown = output_text(&fixture.chorus(&["project", "show", &id]));
    assert!(shown.contains("2 calls failed"), "{shown}");
    assert!(shown.contains("files:"), "{shown}");
    drop(fixture);
}

/// Runs the binary with two variables for a key of the environment.
fn with_key(fixture: &Fixture, arguments: &[&str], key: &str) -> Output {
    let mut command = fixture.process(arguments);
    command
        .env("DEEPSEEK_API_KEY", key)
        .env("DEEPSEEK_BASE_URL", fixture.base_url());
    command.output().expect("the binary runs")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_the_environment_is_checked_named_when_refused_and_replaced_when_it_changes() {
    let fixture = Fixture::bare(quick(), "").await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    let refused = with_key(&fixture, &RUN, "sk-sim-wrong-9999");
    let text = output_text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("does not accept the key"), "{text}");
    assert!(text.contains("Authentication Fails"), "{text}");
    assert!(!text.contains("sk-sim-wrong-9999"), "a secret was shown");
    for (key, expected) in [
        ("sk-sim-one-0001", "account deepseek@environment added"),
        ("sk-sim-two-0002", "the earlier key is removed"),
    ] {
        let output = with_key(&fixture, &RUN, key);
        let text = output_text(&output);
        assert_eq!(output.status.code(), Some(0), "{text}");
        assert!(text.contains(expected), "{text}");
    }
    let shown = output_text(&fixture.chorus(&["account", "show", "deepseek@environment"]));
    assert_eq!(shown.matches("\ndeepseek ").count(), 1, "{shown}");
    drop(fixture);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_row_updates_its_account_and_no_probe_and_no_import_ends_a_pause() {
    let fixture = fixture(Vec::new()).await;
    let again = fixture.chorus(&["account", "import", "accounts.toml"]);
    let text = output_text(&again);
    assert_eq!(again.status.code(), Some(0), "{text}");
    assert!(text.contains("2 unchanged"), "{text}");
    let edited = fixture.accounts(4).replacen("amount = 4", "amount = 3", 1);
    fixture.write("accounts.toml", &edited);
    let updated = output_text(&fixture.chorus(&["account", "import", "accounts.toml"]));
    assert!(updated.contains("updated  one@example.com"), "{updated}");
    assert!(updated.contains("models or limits"), "{updated}");
    fixture.chorus(&["account", "pause", "one@example.com"]);
    let paused = output_text(&fixture.chorus(&["account", "list"]));
    assert!(paused.contains("deepseek     paused"), "{paused}");
    let doctor = output_text(&fixture.chorus(&["doctor"]));
    assert!(
        doctor.contains("chorus account enable one@example.com"),
        "{doctor}"
    );
    let probed = fixture.chorus(&["account", "probe", "one@example.com"]);
    assert!(probed.status.success(), "{}", output_text(&probed));
    assert!(
        output_text(&probed).contains("the pause holds"),
        "{}",
        output_text(&probed)
    );
    fixture.chorus(&["account", "import", "accounts.toml"]);
    let show = ["account", "show", "one@example.com"];
    let shown = output_text(&fixture.chorus(&show));
    assert!(shown.contains("deepseek  paused"), "{shown}");
    fixture.chorus(&["account", "enable", "one@example.com"]);
    let shown = output_text(&fixture.chorus(&show));
    assert!(shown.contains("deepseek  active"), "{shown}");
    assert!(shown.contains("3 calls at once"), "{shown}");
    assert!(shown.contains("Nothing runs here"), "{shown}");
    drop(fixture);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_ends_a_command_quietly() {
    let fixture = Fixture::bare(quick(), "").await;
    let mut command = fixture.process(&["model", "list"]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    drop(child.stdout.take());
    let status = child.wait().expect("it ends");
    let mut errors = String::new();
    let mut stderr = child.stderr.take().expect("standard error is a pipe");
    stderr.read_to_string(&mut errors).expect("it is text");
    assert_eq!((status.code(), errors.as_str()), (Some(141), ""));
    drop(fixture);
}
