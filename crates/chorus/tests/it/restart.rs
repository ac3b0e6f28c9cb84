//! A process takes over from one that ended: slots of its calls come back, rates and days go on.

use std::process::Child;
use std::time::{Duration, Instant};

use chorus_provider_sim::config::Config;
use chorus_provider_sim::engine::journal::Outcome;

use crate::fixture::{Fixture, output_text, quick};

const RUN: [&str; 8] = [
    "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume",
];
const BOOK: crate::chronicle::Chronicle = crate::chronicle::Chronicle {
    seed: 7,
    chapters: 5,
    contradiction: false,
};
/// Calls a minute of each account, fewer than two runs make.
const RATE: u64 = 12;
/// Time in which a resumed project must make a call.
const FLOWS_WITHIN: Duration = Duration::from_secs(15);

/// Waits until a condition holds, or fails at the deadline.
#[expect(
    clippy::disallowed_methods,
    reason = "a condition of other processes is polled"
)]
async fn wait_for(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(
            start.elapsed() < within,
            "{what} did not happen in {within:?}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    start.elapsed()
}

fn open_calls(fixture: &Fixture) -> usize {
    let journal = fixture.journal();
    let open = journal
        .iter()
        .filter(|entry| entry.outcome == Outcome::Open);
    open.count()
}

async fn fixture(config: Config) -> Fixture {
    let fixture = Fixture::new(config).await;
    fixture.write("brief.md", &crate::chronicle::Chronicle::brief());
    fixture.write("docs/chronicle.md", &BOOK.text());
    fixture
}

fn kill(mut process: Child) {
    process.kill().expect("it runs");
    process.wait().expect("it ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_flows_within_15_s_after_a_kill_with_calls_open_on_every_slot() {
    let mut config = quick();
    for organisation in &mut config.providers[0].organisations {
        organisation.limits.concurrency = Some(1);
    }
    // A call takes some seconds, so that the kill meets one on each slot.
    config.providers[0].service.first_token_ms = 60_000;
    let fixture = fixture(config).await;
    let killed = fixture.process(&RUN).spawn().expect("the binary runs");
    let minute = Duration::from_secs(60);
    wait_for("a call on every slot", minute, || open_calls(&fixture) == 2).await;
    kill(killed);
    let before = fixture.journal().len();
    let id = fixture.project().to_string();
    let resume = ["resume", &id, "--out", "out", "--yes", "--assume"];
    let resumed = fixture.process(&resume).spawn().expect("the binary runs");
    wait_for("a call after the kill", FLOWS_WITHIN, || {
        fixture.journal().len() > before
    })
    .await;
    kill(resumed);
    fixture.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_run_within_the_minute_is_not_refused() {
    let mut config = quick();
    config.speed = 1.0;
    config.providers[0].service.first_token_ms = 10;
    config.providers[0].service.writes_per_second = 1_000_000;
    for organisation in &mut config.providers[0].organisations {
        organisation.limits.requests_per_minute = Some(RATE);
    }
    let fixture = fixture(config).await;
    let rate = format!(
        "limits = [{{ dimension = \"requests\", amount = {RATE}, window = {{ kind = \"bucket\", per_ms = 60000 }} }}, "
    );
    let accounts = fixture.accounts(4).replace("limits = [", &rate);
    fixture.write("accounts.toml", &accounts);
    let imported = fixture.chorus(&["account", "import", "accounts.toml"]);
    assert!(imported.status.success(), "{}", output_text(&imported));
    let first = fixture.chorus(&RUN);
    assert!(first.status.success(), "{}", output_text(&first));
    let calls = || fixture.journal().len();
    let before = calls();
    let mut second = RUN;
    second[5] = "out2";
    let second = fixture.process(&second).spawn().expect("the binary runs");
    wait_for("the work of a second run", Duration::from_secs(90), || {
        calls() >= before + 8
    })
    .await;
    kill(second);
    // `end` asserts that the providers refused nothing.
    fixture.end().await;
}
