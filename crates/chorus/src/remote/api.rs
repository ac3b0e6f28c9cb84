//! One request to the gateway, again and again until it is answered or patience ends.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use chorus_api::{ErrorBody, Problem};
use chorus_core::port::Clock;
use chorus_core::time::{Millis, Timestamp};
use chorus_upstream::{BodyStream, HttpTransport, Transport};
use futures_util::StreamExt as _;
use http::{Method, Request, Response, StatusCode, header};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// How long the head of a reply, or a whole small one, may take.
const REPLY: Millis = Millis::from_secs(60);

/// First and longest rest between two tries.
const REST: (u64, u64) = (200, 5_000);

/// The gateways of one installation, and the key for them.
pub(crate) struct Api {
    transport: HttpTransport,
    pub(crate) clock: Arc<dyn Clock>,
    servers: Vec<String>,
    /// Which server is asked first.
    at: AtomicUsize,
    key: Option<String>,
}

/// A request without its server.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    /// The server does not want it.
    #[error("the server refused: {} ({}){}, request {}", problem.message, problem.code, of_field(problem), problem.request_id)]
    Refused {
        status: StatusCode,
        problem: Box<Problem>,
    },
    /// No server answered while there was patience.
    #[error("no answer from {servers}: {why}")]
    Away { servers: String, why: String },
    /// What came is not what the API says.
    #[error("the server's answer to {path} cannot be read: {why}")]
    Unreadable { path: String, why: String },
}

fn of_field(problem: &Problem) -> String {
    problem
        .field
        .as_ref()
        .map_or_else(String::new, |field| format!(", field {field}"))
}

/// A try that may succeed later.
struct Later {
    why: String,
    after: Option<Millis>,
}

impl Api {
    /// The servers of a comma-separated list.
    pub(crate) fn new(
        servers: &str,
        key: Option<String>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let named = servers
            .split(',')
            .map(|server| server.trim().trim_end_matches('/'))
            .filter(|server| !server.is_empty());
        let servers: Vec<String> = named.map(str::to_owned).collect();
        let formed =
            |server: &String| server.starts_with("http://") || server.starts_with("https://");
        if let Some(wrong) = servers.iter().find(|server| !formed(server)) {
            anyhow::bail!(
                "--server {wrong}: an address begins with http:// or https://, for instance http://127.0.0.1:8780"
            );
        }
        anyhow::ensure!(!servers.is_empty(), "--server names no server");
        Ok(Self {
            transport: HttpTransport::new()?,
            clock,
            servers,
            at: AtomicUsize::new(0),
            key,
        })
    }

    /// The servers as they were given.
    pub(crate) fn servers(&self) -> String {
        self.servers.join(",")
    }

    /// Reads a resource, for as long as it takes.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let reply = self.ask(&Call::get(path), None).await?;
        serde_json::from_slice(&reply).map_err(|error| ApiError::Unreadable {
            path: path.to_owned(),
            why: error.to_string(),
        })
    }

    /// The whole reply to a call; with an end, patience ends there.
    pub(crate) async fn ask(
        &self,
        call: &Call,
        until: Option<Timestamp>,
    ) -> Result<Bytes, ApiError> {
        let whole = async |reply: Response<BodyStream>| {
            let mut body = reply.into_body();
            let mut bytes = Vec::new();
            while let Some(piece) = body.next().await {
                bytes.extend_from_slice(&piece.map_err(|error| error.to_string())?);
            }
            Ok(Bytes::from(bytes))
        };
        self.again(call, until, whole).await
    }

    /// The reply's body as it comes.
    pub(crate) async fn stream(&self, call: &Call) -> Result<BodyStream, ApiError> {
        self.again(call, None, async |reply| Ok(reply.into_body()))
            .await
    }

    /// Tries until a reply is read.
    async fn again<T>(
        &self,
        call: &Call,
        until: Option<Timestamp>,
        read: impl AsyncFn(Response<BodyStream>) -> Result<T, String>,
    ) -> Result<T, ApiError> {
        let mut rest = REST.0;
        let mut told = false;
        loop {
            let (limit, lost) = (self.clock.now() + REPLY, |why| Later { why, after: None });
            let tried = async {
                let reply = self.once(call).await?;
                read(reply).await.map_err(|why| Ok(lost(why)))
            };
            let late = || Err(Ok(lost("it took too long".to_owned())));
            let later = match self.clock.deadline(limit, tried).await.unwrap_or_else(late) {
                Ok(reply) => {
                    if told {
                        eprintln!("          {} answers again", self.server());
                    }
                    return Ok(reply);
                }
                Err(Err(refused)) => return Err(refused),
                Err(Ok(later)) => later,
            };
            if until.is_some_and(|until| self.clock.now() >= until) {
                return Err(ApiError::Away {
                    servers: self.servers(),
                    why: later.why,
                });
            }
            if !std::mem::replace(&mut told, true) {
                eprintln!(
                    "          {} does not answer ({}); trying again",
                    self.server(),
                    later.why
                );
            }
            self.at.fetch_add(1, Ordering::Relaxed);
            let jitter = self.clock.random_below(rest / 2 + 1);
            self.clock
                .sleep(later.after.unwrap_or(Millis(rest / 2 + jitter)))
                .await;
            rest = (rest * 2).min(REST.1);
        }
    }

    fn server(&self) -> &str {
        &self.servers[self.at.load(Ordering::Relaxed) % self.servers.len()]
    }

    /// One try: the reply of a success, else why not, and whether to try again.
    async fn once(&self, call: &Call) -> Result<Response<BodyStream>, Result<Later, ApiError>> {
        let mut request =
            Request::builder()
                .method(&call.method)
                .uri(format!("{}{}", self.server(), call.path));
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        if let Some(key) = &self.key {
            request = request.header(header::AUTHORIZATION, format!("Bearer {key}"));
        }
        let unreadable = |why: String| ApiError::Unreadable {
            path: call.path.clone(),
            why,
        };
        let request = request
            .body(call.body.clone())
            .map_err(|error| Err(unreadable(error.to_string())))?;
        let reply = self.transport.send(request).await.map_err(|error| {
            Ok(Later {
                why: error.to_string(),
                after: None,
            })
        })?;
        let status = reply.status();
        if status.is_success() {
            return Ok(reply);
        }
        let after = reply
            .headers()
            .get(header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Millis::from_secs);
        let problem = problem(reply).await;
        if matches!(status.as_u16(), 429 | 502 | 503 | 504) {
            let why = problem.map_or_else(
                || status.to_string(),
                |problem| format!("{}: {}", problem.code, problem.message),
            );
            return Err(Ok(Later { why, after }));
        }
        Err(Err(match problem {
            Some(problem) => ApiError::Refused {
                status,
                problem: Box::new(problem),
            },
            None => unreadable(format!(
                "{status}, and no word why: is this the address of a Chorus gateway?"
            )),
        }))
    }
}

/// What a refusal says.
async fn problem(reply: Response<BodyStream>) -> Option<Problem> {
    let mut body = reply.into_body();
    let mut bytes = Vec::new();
    while let Some(Ok(piece)) = body.next().await {
        bytes.extend_from_slice(&piece);
        if bytes.len() > 65_536 {
            return None;
        }
    }
    serde_json::from_slice(&bytes)
        .ok()
        .map(|body: ErrorBody| body.error)
}

impl Call {
    pub(crate) fn get(path: &str) -> Self {
        Self {
            method: Method::GET,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A deed, under a key that makes its repetition the same deed.
    pub(crate) fn post(path: &str, body: &impl Serialize, key: &str) -> Self {
        let body = serde_json::to_vec(body).expect("bodies are plain structs with text keys");
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("idempotency-key", key.to_owned()),
        ];
        Self {
            method: Method::POST,
            path: path.to_owned(),
            headers,
            body: Bytes::from(body),
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Api({})", self.servers())
    }
}
