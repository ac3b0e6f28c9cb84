//! The dispatcher's future: stand by, lead for a term, stand by again.

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

/// The name of the leadership.
const LEADERSHIP: &str = "dispatcher";

/// Admits, dispatches and reconciles while it leads.
pub struct Dispatcher {
    ports: Ports,
    settings: Settings,
    catalog: Arc<Catalog>,
    roles: RoleModels,
    boot: BootId,
}

impl Dispatcher {
    /// A dispatcher of one process.
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

    /// Works until `stop`; then gives its term up, so that the next dispatcher need not wait for its end.
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

    /// Asks for the term and serves it, for ever. `held` tells which term is held.
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
                    tracing::warn!(error = %problem, "failed to ask for the dispatcher's term")
                }
            }
            self.ports.clock.sleep(self.settings.stand_by).await;
        }
    }

    /// Serves one term until it is over.
    async fn serve(&self, term: Term, since: Timestamp) {
        tracing::info!(term = term.0, "the dispatcher's term begins");
        let context = Context::new(self.ports.clone(), self.settings.clone(), term);
        let work = Box::pin(term::work(&context, &self.catalog, &self.roles));
        select(Box::pin(keep(&context, since)), work).await;
        tracing::info!(term = term.0, "the dispatcher's term is over");
    }
}

/// Renews the term; returns when it is over, or may be as far as this process can tell.
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
