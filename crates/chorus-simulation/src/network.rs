//! Network between processes and providers: requests have a latency, and later ones may overtake
//! earlier ones.
//!
//! The network belongs to no process. A request arrives while its sender is paused; the requests of
//! a crashed process are dropped with their connections.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::time::{Millis, Timestamp};
use chorus_provider_sim::engine::HttpRequest;
use chorus_upstream::{BodyStream, Transport, TransportError};
use fastrand::Rng;
use futures_channel::{mpsc, oneshot};
use futures_util::StreamExt;
use futures_util::future::{Either, pending, select};

use crate::chance::{self, permille};
use crate::executor::Timeline;
use crate::fault::FaultPoint;
use crate::providers::{Call, Connection, SimulatedProviders};

/// Maximum usual latency of a request, in milliseconds.
const USUAL: u64 = 20;
/// Maximum latency of a request that others may overtake, in milliseconds. Together with the time
/// to mark a lease as sent it stays below the 500 ms that the ledger allows for travel.
const LONGEST: u64 = 450;

/// Network shared by all processes.
pub struct Network {
    simulated: Arc<SimulatedProviders>,
    timeline: Arc<Timeline>,
    overtaken: u32,
    chance: Mutex<Rng>,
    out: mpsc::UnboundedSender<Packet>,
    inbox: Mutex<Option<mpsc::UnboundedReceiver<Packet>>>,
}

/// A request in transit.
struct Packet {
    arrives: Timestamp,
    call: Call,
    point: FaultPoint,
    answer: oneshot::Sender<Connection>,
}

impl Network {
    /// Creates a network to these providers; `overtaken` in 1,000 requests may be overtaken.
    pub fn new(
        seed: u64,
        timeline: &Arc<Timeline>,
        simulated: &Arc<SimulatedProviders>,
        overtaken: u32,
    ) -> Arc<Self> {
        let (out, inbox) = mpsc::unbounded();
        Arc::new(Self {
            simulated: Arc::clone(simulated),
            timeline: Arc::clone(timeline),
            overtaken,
            chance: Mutex::new(chance::stream(seed, "network")),
            out,
            inbox: Mutex::new(Some(inbox)),
        })
    }

    /// Delivers requests to the providers when they are due, for ever.
    pub async fn run(self: Arc<Self>) {
        let Some(mut inbox) = self
            .inbox
            .lock()
            .expect("one thread alone carries requests")
            .take()
        else {
            return;
        };
        let mut in_transit = BTreeMap::new();
        let mut number = 0_u64;
        loop {
            let due = in_transit
                .first_key_value()
                .map(|((at, _), _): (&(Timestamp, u64), &Packet)| *at);
            let arrival = async {
                match due {
                    Some(at) => self.timeline.sleep_until(at).await,
                    None => pending().await,
                }
            };
            match select(inbox.next(), pin!(arrival)).await {
                Either::Left((Some(packet), _)) => {
                    number += 1;
                    in_transit.insert((packet.arrives, number), packet);
                }
                Either::Left((None, _)) => return,
                Either::Right(_) => {
                    let first = in_transit
                        .pop_first()
                        .filter(|(_, packet)| !packet.answer.is_canceled());
                    if let Some((
                        _,
                        Packet {
                            call,
                            point,
                            answer,
                            ..
                        },
                    )) = first
                    {
                        // A caller that closed the connection at this instant drops the reply.
                        let _ = answer.send(self.simulated.receive(call, point));
                    }
                }
            }
        }
    }

    /// Draws the arrival time of a request that is sent now.
    fn arrives(&self) -> Timestamp {
        let mut chance = self.chance.lock().expect("one thread alone draws");
        let travel = if permille(&mut chance, self.overtaken) {
            chance.u64(USUAL..LONGEST)
        } else {
            chance.u64(1..USUAL)
        };
        self.timeline.now() + Millis(travel)
    }
}

/// [`Transport`] of one process to the simulated providers. A call is dropped with its process.
pub struct SimulatedTransport {
    network: Arc<Network>,
    point: FaultPoint,
}

impl SimulatedTransport {
    /// Creates the transport of the process of this fault point.
    pub const fn new(network: Arc<Network>, point: FaultPoint) -> Self {
        Self { network, point }
    }
}

#[async_trait]
impl Transport for SimulatedTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let request = to_plain_request(request);
        let reference = request
            .headers
            .iter()
            .find(|(name, _)| name == "x-client-request-id")
            .map(|(_, value)| value.clone());
        let Some(credential) = self.network.simulated.credential(&request) else {
            return Err(TransportError::Connect(
                "the request shows no key of this world".to_owned(),
            ));
        };
        let call = Call {
            request,
            reference: reference.unwrap_or_default(),
            credential,
        };
        let (answer, line) = oneshot::channel();
        let packet = Packet {
            arrives: self.network.arrives(),
            call,
            point: self.point.clone(),
            answer,
        };
        let sent = self.network.out.unbounded_send(packet);
        sent.map_err(|_| TransportError::Connect("the network has stopped".to_owned()))?;
        let line = line
            .await
            .map_err(|_| TransportError::Broken("the request was lost".to_owned()))?;
        line.response().await
    }
}

fn to_plain_request(request: http::Request<Bytes>) -> HttpRequest {
    let (head, body) = request.into_parts();
    let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
        (
            name.as_str().to_owned(),
            String::from_utf8_lossy(value.as_bytes()).into_owned(),
        )
    };
    HttpRequest {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        headers: head.headers.iter().map(header).collect(),
        body,
    }
}
