//! Events of one project, in order and each exactly once, however often the connection breaks.

use std::collections::VecDeque;

use chorus_api::{EndOfEvents, ProgressEvent};
use chorus_core::id::{ProjectId, Seq};
use chorus_core::port::projects::StoredEvent;
use chorus_core::time::Millis;
use chorus_dialect::sse::{self, Parser};
use futures_util::StreamExt as _;
use http::HeaderName;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::client::Client;
use crate::error::ClientError;
use crate::transport::Body;

/// Header that names the last event that the client has.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Silence after which a stream counts as broken. The gateway sends a comment every ten seconds.
const MAX_SILENCE: Millis = Millis::from_secs(35);

/// Pause before a stream that ended early is opened again.
const REOPEN: Millis = Millis(200);

/// Something that the gateway sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An event of the project's history.
    History(Box<StoredEvent>),
    /// Progress of a call; such events may be lost.
    Progress(Box<ProgressEvent>),
    /// The project is in this final state, and no event follows.
    End(String),
}

/// Stream of [events](Event) that opens itself again after a break.
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    project: ProjectId,
    last: Seq,
    connection: Option<Connection>,
    received: VecDeque<sse::Event>,
}

struct Connection {
    body: Body,
    parser: Parser,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connection")
    }
}

impl Client {
    /// Events of a project after this one, each exactly once, for as long as the caller reads.
    pub fn events(&self, project: ProjectId, after: Seq) -> EventStream {
        EventStream::new(self.clone(), project, after)
    }
}

impl EventStream {
    const fn new(client: Client, project: ProjectId, after: Seq) -> Self {
        Self {
            client,
            project,
            last: after,
            connection: None,
            received: VecDeque::new(),
        }
    }

    /// Sequence number of the last [`Event::History`] that was returned.
    pub const fn last(&self) -> Seq {
        self.last
    }

    /// Waits for the next event. Dropping the future loses none.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            while let Some(event) = self.received.pop_front() {
                if let Some(event) = self.accept(&event)? {
                    return Ok(event);
                }
            }
            let Some(Connection { body, parser }) = &mut self.connection else {
                let call = Call::get(path(self.project))
                    .with_header(LAST_EVENT_ID, self.last.0.to_string());
                self.connection = Some(Connection {
                    body: self.client.open(&call).await?,
                    parser: Parser::new(),
                });
                continue;
            };
            let clock = self.client.clock();
            match clock.deadline(clock.now() + MAX_SILENCE, body.next()).await {
                Some(Some(Ok(bytes))) => self.received.extend(parser.push(&bytes)),
                // Broken, ended early or silent: an incomplete event is dropped and arrives again in full.
                Some(Some(Err(_)) | None) | None => {
                    self.connection = None;
                    clock.sleep(REOPEN).await;
                }
            }
        }
    }

    /// Returns none for an event that was returned before, and for names of later releases.
    fn accept(&mut self, event: &sse::Event) -> Result<Option<Event>, ClientError> {
        match event.name.as_deref() {
            None => {
                let stored: StoredEvent = self.parse(event)?;
                let is_new = stored.seq > self.last;
                self.last = self.last.max(stored.seq);
                Ok(is_new.then(|| Event::History(Box::new(stored))))
            }
            Some("progress") => Ok(Some(Event::Progress(Box::new(self.parse(event)?)))),
            Some("end") => {
                let end: EndOfEvents = self.parse(event)?;
                Ok(Some(Event::End(end.state)))
            }
            // The gateway gives this stream up; opening it again brings the reason as a response.
            Some("error") => {
                self.connection = None;
                Ok(None)
            }
            Some(_) => Ok(None),
        }
    }

    fn parse<T: DeserializeOwned>(&self, event: &sse::Event) -> Result<T, ClientError> {
        serde_json::from_str(&event.data).map_err(|error| ClientError::Unreadable {
            path: path(self.project),
            reason: error.to_string(),
        })
    }
}

fn path(project: ProjectId) -> String {
    format!("/v1/projects/{project}/events")
}
