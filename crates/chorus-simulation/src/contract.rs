//! Contract suites: the cases that every implementation of a port passes.
//!
//! The bus has its suite in [`bus`], the limiter in [`limits`]; everything else here is about the
//! ports of a store.
//!
//! A case gets a [`CaseContext`]: a fresh, empty store with its ports and a clock that the case
//! sets. Cases use ports only, so the same cases run on the memory store (here), on SQLite and on
//! PostgreSQL (in `crates/chorus/tests/it`). A failed expectation panics after the case's name was
//! printed.

pub mod bus;
pub mod context;
pub mod fixtures;
pub mod history;
pub mod limits;

mod artifacts;
mod audit;
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
mod steps;
mod waits;

use async_trait::async_trait;
use chorus_core::port::StoreError;
use futures_util::future::LocalBoxFuture;

pub use context::{CaseContext, StorePorts};

use crate::real;

/// Result of a case: an error of the store fails it, a failed expectation panics.
pub type Outcome = Result<(), StoreError>;

/// A case with its name.
pub struct Case {
    name: &'static str,
    run: fn(CaseContext) -> LocalBoxFuture<'static, Outcome>,
}

/// An implementation of the store's ports that is tested.
#[async_trait]
pub trait Implementation: Send + Sync {
    /// Name of the implementation in the output.
    fn name(&self) -> &'static str;

    /// A new, empty store.
    async fn fresh(&self) -> StorePorts;
}

/// All suites with their names.
pub fn suites() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("projects", projects::cases()),
        ("commits", commits::cases()),
        ("dispatches", dispatches::cases()),
        ("claims and beats", claims::cases()),
        ("finishes", finishes::cases()),
        ("reclaims", reclaims::cases()),
        ("steps of attempts", steps::cases()),
        ("deliveries", deliveries::cases()),
        ("waits and workers", waits::cases()),
        ("outbox", outbox::cases()),
        ("leaders", leaders::cases()),
        ("directory", directory::cases()),
        ("audit", audit::cases()),
        ("keys", keys::cases()),
        ("artifacts", artifacts::cases()),
    ]
}

/// Runs every case of every suite, records the run with [`real::record_run`], and returns the
/// number of cases.
pub async fn run(implementation: &dyn Implementation) -> usize {
    let mut total = 0;
    for (suite, cases) in suites() {
        total += run_cases(implementation, suite, &cases).await;
    }
    real::record_run(implementation.name(), "contract of the store", total);
    total
}

/// Runs one suite and returns the number of cases.
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

/// Applies the operation twice with the same arguments, like a caller that lost the first reply.
/// Returns the second reply.
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

/// Makes cases of functions; the name of a function is the name of its case.
macro_rules! cases {
    ($($function:ident),* $(,)?) => {
        vec![$($crate::contract::Case::new(stringify!($function), |context| Box::pin($function(context)))),*]
    };
}
pub(crate) use cases;

impl Case {
    /// Creates a case.
    pub(crate) const fn new(
        name: &'static str,
        run: fn(CaseContext) -> LocalBoxFuture<'static, Outcome>,
    ) -> Self {
        Self { name, run }
    }
}

#[cfg(test)]
mod tests;
