//! Artifacts as rows, for workers that share no disk: base64, because columns are text.

use async_trait::async_trait;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;
use chorus_core::port::{ArtifactStore, StoreError};

use super::Store;
use super::cells::Cells;
use super::fault::Fault;
use super::tx::{Operation, Outcome, Tx};

#[async_trait]
impl ArtifactStore for Store {
    async fn put(&self, bytes: Bytes) -> Result<ArtifactHash, StoreError> {
        self.execute(PutArtifact(bytes)).await
    }

    async fn get(&self, hash: ArtifactHash) -> Result<Option<Bytes>, StoreError> {
        let rows = self
            .read(
                sqlx::query("SELECT hash, content FROM artifacts WHERE hash = $1")
                    .bind(hash.to_string()),
            )
            .await?;
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        let cells = Cells::new("artifacts", "hash", row);
        let bytes = BASE64_STANDARD
            .decode(cells.text("content")?)
            .map_err(|why| cells.unreadable("content", &why))?;
        if ArtifactHash::of(&bytes) != hash {
            return Err(cells
                .unreadable("content", &"its bytes do not have this hash")
                .into());
        }
        Ok(Some(Bytes::from(bytes)))
    }
}

struct PutArtifact(Bytes);

#[async_trait]
impl Operation for PutArtifact {
    type Output = ArtifactHash;

    async fn execute(&self, tx: &mut Tx<'_>) -> Result<Outcome<ArtifactHash>, Fault> {
        let hash = ArtifactHash::of(&self.0);
        let statement = sqlx::query(
            "INSERT INTO artifacts (hash, content) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING",
        );
        tx.change(
            statement
                .bind(hash.to_string())
                .bind(BASE64_STANDARD.encode(&self.0)),
        )
        .await?;
        Ok(Outcome::Commit(hash))
    }
}
