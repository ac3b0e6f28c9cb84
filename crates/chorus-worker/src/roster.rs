//! The quota groups of credentials, looked up in the directory and kept for a minute.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use chorus_core::id::{CredentialId, ModelSlug, Tenant};
use chorus_core::limit::QuotaGroup;
use chorus_core::port::{Clock, Directory};
use chorus_core::time::{Millis, Timestamp};

const KEPT_FOR: Millis = Millis(60_000);

type Groups = Vec<(Arc<QuotaGroup>, Vec<ModelSlug>)>;

/// Which groups a credential draws on.
pub(crate) struct Roster {
    directory: Arc<dyn Directory>,
    clock: Arc<dyn Clock>,
    known: Mutex<BTreeMap<Tenant, Known>>,
}

#[derive(Clone)]
struct Known {
    since: Timestamp,
    groups: Arc<BTreeMap<CredentialId, Groups>>,
}

impl Roster {
    pub(crate) fn new(directory: Arc<dyn Directory>, clock: Arc<dyn Clock>) -> Self {
        Self {
            directory,
            clock,
            known: Mutex::new(BTreeMap::new()),
        }
    }

    /// The groups on which a call of this model draws; none when nobody knows, which costs an observation.
    pub(crate) async fn groups(
        &self,
        tenant: &Tenant,
        credential: CredentialId,
        model: &ModelSlug,
    ) -> Vec<Arc<QuotaGroup>> {
        let known = match self.fresh(tenant, credential) {
            Some(known) => known,
            None => self.look_up(tenant).await,
        };
        let groups = known.groups.get(&credential).into_iter().flatten();
        groups
            .filter(|(_, models)| models.is_empty() || models.contains(model))
            .map(|(group, _)| group.clone())
            .collect()
    }

    fn fresh(&self, tenant: &Tenant, credential: CredentialId) -> Option<Known> {
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(tenant)?
            .clone();
        (self.clock.now().since(known.since) < KEPT_FOR && known.groups.contains_key(&credential))
            .then_some(known)
    }

    /// Asks the directory; what was known before serves when it does not answer.
    async fn look_up(&self, tenant: &Tenant) -> Known {
        let answer = self.directory.accounts(tenant).await;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let since = self.clock.now();
        match answer {
            Ok(accounts) => {
                let credentials = accounts.into_iter().flat_map(|account| account.credentials);
                let groups = credentials
                    .map(|credential| {
                        (
                            credential.id,
                            credential
                                .groups
                                .into_iter()
                                .map(|of| (Arc::new(of.group), of.models))
                                .collect(),
                        )
                    })
                    .collect();
                let fresh = Known {
                    since,
                    groups: Arc::new(groups),
                };
                known.insert(tenant.clone(), fresh.clone());
                fresh
            }
            Err(error) => {
                tracing::warn!(error = %error, "the directory did not answer, older groups are used");
                known.get(tenant).cloned().unwrap_or_else(|| Known {
                    since,
                    groups: Arc::default(),
                })
            }
        }
    }
}
