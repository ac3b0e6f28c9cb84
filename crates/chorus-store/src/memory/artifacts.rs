//! Artifacts by their hash.

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::port::{ArtifactStore, StoreError};

use super::Store;

#[async_trait]
impl ArtifactStore for Store {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError> {
        let hash = ArtifactHash::of(&bytes);
        self.change(|state, _| drop(state.artifacts.insert(hash, bytes)));
        Ok(hash)
    }

    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        Ok(self.change(|state, _| state.artifacts.get(&hash).cloned()))
    }
}
