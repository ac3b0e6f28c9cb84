//! Calls of models: how many, how long, what they used and cost, how they failed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use chorus_core::catalog::{Catalog, Price};
use chorus_core::id::ModelSlug;
use chorus_core::llm::{StreamEvent, Usage};
use chorus_core::port::Upstream;
use chorus_core::port::upstream::{Call, CallFailure, Response, ResponseBody, Tapped};
use futures_util::StreamExt;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::stopwatch::Stopwatch;

/// Which model at which provider, both rows of the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    provider: String,
    model: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    provider: String,
    model: String,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Tokens {
    provider: String,
    model: String,
    kind: &'static str,
}

/// The figures of all calls.
pub(super) struct Calls {
    calls: Family<Ended, Counter>,
    seconds: Family<Route, Histogram>,
    tokens: Family<Tokens, Counter>,
    dollars: Family<Route, Counter<f64, AtomicU64>>,
    under_way: Gauge,
    prices: BTreeMap<ModelSlug, Price>,
}

impl Calls {
    pub(super) fn register(registry: &mut Registry, catalog: &Catalog) -> Self {
        let calls = Self {
            calls: Family::default(),
            seconds: Family::new_with_constructor(histogram as fn() -> Histogram),
            tokens: Family::default(),
            dollars: Family::default(),
            under_way: Gauge::default(),
            prices: catalog
                .models
                .iter()
                .map(|model| (model.slug.clone(), model.price))
                .collect(),
        };
        registry.register(
            "upstream_calls",
            "Calls of models by outcome: ok, cut off by us, or the class of the failure",
            calls.calls.clone(),
        );
        registry.register_with_unit(
            "upstream_call",
            "Time from a call's begin to its last byte",
            Unit::Seconds,
            Family::clone(&calls.seconds),
        );
        registry.register(
            "upstream_tokens",
            "Tokens that providers reported: input, cache_read, cache_write, output",
            calls.tokens.clone(),
        );
        registry.register(
            "upstream_cost_usd",
            "What calls cost by the catalogue's prices, in US dollars",
            calls.dollars.clone(),
        );
        registry.register(
            "upstream_calls_under_way",
            "Calls of models that are open now",
            calls.under_way.clone(),
        );
        calls
    }
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.1, 2.0, 13))
}

/// Counts the calls to providers.
pub(super) struct Counted {
    pub(super) inner: Arc<dyn Upstream>,
    pub(super) calls: Arc<Calls>,
}

#[async_trait]
impl Upstream for Counted {
    async fn send(&self, call: Call) -> Result<Response, CallFailure> {
        let mut open = Open::new(Arc::clone(&self.calls), &call);
        let mut answer = self
            .inner
            .send(call)
            .await
            .inspect_err(|failure| open.failed(failure))?;
        answer.body = match answer.body {
            ResponseBody::Whole(reply) => {
                open.usage = reply.usage;
                open.outcome = OK;
                ResponseBody::Whole(reply)
            }
            ResponseBody::Stream(events) => {
                ResponseBody::Stream(events.inspect(move |event| open.saw(event)).boxed())
            }
            ResponseBody::Verbatim {
                status,
                content_type,
                body,
            } => {
                open.outcome = OK;
                let body = body.inspect(move |piece| open.passed(piece)).boxed();
                ResponseBody::Verbatim {
                    status,
                    content_type,
                    body,
                }
            }
        };
        Ok(answer)
    }
}

const OK: &str = "ok";

/// Outcome recorded for a call that was dropped before its end.
const CUT_OFF: &str = "cut_off";

/// One open call; it is counted when this is dropped, however that comes.
struct Open {
    calls: Arc<Calls>,
    route: Route,
    model: ModelSlug,
    watch: Stopwatch,
    usage: Option<Usage>,
    outcome: &'static str,
}

impl Open {
    fn new(calls: Arc<Calls>, call: &Call) -> Self {
        calls.under_way.inc();
        let route = Route {
            provider: call.provider.to_string(),
            model: call.model.to_string(),
        };
        Self {
            calls,
            route,
            model: call.model.clone(),
            watch: Stopwatch::start(),
            usage: None,
            outcome: CUT_OFF,
        }
    }

    fn used(&mut self, usage: &Usage) {
        self.usage = Some(*usage);
    }

    fn failed(&mut self, failure: &CallFailure) {
        self.outcome = failure.class.as_str();
    }

    fn saw(&mut self, event: &Result<StreamEvent, CallFailure>) {
        match event {
            Ok(StreamEvent::Usage(usage)) => self.used(usage),
            Ok(StreamEvent::End) => self.outcome = OK,
            Ok(_) => {}
            Err(failure) => self.failed(failure),
        }
    }

    fn passed(&mut self, piece: &Result<Tapped, CallFailure>) {
        match piece {
            Ok(Tapped::Usage(usage)) => self.used(usage),
            Ok(Tapped::Bytes(_)) => {}
            Err(failure) => self.failed(failure),
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (calls, Route { provider, model }) = (&self.calls, self.route.clone());
        calls.under_way.dec();
        calls
            .seconds
            .get_or_create(&self.route)
            .observe(self.watch.seconds());
        calls
            .calls
            .get_or_create(&Ended {
                provider: provider.clone(),
                model: model.clone(),
                outcome: self.outcome,
            })
            .inc();
        let Some(usage) = self.usage else { return };
        for (kind, amount) in [
            ("input", usage.input),
            ("cache_read", usage.cache_read),
            ("cache_write", usage.cache_write),
            ("output", usage.output),
        ] {
            calls
                .tokens
                .get_or_create(&Tokens {
                    provider: provider.clone(),
                    model: model.clone(),
                    kind,
                })
                .inc_by(amount);
        }
        if let Some(price) = calls.prices.get(&self.model) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "a figure for a chart; 2^53 micro-dollars are nine billion dollars"
            )]
            let dollars = price.cost(&usage).0 as f64 / 1_000_000.0;
            calls.dollars.get_or_create(&self.route).inc_by(dollars);
        }
    }
}
