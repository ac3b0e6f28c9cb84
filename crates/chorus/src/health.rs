//! Health endpoints of a process: liveness, readiness and metrics over HTTP.
//!
//! Neighbours: [`Dependency`] asks one dependency, [`Telemetry`] has the figures; the gateway serves these routes
//! beside its own, other roles at the address `probe.listen`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chorus_core::port::Clock;
use chorus_core::time::{Millis, Timestamp};
use futures_util::future::join_all;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::app::Dependency;
use crate::telemetry::Telemetry;

/// Maximum time for the answer of a dependency.
const ANSWER_LIMIT: Millis = Millis(1_500);

/// Time for which an answer is reused, so that many requests cost as much as one.
const KEPT_FOR: Millis = Millis(500);

/// Answers of the [`routes`] for one process.
pub(crate) struct Health {
    dependencies: Arc<[Dependency]>,
    /// Names of those without which this process is of no use.
    needed: &'static [&'static str],
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    stopping: AtomicBool,
    kept: Mutex<Option<(Timestamp, Readiness)>>,
}

/// Body of `/readyz`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Readiness {
    ready: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    dependencies: Vec<Found>,
}

/// One [`Dependency`] and how it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Found {
    name: &'static str,
    there: bool,
    /// True if the process is not ready without this dependency.
    needed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
}

impl Health {
    pub(crate) fn new(
        dependencies: Arc<[Dependency]>,
        needed: &'static [&'static str],
        clock: Arc<dyn Clock>,
        telemetry: Arc<Telemetry>,
    ) -> Self {
        Self {
            dependencies,
            needed,
            clock,
            telemetry,
            stopping: AtomicBool::new(false),
            kept: Mutex::new(None),
        }
    }

    /// Makes the process report that it is not ready, so that it gets no new work.
    pub(crate) fn stopping(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    async fn readiness(&self) -> Readiness {
        if self.stopping.load(Ordering::Relaxed) {
            return Readiness {
                ready: false,
                reason: Some("the process was told to stop"),
                dependencies: Vec::new(),
            };
        }
        let mut kept = self.kept.lock().await;
        let now = self.clock.now();
        if let Some((at, readiness)) = &*kept
            && now.since(*at) < KEPT_FOR
        {
            return readiness.clone();
        }
        let dependencies = join_all(
            self.dependencies
                .iter()
                .map(|dependency| self.find(dependency)),
        )
        .await;
        let ready = dependencies
            .iter()
            .all(|found| found.there || !found.needed);
        let reason = (!ready).then_some("what is needed is missing");
        let readiness = Readiness {
            ready,
            reason,
            dependencies,
        };
        *kept = Some((self.clock.now(), readiness.clone()));
        readiness
    }

    async fn find(&self, dependency: &Dependency) -> Found {
        let answer = self
            .clock
            .deadline(self.clock.now() + ANSWER_LIMIT, dependency.ask())
            .await;
        let missing = answer
            .unwrap_or_else(|| Err(format!("no answer within {} ms", ANSWER_LIMIT.0)))
            .err();
        Found {
            name: dependency.name,
            there: missing.is_none(),
            needed: self.needed.contains(&dependency.name),
            missing,
        }
    }
}

/// `/healthz`, `/readyz`, `/metrics`.
pub(crate) fn routes(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(health)
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(health): State<Arc<Health>>) -> Response {
    let readiness = health.readiness().await;
    let status = if readiness.ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, Json(readiness)).into_response()
}

async fn metrics(State(health): State<Arc<Health>>) -> Response {
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], health.telemetry.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SystemClock;

    fn health(dependencies: Vec<Dependency>, needed: &'static [&'static str]) -> Health {
        let telemetry = Telemetry::new(&chorus_upstream::catalog::load());
        Health::new(
            dependencies.into(),
            needed,
            Arc::new(SystemClock),
            Arc::new(telemetry),
        )
    }

    fn dependency(name: &'static str, answer: Result<(), &'static str>) -> Dependency {
        Dependency::new(name, String::new(), move || async move { answer })
    }

    #[tokio::test]
    async fn a_process_is_ready_while_all_that_it_needs_is_there() {
        let health = health(
            vec![
                dependency("database", Ok(())),
                dependency("limits", Err("gone")),
            ],
            &["database"],
        );
        let readiness = health.readiness().await;
        assert!(readiness.ready, "{readiness:?}");
        assert_eq!(readiness.dependencies[1].missing.as_deref(), Some("gone"));
    }

    #[tokio::test]
    async fn what_is_missing_is_named() {
        let health = health(
            vec![
                dependency("database", Ok(())),
                dependency("limits", Err("gone")),
            ],
            &["database", "limits"],
        );
        let text = serde_json::to_string(&health.readiness().await).expect("plain structs");
        assert!(
            text.contains(r#""ready":false"#)
                && text
                    .contains(r#"{"name":"limits","there":false,"needed":true,"missing":"gone"}"#),
            "{text}"
        );
    }

    /// [`Clock`] with waits that end at once.
    struct Hasty;

    impl Clock for Hasty {
        fn now(&self) -> Timestamp {
            Timestamp(0)
        }

        fn sleep_until(&self, _: Timestamp) -> futures_util::future::BoxFuture<'static, ()> {
            Box::pin(std::future::ready(()))
        }

        fn random_u128(&self) -> u128 {
            0
        }

        fn random_below(&self, _: u64) -> u64 {
            0
        }
    }

    #[tokio::test]
    async fn a_silent_dependency_counts_as_missing() {
        let silent = Dependency::new(
            "bus",
            String::new(),
            std::future::pending::<Result<(), String>>,
        );
        let health = Health {
            clock: Arc::new(Hasty),
            ..health(vec![silent], &["bus"])
        };
        let readiness = health.readiness().await;
        assert!(
            !readiness.ready
                && readiness.dependencies[0]
                    .missing
                    .as_ref()
                    .is_some_and(|why| why.contains("no answer")),
            "{readiness:?}"
        );
    }

    #[tokio::test]
    async fn a_process_that_was_told_to_stop_is_not_ready() {
        let health = health(vec![dependency("database", Ok(()))], &["database"]);
        health.stopping();
        assert!(!health.readiness().await.ready);
    }
}
