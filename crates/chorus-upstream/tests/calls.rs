//! Calls over real sockets against a server on this machine that misbehaves as the test demands. Nothing sleeps: the
//! server's pace is a channel, the calls' clock is moved by hand, and every wait is bounded.

#[path = "calls/clock.rs"]
mod clock;
#[path = "calls/server.rs"]
mod server;

#[path = "calls/checks.rs"]
mod checks;
#[path = "calls/refusals.rs"]
mod refusals;
#[path = "calls/replies.rs"]
mod replies;
#[path = "calls/shapes.rs"]
mod shapes;
#[path = "calls/streams.rs"]
mod streams;
#[path = "calls/verbatim.rs"]
mod verbatim;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chorus_core::id::{CredentialId, ModelSlug, ProviderId};
use chorus_core::llm::{Content, Message, Request, Role};
use chorus_core::port::Upstream as _;
use chorus_core::port::upstream::{Body, Call, CallFailure, Response};
use chorus_core::time::Timestamp;
use chorus_upstream::{Http, HttpTransport, Parts};
use chorus_vault::address::AddressPolicy;
use chorus_vault::{Opened, Secret, Secrets, SecretsError};
use clock::HandClock;
use server::Server;

const SECRET: &str = "sk-test-0123456789";
const DEADLINE: Timestamp = Timestamp(HandClock::START.0 + 60_000);

/// One secret for every credential.
struct OneSecret(Opened);

#[async_trait]
impl Secrets for OneSecret {
    async fn open(&self, _: CredentialId, _: &ProviderId) -> Result<Opened, SecretsError> {
        Ok(self.0.clone())
    }

    fn forget(&self, _: CredentialId) {}
}

/// An upstream with all credentials at this address, and its clock.
fn upstream_at(base_url: &str) -> (Http, Arc<HandClock>) {
    let clock = Arc::new(HandClock::new());
    let upstream = Http::new(Parts {
        catalog: Arc::new(chorus_upstream::catalog::load()),
        transport: Arc::new(HttpTransport::new().expect("a client")),
        secrets: Arc::new(OneSecret(Opened {
            secret: Secret::new(SECRET),
            base_url: Some(base_url.to_owned()),
        })),
        clock: Arc::<HandClock>::clone(&clock),
        addresses: AddressPolicy::default(),
    });
    (upstream, clock)
}

fn call_of(provider: &str, body: Body) -> Call {
    let models = BTreeMap::from([
        ("sim-anthropic", "sim/claude-sim"),
        ("sim-openai", "sim/gpt-sim"),
        ("sim-deepseek", "sim/deepseek-sim"),
    ]);
    Call {
        credential: CredentialId::new(1),
        provider: ProviderId::new(provider),
        model: ModelSlug::new(models.get(provider).copied().unwrap_or("local/model")),
        body,
        begin_by: DEADLINE,
        deadline: DEADLINE,
        reference: "att_1.3".to_owned(),
    }
}

fn request(stream: bool) -> Body {
    let turn = Message {
        role: Role::User,
        content: vec![Content::text("Hello")],
        extra: BTreeMap::new(),
    };
    Body::Canonical(Box::new(Request {
        messages: vec![turn],
        stream,
        ..Request::default()
    }))
}

async fn send(provider: &str, server: &Server, body: Body) -> Result<Response, CallFailure> {
    let (upstream, _clock) = upstream_at(&server.base_url);
    bounded(upstream.send(call_of(provider, body))).await
}

/// Waits for what must come soon.
async fn bounded<F: Future>(future: F) -> F::Output {
    let latest = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
    tokio::time::timeout_at(latest, future)
        .await
        .expect("it did not come within 20 s")
}
