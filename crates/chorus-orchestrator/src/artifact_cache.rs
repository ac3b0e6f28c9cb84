//! Cache of one project's artifacts, as bytes and as parsed values.
//!
//! An [`ArtifactHash`] names its bytes, so an entry never becomes stale. Entries that were used least recently go
//! when the cache would exceed [`Settings::cached_bytes`](crate::Settings::cached_bytes).

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
    kept: BTreeMap<ArtifactHash, Kept>,
    bytes: usize,
    /// Number of uses so far.
    uses: u64,
}

/// An artifact in the cache.
struct Kept {
    bytes: Bytes,
    /// Value parsed from the bytes.
    value: Option<Arc<dyn Any + Send + Sync>>,
    /// Number of the latest use.
    used: u64,
}

impl ArtifactCache {
    pub(crate) async fn get(
        &mut self,
        context: &Context,
        what: &'static str,
        hash: ArtifactHash,
    ) -> Result<Bytes, Missing> {
        if let Some(kept) = self.used(hash) {
            return Ok(kept.bytes.clone());
        }
        let found = context
            .until_answered("read an artifact", || context.artifacts.get(hash))
            .await;
        let bytes = match found {
            Ok(found) => found.ok_or(Missing { what, hash })?,
            Err(error) => {
                tracing::error!(error = %error, artifact.hash = %hash, "failed to read an artifact");
                return Err(Missing { what, hash });
            }
        };
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
        let kept = self.used(hash).and_then(|kept| kept.value.clone());
        if let Some(value) = kept.and_then(|value| value.downcast().ok()) {
            return Ok(value);
        }
        let bytes = self.get(context, what, hash).await?;
        let value: Arc<T> = serde_json::from_slice(&bytes)
            .map(Arc::new)
            .map_err(|error| {
                tracing::error!(error = %error, artifact.hash = %hash, "{what} cannot be read");
                Missing { what, hash }
            })?;
        if let Some(kept) = self.kept.get_mut(&hash) {
            kept.value = Some(value.clone());
        }
        Ok(value)
    }

    /// Stores a value as JSON; the artifact is durable when this returns.
    pub(crate) async fn put(&mut self, context: &Context, value: &impl Serialize) -> ArtifactHash {
        let bytes = serde_json::to_vec(value).expect("artifacts are plain structs with text keys");
        self.put_bytes(context, Bytes::from(bytes)).await
    }

    pub(crate) async fn put_bytes(&mut self, context: &Context, bytes: Bytes) -> ArtifactHash {
        let known = ArtifactHash::of(&bytes);
        if self.used(known).is_some() {
            return known;
        }
        let hash = context
            .until_ok("write an artifact", || context.artifacts.put(bytes.clone()))
            .await;
        self.keep(context, hash, bytes);
        hash
    }

    /// The entry, marked as used now.
    fn used(&mut self, hash: ArtifactHash) -> Option<&Kept> {
        self.uses += 1;
        let kept = self.kept.get_mut(&hash)?;
        kept.used = self.uses;
        Some(kept)
    }

    fn keep(&mut self, context: &Context, hash: ArtifactHash, bytes: Bytes) {
        self.make_room(context.settings.cached_bytes, bytes.len());
        self.uses += 1;
        self.bytes += bytes.len();
        let kept = Kept {
            bytes,
            value: None,
            used: self.uses,
        };
        if let Some(replaced) = self.kept.insert(hash, kept) {
            self.bytes -= replaced.bytes.len();
        }
    }

    /// Drops what was used least recently until so many bytes fit, or nothing is left.
    fn make_room(&mut self, limit: usize, needed: usize) {
        while self.bytes + needed > limit {
            let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(hash, _)| *hash) else {
                return;
            };
            if let Some(dropped) = self.kept.remove(&oldest) {
                self.bytes -= dropped.bytes.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(cache: &mut ArtifactCache, text: &str, limit: usize) -> ArtifactHash {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let hash = ArtifactHash::of(&bytes);
        cache.make_room(limit, bytes.len());
        cache.uses += 1;
        cache.bytes += bytes.len();
        let used = cache.uses;
        cache.kept.insert(
            hash,
            Kept {
                bytes,
                value: None,
                used,
            },
        );
        hash
    }

    #[test]
    fn the_artifact_used_least_recently_goes_first() {
        let mut cache = ArtifactCache::default();
        let plan = kept(&mut cache, "plan", 12);
        let first = kept(&mut cache, "part", 12);
        assert!(cache.used(plan).is_some(), "every prompt reads the plan");
        let second = kept(&mut cache, "attached", 12);
        assert!(cache.used(first).is_none());
        assert!(cache.used(plan).is_some() && cache.used(second).is_some());
        assert_eq!(cache.bytes, 12);
    }
}
