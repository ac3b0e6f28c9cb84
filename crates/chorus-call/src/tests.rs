//! Whole calls under virtual time: limits in memory, and a provider that replies from a list.

use std::future::{Future, pending};
use std::ops::ControlFlow;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chorus_bus::Embedded;
use chorus_core::attempt::Assignment;
use chorus_core::catalog::{Catalog, Dialect};
use chorus_core::id::{
    AccountId, CredentialId, GroupId, Holder, LeaseId, ModelSlug, Pool, ProviderId, Tenant,
};
use chorus_core::limit::{
    CallEstimate, Candidate, Demand, Dimension, End, Lease, Limit, ObservedLevel, QuotaGroup,
    QuotaResets, ReserveRule, Reserved, Window,
};
use chorus_core::llm::{FinishReason, Request, StreamEvent, Usage};
use chorus_core::money::MicroUsd;
use chorus_core::port::upstream::{
    Body, BodyFacts, Call, CallFailure, Response, ResponseBody, Tapped,
};
use chorus_core::port::{Clock, LimitState, Upstream};
use chorus_core::time::{Millis, Timestamp};
use chorus_limits::{Memory, Start};
use chorus_store::memory::Store;
use chorus_virtual_time::Handle;
use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};

use crate::{
    CallObserver, CallReport, CallRunner, Cut, CutBy, Ending, LeasedCall, Piece, Settings, Silent,
};

/// Provider that accepts every call and replies with this body, one piece each 100 ms.
struct Replies {
    clock: Arc<dyn Clock>,
    pieces: Pieces,
    calls: Mutex<Vec<Call>>,
}

#[derive(Clone)]
enum Pieces {
    Events(Vec<StreamEvent>),
    Bytes(Vec<Tapped>),
}

fn paced<T: Clone + Send + 'static>(
    clock: &Arc<dyn Clock>,
    items: &[T],
) -> stream::BoxStream<'static, Result<T, CallFailure>> {
    let clock = Arc::clone(clock);
    let items = items.to_vec();
    stream::iter(items)
        .then(move |item| clock.sleep(Millis(100)).map(|()| Ok(item)))
        .boxed()
}

#[async_trait]
impl Upstream for Replies {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        self.calls.lock().expect("one thread").push(call);
        let sent_at = self.clock.now();
        let body = match &self.pieces {
            Pieces::Events(events) => ResponseBody::Stream(paced(&self.clock, events)),
            Pieces::Bytes(bytes) => ResponseBody::Verbatim {
                status: 200,
                content_type: "text/event-stream".to_owned(),
                body: paced(&self.clock, bytes),
            },
        };
        let level = ObservedLevel {
            dimension: Dimension::OutputTokens,
            limit: Some(10_000),
            remaining: Some(4_000),
            full_at: None,
            rounded_to: 1,
            window: None,
        };
        Ok(Response {
            sent_at,
            request_id: Some("req_1".to_owned()),
            levels: vec![level],
            body,
        })
    }
}

/// One runner with one leased call.
struct Fixture {
    time: Handle,
    limits: Arc<Memory>,
    upstream: Arc<Replies>,
    runner: CallRunner,
    call: LeasedCall,
}

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
    let slow = Window::Bucket {
        per_ms: 1_000_000_000_000,
    };
    Arc::new(QuotaGroup {
        id: GroupId::new("p/org"),
        limits: vec![
            limit(Dimension::OutputTokens, 10_000, slow),
            limit(Dimension::Concurrency, 4, Window::Held),
        ],
    })
}

fn leased_call(lease: Lease, body: Body) -> LeasedCall {
    LeasedCall {
        assignment: Assignment {
            lease,
            account: AccountId::new(3),
            provider: ProviderId::new("p"),
            model: ModelSlug::new("p/m"),
            pool: Pool::new("other"),
            estimate: MicroUsd(500),
            resets: QuotaResets::default(),
        },
        tenant: Tenant::new("home"),
        holder: Holder::new("boot.1"),
        body,
        prompt_tokens: 100,
        cut_at: Timestamp(5_000),
        lease_until: Timestamp(15_000),
        reference: "call".to_owned(),
    }
}

impl Fixture {
    fn new(body: Body, pieces: Pieces) -> Self {
        let time = Handle::default();
        let clock = time.port();
        let limits = Arc::new(Memory::new(clock.clone(), Start::Full));
        let upstream = Arc::new(Replies {
            clock: clock.clone(),
            pieces,
            calls: Mutex::default(),
        });
        let candidate = Candidate {
            credential: CredentialId::new(2),
            groups: vec![group()],
            estimate: CallEstimate {
                output_p90: 50,
                ..CallEstimate::default()
            },
            rank: 0,
            floor_permille: 0,
        };
        let demand = Demand {
            lease: LeaseId::new(1),
            interactive: true,
            not_after: Timestamp(2_000),
            candidates: vec![candidate],
            books: false,
        };
        let reserved = time.run(limits.reserve(demand)).expect("memory answers");
        let Reserved::Granted(lease) = reserved else {
            panic!("the limits have room")
        };
        let runner = CallRunner {
            limits: limits.clone(),
            upstream: upstream.clone(),
            directory: Arc::new(Store::new(clock.clone())),
            bus: Arc::new(Embedded::new()),
            clock,
            catalog: Arc::new(Catalog::default()),
            settings: Settings {
                chars_per_token: 16,
            },
        };
        Self {
            time,
            limits,
            upstream,
            runner,
            call: leased_call(lease, body),
        }
    }

    fn canonical(text: &[&str]) -> Self {
        let mut request = Request::default();
        request.sampling.max_tokens = Some(100);
        let mut events: Vec<StreamEvent> = text.iter().map(|delta| say(delta)).collect();
        events.extend([
            StreamEvent::Usage(Usage {
                input: 100,
                output: 7,
                ..Usage::default()
            }),
            StreamEvent::Finish(FinishReason::Stop),
            StreamEvent::End,
        ]);
        Self::new(Body::Canonical(Box::new(request)), Pieces::Events(events))
    }

    /// Runs and settles the call.
    fn run(
        &self,
        observer: &mut dyn CallObserver,
        cancel: impl Future<Output = ()> + Send,
    ) -> CallReport {
        let mut cancel = pin!(cancel);
        self.time.run(async {
            let clock = &*self.runner.clock;
            let mut cut = Cut::new(clock, self.call.cut_at, cancel.as_mut());
            let report = self.runner.run(&self.call, &mut cut, observer).await;
            self.runner.observe(&self.call, &report).await;
            self.runner.end(&self.call, &report).await;
            report
        })
    }

    /// Calls made, slots held, and output tokens left.
    fn state(&self) -> (usize, i64, i64) {
        let levels: Vec<_> = self
            .limits
            .all_levels()
            .into_iter()
            .flat_map(|group| group.limits)
            .collect();
        let of = |dimension| levels.iter().find(|level| level.dimension == dimension);
        let slots = of(Dimension::Concurrency).map_or(0, |level| level.held);
        let left = of(Dimension::OutputTokens).map_or(0, |level| level.room);
        let calls = self.upstream.calls.lock().expect("one thread").len();
        (calls, slots, left)
    }
}

fn say(delta: &str) -> StreamEvent {
    StreamEvent::Text {
        index: 0,
        delta: delta.to_owned(),
    }
}

/// Observer that takes a second for each piece and goes away after so many.
struct SlowClient {
    clock: Arc<dyn Clock>,
    started: bool,
    pieces: Vec<String>,
    leaves_after: usize,
}

impl SlowClient {
    fn new(fixture: &Fixture, leaves_after: usize) -> Self {
        Self {
            clock: fixture.time.port(),
            started: false,
            pieces: Vec::new(),
            leaves_after,
        }
    }
}

#[async_trait]
impl CallObserver for SlowClient {
    fn on_start(&mut self) {
        self.started = true;
    }

    async fn on_piece(&mut self, piece: Piece<'_>) -> ControlFlow<()> {
        self.clock.sleep(Millis(1_000)).await;
        self.pieces.push(match piece {
            Piece::Event(StreamEvent::Text { delta, .. }) => delta.clone(),
            Piece::Bytes(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            Piece::Head { content_type, .. } => content_type.to_owned(),
            Piece::Event(_) | Piece::Reply(_) => String::new(),
        });
        if self.pieces.len() >= self.leaves_after {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

#[test]
fn a_streamed_call_is_reported_observed_and_ended() {
    let fixture = Fixture::canonical(&["one ", "two"]);
    let report = fixture.run(&mut Silent, pending());
    assert_eq!(report.ending, Ending::Complete);
    let reply = report.reply.expect("a reply").reply;
    assert_eq!(reply.text(), "one two");
    assert_eq!(report.usage.map(|usage| usage.output), Some(7));
    // The header showed 4,000. It may have counted the 50 tokens that the call still held, so it bounds the level from
    // above only; the seven tokens were charged at the end.
    assert_eq!(fixture.state(), (1, 0, 4_043));
}

/// Observer that notes the output tokens left shortly after each piece.
struct LevelWatcher {
    clock: Arc<dyn Clock>,
    limits: Arc<Memory>,
    left: Vec<i64>,
}

#[async_trait]
impl CallObserver for LevelWatcher {
    async fn on_piece(&mut self, _: Piece<'_>) -> ControlFlow<()> {
        self.clock.sleep(Millis(100)).await;
        let levels: Vec<_> = self
            .limits
            .all_levels()
            .into_iter()
            .flat_map(|group| group.limits)
            .collect();
        let output = levels
            .iter()
            .find(|level| level.dimension == Dimension::OutputTokens);
        self.left
            .extend(output.map(|level| level.room + level.held));
        ControlFlow::Continue(())
    }
}

#[test]
fn headers_are_followed_at_the_first_byte_of_a_reply() {
    let fixture = Fixture::canonical(&["one ", "two"]);
    let mut watcher = LevelWatcher {
        clock: fixture.time.port(),
        limits: Arc::clone(&fixture.limits),
        left: Vec::new(),
    };
    let report = fixture.run(&mut watcher, pending());
    assert_eq!(report.ending, Ending::Complete);
    // The 50 tokens that the call holds may be in the header's 4,000 already.
    assert_eq!(watcher.left.first(), Some(&4_050), "{:?}", watcher.left);
}

#[test]
fn without_its_lease_no_call_is_made() {
    let fixture = Fixture::canonical(&["never"]);
    let lease = fixture.call.assignment.lease.id;
    fixture
        .time
        .run(fixture.limits.end(lease, End::Unused))
        .expect("memory answers");
    let mut client = SlowClient::new(&fixture, 1);
    let report = fixture.run(&mut client, pending());
    assert_eq!((report.ending, report.usage), (Ending::LeaseGone, None));
    assert_eq!(fixture.state(), (0, 0, 10_000));
    assert!(!client.started, "nothing began");
}

#[test]
fn a_cancel_while_the_limiter_is_silent_makes_no_call_and_keeps_no_slot() {
    let fixture = Fixture::canonical(&["never"]);
    fixture.limits.flush();
    let report = fixture.run(&mut Silent, fixture.runner.clock.sleep(Millis(1_500)));
    assert_eq!(report.ending, Ending::NotStarted(CutBy::Cancel));
    assert_eq!(
        report.lease_end,
        End::Refused {
            counts_request: false
        },
        "the lease may have been sent although no answer came"
    );
    assert_eq!(fixture.state().0, 0);
}

#[test]
fn a_slow_client_slows_the_stream_down_until_the_deadline() {
    let fixture = Fixture::canonical(&["a", "b", "c", "d", "e", "f"]);
    let mut client = SlowClient::new(&fixture, 99);
    let report = fixture.run(&mut client, pending());
    assert_eq!(report.ending, Ending::Cut(CutBy::Deadline));
    assert_eq!(
        client.pieces,
        ["a", "b", "c", "d"],
        "1.1 s each, 5 s in all"
    );
    assert_eq!(fixture.state().1, 1, "the provider may still be generating");
}

#[test]
fn a_client_that_goes_away_cancels_its_call() {
    let fixture = Fixture::canonical(&["a", "b", "c"]);
    let mut client = SlowClient::new(&fixture, 2);
    let report = fixture.run(&mut client, pending());
    assert_eq!(report.ending, Ending::Cut(CutBy::Cancel));
    assert_eq!((client.pieces.len(), report.class()), (2, None));
    assert!(matches!(report.lease_end, End::Aborted { .. }));
}

#[test]
fn verbatim_bytes_pass_untouched_and_their_usage_is_paid() {
    let tapped = |text: &'static str| Tapped::Bytes(Bytes::from_static(text.as_bytes()));
    let usage = Usage {
        input: 90,
        output: 20,
        ..Usage::default()
    };
    let check = |last: Tapped, expected: u64| {
        let body = Body::Verbatim {
            dialect: Dialect::OpenaiChat,
            bytes: Bytes::from_static(b"{}"),
            facts: BodyFacts { stream: true },
        };
        let pieces = vec![tapped("data: 1\n\n"), tapped("data: 2\n\n"), last];
        let fixture = Fixture::new(body, Pieces::Bytes(pieces));
        let mut client = SlowClient::new(&fixture, 99);
        let report = fixture.run(&mut client, pending());
        assert_eq!(report.ending, Ending::Complete);
        assert_eq!(
            &client.pieces[..3],
            ["text/event-stream", "data: 1\n\n", "data: 2\n\n"]
        );
        assert_eq!(report.usage.map(|usage| usage.output), Some(expected));
    };
    check(Tapped::Usage(usage), 20);
    check(tapped("data: [DONE]"), 8);
}
