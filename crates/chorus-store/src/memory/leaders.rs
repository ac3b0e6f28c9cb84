//! Leadership terms.

use async_trait::async_trait;
use chorus_core::id::{BootId, Term};
use chorus_core::port::{Leaders, StoreError};
use chorus_core::time::{Millis, Timestamp};

use super::{State, Store};
use crate::rows::LeaderRow;

#[async_trait]
impl Leaders for Store {
    async fn acquire(
        &self,
        name: &str,
        boot: BootId,
        lasts: Millis,
    ) -> Result<Option<Term>, StoreError> {
        Ok(self.change(|state, now| state.acquire(name, boot, lasts, now)))
    }

    async fn renew(&self, name: &str, term: Term, lasts: Millis) -> Result<bool, StoreError> {
        Ok(self.change(|state, now| {
            let current = state
                .rows
                .leaders
                .get_mut(name)
                .filter(|row| row.term == term && row.until > now);
            current.map(|row| row.until = now + lasts).is_some()
        }))
    }

    async fn resign(&self, name: &str, term: Term) -> Result<(), StoreError> {
        self.change(|state, now| {
            let current = state
                .rows
                .leaders
                .get_mut(name)
                .filter(|row| row.term == term && row.until > now);
            current.into_iter().for_each(|row| row.until = now);
        });
        Ok(())
    }
}

impl State {
    fn acquire(&mut self, name: &str, boot: BootId, lasts: Millis, now: Timestamp) -> Option<Term> {
        let until = now + lasts;
        let term = match self.rows.leaders.get(name) {
            Some(row) if row.until > now && row.boot != boot => return None,
            Some(row) if row.until > now => row.term,
            Some(row) => Term(row.term.0 + 1),
            None => Term(1),
        };
        self.rows
            .leaders
            .insert(name.to_owned(), LeaderRow { term, boot, until });
        Some(term)
    }
}
