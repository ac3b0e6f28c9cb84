//! A client of the gateway that submits projects and follows their events through restarts of
//! gateways.
//!
//! A submission is repeated with its idempotency key until it is answered. A broken stream is
//! opened again after the last event received.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use chorus_core::artifact::ArtifactHash;
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::briefs::Submission;
use super::fleet::Environment;
use super::process::Process;
use super::rows::Files;
use super::web::Web;
use crate::time::{pause, until};

/// Maximum time for which [`Client::submit`] repeats a submission.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Pause before [`Client::listen`] opens a broken stream again.
const REST: Duration = Duration::from_millis(200);

/// A client with an API key.
#[derive(Debug, Clone)]
pub struct Client {
    web: Web,
    gateway: SocketAddr,
    key: String,
}

/// Events of one project that a [`Client`] received, in order.
#[derive(Debug, Clone, Default)]
pub struct ReceivedEvents {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    sequence: Vec<i64>,
    streams: u32,
    ended: bool,
}

/// A running command line with one project, started by [`Client::command_line`].
#[derive(Debug)]
pub struct CommandLine {
    process: Process,
    out: PathBuf,
}

impl CommandLine {
    /// Waits until the command line has exited; returns the files in its folder.
    pub async fn received_files(&mut self, expected: &Files) -> anyhow::Result<Files> {
        let ended = until("the command line is back", TIMEOUT, async || {
            self.process.ended()
        })
        .await?;
        anyhow::ensure!(
            ended.success(),
            "the command line ended with {ended}: {}",
            self.process.output()
        );
        let mut files = Files::new();
        for path in expected.keys() {
            let bytes = std::fs::read(self.out.join(path))
                .with_context(|| format!("read {path} as the command line wrote it"))?;
            files.insert(path.clone(), ArtifactHash::of(&bytes).to_string());
        }
        Ok(files)
    }
}

impl ReceivedEvents {
    /// Sequence numbers of the events in order of arrival.
    pub fn sequence(&self) -> Vec<i64> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sequence
            .clone()
    }

    /// Number of streams that were opened.
    pub fn streams(&self) -> u32 {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .streams
    }

    /// Returns true after the last event of the project.
    pub fn ended(&self) -> bool {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended
    }

    fn last(&self) -> Option<i64> {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sequence
            .last()
            .copied()
    }

    fn record(&self, seq: i64) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .sequence
            .push(seq);
    }

    fn open(&self) {
        self.inner
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .streams += 1;
    }
}

impl Client {
    /// Creates a client of the gateway at this address.
    pub const fn new(web: Web, gateway: SocketAddr, key: String) -> Self {
        Self { web, gateway, key }
    }

    /// Starts the command line as a client: it submits the work, follows it, and writes the
    /// deliverable below `out` in the folder.
    pub fn command_line(
        &self,
        environment: &Environment,
        submission: &Submission,
        name: &str,
    ) -> anyhow::Result<CommandLine> {
        let folder = environment.folder.join(name);
        std::fs::create_dir_all(folder.join("docs"))
            .with_context(|| format!("make {}", folder.display()))?;
        std::fs::write(folder.join("brief.md"), &submission.brief).context("write a brief")?;
        for (name, text) in &submission.attachments {
            std::fs::write(folder.join("docs").join(name), text).context("write an attachment")?;
        }
        let server = format!("http://{}", self.gateway);
        let arguments = [
            "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume", "--server",
            &server,
        ];
        let mut launch = environment.launch(name, &arguments);
        launch.arguments.drain(..2);
        launch
            .variables
            .push(("CHORUS_API_KEY".to_owned(), self.key.clone()));
        launch.folder.clone_from(&folder);
        Ok(CommandLine {
            process: Process::start(launch)?,
            out: folder.join("out"),
        })
    }

    /// Submits a project, repeatedly with the same key until it is answered; returns the id.
    pub async fn submit(&self, submission: &Submission, key: &str) -> anyhow::Result<String> {
        let attachments: Vec<Value> = submission
            .attachments
            .iter()
            .map(|(name, text)| json!({"name": name, "text": text}))
            .collect();
        let body = json!({"brief": submission.brief, "attachments": attachments, "title": submission.name, "budget_usd": 100.0, "assume": true, "approve": "auto"});
        until(
            &format!("{} is taken", submission.name),
            TIMEOUT,
            async || {
                let request = self
                    .web
                    .client()
                    .post(self.address("/v1/projects"))
                    .bearer_auth(&self.key)
                    .header("idempotency-key", key);
                let Ok(response) = request
                    .timeout(Duration::from_secs(10))
                    .header("content-type", "application/json")
                    .body(body.to_string())
                    .send()
                    .await
                else {
                    return Ok(None);
                };
                let status = response.status();
                let Ok(text) = response.text().await else {
                    return Ok(None);
                };
                if status.is_server_error() {
                    return Ok(None);
                }
                if !status.is_success() {
                    bail!("{} is refused: {status} {text}", submission.name);
                }
                let taken: Value =
                    serde_json::from_str(&text).context("the reply to a submission")?;
                Ok(Some(
                    taken["id"].as_str().context("a project's id")?.to_owned(),
                ))
            },
        )
        .await
    }

    /// Follows a project from its first event to its end, in a task of its own.
    pub fn listen(&self, id: &str) -> ReceivedEvents {
        let events = ReceivedEvents::default();
        let (client, own, id) = (self.clone(), events.clone(), id.to_owned());
        tokio::spawn(async move {
            while !client.stream(&id, &own).await {
                pause(REST).await;
            }
            own.inner
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .ended = true;
        });
        events
    }

    /// Opens one stream after the last event received; returns true if the project has ended.
    async fn stream(&self, id: &str, events: &ReceivedEvents) -> bool {
        let mut request = self
            .web
            .client()
            .get(self.address(&format!("/v1/projects/{id}/events")))
            .bearer_auth(&self.key);
        request = request.header("accept", "text/event-stream");
        if let Some(last) = events.last() {
            request = request.header("last-event-id", last.to_string());
        }
        let Ok(response) = request.send().await else {
            return false;
        };
        if !response.status().is_success() {
            return false;
        }
        events.open();
        let mut bytes = response.bytes_stream();
        let mut text = Vec::new();
        while let Some(Ok(piece)) = bytes.next().await {
            text.extend_from_slice(&piece);
            while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                let event: Vec<u8> = text.drain(..end + 2).collect();
                if record_event(&String::from_utf8_lossy(&event), events) {
                    return true;
                }
            }
        }
        false
    }

    /// [`Files`] of a project's deliverable according to the gateway.
    pub async fn files(&self, id: &str) -> anyhow::Result<Files> {
        let request = self
            .web
            .client()
            .get(self.address(&format!("/v1/projects/{id}/deliverable")))
            .bearer_auth(&self.key);
        let response = request
            .header("accept", "application/json")
            .send()
            .await
            .context("ask for a deliverable")?;
        let status = response.status();
        let text = response.text().await.context("read a deliverable")?;
        anyhow::ensure!(
            status.is_success(),
            "the deliverable of {id}: {status} {text}"
        );
        let deliverable: Value = serde_json::from_str(&text).context("a deliverable")?;
        let file = |file: &Value| {
            Some((
                file["path"].as_str()?.to_owned(),
                file["sha256"].as_str()?.to_owned(),
            ))
        };
        let files = deliverable["files"]
            .as_array()
            .context("the files of a deliverable")?;
        files
            .iter()
            .map(|one| file(one).context("a file of a deliverable"))
            .collect()
    }

    /// JSON of a GET; none if the gateway refuses or does not answer.
    pub async fn get(&self, path: &str) -> Option<Value> {
        let request = self.web.client().get(self.address(path));
        let request = request
            .bearer_auth(&self.key)
            .timeout(Duration::from_secs(5));
        let response = request.send().await.ok()?;
        if !response.status().is_success() {
            return None;
        }
        serde_json::from_str(&response.text().await.ok()?).ok()
    }

    fn address(&self, path: &str) -> String {
        format!("http://{}{path}", self.gateway)
    }
}

/// Records one event of a stream in [`ReceivedEvents`]; returns true if it is the last of the
/// project.
fn record_event(event: &str, events: &ReceivedEvents) -> bool {
    let field = |name: &str| {
        event
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim_start)
    };
    if let Some(seq) = field("id").and_then(|id| id.trim().parse().ok()) {
        events.record(seq);
    }
    field("event") == Some("end")
}
