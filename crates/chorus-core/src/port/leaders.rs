//! Named leaderships, each term with a fencing number.

use async_trait::async_trait;

use super::StoreError;
use crate::id::{BootId, Term};
use crate::time::Millis;

/// At most one holder of a name at a time, as far as one clock (the store's) can tell.
#[async_trait]
pub trait Leaders: Send + Sync {
    /// The new term, or none while another process holds an unexpired one. Asking again while holding it
    /// returns the same term, renewed.
    async fn acquire(
        &self,
        name: &str,
        boot: BootId,
        lasts: Millis,
    ) -> Result<Option<Term>, StoreError>;

    /// Prolongs the term; false when it is over.
    async fn renew(&self, name: &str, term: Term, lasts: Millis) -> Result<bool, StoreError>;

    /// Gives the term up.
    async fn resign(&self, name: &str, term: Term) -> Result<(), StoreError>;
}
