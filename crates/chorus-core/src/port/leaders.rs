//! Named leaderships, each term with a fencing number.

use async_trait::async_trait;

use super::StoreError;
use crate::id::{BootId, Term};
use crate::time::Millis;

/// At most one holder of a name at a time, as far as one clock (the store's) can tell.
#[async_trait]
pub trait Leaders: Send + Sync {
    /// Returns the new [`Term`], none while another process holds an unexpired one. The holder gets
    /// its own term again, renewed.
    async fn acquire(
        &self,
        name: &str,
        boot: BootId,
        lasts: Millis,
    ) -> Result<Option<Term>, StoreError>;

    /// Prolongs the term; false when it has ended.
    async fn renew(&self, name: &str, term: Term, lasts: Millis) -> Result<bool, StoreError>;

    /// Ends the term, so that another process may acquire the name at once.
    async fn resign(&self, name: &str, term: Term) -> Result<(), StoreError>;
}
