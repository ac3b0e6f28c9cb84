//! What a project begins with: the brief, the outline of its attachments, and later its plan.

use std::sync::Arc;

use chorus_core::artifact::ArtifactHash;
use chorus_core::brief::{self, Brief, Outline};
use chorus_core::plan::Plan;

use crate::aggregate::Aggregate;
use crate::context::Context;
use crate::shelf::Missing;

/// The brief.
pub(crate) async fn brief(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Brief>, Missing> {
    aggregate
        .shelf
        .value(context, "the brief", aggregate.project.head.brief)
        .await
}

/// Cuts the attachments into sections and stores the outline.
pub(crate) async fn outline(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<ArtifactHash, Missing> {
    let brief = brief(context, aggregate).await?;
    let mut texts = Vec::with_capacity(brief.attachments.len());
    for attachment in &brief.attachments {
        let text = aggregate
            .shelf
            .text(context, "an attachment", attachment.text)
            .await?;
        texts.push((attachment.name.clone(), text));
    }
    let documents: Vec<_> = texts
        .iter()
        .map(|(name, text)| (name.clone(), text.as_str()))
        .collect();
    let outline = brief::outline(&documents, brief::section_target(&documents));
    Ok(aggregate.shelf.put(context, &outline).await)
}

/// The stored outline; empty before the submission was folded.
pub(crate) async fn stored_outline(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Arc<Outline>, Missing> {
    match aggregate.project.head.outline {
        Some(hash) => aggregate.shelf.value(context, "the outline", hash).await,
        None => Ok(Arc::default()),
    }
}

/// The plan, if there is one.
pub(crate) async fn plan(
    context: &Context,
    aggregate: &mut Aggregate,
) -> Result<Option<Arc<Plan>>, Missing> {
    match aggregate.project.head.plan {
        Some(plan) => aggregate
            .shelf
            .value(context, "the plan", plan.hash)
            .await
            .map(Some),
        None => Ok(None),
    }
}
