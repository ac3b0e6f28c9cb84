//! The authenticated sender of a request. [`authentication`](crate::authentication) makes it.

use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::keys::Scopes;

/// Identity and rights of the sender of one request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Tenant that owns every project the request may see.
    pub(crate) tenant: Tenant,
    /// Rights of the key.
    pub(crate) scopes: Scopes,
    /// Id of the key, for the log; none without keys.
    pub(crate) key: Option<KeyId>,
    /// True for the operator of this installation.
    pub(crate) is_operator: bool,
}

impl Caller {
    /// Name in the audit.
    pub(crate) fn name(&self) -> String {
        match self.key {
            Some(key) => key.to_string(),
            None if self.is_operator => "operator".to_owned(),
            None => "open".to_owned(),
        }
    }
}
