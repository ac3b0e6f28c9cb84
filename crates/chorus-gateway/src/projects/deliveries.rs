//! `GET /v1/projects/{id}/deliveries`: pages of ended deliveries, in order of their ends.
//!
//! A client that follows a project asks again with the last page's `next`: what ended since comes,
//! failed calls with account, class and the provider's message.

use axum::Json;
use axum::extract::RawQuery;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chorus_core::id::Epoch;
use chorus_core::port::deliveries::{EndPosition, Selection};
use chorus_core::time::Timestamp;

use crate::api_error::ApiError;
use crate::project_request::ProjectRequest;
use crate::query::Query;
use crate::resource::{DeliveryList, DeliveryResource};

/// Default length of a page.
const DEFAULT_LIMIT: u32 = 100;

/// Maximum length of a page.
const MAX_LIMIT: u32 = 1000;

pub(crate) async fn deliveries(
    request: ProjectRequest,
    RawQuery(query): RawQuery,
) -> Result<Json<DeliveryList>, ApiError> {
    let ProjectRequest {
        state,
        caller,
        loaded,
    } = request;
    let query = Query::read(query.as_deref(), &["after", "limit"])?;
    let limit = query
        .number("limit", 1..=u64::from(MAX_LIMIT))?
        .map_or(DEFAULT_LIMIT, |limit| {
            u32::try_from(limit).unwrap_or(MAX_LIMIT)
        });
    let given = query.text("after");
    let after = given.map(|text| {
        read_position(text)
            .ok_or_else(|| ApiError::field("after", "it is not the next of an earlier page"))
    });
    let selection = Selection::Ended {
        after: after.transpose()?,
    };
    let project = &loaded.project;
    let rows = &state.ports.deliveries;
    let mut rows = rows.selected(project.head.id, selection, limit + 1).await?;
    let has_more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let names = state.account_names(&caller).await?;
    let next = rows.last().and_then(EndPosition::of).map(position_text);
    let shown = rows.iter().filter_map(|row| {
        let name = names.get(&row.assignment.account).cloned();
        let key = project.tasks.get(&row.task).map(|task| task.key.clone());
        DeliveryResource::new(row, name, key)
    });
    Ok(Json(DeliveryList {
        deliveries: shown.collect(),
        next: next.or_else(|| given.map(str::to_owned)),
        has_more,
    }))
}

/// A position as the opaque text that clients send back.
fn position_text(at: EndPosition) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}.{}.{}", at.ended_at.0, at.epoch.0, at.attempt))
}

fn read_position(text: &str) -> Option<EndPosition> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
    let mut parts = text.splitn(3, '.');
    Some(EndPosition {
        ended_at: Timestamp(parts.next()?.parse().ok()?),
        epoch: Epoch(parts.next()?.parse().ok()?),
        attempt: parts.next()?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use chorus_core::id::AttemptId;

    use super::*;

    #[test]
    fn a_position_is_read_back_and_another_text_is_not() {
        let at = EndPosition {
            ended_at: Timestamp(1_790_000_000_123),
            attempt: AttemptId::new(7),
            epoch: Epoch(2),
        };
        assert_eq!(read_position(&position_text(at)), Some(at));
        for wrong in ["", "!", "abc", &URL_SAFE_NO_PAD.encode("1.2")] {
            assert_eq!(read_position(wrong), None, "{wrong}");
        }
    }
}
