//! Bytes by their hash.

use async_trait::async_trait;
use bytes::Bytes;

use super::StoreError;
use crate::artifact::ArtifactHash;

/// Prompts, outputs, attachments, deliverables. Putting the same bytes twice is putting them once.
#[async_trait]
pub trait ArtifactStore: Send + Sync {
    /// Keeps the bytes; they are durable when this returns.
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError>;

    /// The bytes of this name. Implementations check the hash: bytes that do not match are `Broken`.
    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError>;
}
