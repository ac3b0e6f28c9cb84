//! What happens in a project on a server, in order, each thing once, however often the stream breaks.

use std::collections::VecDeque;

use chorus_core::id::{ProjectId, Seq};
use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use chorus_core::time::Millis;
use chorus_dialect::sse::{Event, Parser};
use chorus_upstream::BodyStream;
use futures_util::StreamExt as _;
use serde::Deserialize;

use super::api::{Api, ApiError, Call};

/// A stream that is silent this long is dead: a living one says so every ten seconds.
const SILENCE: Millis = Millis::from_secs(35);

/// Rest after a stream that ended early, so that a server which ends all at once is not asked without pause.
const REST: Millis = Millis(200);

/// News from the stream.
#[derive(Debug)]
pub(super) enum News {
    /// Something happened.
    Event(Box<StoredEvent>),
    /// A call runs on an account.
    Progress(Box<Progress>, String),
    /// Nothing will happen any more.
    End,
}

/// The stream, and where it goes on when it breaks.
pub(super) struct Feed<'a> {
    api: &'a Api,
    project: ProjectId,
    seen: Seq,
    open: Option<(BodyStream, Parser)>,
    waiting: VecDeque<Event>,
}

/// The data of a `progress` event.
#[derive(Deserialize)]
struct Named {
    progress: Progress,
    #[serde(default)]
    account_name: Option<String>,
}

impl<'a> Feed<'a> {
    /// The news after this place.
    pub(super) const fn after(api: &'a Api, project: ProjectId, seen: Seq) -> Self {
        Self {
            api,
            project,
            seen,
            open: None,
            waiting: VecDeque::new(),
        }
    }

    /// What comes next. Cancelling the wait loses nothing.
    pub(super) async fn next(&mut self) -> Result<News, ApiError> {
        loop {
            while let Some(event) = self.waiting.pop_front() {
                if let Some(news) = self.read(&event)? {
                    return Ok(news);
                }
            }
            let Some((stream, parser)) = &mut self.open else {
                let mut call = Call::get(&format!("/v1/projects/{}/events", self.project));
                call.headers
                    .push(("last-event-id", self.seen.0.to_string()));
                self.open = Some((self.api.stream(&call).await?, Parser::new()));
                continue;
            };
            let clock = &self.api.clock;
            match clock.deadline(clock.now() + SILENCE, stream.next()).await {
                Some(Some(Ok(bytes))) => self.waiting.extend(parser.push(&bytes)),
                // Broken, ended early or dead: half an event is thrown away and comes again whole.
                Some(Some(Err(_)) | None) | None => {
                    self.open = None;
                    clock.sleep(REST).await;
                }
            }
        }
    }

    fn read(&mut self, event: &Event) -> Result<Option<News>, ApiError> {
        let unreadable = |why: serde_json::Error| ApiError::Unreadable {
            path: format!("/v1/projects/{}/events", self.project),
            why: why.to_string(),
        };
        match event.name.as_deref() {
            None => {
                let stored: StoredEvent = serde_json::from_str(&event.data).map_err(unreadable)?;
                let fresh = stored.seq > self.seen;
                self.seen = self.seen.max(stored.seq);
                Ok(fresh.then(|| News::Event(Box::new(stored))))
            }
            Some("progress") => {
                let named: Named = serde_json::from_str(&event.data).map_err(unreadable)?;
                let account = named
                    .account_name
                    .unwrap_or_else(|| named.progress.account.to_string());
                Ok(Some(News::Progress(Box::new(named.progress), account)))
            }
            Some("end") => Ok(Some(News::End)),
            // The server gives the stream up: it is asked anew, and says what is wrong.
            Some("error") => {
                self.open = None;
                Ok(None)
            }
            // Of a later release.
            Some(_) => Ok(None),
        }
    }
}
