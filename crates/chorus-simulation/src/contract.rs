//! What every implementation of a port must do: a suite of named cases a port, run against each of them.
//!
//! The bus has its suite in [`bus`], limits have theirs in [`limits`]; everything else here is about the ports of a store.
//!
//! A case gets a [`CaseContext`]: a fresh, empty store with its ports and a hand on its clock. Cases speak to ports only,
//! so the same ones run on the memory store (here), on SQLite and on PostgreSQL (in the integration binary). An
//! expectation that does not hold panics with the case's name in the run's output.

pub mod bus;
pub mod context;
pub mod fixtures;
pub mod history;
pub mod limits;

mod artifacts;
mod claims;
mod commits;
mod deliveries;
mod directory;
mod dispatches;
mod finishes;
mod keys;
mod leaders;
mod outbox;
mod projects;
mod reclaims;

use async_trait::async_trait;
use chorus_core::port::StoreError;
use futures_util::future::LocalBoxFuture;

pub use context::{CaseContext, Ports};

use crate::real;

/// How a case ends: an error of the store fails it, a broken expectation panics.
pub type Outcome = Result<(), StoreError>;

/// One named case.
pub struct Case {
    name: &'static str,
    run: fn(CaseContext) -> LocalBoxFuture<'static, Outcome>,
}

/// An implementation to be held against the contract.
#[async_trait]
pub trait Implementation: Send + Sync {
    /// What it is called in the output.
    fn name(&self) -> &'static str;

    /// A new, empty store.
    async fn fresh(&self) -> Ports;
}

/// The suites, by port.
pub fn suites() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("projects", projects::cases()),
        ("commits", commits::cases()),
        ("dispatches", dispatches::cases()),
        ("claims and beats", claims::cases()),
        ("finishes", finishes::cases()),
        ("reclaims", reclaims::cases()),
        ("deliveries", deliveries::cases()),
        ("outbox", outbox::cases()),
        ("leaders", leaders::cases()),
        ("directory", directory::cases()),
        ("keys", keys::cases()),
        ("artifacts", artifacts::cases()),
    ]
}

/// Runs every case of every suite on this implementation; returns how many ran and accounts for them.
pub async fn run(implementation: &dyn Implementation) -> usize {
    let mut total = 0;
    for (suite, cases) in suites() {
        total += run_cases(implementation, suite, &cases).await;
    }
    real::record_run(implementation.name(), "contract of the store", total);
    total
}

/// Runs one suite, prints what it ran; returns how many cases it had.
pub async fn run_cases(implementation: &dyn Implementation, suite: &str, cases: &[Case]) -> usize {
    for case in cases {
        println!("{}: {suite}: {}", implementation.name(), case.name);
        let outcome = (case.run)(CaseContext::new(implementation.fresh().await)).await;
        if let Err(error) = outcome {
            panic!("{}: {suite}: {}: {error}", implementation.name(), case.name);
        }
    }
    println!("{}: {suite}: {} cases", implementation.name(), cases.len());
    cases.len()
}

/// Does the operation twice, as a caller does whose first reply was lost: it was carried out, the caller heard an error
/// and asked again with the same arguments. The answer is the second one.
pub(crate) async fn with_lost_reply<T>(
    operation: impl AsyncFn() -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let swallowed = operation()
        .await
        .and_then(|_| Err::<T, _>(StoreError::unavailable("the reply was lost")));
    match swallowed {
        Err(StoreError::Unavailable { .. }) => operation().await,
        other => other,
    }
}

/// Names a function as a case: its name is a sentence.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        vec![$($crate::contract::Case::new(stringify!($function), |context| Box::pin($function(context)))),*]
    };
}
pub(crate) use cases;

impl Case {
    /// A case with its name.
    pub(crate) const fn new(
        name: &'static str,
        run: fn(CaseContext) -> LocalBoxFuture<'static, Outcome>,
    ) -> Self {
        Self { name, run }
    }
}

#[cfg(test)]
mod tests;
