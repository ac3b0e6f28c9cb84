//! `GET /v1/projects/{id}/events`: the events of a project as server-sent events.
//!
//! Events are read from their rows, page after page, only as fast as the client reads them: a slow
//! client costs one page of memory. Wake-ups of the [`EventHub`](crate::event_hub::EventHub) shorten
//! the wait; the rows are polled every [`Settings::poll`](crate::Settings) anyway. The id of an
//! event is its sequence number, so a client resumes with `Last-Event-ID` at any gateway.

mod wire;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chorus_core::id::{AccountId, ProjectId, Seq};
use chorus_core::port::StoreError;
use chorus_core::port::error::full_text;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::HistoryEvent;
use chorus_core::time::Timestamp;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::api_error::ApiError;
use crate::app_state::AppState;
use crate::event_hub::EventSubscription;
use crate::project_request::HeadRequest;
use crate::query::Query;

/// Number of events read at once.
const PAGE_LEN: u32 = 100;

/// Headers of a stream; the last two keep proxies from buffering it.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream"),
    ),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    ),
];

pub(crate) async fn events(
    HeadRequest {
        state,
        caller,
        head,
    }: HeadRequest,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let query = Query::read(query.as_deref(), &["after"])?;
    let after = query.number("after", 0..=i64::MAX.unsigned_abs())?;
    let seen = Seq(after.unwrap_or(0)).max(last_event_id(&headers)?);
    let permit = state.stream_permit()?;
    let stream = EventStream {
        project: head.id,
        names: state.account_names(&caller).await?,
        subscription: state.hub.subscribe(head.id),
        stop: state.stop.clone(),
        seen,
        final_state: head.is_terminal().then(|| head.state.as_str().to_owned()),
        poll_at: Timestamp(0),
        silent_since: state.ports.clock.now(),
        has_begun: false,
        has_ended: false,
        _permit: permit,
        state,
    };
    let body = Body::from_stream(stream::unfold(stream, EventStream::next));
    Ok((HEADERS, body).into_response())
}

/// Sequence number in `Last-Event-ID`: the newest event that the client has.
fn last_event_id(headers: &HeaderMap) -> Result<Seq, ApiError> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(Seq(0));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(Seq(0));
    }
    let invalid = || {
        ApiError::field(
            "Last-Event-ID",
            "it must be the id of an event of this project, a whole number",
        )
    };
    text.parse()
        .ok()
        .filter(|seq| i64::try_from(*seq).is_ok())
        .map(Seq)
        .ok_or_else(invalid)
}

/// Stream of one project to one client.
struct EventStream {
    state: Arc<AppState>,
    project: ProjectId,
    /// Names of the accounts that the caller may read.
    names: BTreeMap<AccountId, String>,
    subscription: EventSubscription,
    stop: watch::Receiver<bool>,
    /// Sequence number of the newest event sent.
    seen: Seq,
    /// Final state of the project, unless it was reopened since.
    final_state: Option<String>,
    /// Time of the next read of the rows.
    poll_at: Timestamp,
    silent_since: Timestamp,
    has_begun: bool,
    has_ended: bool,
    _permit: OwnedSemaphorePermit,
}

/// Reasons that end the wait of a stream.
enum Wake {
    /// The gateway stops; the client resumes at another.
    Stop,
    /// New rows were announced, or the poll is due.
    Poll,
    /// Text of a progress event.
    Progress(String),
    /// The keep-alive is due.
    KeepAlive,
}

impl EventStream {
    /// The next chunk of the stream; `None` ends it.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let chunk = self.chunk().await?;
        self.silent_since = self.state.ports.clock.now();
        Some((Ok(Bytes::from(chunk)), self))
    }

    async fn chunk(&mut self) -> Option<String> {
        if self.has_ended {
            return None;
        }
        if !std::mem::replace(&mut self.has_begun, true) {
            return Some(wire::OPENING.to_owned());
        }
        loop {
            if self.state.ports.clock.now() >= self.poll_at
                && let Some(chunk) = self.poll().await
            {
                return Some(chunk);
            }
            match self.wait().await {
                Wake::Stop => return None,
                Wake::Poll => self.poll_at = Timestamp(0),
                Wake::Progress(chunk) => return Some(chunk),
                Wake::KeepAlive => return Some(wire::KEEP_ALIVE.to_owned()),
            }
        }
    }

    /// The next page of events, or the end; `None` if there is nothing new.
    async fn poll(&mut self) -> Option<String> {
        let (ports, now) = (&self.state.ports, self.state.ports.clock.now());
        // Announcements from here on may be of rows that this read does not see.
        self.subscription.news.mark_unchanged();
        let page = ports
            .projects
            .events(self.project, self.seen, PAGE_LEN)
            .await;
        let page = match page {
            Ok(page) => page,
            Err(error @ StoreError::Unavailable { .. }) => {
                // The client stays connected and gets the rest when the store is back.
                tracing::debug!(project.id = %self.project, store.error = full_text(&error), "a stream waits for the store");
                self.poll_at = now + self.state.settings.poll;
                return None;
            }
            Err(error @ StoreError::Broken { .. }) => {
                tracing::error!(project.id = %self.project, store.error = full_text(&error), "a stream of events was given up");
                self.has_ended = true;
                return Some(wire::error());
            }
        };
        if let Some(last) = page.last() {
            self.seen = last.seq;
            for stored in &page {
                if let Some(state) = final_state(stored) {
                    self.final_state = Some(state.to_owned());
                } else if matches!(stored.event, HistoryEvent::Reopened { .. }) {
                    self.final_state = None;
                }
            }
            return Some(page.iter().map(wire::event).collect());
        }
        self.poll_at = now + self.state.settings.poll;
        self.has_ended = self.final_state.is_some();
        self.final_state.as_deref().map(wire::end)
    }

    async fn wait(&mut self) -> Wake {
        let (clock, keep_alive) = (&self.state.ports.clock, self.state.settings.keep_alive);
        let EventSubscription { news, progress, .. } = &mut self.subscription;
        tokio::select! {
            biased;
            // A dropped sender means stop, too.
            _ = self.stop.wait_for(|stop| *stop) => Wake::Stop,
            _ = news.changed() => Wake::Poll,
            Ok(progress) = progress.recv() => Wake::Progress(wire::progress(&progress, self.names.get(&progress.account))),
            () = clock.sleep_until(self.poll_at) => Wake::Poll,
            () = clock.sleep_until(self.silent_since + keep_alive) => Wake::KeepAlive,
        }
    }
}

/// The final state that an event leads to.
fn final_state(stored: &StoredEvent) -> Option<&'static str> {
    match &stored.event {
        HistoryEvent::Done { .. } => Some("done"),
        HistoryEvent::Partial { .. } => Some("partial"),
        HistoryEvent::Failed { .. } => Some("failed"),
        HistoryEvent::Cancelled => Some("cancelled"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_last_event_id_is_a_whole_number_or_nothing() {
        let given = |text: &[u8]| {
            let value = HeaderValue::from_bytes(text).expect("a header holds it");
            let name = HeaderName::from_static("last-event-id");
            last_event_id(&[(name, value)].into_iter().collect())
        };
        assert_eq!(last_event_id(&HeaderMap::new()), Ok(Seq(0)));
        for (text, seq) in [
            ("", 0),
            (" ", 0),
            ("0", 0),
            (" 17 ", 17),
            ("9223372036854775807", i64::MAX.unsigned_abs()),
        ] {
            assert_eq!(given(text.as_bytes()), Ok(Seq(seq)), "{text:?}");
        }
        for text in ["x", "-1", "1.5", "9223372036854775808", "0x10"] {
            let error = given(text.as_bytes()).expect_err("it is refused");
            let problem = error.body("").error;
            assert_eq!(problem.field.as_deref(), Some("Last-Event-ID"), "{text}");
            assert_eq!(problem.code, "invalid_field");
        }
    }

    #[test]
    fn only_the_four_final_events_end_a_stream() {
        let stored = |event| StoredEvent {
            project: ProjectId::new(1),
            seq: Seq(1),
            at: Timestamp(0),
            event,
        };
        let failed = HistoryEvent::Failed {
            why: "no account".to_owned(),
        };
        assert_eq!(final_state(&stored(failed)), Some("failed"));
        assert_eq!(
            final_state(&stored(HistoryEvent::Cancelled)),
            Some("cancelled")
        );
        for event in [
            HistoryEvent::Submitted,
            HistoryEvent::Paused,
            HistoryEvent::BudgetExhausted,
        ] {
            assert_eq!(final_state(&stored(event)), None);
        }
    }
}
