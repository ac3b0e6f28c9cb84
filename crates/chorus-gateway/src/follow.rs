//! `GET /v1/projects/{id}/events`: what happens in a project, as server-sent events.
//!
//! Events are read from their rows by place, page after page, as fast as the client takes them, and never faster: a
//! slow client costs one page. The hub's wake-ups only hasten; once a second the rows are looked at anyway. The id
//! of an event is its place, so a client goes on after `Last-Event-ID` at any gateway.

mod frame;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chorus_core::id::{AccountId, ProjectId, Seq};
use chorus_core::port::StoreError;
use chorus_core::port::projects::StoredEvent;
use chorus_core::project::HistoryEvent;
use chorus_core::time::Timestamp;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::auth::Caller;
use crate::desk::Desk;
use crate::fault::Fault;
use crate::hub::Listener;
use crate::query::Query;

/// Events read at once.
const PAGE: u32 = 100;

/// For proxies that would otherwise gather events before they pass them on.
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
    State(desk): State<Arc<Desk>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let query = Query::read(query.as_deref(), &["after"])?;
    let after = Seq(query
        .number("after", 0..=i64::MAX.unsigned_abs())?
        .unwrap_or(0))
    .max(last_seen(&headers)?);
    let room = desk.stream()?;
    let loaded = desk.project(&caller, &id).await?;
    let head = loaded.project.head;
    let follow = Follow {
        project: head.id,
        names: desk.account_names(&caller).await?,
        listener: desk.hub.listen(head.id),
        stop: desk.stop.clone(),
        seen: after,
        over: head.is_terminal().then(|| head.state.as_str().to_owned()),
        look_at: Timestamp(0),
        silent_since: desk.ports.clock.now(),
        begun: false,
        ended: false,
        _room: room,
        desk,
    };
    Ok((
        HEADERS,
        Body::from_stream(stream::unfold(follow, Follow::next)),
    )
        .into_response())
}

/// The place of the last event that the client has.
fn last_seen(headers: &HeaderMap) -> Result<Seq, Fault> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(Seq(0));
    };
    let text = value.to_str().unwrap_or_default().trim();
    if text.is_empty() {
        return Ok(Seq(0));
    }
    let wrong = || {
        Fault::field(
            "Last-Event-ID",
            "it must be the id of an event of this project, a whole number",
        )
    };
    text.parse()
        .ok()
        .filter(|place| i64::try_from(*place).is_ok())
        .map(Seq)
        .ok_or_else(wrong)
}

/// One client that follows one project.
struct Follow {
    desk: Arc<Desk>,
    project: ProjectId,
    /// Names of accounts, as far as the client may know them.
    names: BTreeMap<AccountId, String>,
    listener: Listener,
    stop: watch::Receiver<bool>,
    seen: Seq,
    /// The final state, once it is known that no event will come any more.
    over: Option<String>,
    /// When rows are looked at next.
    look_at: Timestamp,
    silent_since: Timestamp,
    begun: bool,
    ended: bool,
    _room: OwnedSemaphorePermit,
}

/// What a follower waits for.
enum Woken {
    /// This gateway stops: the client goes on at another.
    Stop,
    /// The bus tells of new rows, or it is time to look.
    Look,
    /// Something runs.
    Progress(String),
    /// Nothing was said for long.
    Silence,
}

impl Follow {
    /// The next piece of the stream; none when it is over.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        let piece = self.piece().await?;
        self.silent_since = self.desk.ports.clock.now();
        Some((Ok(Bytes::from(piece)), self))
    }

    async fn piece(&mut self) -> Option<String> {
        if self.ended {
            return None;
        }
        if !std::mem::replace(&mut self.begun, true) {
            return Some(frame::HELLO.to_owned());
        }
        loop {
            if self.desk.ports.clock.now() >= self.look_at
                && let Some(piece) = self.look().await
            {
                return Some(piece);
            }
            match self.wait().await {
                Woken::Stop => return None,
                Woken::Look => self.look_at = Timestamp(0),
                Woken::Progress(piece) => return Some(piece),
                Woken::Silence => return Some(frame::ALIVE.to_owned()),
            }
        }
    }

    /// The next page of events; none when there is nothing new.
    async fn look(&mut self) -> Option<String> {
        let (ports, now) = (&self.desk.ports, self.desk.ports.clock.now());
        self.listener.news.mark_unchanged();
        let page = match ports.projects.events(self.project, self.seen, PAGE).await {
            Ok(page) => page,
            Err(StoreError::Unavailable { message: why, .. }) => {
                // The client stays; it hears more when the store is back.
                tracing::debug!(project.id = %self.project, store.error = why, "a stream waits for the store");
                self.look_at = now + self.desk.settings.poll;
                return None;
            }
            Err(StoreError::Broken { message: why, .. }) => {
                tracing::error!(project.id = %self.project, store.error = why, "a stream of events was given up");
                self.ended = true;
                return Some(frame::error());
            }
        };
        if let Some(last) = page.last() {
            self.seen = last.seq;
            if let Some(state) = page.iter().rev().find_map(final_state) {
                self.over = Some(state.to_owned());
            }
            return Some(page.iter().map(frame::event).collect());
        }
        self.look_at = now + self.desk.settings.poll;
        self.ended = self.over.is_some();
        self.over.as_deref().map(frame::end)
    }

    async fn wait(&mut self) -> Woken {
        let (clock, keep_alive) = (&self.desk.ports.clock, self.desk.settings.keep_alive);
        let Listener { news, progress, .. } = &mut self.listener;
        tokio::select! {
            biased;
            // A sender that is gone means stop, too.
            _ = self.stop.wait_for(|stop| *stop) => Woken::Stop,
            _ = news.changed() => Woken::Look,
            Ok(progress) = progress.recv() => Woken::Progress(frame::progress(&progress, self.names.get(&progress.account))),
            () = clock.sleep_until(self.look_at) => Woken::Look,
            () = clock.sleep_until(self.silent_since + keep_alive) => Woken::Silence,
        }
    }
}

/// The state that a last event leads to.
fn final_state(stored: &StoredEvent) -> Option<&'static str> {
    match &stored.event {
        HistoryEvent::Done { .. } => Some("done"),
        HistoryEvent::Partial { .. } => Some("partial"),
        HistoryEvent::Failed { .. } => Some("failed"),
        HistoryEvent::Cancelled => Some("cancelled"),
        _ => None,
    }
}
