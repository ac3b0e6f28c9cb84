//! Cases of [`ArtifactStore`](chorus_core::port::ArtifactStore): bytes stored under their hash.

use bytes::Bytes;
use chorus_core::artifact::ArtifactHash;

use super::{Case, CaseContext, Outcome, cases, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        bytes_come_back_by_their_hash,
        what_was_never_put_is_not_there,
        a_put_with_a_lost_reply_is_one_put
    ]
}

async fn bytes_come_back_by_their_hash(context: CaseContext) -> Outcome {
    let large: Vec<u8> = (0..1_500_000_u32)
        .map(|at| at.wrapping_mul(2_654_435_761).to_be_bytes()[0])
        .collect();
    for bytes in [
        Bytes::new(),
        Bytes::from_static(b"text"),
        Bytes::from_static(&[0, 255, 128, 0]),
        Bytes::from(large),
    ] {
        let hash = context.ports.artifacts.put(bytes.clone()).await?;
        assert_eq!(hash, ArtifactHash::of(&bytes));
        assert_eq!(context.ports.artifacts.get(hash).await?, Some(bytes));
    }
    Ok(())
}

async fn what_was_never_put_is_not_there(context: CaseContext) -> Outcome {
    assert_eq!(
        context
            .ports
            .artifacts
            .get(ArtifactHash::of(b"never"))
            .await?,
        None
    );
    Ok(())
}

async fn a_put_with_a_lost_reply_is_one_put(context: CaseContext) -> Outcome {
    let bytes = Bytes::from_static(b"twice");
    let hash = with_lost_reply(async || context.ports.artifacts.put(bytes.clone()).await).await?;
    assert_eq!(context.ports.artifacts.get(hash).await?, Some(bytes));
    Ok(())
}
