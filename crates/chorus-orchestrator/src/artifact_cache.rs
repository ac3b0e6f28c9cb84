//! Cache of one project's artifacts, as bytes and as parsed values.
//!
//! An [`ArtifactHash`] names its bytes, so an entry never becomes stale. The cache is emptied when it would
//! exceed [`Settings::cached_bytes`](crate::Settings::cached_bytes).

use std::collections::BTreeMap;

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::Context;

/// An artifact that is missing from the store or cannot be parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {hash}")]
pub(crate) struct Missing {
    pub(crate) what: &'static str,
    pub(crate) hash: ArtifactHash,
}

/// Artifacts read or written lately, and the values parsed from them.
#[derive(Default)]
pub(crate) struct ArtifactCache {
    kept: BTreeMap<ArtifactHash, Bytes>,
    values: BTreeMap<ArtifactHash, Arc<dyn Any + Send + Sync>>,
    bytes: usize,
}

impl ArtifactCache {
    pub(crate) async fn get(
        &mut self,
        context: &Context,
        what: &'static str,
        hash: ArtifactHash,
    ) -> Result<Bytes, Missing> {
        if let Some(bytes) = self.kept.get(&hash) {
            return Ok(bytes.clone());
        }
        let found = context
            .until_ok("read an artifact", || context.artifacts.get(hash))
            .await;
        let bytes = found.ok_or(Missing { what, hash })?;
        self.keep(context, hash, bytes.clone());
        Ok(bytes)
    }

    pub(crate) async fn text(
        &mut self,
        context: &Context,
        what: &'static str,
        hash: ArtifactHash,
    ) -> Result<String, Missing> {
        let bytes = self.get(context, what, hash).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) async fn value<T>(
        &mut self,
        context: &Context,
        what: &'static str,
        hash: ArtifactHash,
    ) -> Result<Arc<T>, Missing>
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        if let Some(value) = self
            .values
            .get(&hash)
            .and_then(|value| value.clone().downcast().ok())
        {
            return Ok(value);
        }
        let bytes = self.get(context, what, hash).await?;
        let value: Arc<T> = serde_json::from_slice(&bytes)
            .map(Arc::new)
            .map_err(|error| {
                tracing::error!(error = %error, artifact.hash = %hash, "{what} cannot be read");
                Missing { what, hash }
            })?;
        self.values.insert(hash, value.clone());
        Ok(value)
    }

    /// Stores a value as JSON; the artifact is durable when this returns.
    pub(crate) async fn put(&mut self, context: &Context, value: &impl Serialize) -> ArtifactHash {
        let bytes = serde_json::to_vec(value).expect("artifacts are plain structs with text keys");
        self.put_bytes(context, Bytes::from(bytes)).await
    }

    pub(crate) async fn put_bytes(&mut self, context: &Context, bytes: Bytes) -> ArtifactHash {
        let known = ArtifactHash::of(&bytes);
        if self.kept.contains_key(&known) {
            return known;
        }
        let hash = context
            .until_ok("write an artifact", || context.artifacts.put(bytes.clone()))
            .await;
        self.keep(context, hash, bytes);
        hash
    }

    fn keep(&mut self, context: &Context, hash: ArtifactHash, bytes: Bytes) {
        if self.bytes + bytes.len() > context.settings.cached_bytes {
            self.kept.clear();
            self.values.clear();
            self.bytes = 0;
        }
        self.bytes += bytes.len();
        self.kept.insert(hash, bytes);
    }
}
