//! Bytes by their hash: prompts, outputs, attachments and deliverables. The other ports carry an
//! [`ArtifactHash`] in place of such bytes.

use async_trait::async_trait;
use bytes::Bytes;

use super::StoreError;
use crate::artifact::ArtifactHash;

/// A store of immutable bytes. Storing the same bytes twice has the effect of storing them once.
#[async_trait]
pub trait ArtifactStore: Send + Sync {
    /// Stores the bytes and returns their hash; they are durable when this returns.
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError>;

    /// Returns the bytes with this hash, none if there are none. Bytes that do not match their hash
    /// are [`StoreError::Broken`].
    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError>;
}
