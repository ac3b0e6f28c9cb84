//! Simulated providers in process: real wire bytes over virtual time, without sockets.
//!
//! The [`Monitor`] sees every request on arrival and every connection when it is closed. The
//! providers themselves are those of [`chorus_provider_sim::engine`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::id::{CredentialId, ProviderId};
use chorus_core::port::StoreError;
use chorus_core::time::{Millis, Timestamp};
use chorus_provider_sim::engine::journal::{CallId, Entry};
use chorus_provider_sim::engine::{Chunk, Delivery, End, HttpRequest, Providers, Scripted};
use chorus_store::memory::Store;
use chorus_upstream::{BodyStream, TransportError};
use chorus_vault::{Opened, Secret, Secrets, SecretsError};
use futures_util::StreamExt;

use crate::executor::Timeline;
use crate::fault::{FaultPoint, Part};
use crate::invariant::{CallStart, Monitor};

/// The simulated providers, shared by all processes.
pub struct SimulatedProviders {
    timeline: Arc<Timeline>,
    monitor: Arc<Monitor>,
    store: Store,
    keys: BTreeMap<String, CredentialId>,
    providers: Mutex<Providers>,
    due: Mutex<BTreeSet<(Timestamp, CallId)>>,
}

impl SimulatedProviders {
    /// Creates providers; `keys` maps API keys to credentials.
    pub fn new(
        timeline: &Arc<Timeline>,
        monitor: &Arc<Monitor>,
        store: &Store,
        keys: BTreeMap<String, CredentialId>,
        providers: Providers,
    ) -> Arc<Self> {
        Arc::new(Self {
            timeline: Arc::clone(timeline),
            monitor: Arc::clone(monitor),
            store: store.clone(),
            keys,
            providers: Mutex::new(providers),
            due: Mutex::default(),
        })
    }

    /// All calls that the providers received.
    pub fn journal(&self) -> Vec<Entry> {
        self.finish_due();
        self.lock().journal().entries().cloned().collect()
    }

    /// Ends all injected faults.
    pub(crate) fn clear_faults(&self) {
        self.lock().set_faults(Vec::new());
    }

    /// Handles a request from the process of this fault point and returns its connection.
    pub(crate) fn receive(self: &Arc<Self>, call: Call, point: FaultPoint) -> Connection {
        let scripted = self.handle(&call.request);
        point.note(format_args!(
            "calls {} for {}: {}",
            call.request.path, call.reference, scripted.status
        ));
        let start = CallStart {
            reference: &call.reference,
            credential: call.credential,
            passed: scripted.passed,
        };
        self.store
            .with_rows(|rows| self.monitor.call_started(&start, rows));
        Connection {
            simulated: Arc::clone(self),
            point,
            reference: call.reference,
            status: scripted.status,
            headers: scripted.headers,
            call: scripted.call,
            chunks: scripted.chunks.into(),
            end: scripted.end,
            at: self.timeline.now(),
            delivered: 0,
        }
    }

    fn handle(&self, request: &HttpRequest) -> Scripted {
        self.finish_due();
        let scripted = self.lock().handle(self.now_ms(), request);
        if let Some(call) = scripted.call.filter(|_| scripted.end != End::Hang) {
            let length: u64 = scripted.chunks.iter().map(|chunk| chunk.delay_ms).sum();
            self.due()
                .insert((self.timeline.now() + Millis(length), call));
        }
        scripted
    }

    /// Finishes calls with a due last chunk. Providers send at their own pace, even to a paused
    /// process.
    fn finish_due(&self) {
        let now = self.timeline.now();
        let mut due = self.due();
        while let Some((at, call)) = due.first().copied().filter(|(at, _)| *at < now) {
            due.pop_first();
            self.lock()
                .finished(at.0.unsigned_abs(), call, Delivery::All);
        }
    }

    fn due(&self) -> MutexGuard<'_, BTreeSet<(Timestamp, CallId)>> {
        self.due
            .lock()
            .expect("one thread alone plays the providers")
    }

    fn finished(&self, call: CallId, delivery: Delivery) {
        self.finish_due();
        self.lock().finished(self.now_ms(), call, delivery);
    }

    fn now_ms(&self) -> u64 {
        self.timeline.now().0.unsigned_abs()
    }

    fn lock(&self) -> MutexGuard<'_, Providers> {
        self.providers
            .lock()
            .expect("one thread alone plays the providers")
    }

    /// Returns the credential of the API key in the request.
    pub(crate) fn credential(&self, request: &HttpRequest) -> Option<CredentialId> {
        let shown = request
            .headers
            .iter()
            .find_map(|(name, value)| match name.as_str() {
                "authorization" => value.strip_prefix("Bearer ").map(str::to_owned),
                "x-api-key" => Some(value.clone()),
                _ => None,
            });
        self.keys.get(&shown?).copied()
    }
}

/// A request with the attempt and credential that it names.
pub(crate) struct Call {
    pub(crate) request: HttpRequest,
    /// Header `x-client-request-id`: attempt and epoch.
    pub(crate) reference: String,
    pub(crate) credential: CredentialId,
}

/// One connection. Dropping it before its end closes it.
pub(crate) struct Connection {
    simulated: Arc<SimulatedProviders>,
    point: FaultPoint,
    reference: String,
    status: u16,
    headers: Vec<(String, String)>,
    call: Option<CallId>,
    chunks: VecDeque<Chunk>,
    end: End,
    at: Timestamp,
    delivered: u64,
}

impl Connection {
    /// Waits for the response headers.
    pub(crate) async fn response(mut self) -> Result<http::Response<BodyStream>, TransportError> {
        let first = self.chunks.front().map_or(0, |chunk| chunk.delay_ms);
        self.wait(first).await;
        if let Some(chunk) = self.chunks.front_mut() {
            chunk.delay_ms = 0;
        }
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in std::mem::take(&mut self.headers) {
            response = response.header(name, value);
        }
        response
            .body(self.stream())
            .map_err(|error| TransportError::Broken(error.to_string()))
    }

    /// Waits for the time of a chunk in the script. A late reader does not delay the next chunk.
    async fn wait(&mut self, delay_ms: u64) {
        self.at = self.at + Millis(delay_ms);
        self.simulated.timeline.sleep_until(self.at).await;
    }

    async fn next(&mut self) -> Option<Result<Bytes, TransportError>> {
        if let Some(chunk) = self.chunks.pop_front() {
            self.wait(chunk.delay_ms).await;
            self.delivered += chunk.bytes.len() as u64;
            return Some(Ok(chunk.bytes));
        }
        match self.end {
            End::Hang => futures_util::future::pending().await,
            End::Close | End::Died => {
                self.hang_up(Delivery::All);
                None
            }
            End::Cut => {
                let broke = self.call.is_some();
                self.hang_up(Delivery::All);
                broke.then(|| {
                    Err(TransportError::Broken(
                        "the provider closed the connection".to_owned(),
                    ))
                })
            }
        }
    }

    fn hang_up(&mut self, delivery: Delivery) {
        if let Some(call) = self.call.take() {
            self.simulated.finished(call, delivery);
        }
    }

    fn stream(self) -> BodyStream {
        futures_util::stream::unfold(self, |mut line| async move {
            line.next().await.map(|item| (item, line))
        })
        .boxed()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let whole = self.chunks.is_empty() && matches!(self.end, End::Close | End::Died);
        if self.call.is_some() && !whole {
            self.point.note(format_args!(
                "hangs up on {} after {} bytes",
                self.reference, self.delivered
            ));
        }
        self.hang_up(if whole {
            Delivery::All
        } else {
            Delivery::Bytes(self.delivered)
        });
        self.simulated.monitor.call_ended(&self.reference);
    }
}

/// API keys of the simulation, in plain text. A process reads each key once, through the store.
pub struct OpenKeys {
    keys: BTreeMap<CredentialId, (String, String)>,
    known: Mutex<BTreeSet<CredentialId>>,
    point: FaultPoint,
}

impl OpenKeys {
    /// Creates the secrets of one process: key and base URL of each credential.
    pub const fn new(keys: BTreeMap<CredentialId, (String, String)>, point: FaultPoint) -> Self {
        Self {
            keys,
            known: Mutex::new(BTreeSet::new()),
            point,
        }
    }
}

#[async_trait]
impl Secrets for OpenKeys {
    async fn open(
        &self,
        credential: CredentialId,
        _provider: &ProviderId,
    ) -> Result<Opened, SecretsError> {
        let (key, address) = self
            .keys
            .get(&credential)
            .cloned()
            .ok_or(SecretsError::Missing(credential))?;
        let known = self
            .known
            .lock()
            .expect("one thread alone opens keys")
            .contains(&credential);
        if !known {
            let read = async { Ok::<(), StoreError>(()) };
            self.point
                .call(
                    Part::Store,
                    &format!("open key of {credential}"),
                    |()| "open".to_owned(),
                    read,
                )
                .await?;
            self.known
                .lock()
                .expect("one thread alone opens keys")
                .insert(credential);
        }
        Ok(Opened {
            secret: Secret::new(key),
            base_url: Some(address),
        })
    }

    fn forget(&self, credential: CredentialId) {
        self.known
            .lock()
            .expect("one thread alone opens keys")
            .remove(&credential);
    }
}
