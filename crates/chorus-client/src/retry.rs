//! Sends a [`Call`] until a server answers, the gateway refuses it, or the retry deadline has passed.

use bytes::Bytes;
use chorus_api::{ErrorBody, Problem};
use chorus_core::time::Millis;
use futures_util::StreamExt as _;
use http::{Response, StatusCode, header};

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Body;

/// Maximum time for the head of a response, or for a whole response that is read at once.
const RESPONSE_LIMIT: Millis = Millis::from_secs(60);

/// Minimum and maximum pause between two tries, in milliseconds.
const PAUSE: (u64, u64) = (200, 5_000);

/// Maximum size of an error body that is read, in bytes.
const MAX_PROBLEM: usize = 65_536;

/// Outcome of one try that brought no result.
enum Failed {
    /// Repeating the call may succeed.
    Transient {
        reason: String,
        /// Pause that the server asked for.
        after: Option<Millis>,
    },
    /// Repeating the call changes nothing.
    Final(ClientError),
}

impl Failed {
    const fn transient(reason: String) -> Self {
        Self::Transient {
            reason,
            after: None,
        }
    }
}

impl Client {
    /// The whole body of the response.
    pub(crate) async fn fetch(&self, call: &Call) -> Result<Bytes, ClientError> {
        self.repeat(call, async |response| read_all(response.into_body()).await)
            .await
    }

    /// The body of the response as it arrives.
    pub(crate) async fn open(&self, call: &Call) -> Result<Body, ClientError> {
        self.repeat(call, async |response| Ok(response.into_body()))
            .await
    }

    async fn repeat<T>(
        &self,
        call: &Call,
        read: impl AsyncFn(Response<Body>) -> Result<T, String>,
    ) -> Result<T, ClientError> {
        let give_up = self.retry_for.map(|length| self.clock.now() + length);
        let mut pause = PAUSE.0;
        let mut reported = false;
        loop {
            let attempt = async {
                let response = self.try_once(call).await?;
                read(response).await.map_err(Failed::transient)
            };
            let limit = self.clock.now() + RESPONSE_LIMIT;
            let late = || Err(Failed::transient("no response in time".to_owned()));
            let outcome = self.clock.deadline(limit, attempt).await;
            let (reason, after) = match outcome.unwrap_or_else(late) {
                Ok(value) => {
                    if reported {
                        self.listener.restored(self.servers.current());
                    }
                    return Ok(value);
                }
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Transient { reason, after }) => (reason, after),
            };
            if give_up.is_some_and(|at| self.clock.now() >= at) {
                return Err(ClientError::Unreachable {
                    servers: self.servers.to_string(),
                    reason,
                });
            }
            if !std::mem::replace(&mut reported, true) {
                self.listener.lost(self.servers.current(), &reason);
            }
            self.servers.advance();
            let jitter = self.clock.random_below(pause / 2 + 1);
            self.clock
                .sleep(after.unwrap_or(Millis(pause / 2 + jitter)))
                .await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    async fn try_once(&self, call: &Call) -> Result<Response<Body>, Failed> {
        let unreadable = |reason: String| {
            Failed::Final(ClientError::Unreadable {
                path: call.path.clone(),
                reason,
            })
        };
        let identity = (self.key.as_deref(), self.tenant.as_deref());
        let request = call
            .to_request(self.servers.current(), identity)
            .map_err(|error| unreadable(error.to_string()))?;
        let response = self
            .transport
            .send(request)
            .await
            .map_err(|error| Failed::transient(error.to_string()))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let after = retry_after(&response);
        match (is_transient(status), problem(response.into_body()).await) {
            (true, Some(problem)) => Err(Failed::Transient {
                reason: format!("{}: {}", problem.code, problem.message),
                after,
            }),
            (true, None) => Err(Failed::Transient {
                reason: status.to_string(),
                after,
            }),
            (false, Some(problem)) => Err(Failed::Final(ClientError::Refused {
                status,
                problem: Box::new(problem),
            })),
            (false, None) => Err(unreadable(format!(
                "{status} without a reason: is this the address of a Chorus gateway?"
            ))),
        }
    }
}

/// Returns true for statuses after which the same request may succeed.
fn is_transient(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

fn retry_after(response: &Response<Body>) -> Option<Millis> {
    let value = response.headers().get(header::RETRY_AFTER)?;
    value.to_str().ok()?.parse().ok().map(Millis::from_secs)
}

async fn read_all(mut body: Body) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        bytes.extend_from_slice(&chunk.map_err(|error| error.to_string())?);
    }
    Ok(bytes.into())
}

/// The gateway's reason, if the body is one.
async fn problem(mut body: Body) -> Option<Problem> {
    let mut bytes = Vec::new();
    while let Some(Ok(chunk)) = body.next().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_PROBLEM {
            return None;
        }
    }
    let body: ErrorBody = serde_json::from_slice(&bytes).ok()?;
    Some(body.error)
}
