//! The Redis server is killed, comes back, and comes back empty: real processes of `redis-server`,
//! started here.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chorus_core::id::{CredentialId, Holder, LeaseId};
use chorus_core::limit::{
    CallEstimate, Candidate, Demand, Dimension, End, HeldLease, Lease, Limit, Obstacle,
    ObstacleKind, QuotaGroup, ReserveRule, Reserved, Sent, Window, Zone,
};
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::{Millis, Timestamp};
use chorus_limits::Redis;
use chorus_limits::redis::Settings;
use chorus_simulation::real;
use futures_util::future::{BoxFuture, FutureExt};
use tokio::time::{Instant, sleep_until};

/// A Redis server of this test.
struct OwnServer {
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

impl OwnServer {
    /// Starts the server; `None` if the machine has no `redis-server`. A run with a Redis must have
    /// it.
    fn start() -> Option<Self> {
        real::REDIS.address()?;
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let child = launch(&folder.path().to_path_buf(), port)
            .expect("redis-server is installed where Redis is tried");
        Some(Self {
            folder,
            port,
            child,
        })
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    fn start_again(&mut self) {
        self.child =
            launch(&self.folder.path().to_path_buf(), self.port).expect("it was started before");
    }

    /// The limiter as a new process sees it, with a short grace.
    fn process(&self) -> Redis {
        let url = format!("redis://127.0.0.1:{}", self.port);
        let settings = Settings {
            grace: Millis(300),
            timeout: Millis(1_000),
            ..Settings::new(url, "away")
        };
        Redis::open(&settings, Arc::new(Wall)).expect("the URL is one")
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn launch(folder: &PathBuf, port: u16) -> std::io::Result<Child> {
    let mut command = Command::new("redis-server");
    command
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
            "--dir",
        ])
        .arg(folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
}

/// Clock of the machine.
struct Wall;

impl Clock for Wall {
    #[expect(clippy::disallowed_methods, reason = "real servers live in real time")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("it is after 1970");
        Timestamp(i64::try_from(since.as_millis()).expect("it is before the year 292 million"))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        tokio::time::sleep_until(Instant::now() + Duration::from_millis(at.since(self.now()).0))
            .boxed()
    }

    fn random_u128(&self) -> u128 {
        fastrand::u128(..)
    }

    fn random_below(&self, below: u64) -> u64 {
        fastrand::u64(0..below.max(1))
    }
}

/// Group with four slots and a large daily amount of tokens.
fn group() -> Arc<QuotaGroup> {
    let limit = |dimension, amount, window| Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    };
    let limits = vec![
        limit(Dimension::Concurrency, 4, Window::Held),
        limit(
            Dimension::InputTokens,
            10_000,
            Window::Day { zone: Zone::UTC },
        ),
    ];
    Arc::new(QuotaGroup {
        id: "org/model".into(),
        limits,
    })
}

fn demand() -> Demand {
    let estimate = CallEstimate {
        input: 100,
        cached: 0,
        output_p50: 1,
        output_p90: 1,
        max_tokens: 1,
        cost: MicroUsd(1),
    };
    let candidate = Candidate {
        credential: CredentialId::new(1),
        groups: vec![group()],
        estimate,
        rank: 0,
        floor_permille: 0,
    };
    let lease = LeaseId::new(fastrand::u128(..));
    Demand {
        lease,
        interactive: false,
        not_after: Wall.now() + Millis(60_000),
        candidates: vec![candidate],
        books: false,
    }
}

/// Repeats a request until the reply is the wanted one.
async fn until<T: std::fmt::Debug, F: Future<Output = T>>(
    what: &str,
    ask: impl Fn() -> F,
    wanted: impl Fn(&T) -> bool,
) -> T {
    let start = Instant::now();
    loop {
        let answer = ask().await;
        if wanted(&answer) {
            return answer;
        }
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "{what}: still {answer:?}"
        );
        sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

async fn ready(redis: &Redis) {
    drop(until("the server is there", || redis.ping(), Result::is_ok).await);
}

async fn granted(redis: &Redis) -> Lease {
    match redis.reserve(demand()).await {
        Ok(Reserved::Granted(lease)) => lease,
        other => panic!("{other:?}"),
    }
}

fn held(lease: &Lease, sent_until: Option<Timestamp>) -> HeldLease {
    HeldLease {
        lease: lease.clone(),
        groups: vec![group()],
        sent_until,
        process_ended: false,
    }
}

fn used() -> End {
    End::Used {
        usage: Usage {
            input: 100,
            ..Usage::default()
        },
        cost: MicroUsd(1),
    }
}

/// A dispatcher without its server keeps to its share: two slots of four; returns its third grant.
async fn keeps_to_its_share(
    dispatcher: &Redis,
    (first, second): (&Lease, &Lease),
    until_then: Timestamp,
) -> Lease {
    assert!(
        matches!(
            dispatcher.reserve(demand()).await,
            Err(LimiterError::Unavailable { .. })
        ),
        "not before the grace is over"
    );
    drop(
        until(
            "the share needs the leases",
            || dispatcher.reserve(demand()),
            |answer| *answer == Err(LimiterError::StateLost),
        )
        .await,
    );
    assert!(dispatcher.is_alone());
    assert_eq!(
        dispatcher.intact().await,
        Ok(()),
        "nothing is lost that it goes on with"
    );
    // According to the database, one call runs and one dispatch waits for its worker: two of four
    // slots are taken.
    let outstanding = vec![held(first, Some(until_then)), held(second, None)];
    dispatcher
        .restore(outstanding.into())
        .await
        .expect("its own ledger takes them");
    waits_for_a_slot(dispatcher).await;
    dispatcher
        .restore(vec![held(second, None)].into())
        .await
        .expect("its own ledger takes them");
    let third = granted(dispatcher).await;
    waits_for_a_slot(dispatcher).await;
    third
}

/// Asserts that no slot of the share is free, and that the answer names them as the obstacle.
async fn waits_for_a_slot(dispatcher: &Redis) {
    let demand = demand();
    let obstacle = Obstacle {
        credential: demand.candidates[0].credential,
        group: demand.candidates[0].groups[0].id.clone(),
        kind: ObstacleKind::Limit {
            dimension: Dimension::Concurrency,
        },
        until: None,
    };
    assert_eq!(
        dispatcher.reserve(demand).await,
        Ok(Reserved::Wait {
            at: None,
            obstacle: Some(obstacle)
        }),
        "two slots of four are its share"
    );
}

/// A worker without its server sends a lease for its first holder, within the lease's time.
async fn sends_its_lease(worker: &Redis, second: &Lease, holder: &Holder, until_then: Timestamp) {
    let ask = || worker.send(second, holder, until_then);
    assert_eq!(
        until("the worker goes on alone", ask, Result::is_ok).await,
        Ok(Sent::Sent)
    );
    assert_eq!(
        worker
            .send(second, &Holder::new("worker/2"), until_then)
            .await,
        Ok(Sent::Gone)
    );
    let late = Lease {
        not_after: Timestamp(0),
        id: LeaseId::new(7),
        ..second.clone()
    };
    assert_eq!(
        worker.send(&late, holder, until_then).await,
        Ok(Sent::Gone),
        "no lease is sent after its time"
    );
}

#[tokio::test]
async fn without_its_server_a_dispatcher_keeps_to_its_share_and_a_worker_sends_what_it_was_given() {
    let Some(mut server) = OwnServer::start() else {
        return;
    };
    let (dispatcher, gateway, worker) = (server.process(), server.process(), server.process());
    ready(&dispatcher).await;
    dispatcher
        .restore(Vec::new().into())
        .await
        .expect("it answers");
    let first = granted(&dispatcher).await;
    gateway
        .end(granted(&gateway).await.id, End::Unused)
        .await
        .expect("it answers");
    let second = granted(&dispatcher).await;
    assert_eq!(dispatcher.members(), 2);
    server.kill();

    let until_then = Wall.now() + Millis(60_000);
    let third = keeps_to_its_share(&dispatcher, (&first, &second), until_then).await;
    let holder = Holder::new("worker/1");
    sends_its_lease(&worker, &second, &holder, until_then).await;
    assert_eq!(worker.end(first.id, used()).await, Ok(()));

    server.start_again();
    ready(&worker).await;
    // The server is empty; a process that knows the database restores it.
    drop(
        until(
            "the loss is noticed",
            || dispatcher.reserve(demand()),
            |answer| *answer == Err(LimiterError::StateLost),
        )
        .await,
    );
    dispatcher
        .restore(vec![held(&second, Some(until_then)), held(&third, None)].into())
        .await
        .expect("it answers");
    until(
        "the worker's ends arrive",
        || async { worker.is_alone() },
        |alone| !alone,
    )
    .await;
    assert!(!dispatcher.is_alone());
    assert_eq!(dispatcher.live_leases().await, Ok(2));
    assert_eq!(
        worker.send(&second, &holder, until_then).await,
        Ok(Sent::Sent),
        "it is the holder there too"
    );
    assert_eq!(
        worker.send(&third, &holder, until_then).await,
        Ok(Sent::Sent)
    );
}

#[tokio::test]
async fn a_server_that_was_only_out_of_reach_learns_of_ends_without_it() {
    let Some(server) = OwnServer::start() else {
        return;
    };
    let process = server.process();
    ready(&process).await;
    process
        .restore(Vec::new().into())
        .await
        .expect("it answers");
    let (running, waiting) = (granted(&process).await, granted(&process).await);
    let (holder, until_then) = (Holder::new("worker/1"), Wall.now() + Millis(60_000));
    assert_eq!(
        process.send(&running, &holder, until_then).await,
        Ok(Sent::Sent)
    );
    server.stop(true);
    drop(
        until(
            "the process goes on alone",
            || process.end(running.id, used()),
            Result::is_ok,
        )
        .await,
    );
    assert_eq!(
        process.send(&waiting, &holder, until_then).await,
        Ok(Sent::Sent)
    );
    drop(
        until(
            "the leases are asked for",
            || process.reserve(demand()),
            |answer| *answer == Err(LimiterError::StateLost),
        )
        .await,
    );
    process
        .restore(vec![held(&waiting, Some(until_then))].into())
        .await
        .expect("its own ledger takes them");
    let own = granted(&process).await;
    server.stop(false);
    until(
        "its ends arrive",
        || async { process.is_alone() },
        |alone| !alone,
    )
    .await;
    assert_eq!(
        process.live_leases().await,
        Ok(2),
        "one ended, one was sent and one granted without the server"
    );
    let used: i64 = process
        .state()
        .await
        .expect("it answers")
        .0
        .iter()
        .flat_map(|group| &group.limits)
        .filter(|level| level.dimension == Dimension::InputTokens)
        .map(|level| level.capacity.cast_signed() - level.room)
        .sum();
    assert_eq!(used, 300, "three calls of 100 tokens");
    process.end(own.id, End::Unused).await.expect("it answers");
    assert_eq!(process.live_leases().await, Ok(1));
}

impl OwnServer {
    /// Sends SIGSTOP or SIGCONT: connections stay open and nothing answers.
    fn stop(&self, stopped: bool) {
        let signal = if stopped { "-STOP" } else { "-CONT" };
        let done = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status()
            .expect("kill is everywhere");
        assert!(done.success());
    }
}
