//! API keys.

use std::collections::BTreeMap;

use async_trait::async_trait;
use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::StoreError;
use chorus_core::port::keys::{ApiKey, KeyHash, Keys, NewKey};

use super::Store;

/// Keys with the hashes by which they are found.
pub(super) type StoredKeys = BTreeMap<KeyId, (KeyHash, ApiKey)>;

#[async_trait]
impl Keys for Store {
    async fn create(&self, key: NewKey) -> Result<(), StoreError> {
        let NewKey {
            id,
            tenant,
            name,
            hash,
            scopes,
            expires_at,
        } = key;
        self.change(|state, created_at| {
            let kept = || {
                (
                    hash,
                    ApiKey {
                        id,
                        tenant,
                        name,
                        scopes,
                        created_at,
                        expires_at,
                        revoked_at: None,
                    },
                )
            };
            state.keys.entry(id).or_insert_with(kept);
        });
        Ok(())
    }

    async fn find(&self, hash: KeyHash) -> Result<Option<ApiKey>, StoreError> {
        Ok(self.change(|state, _| {
            state
                .keys
                .values()
                .find(|(of, _)| *of == hash)
                .map(|(_, key)| key.clone())
        }))
    }

    async fn list(&self, tenant: &Tenant) -> Result<Vec<ApiKey>, StoreError> {
        Ok(self.change(|state, _| {
            let of_tenant = state.keys.values().filter(|(_, key)| key.tenant == *tenant);
            let mut found: Vec<ApiKey> = of_tenant.map(|(_, key)| key.clone()).collect();
            found.sort_by_key(|key| std::cmp::Reverse((key.created_at, key.id)));
            found
        }))
    }

    async fn revoke(&self, tenant: &Tenant, key: KeyId) -> Result<bool, StoreError> {
        Ok(self.change(|state, now| {
            let known = state
                .keys
                .get_mut(&key)
                .filter(|(_, key)| key.tenant == *tenant);
            known
                .map(|(_, key)| key.revoked_at.get_or_insert(now))
                .is_some()
        }))
    }
}
