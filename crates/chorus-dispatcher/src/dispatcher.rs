//! The dispatcher's future: stands by, leads for a term, stands by again.
//!
//! The work of a term is in [`term`]; this file only acquires, renews and resigns the leadership.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use chorus_core::catalog::Catalog;
use chorus_core::id::{BootId, Term};
use chorus_core::port::Ports;
use chorus_core::time::Timestamp;
use chorus_pool::RoleModels;
use futures_util::future::{Either, select};

use crate::context::Context;
use crate::settings::Settings;
use crate::term;

/// Name of the leadership in the store.
const LEADERSHIP: &str = "dispatcher";

/// Admits, dispatches and reconciles while this process leads.
pub struct Dispatcher {
    ports: Ports,
    settings: Settings,
    catalog: Arc<Catalog>,
    roles: RoleModels,
    boot: BootId,
}

impl Dispatcher {
    /// A dispatcher of one process; `boot` differs for every start.
    pub const fn new(
        ports: Ports,
        settings: Settings,
        catalog: Arc<Catalog>,
        roles: RoleModels,
        boot: BootId,
    ) -> Self {
        Self {
            ports,
            settings,
            catalog,
            roles,
            boot,
        }
    }

    /// Runs until `stop`, then resigns, so that the next dispatcher need not wait for the end of the term.
    pub async fn run(self, stop: impl Future<Output = ()> + Send) {
        let held = Mutex::new(None);
        if let Either::Left(((), _)) = select(pin!(stop), Box::pin(self.lead(&held))).await {
            let term = *held.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(term) = term
                && let Err(problem) = self.ports.leaders.resign(LEADERSHIP, term).await
            {
                tracing::warn!(error = %problem, "failed to resign, the term ends by itself");
            }
        }
    }

    /// Acquires and serves terms without an end. `held` holds the current term.
    async fn lead(&self, held: &Mutex<Option<Term>>) {
        let set = |term| *held.lock().unwrap_or_else(PoisonError::into_inner) = term;
        loop {
            let asked = self.ports.clock.now();
            match self
                .ports
                .leaders
                .acquire(LEADERSHIP, self.boot, self.settings.term_lasts)
                .await
            {
                Ok(Some(term)) => {
                    set(Some(term));
                    self.serve(term, asked).await;
                    set(None);
                }
                Ok(None) => {}
                Err(problem) => {
                    tracing::warn!(error = %problem, "failed to acquire the dispatcher's term");
                }
            }
            self.ports.clock.sleep(self.settings.stand_by).await;
        }
    }

    /// Serves one term until it ends.
    async fn serve(&self, term: Term, since: Timestamp) {
        tracing::info!(term = term.0, "the dispatcher's term begins");
        let context = Context::new(self.ports.clone(), self.settings.clone(), term);
        let work = Box::pin(term::work(&context, &self.catalog, &self.roles));
        select(Box::pin(keep(&context, since)), work).await;
        tracing::info!(term = term.0, "the dispatcher's term ends");
    }
}

/// Renews the term; returns when it has ended, or when it may have ended because no renewal was answered in time.
async fn keep(context: &Context, since: Timestamp) {
    let mut renewed = since;
    loop {
        context.clock.sleep(context.settings.renew).await;
        let asked = context.now();
        let renewal = context
            .leaders
            .renew(LEADERSHIP, context.term, context.settings.term_lasts);
        match context
            .statement("renew the dispatcher's term", renewal)
            .await
        {
            Ok(true) => renewed = asked,
            Ok(false) => return,
            Err(_) if context.now().since(renewed) >= context.settings.term_lasts => return,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dispatchers_future_may_move_between_threads() {
        fn is_send<T: Send>(_: impl FnOnce(Dispatcher) -> T) {}
        is_send(|dispatcher| dispatcher.run(std::future::pending()));
    }
}
