//! Engine of all simulated providers: pure, with time as an argument and seeded randomness.
//!
//! A request comes in as bytes and goes out as a [`Scripted`] reply: chunks with delays and an
//! ending. The caller that plays the script reports with [`Providers::finished`] how much was
//! delivered.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::config::{Config, Omission, OrganisationStatus};
use crate::model::{self, Reply};
use call::CallRequest;
use fault::{CallFacts, Fault, FaultRule, Faults, InjectedFault, MODELS};
use hash::Hash;
use journal::{CallId, Entry, Journal, Outcome};
use provider::{Count, Provider, QuotaKey};
use schedule::{Pace, Timed};
pub use script::{Chunk, Delivery, End, HttpRequest, Scripted};
use wire::{FinishReason, LimitsList, Refusal, ReplyContext, Route, Wire, WireReply};

pub mod bucket;
pub mod call;
mod disguise;
pub mod fault;
pub mod hash;
pub mod journal;
mod limits_api;
pub mod provider;
pub mod quota;
pub mod schedule;
pub mod script;
mod spoil;
pub mod tokens;
pub mod wire;

/// Maximum size of a body, in bytes.
const MOST_BYTES: usize = 32 << 20;
/// Milliseconds that an error reply takes, in provider time.
const REFUSAL_MS: u64 = 60;

/// All simulated providers.
pub struct Providers {
    seed: u64,
    speed: f64,
    /// Time of the first request.
    began_ms: Option<u64>,
    providers: Vec<Provider>,
    faults: Faults,
    omissions: Vec<Omission>,
    journal: Journal,
    received: u64,
    seen: BTreeMap<u64, u64>,
    open: BTreeMap<CallId, OpenCall>,
}

/// A call that is being served, until [`Providers::finished`].
struct OpenCall {
    provider: usize,
    quota: QuotaKey,
    end: End,
    bytes: u64,
}

/// A call that may be served.
struct Admitted {
    ask: CallRequest,
    quota: QuotaKey,
    thinks: bool,
    max_output: u64,
    injected: Option<InjectedFault>,
}

impl Providers {
    /// Creates the providers of a [`Config`], with full limits.
    pub fn new(config: Config) -> Self {
        let speed = config.speed;
        Self {
            seed: config.seed,
            speed,
            began_ms: None,
            providers: config
                .providers
                .into_iter()
                .map(|provider| Provider::new(provider, speed))
                .collect(),
            faults: Faults::new(config.seed, config.faults),
            omissions: config.omissions,
            journal: Journal::default(),
            received: 0,
            seen: BTreeMap::new(),
            open: BTreeMap::new(),
        }
    }

    /// Handles a request and returns its [`Scripted`] reply.
    pub fn handle(&mut self, now_ms: u64, request: &HttpRequest) -> Scripted {
        self.began_ms.get_or_insert(now_ms);
        let whole = request.path.trim_start_matches('/');
        let (name, path) = whole.split_once('/').unwrap_or((whole, ""));
        let Some(at) = self
            .providers
            .iter()
            .position(|provider| provider.config().name == name)
        else {
            return plain(
                404,
                Vec::new(),
                &json!({"error": {"message": format!("no provider is simulated at /{name}")}}),
                0,
            );
        };
        let wire = self.providers[at].wire();
        match wire.route(&request.method, &format!("/{path}")) {
            Some(Route::Call) => self.call(at, now_ms, request),
            Some(Route::Count) => self.count(at, now_ms, request),
            Some(Route::Models) => self.models(at, now_ms, request),
            Some(Route::Limits(list)) => self.limits(at, now_ms, request, list),
            None => refused(wire, &Refusal::NoSuchPath, &anonymous(now_ms), 0),
        }
    }

    /// Reports the end of a call's script. A second report for a call changes nothing.
    pub fn finished(&mut self, now_ms: u64, call: CallId, delivery: Delivery) {
        let Some(open) = self.open.remove(&call) else {
            return;
        };
        let (outcome, bytes) = match (delivery, open.end) {
            (Delivery::Bytes(bytes), _) => (Outcome::Aborted, bytes),
            (Delivery::All, End::Close) => (Outcome::Complete, open.bytes),
            (Delivery::All, End::Cut | End::Died | End::Hang) => (Outcome::Cut, open.bytes),
        };
        self.journal.close(call, now_ms, outcome, bytes);
        self.providers[open.provider].end(&open.quota, call, now_ms, outcome == Outcome::Aborted);
    }

    /// Replaces all [`FaultRule`]s.
    pub fn set_faults(&mut self, rules: Vec<FaultRule>) {
        self.faults = Faults::new(self.seed, rules);
    }

    /// [`Journal`] of all calls received so far.
    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Journal lines of calls that ended since the last call of this method.
    pub fn take_fresh_lines(&mut self) -> Vec<String> {
        self.journal.take_fresh()
    }

    /// The providers' own count of every limit.
    pub fn counts(&self) -> Vec<Count> {
        self.providers.iter().flat_map(Provider::counts).collect()
    }

    fn call(&mut self, at: usize, now_ms: u64, request: &HttpRequest) -> Scripted {
        let wire = self.providers[at].wire();
        let mut entry = self.entry(at, now_ms, request);
        let admitted = self.admit(at, now_ms, request, &mut entry);
        let key = wire.key(&request.headers).unwrap_or_default();
        match admitted {
            Ok(admitted) => self.serve(at, now_ms, admitted, entry),
            Err((refusal, quota)) => {
                let levels = quota
                    .map(|quota| self.providers[at].levels(&quota, now_ms))
                    .unwrap_or_default();
                let to = ReplyContext {
                    organisation: &entry.organisation,
                    key: &key,
                    model: &entry.model,
                    request: &entry.request,
                    levels: &levels,
                    now_ms,
                };
                let mut scripted = Scripted {
                    passed: entry.passed,
                    ..refused(wire, &refusal, &to, self.providers[at].real_ms(REFUSAL_MS))
                };
                if let Some(fault) = fault::named(entry.fault.as_deref()) {
                    disguise::refusal(&mut scripted, fault, now_ms);
                }
                (entry.status, entry.outcome, entry.ended_ms) =
                    (scripted.status, Outcome::Refused, Some(now_ms));
                self.journal.open(entry);
                scripted
            }
        }
    }

    /// Journal entry of which only the caller's side is known.
    fn entry(&mut self, at: usize, now_ms: u64, request: &HttpRequest) -> Entry {
        let provider = &self.providers[at];
        let key = provider.wire().key(&request.headers).unwrap_or_default();
        let sequence = CallId(self.received);
        self.received += 1;
        Entry {
            sequence,
            provider: provider.config().name.clone(),
            organisation: provider
                .organisation(&key)
                .map(|customer| customer.id.clone())
                .unwrap_or_default(),
            key: hash::fingerprint(&key),
            model: String::new(),
            client_request: wire::header(&request.headers, "x-client-request-id")
                .map(str::to_owned),
            request: provider
                .wire()
                .request_id(Hash::new(self.seed).with(sequence.0)),
            kind: "unknown".to_owned(),
            content: String::new(),
            status: 200,
            input_tokens: 0,
            output_tokens: 0,
            streamed: false,
            fault: None,
            passed: None,
            early_ms: None,
            started_ms: now_ms,
            ended_ms: None,
            outcome: Outcome::Open,
            delivered: 0,
        }
    }

    /// Decides if a call may be served, and completes its journal entry.
    fn admit(
        &mut self,
        at: usize,
        now_ms: u64,
        request: &HttpRequest,
        entry: &mut Entry,
    ) -> Result<Admitted, (Refusal, Option<QuotaKey>)> {
        let provider = &self.providers[at];
        let ask = read(provider, request).map_err(|refusal| (refusal, None))?;
        let (content, text) = (ask.content(), ask.text());
        entry.model.clone_from(&ask.model);
        entry.kind = model::kind(&ask).to_owned();
        entry.content = format!("{content:016x}");
        entry.input_tokens = ask.input_tokens();
        entry.streamed = ask.stream;
        let key = provider.wire().key(&request.headers).unwrap_or_default();
        let (model, quota) = provider
            .check(&key, &ask)
            .map_err(|refusal| (refusal, None))?;
        let (thinks, max_output) = (ask.think.unwrap_or(model.thinks), model.max_output);

        let at_ms = self.provider_ms(now_ms);
        let marked = fault::requested(&text, wire::header(&request.headers, "x-sim-fault"));
        let injected = marked.or_else(|| {
            self.faults.draw(&CallFacts {
                provider: &entry.provider,
                organisation: &entry.organisation,
                model: &ask.model,
                kind: &entry.kind,
                text: &text,
                content,
                streamed: ask.stream,
                at_ms,
            })
        });
        entry.fault = injected.and_then(|injected| {
            serde_json::to_value(injected.fault)
                .ok()?
                .as_str()
                .map(str::to_owned)
        });
        let provider = &mut self.providers[at];
        if let Some(refusal) =
            injected.and_then(|injected| spoil::refusal(injected.fault, ask.stream, provider))
        {
            return Err((refusal, Some(quota)));
        }
        match provider.admit(&quota, &ask, now_ms) {
            Ok(()) => Ok(Admitted {
                ask,
                quota,
                thinks,
                max_output,
                injected,
            }),
            Err(exceeded) => {
                (entry.passed, entry.early_ms) = (Some(exceeded.counted), exceeded.wait_ms);
                Err((Refusal::Rate(exceeded), Some(quota)))
            }
        }
    }

    /// Writes the reply, schedules it, and marks the call as open.
    fn serve(&mut self, at: usize, now_ms: u64, admitted: Admitted, mut entry: Entry) -> Scripted {
        let content = admitted.ask.content();
        let times = self.seen.entry(content).or_default();
        *times += 1;
        let chance = Hash::new(self.seed).with(content).with(*times);

        let (reply, finish) = admitted.write(&self.omissions);
        let thinking = tokens::count(&reply.reasoning);
        let output = thinking + tokens::count(&reply.text);
        let factor = admitted.usage_factor();
        let reply = WireReply {
            ask: &admitted.ask,
            hash: chance.with(entry.sequence.0),
            created_s: now_ms / 1000,
            reasoning: &reply.reasoning,
            text: &reply.text,
            finish,
            input: entry.input_tokens * factor,
            output: output * factor,
            thinking: thinking * factor,
        };

        let provider = &mut self.providers[at];
        let wire = provider.wire();
        let slowdown = admitted.slowdown();
        let pace = provider.pace(&admitted.quota, entry.input_tokens, chance, slowdown);
        let mut timed = admitted.schedule(wire, &reply, output, pace);
        let Admitted {
            ask,
            quota,
            injected,
            ..
        } = admitted;
        provider.begin(&quota, entry.sequence, &timed, now_ms);
        let levels = provider.levels(&quota, now_ms);
        let to = ReplyContext {
            organisation: &entry.organisation,
            key: "",
            model: &ask.model,
            request: &entry.request,
            levels: &levels,
            now_ms,
        };
        let mut headers = wire.headers(&levels, &to);
        headers.push(content_type(if ask.stream {
            "text/event-stream; charset=utf-8"
        } else {
            "application/json"
        }));
        if let Some(injected) = injected {
            disguise::reply(&mut headers, &mut timed.chunks, injected.fault);
        }

        let bytes = timed
            .chunks
            .iter()
            .map(|chunk| chunk.bytes.len() as u64)
            .sum();
        let call = entry.sequence;
        self.open.insert(
            call,
            OpenCall {
                provider: at,
                quota,
                end: timed.end,
                bytes,
            },
        );
        entry.output_tokens = output;
        self.journal.open(entry);
        Scripted {
            status: 200,
            headers,
            chunks: timed.chunks,
            end: timed.end,
            call: Some(call),
            passed: None,
        }
    }

    /// The limits of the organisation of an admin key.
    fn limits(&self, at: usize, now_ms: u64, request: &HttpRequest, list: LimitsList) -> Scripted {
        let provider = &self.providers[at];
        let wire = provider.wire();
        let key = wire.key(&request.headers).unwrap_or_default();
        let Some(organisation) = limits_api::organisation(provider, &key) else {
            return refused(wire, &Refusal::DeadKey, &anonymous(now_ms), 0);
        };
        let body = match list {
            LimitsList::Groups => limits_api::by_group(provider, organisation),
            LimitsList::Models => limits_api::by_model(provider, organisation),
        };
        plain(200, Vec::new(), &body, 0)
    }

    /// The list of models, for a key that lives; faults of kind [`MODELS`] apply.
    fn models(&mut self, at: usize, now_ms: u64, request: &HttpRequest) -> Scripted {
        let at_ms = self.provider_ms(now_ms);
        let provider = &self.providers[at];
        let wire = provider.wire();
        let key = wire.key(&request.headers).unwrap_or_default();
        let refuse = |refusal: &Refusal| refused(wire, refusal, &anonymous(now_ms), 0);
        let organisation = match provider.organisation(&key) {
            Some(organisation) if organisation.status != OrganisationStatus::Revoked => {
                organisation
            }
            _ => return refuse(&Refusal::DeadKey),
        };
        let injected = self.faults.draw(&CallFacts {
            provider: &provider.config().name,
            organisation: &organisation.id,
            model: "",
            kind: MODELS,
            text: "",
            content: 0,
            streamed: false,
            at_ms,
        });
        let refusal = injected.and_then(|one| spoil::refusal(one.fault, false, provider));
        match (refusal, injected) {
            (Some(refusal), Some(injected)) => {
                let mut scripted = refuse(&refusal);
                disguise::refusal(&mut scripted, injected.fault, now_ms);
                scripted
            }
            _ => plain(
                200,
                Vec::new(),
                &wire.models(&provider.config().models, now_ms),
                0,
            ),
        }
    }

    /// Milliseconds of provider time since the first request.
    fn provider_ms(&self, now_ms: u64) -> u64 {
        let real = now_ms.saturating_sub(self.began_ms.unwrap_or(now_ms));
        (real as f64 * self.speed) as u64
    }

    fn count(&self, at: usize, now_ms: u64, request: &HttpRequest) -> Scripted {
        let provider = &self.providers[at];
        match read(provider, request) {
            Ok(ask) => plain(
                200,
                Vec::new(),
                &json!({"input_tokens": ask.input_tokens()}),
                0,
            ),
            Err(refusal) => refused(provider.wire(), &refusal, &anonymous(now_ms), 0),
        }
    }
}

impl Admitted {
    /// Reply of the model with its injected fault, and the reason for its end.
    fn write(&self, omissions: &[Omission]) -> (Reply, FinishReason) {
        let mut reply = model::reply(&self.ask, omissions);
        if !self.thinks {
            reply.reasoning.clear();
        }
        let spoiled = self.injected.map_or(FinishReason::Stop, |injected| {
            spoil::spoil(&mut reply, injected.fault, injected.after_percent)
        });
        let most = self.ask.max_tokens.unwrap_or(self.max_output);
        if spoil::shorten(&mut reply, most.min(self.max_output)) {
            (reply, FinishReason::Length)
        } else {
            (reply, spoiled)
        }
    }

    /// Factor on the reported usage: 10 for [`Fault::WrongUsage`], 0 for [`Fault::ZeroUsage`], else 1.
    fn usage_factor(&self) -> u64 {
        match self.injected {
            Some(injected) if injected.fault == Fault::WrongUsage => 10,
            Some(injected) if injected.fault == Fault::ZeroUsage => 0,
            _ => 1,
        }
    }

    /// Factor on the service time: that of [`Fault::Slow`], else 1.
    fn slowdown(&self) -> u32 {
        self.injected
            .filter(|injected| injected.fault == Fault::Slow)
            .map_or(1, |injected| injected.factor)
    }

    fn schedule(&self, wire: &dyn Wire, reply: &WireReply<'_>, output: u64, pace: Pace) -> Timed {
        if self.ask.stream {
            let fault = self.injected.map(|injected| injected.fault);
            let pieces = match fault {
                Some(fault) => disguise::pieces(wire, reply, fault),
                None => wire.pieces(reply),
            };
            return schedule::stream(wire, pieces, pace, self.injected);
        }
        let body = wire.whole(reply).to_string().into_bytes();
        schedule::whole(wire, body, output, pace, self.injected)
    }
}

/// Parses a request as far as possible without limits.
fn read(provider: &Provider, request: &HttpRequest) -> Result<CallRequest, Refusal> {
    let key = provider
        .wire()
        .key(&request.headers)
        .ok_or(Refusal::NoKey)?;
    provider.organisation(&key).ok_or(Refusal::DeadKey)?;
    if request.body.len() > MOST_BYTES {
        return Err(Refusal::TooLarge);
    }
    let body: Value = serde_json::from_slice(&request.body).map_err(|error| {
        Refusal::Invalid(format!("The request body is not valid JSON: {error}"))
    })?;
    provider
        .wire()
        .read(&request.headers, &body)
        .map_err(Refusal::Invalid)
}

fn refused(wire: &dyn Wire, refusal: &Refusal, to: &ReplyContext<'_>, delay_ms: u64) -> Scripted {
    let refused = wire.error(refusal, to);
    let mut headers = wire.headers(to.levels, to);
    headers.extend(refused.headers);
    plain(refused.status, headers, &refused.body, delay_ms)
}

fn plain(status: u16, mut headers: Vec<(String, String)>, body: &Value, delay_ms: u64) -> Scripted {
    headers.push(content_type("application/json"));
    let chunks = vec![Chunk {
        delay_ms,
        bytes: Bytes::from(body.to_string()),
    }];
    Scripted {
        status,
        headers,
        chunks,
        end: End::Close,
        call: None,
        passed: None,
    }
}

fn content_type(value: &str) -> (String, String) {
    ("content-type".to_owned(), value.to_owned())
}

const fn anonymous(now_ms: u64) -> ReplyContext<'static> {
    ReplyContext {
        organisation: "",
        key: "",
        model: "",
        request: "",
        levels: &[],
        now_ms,
    }
}
