//! Accounts that fail in each of the ways that once stopped a project: `deadkey`, `capped`, `sick`, `localdead`,
//! `churn`, `twice` and `cancel`.
//!
//! Each test runs the real binary over simulated providers; the providers' journal and the rows of
//! the database are compared. Neighbour: [`sick_wire`](crate::sick_wire) has replies in odd forms.

use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use chorus_core::attempt::DeliveryEnd;
use chorus_provider_sim::config::{Config, Dialect, Limits, ModelConfig, Service};
use chorus_provider_sim::engine::fault::{Fault, FaultRule};

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};
use crate::process::Process;

const BOOK: Chronicle = Chronicle {
    seed: 31,
    chapters: 8,
    contradiction: false,
};

/// Longest time of one run of the binary.
const DEADLINE: Duration = Duration::from_secs(15);
/// Longest time for a condition beside other tests on a busy machine.
const CONDITION: Duration = Duration::from_secs(45);

const SICK: &str = "org-one";
const GOOD: &str = "org-two";

const fn run_into(out: &str) -> [&str; 8] {
    [
        "run", "brief.md", "--attach", "docs", "--out", out, "--yes", "--assume",
    ]
}

/// The machine's clock, for deadlines.
#[expect(
    clippy::disallowed_methods,
    reason = "real processes live in real time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Waits until a condition of other processes holds, or fails at the deadline.
#[expect(
    clippy::disallowed_methods,
    reason = "a condition of other processes is polled"
)]
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = now() + CONDITION;
    while !holds() {
        assert!(now() < end, "{what} did not happen in {CONDITION:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn with_brief(fixture: &Fixture) {
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
}

/// A fixture with both accounts, edited as a text.
async fn fixture(config: Config, edit: impl FnOnce(&str) -> String) -> Fixture {
    let fixture = Fixture::bare(config, "").await;
    fixture.write("accounts.toml", &edit(&fixture.accounts(4)));
    let imported = fixture.chorus(&["account", "import", "accounts.toml", "--no-check"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    with_brief(&fixture);
    fixture
}

fn of_one_owner(accounts: &str) -> String {
    accounts.replace("@example.com\"\n", "@example.com\"\nowner = \"me\"\n")
}

/// Output of a process that ends in time.
async fn output_of(mut child: Child) -> Output {
    until("the end of a process", || {
        child.try_wait().expect("it can be asked").is_some()
    })
    .await;
    child.wait_with_output().expect("it ended")
}

/// Runs a project to its end and checks that it is done.
async fn done(fixture: &Fixture, out: &str) -> Duration {
    let began = now();
    let mut command = fixture.process(&run_into(out));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = output_of(command.spawn().expect("the binary runs")).await;
    assert_eq!(output.status.code(), Some(0), "{}", output_text(&output));
    began.elapsed()
}

/// Number of calls that an organisation received.
fn calls(fixture: &Fixture, organisation: &str) -> usize {
    let journal = fixture.journal();
    let own = journal
        .iter()
        .filter(|entry| entry.organisation == organisation);
    own.count()
}

/// Runs a project of one owner, the first of whose two keys meets a fault from its third call on.
async fn a_key_fails_midway(fault: Fault) -> Fixture {
    let mut config = quick();
    config.faults = vec![FaultRule {
        organisation: Some(SICK.to_owned()),
        skip: 2,
        ..FaultRule::always(fault)
    }];
    let fixture = fixture(config, of_one_owner).await;
    done(&fixture, "out").await;
    let refused = fixture.journal();
    let refused = refused.iter().filter(|entry| entry.fault.is_some()).count();
    assert!(refused > 0, "no call met {fault:?}");
    // As many as were under way when the first was refused, and one trial.
    assert!(refused <= 5, "{refused} calls met {fault:?}");
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn deadkey_strands_no_task_that_a_sibling_of_its_owner_can_do() {
    a_key_fails_midway(Fault::DeadKey).await.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn capped_spend_strands_no_task_that_a_sibling_of_its_owner_can_do() {
    a_key_fails_midway(Fault::Capped).await.end().await;
}

/// Runs a project beside an account whose calls all meet a fault.
async fn beside_a_sick_account(fault: Fault) {
    let mut config = quick();
    config.faults = vec![FaultRule {
        organisation: Some(SICK.to_owned()),
        ..FaultRule::always(fault)
    }];
    let fixture = fixture(config, str::to_owned).await;
    let took = done(&fixture, "out").await;
    let (bad, good) = (calls(&fixture, SICK), calls(&fixture, GOOD));
    assert!(bad <= 12, "{bad} calls met {fault:?}, {good} were good");
    assert!(took < DEADLINE, "{fault:?}: {took:?}");
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sick_accounts_that_answer_errors_get_few_calls() {
    for fault in [Fault::ServerError, Fault::RateLimitUntold, Fault::Page] {
        beside_a_sick_account(fault).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sick_accounts_that_may_not_use_the_model_get_few_calls() {
    for fault in [Fault::Forbidden, Fault::NotFound] {
        beside_a_sick_account(fault).await;
    }
}

/// Two servers of one's own, each in front of one model, without any limit.
fn own_servers() -> Config {
    let mut config = quick();
    let provider = &mut config.providers[0];
    provider.dialect = Dialect::Openai;
    provider.models = vec![ModelConfig {
        id: "own".to_owned(),
        group: None,
        context: 400_000,
        max_output: 32_000,
        thinks: false,
    }];
    for organisation in &mut provider.organisations {
        organisation.limits = Limits::default();
    }
    config
}

const OWN_MODEL: &str = "[[model]]\nslug = \"local/own\"\nroutes = { compatible = \"own\" }\n\
    context = 400_000\nmax_output = 32_000\nstrength = 40\npool = \"other\"\n";

fn server(name: &str, base_url: &str) -> String {
    format!(
        "[[account]]\nemail = \"{name}@example.com\"\n[[account.credential]]\nprovider = \"compatible\"\n\
         key = \"sk-sim-{name}\"\nbase_url = \"{base_url}\"\nmodels = [\"local/own\"]\n"
    )
}

async fn over_own_servers(first: Option<&str>) -> Fixture {
    let fixture = Fixture::bare(own_servers(), "").await;
    let path = fixture.path("own-models.toml");
    let roles = ["planner", "writer", "merger", "judge"]
        .map(|role| format!("{role} = [[\"local/own\"]]\n"))
        .concat();
    fixture.write("own-models.toml", OWN_MODEL);
    fixture.write(
        "chorus.toml",
        &format!(
            "[roles]\n{roles}[models]\nfile = \"{}\"\n[delivery]\nbeat_ms = 200\nsilent_ms = 1500\nunclaimed_ms = 1000\n",
            path.display()
        ),
    );
    let base_url = format!("{}/v1", fixture.base_url());
    let accounts = server("one-0001", first.unwrap_or(&base_url)) + &server("two-0002", &base_url);
    fixture.write("accounts.toml", &accounts);
    let imported = fixture.chorus(&["account", "import", "accounts.toml", "--no-check"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    with_brief(&fixture);
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn localdead_servers_that_are_off_leave_the_work_to_the_one_that_lives() {
    // Nothing listens on this port of the loopback interface.
    let fixture = over_own_servers(Some("http://127.0.0.1:9/v1")).await;
    let took = done(&fixture, "out").await;
    assert!(calls(&fixture, GOOD) > 8, "the living server did the work");
    assert!(took < DEADLINE, "{took:?}");
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn localdead_servers_without_limits_share_the_work_while_both_live() {
    let fixture = over_own_servers(None).await;
    done(&fixture, "out").await;
    let (one, two) = (calls(&fixture, SICK), calls(&fixture, GOOD));
    assert!(one.min(two) * 3 >= one.max(two), "{one} and {two} calls");
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn churn_is_absent_where_accounts_allow_more_calls_than_workers_begin() {
    let mut config = quick();
    for organisation in &mut config.providers[0].organisations {
        organisation.limits.concurrency = Some(500);
    }
    // Calls outlive the time after which an unclaimed dispatch is taken back.
    config.providers[0].service.first_token_ms = 24_000;
    let fixture = fixture(config, |accounts| {
        accounts.replace("amount = 4", "amount = 500")
    })
    .await;
    fixture.configure("[worker]\nslots = 2\n");
    done(&fixture, "out").await;
    let rows = fixture.deliveries(fixture.project()).await;
    let unclaimed = rows
        .iter()
        .filter(|row| row.end == Some(DeliveryEnd::Unclaimed));
    let unclaimed = unclaimed.count();
    // One more is granted if the end of a call is read from its row and then comes as a record.
    assert!(unclaimed <= 1, "{unclaimed} unclaimed: {rows:#?}");
    assert_eq!(rows.len() - unclaimed, fixture.journal().len());
    fixture.end().await;
}

/// Calls in one window of the account's only limit.
const RATE: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn twice_within_a_window_of_the_limits_nothing_is_refused() {
    let mut config = quick();
    // A minute of the provider takes ten seconds.
    config.speed = 6.0;
    config.providers[0].service = Service {
        first_token_ms: 10,
        writes_per_second: 1_000_000,
        ..config.providers[0].service
    };
    for organisation in &mut config.providers[0].organisations {
        organisation.limits.requests_per_minute = Some(RATE);
    }
    let fixture = fixture(config, |accounts| {
        let rate = format!(
            "limits = [{{ dimension = \"requests\", amount = {RATE}, window = {{ kind = \"bucket\", per_ms = 10000 }} }}, "
        );
        accounts.replace("limits = [", &rate)
    })
    .await;
    done(&fixture, "out").await;
    let before = fixture.journal().len();
    let second = fixture
        .process(&run_into("out2"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut second = second.expect("the binary runs");
    until("the work of a second run", || {
        fixture.journal().len() >= before + 6
    })
    .await;
    second.kill().expect("it runs");
    second.wait().expect("it ends");
    // `end` asserts that the providers refused nothing.
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spent_credit_is_named_within_seconds_with_the_command_for_after_a_top_up() {
    let mut config = quick();
    config.faults = vec![FaultRule::always(Fault::Unpaid)];
    let fixture = fixture(config, str::to_owned).await;
    let run = fixture
        .process(&run_into("out"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut run = run.expect("the binary runs");
    let shown = || {
        let listed = output_text(&fixture.chorus(&["project", "list"]));
        let id = listed
            .split_whitespace()
            .find(|word| word.starts_with("prj_"));
        id.map(|id| output_text(&fixture.chorus(&["project", "show", id])))
    };
    let mut text = String::new();
    until("an attention", || {
        text = shown().unwrap_or_default();
        text.contains("needs attention [")
    })
    .await;
    for expected in ["Insufficient Balance", "chorus account import FILE"] {
        assert!(text.contains(expected), "{expected:?} is missing: {text}");
    }
    let printed = text.lines().find(|line| line.contains("after a top-up"));
    let (_, command) = printed
        .and_then(|line| line.split_once(": chorus "))
        .unwrap_or_else(|| panic!("no way out after a top-up: {text}"));
    let words: Vec<&str> = command.split_whitespace().take(2).collect();
    assert_eq!(words, ["account", "enable"], "{text}");
    run.kill().expect("it waits");
    run.wait().expect("it ends");
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_no_provider_reported_are_marked_as_estimated_wherever_they_are_shown() {
    let mut config = quick();
    config.faults = vec![FaultRule {
        kind: Some("work".to_owned()),
        times: Some(2),
        ..FaultRule::always(Fault::ZeroUsage)
    }];
    let fixture = fixture(config, str::to_owned).await;
    done(&fixture, "out").await;
    let report = fixture.report("out");
    assert_eq!(report["totals"]["estimated"], 2, "{}", report["totals"]);
    let id = fixture.project().to_string();
    let shown = output_text(&fixture.chorus(&["project", "show", &id]));
    assert_eq!(shown.matches(" ~$").count(), 2, "{shown}");
    assert!(
        shown.contains("~ a provider did not report all tokens"),
        "{shown}"
    );
    fixture.end().await;
}

/// Number of leases with this end, as the process counted them.
fn leases(process: &Process, outcome: &str) -> u64 {
    process.figure(&format!("chorus_leases_total{{outcome=\"{outcome}\"}}")) as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_counts_no_lease_for_tasks_that_never_reserved_anything() {
    let mut config = quick();
    for organisation in &mut config.providers[0].organisations {
        organisation.limits.concurrency = Some(1);
    }
    config.faults = vec![FaultRule {
        kind: Some("work".to_owned()),
        ..FaultRule::always(Fault::Hang)
    }];
    let fixture = fixture(config, |accounts| {
        accounts.replace("amount = 4", "amount = 1")
    })
    .await;
    fixture.configure("[gateway]\nauth = \"open\"\nlisten = \"127.0.0.1:0\"\n");
    let process = Process::start(fixture.process(&["serve"]), &["serve"]);
    let server = format!("http://{}", process.address());
    let run = run_into("out");
    let client = fixture
        .process(&[&run[..], &["--server", &server]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let client = client.expect("the binary runs");
    let works = |fixture: &Fixture| {
        let journal = fixture.journal();
        journal.iter().filter(|entry| entry.kind == "work").count()
    };
    until("a call on each account", || works(&fixture) == 2).await;
    let id = fixture.project().to_string();
    let cancelled = fixture.chorus(&["project", "cancel", &id]);
    assert!(cancelled.status.success(), "{}", output_text(&cancelled));
    let output = output_of(client).await;
    assert_eq!(output.status.code(), Some(1), "{}", output_text(&output));
    until("the end of both calls", || {
        leases(&process, "sent") == leases(&process, "used") + leases(&process, "aborted")
    })
    .await;
    assert!(leases(&process, "sent") > 2, "plan and two calls were sent");
    assert_eq!(leases(&process, "unused"), 0, "leases that never were");
    process.ends_in_order(CONDITION);
    fixture.end().await;
}
