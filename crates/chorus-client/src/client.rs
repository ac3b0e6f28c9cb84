//! Typed calls of the API ([`Client`]).

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chorus_api::{
    Answers, CommandAccepted, DeliverableFile, DeliverableResource, DeliveryList, Estimate,
    NewBudget, PlanApproval, PlanResource, ProjectList, ProjectResource, Rejection, Reopen,
    SubmissionOptions, SummaryResource, TaskChoice,
};
use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;
use chorus_core::port::Clock;
use chorus_core::time::Millis;
use chorus_report::Report;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::error::ClientError;
use crate::listener::ConnectionListener;
use crate::multipart;
use crate::servers::Servers;
use crate::transport::Transport;

/// Pause between two reads of a project while a command takes effect.
const POLL: Millis = Millis(50);

/// Number of projects in one page of a list.
const PAGE: u32 = 100;

/// Client of one installation. Clones share the transport and the server that is tried next.
#[derive(Clone)]
pub struct Client {
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) servers: Servers,
    pub(crate) key: Option<String>,
    /// Tenant that the operator names; none for the own one.
    pub(crate) tenant: Option<String>,
    pub(crate) listener: Arc<dyn ConnectionListener>,
    /// Time after which a failing call is given up; none for never.
    pub(crate) retry_for: Option<Millis>,
}

/// A brief with its attachments, to be submitted.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Upload {
    /// Text of the brief.
    pub brief: String,
    /// Names and texts of the attachments.
    pub attachments: Vec<(String, String)>,
    /// Title, budget and the kinds of questions that may be asked.
    pub options: SubmissionOptions,
}

impl Client {
    /// Client that repeats failing calls without end; see [`Client::retry_for`].
    pub fn new(
        transport: Arc<dyn Transport>,
        servers: Servers,
        key: Option<String>,
        clock: Arc<dyn Clock>,
        listener: Arc<dyn ConnectionListener>,
    ) -> Self {
        Self {
            transport,
            clock,
            servers,
            key,
            tenant: None,
            listener,
            retry_for: None,
        }
    }

    /// The same client; it gives up calls after this time without an answer.
    #[must_use]
    pub fn retry_for(&self, length: Millis) -> Self {
        Self {
            retry_for: Some(length),
            ..self.clone()
        }
    }

    /// The same client for the accounts and projects of this tenant. Only the operator's own connection obeys it: over
    /// HTTP the key names the tenant.
    #[must_use]
    pub fn for_tenant(&self, tenant: &str) -> Self {
        Self {
            tenant: Some(tenant.to_owned()),
            ..self.clone()
        }
    }

    /// Servers that this client tries.
    pub const fn servers(&self) -> &Servers {
        &self.servers
    }

    /// Clock that deadlines and pauses are measured with.
    pub const fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Submits a brief with its attachments as a form. The project is durable when this returns.
    pub async fn submit(&self, upload: &Upload) -> Result<ProjectResource, ClientError> {
        let form = multipart::encode(&upload.brief, &upload.options, &upload.attachments);
        let path = "/v1/projects";
        let call = Call::post_bytes(path, form.body, form.media_type, &self.idempotency_key());
        parse(path, &self.fetch(&call).await?)
    }

    /// All projects of the key's tenant, newest first.
    pub async fn list(&self) -> Result<Vec<SummaryResource>, ClientError> {
        let mut projects = Vec::new();
        let mut cursor = String::new();
        loop {
            let page: ProjectList = self
                .read(format!("/v1/projects?limit={PAGE}{cursor}"))
                .await?;
            projects.extend(page.projects);
            match page.next_cursor {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(projects),
            }
        }
    }

    /// Current state of a project.
    pub async fn get(&self, project: ProjectId) -> Result<ProjectResource, ClientError> {
        self.read(format!("/v1/projects/{project}")).await
    }

    /// Estimate of the newest plan; none without a plan, or while no account can serve a role.
    pub async fn estimate(&self, project: ProjectId) -> Result<Option<Estimate>, ClientError> {
        let path = format!("/v1/projects/{project}/estimate");
        let estimate = absent(self.read(path).await, "not_ready");
        // A server of an earlier release shows it in the project itself.
        match absent(estimate, "no_such_route")? {
            Some(estimate) => Ok(estimate),
            None => Ok(self.get(project).await?.estimate),
        }
    }

    /// Plan of a project with its tasks; none before the planner has finished.
    pub async fn plan(&self, project: ProjectId) -> Result<Option<PlanResource>, ClientError> {
        let plan = self.read(format!("/v1/projects/{project}/plan")).await;
        absent(plan, "not_ready")
    }

    /// Deliveries that ended after the page with this `next`, else all from the first one.
    pub async fn deliveries(
        &self,
        project: ProjectId,
        after: Option<&str>,
    ) -> Result<DeliveryList, ClientError> {
        let after = after.map(|next| format!("&after={next}"));
        let after = after.unwrap_or_default();
        self.read(format!(
            "/v1/projects/{project}/deliveries?limit={PAGE}{after}"
        ))
        .await
    }

    /// Approves the plan of this hash with its estimate; a first plan need not be named.
    pub async fn approve(
        &self,
        project: ProjectId,
        plan: Option<ArtifactHash>,
    ) -> Result<CommandAccepted, ClientError> {
        self.command(project, "approve", &PlanApproval { plan })
            .await
    }

    /// Rejects the plan; the reason goes to the planner, which plans again.
    pub async fn reject(
        &self,
        project: ProjectId,
        reason: &str,
        plan: Option<ArtifactHash>,
    ) -> Result<CommandAccepted, ClientError> {
        let reason = reason.to_owned();
        self.command(project, "reject", &Rejection { reason, plan })
            .await
    }

    /// Raises the budget to this amount; tasks that wait for money go on.
    pub async fn raise_budget(
        &self,
        project: ProjectId,
        budget_usd: f64,
    ) -> Result<CommandAccepted, ClientError> {
        self.command(project, "budget", &NewBudget { budget_usd })
            .await
    }

    /// Tries again a task, or everything that waits for a person.
    pub async fn retry(
        &self,
        project: ProjectId,
        task: Option<String>,
    ) -> Result<CommandAccepted, ClientError> {
        self.command(project, "retry", &TaskChoice { task }).await
    }

    /// Goes on without a task, or without everything that waits for a person.
    pub async fn skip(
        &self,
        project: ProjectId,
        task: Option<String>,
    ) -> Result<CommandAccepted, ClientError> {
        self.command(project, "skip", &TaskChoice { task }).await
    }

    /// Goes on with a partial or failed project; finished results are kept.
    pub async fn reopen(
        &self,
        project: ProjectId,
        reopen: &Reopen,
    ) -> Result<CommandAccepted, ClientError> {
        self.command(project, "reopen", reopen).await
    }

    /// Answers open questions.
    pub async fn answer(
        &self,
        project: ProjectId,
        answers: &Answers,
    ) -> Result<CommandAccepted, ClientError> {
        self.command(project, "answers", answers).await
    }

    /// Pauses a project: calls under way end, and none is started before [`Client::resume`].
    pub async fn pause(&self, project: ProjectId) -> Result<CommandAccepted, ClientError> {
        self.command(project, "pause", &NoBody {}).await
    }

    /// Continues a paused project.
    pub async fn resume(&self, project: ProjectId) -> Result<CommandAccepted, ClientError> {
        self.command(project, "resume", &NoBody {}).await
    }

    /// Cancels a project for good; its results so far are kept.
    pub async fn cancel(&self, project: ProjectId) -> Result<CommandAccepted, ClientError> {
        self.command(project, "cancel", &NoBody {}).await
    }

    /// Reads the project again and again until `holds` is true or the project is in a final state.
    pub async fn wait_until(
        &self,
        project: ProjectId,
        holds: impl Fn(&ProjectResource) -> bool + Send,
    ) -> Result<ProjectResource, ClientError> {
        self.wait_until_shown(project, move |found| found.is_terminal || holds(found))
            .await
    }

    /// Reads the project again and again until `holds` is true, also past a final state: a project may have been
    /// reopened.
    pub async fn wait_until_shown(
        &self,
        project: ProjectId,
        holds: impl Fn(&ProjectResource) -> bool + Send,
    ) -> Result<ProjectResource, ClientError> {
        loop {
            let found = self.get(project).await?;
            if holds(&found) {
                return Ok(found);
            }
            self.clock.sleep(POLL).await;
        }
    }

    /// Files of a finished project; none when the project ended without a deliverable.
    pub async fn deliverable(
        &self,
        project: ProjectId,
    ) -> Result<Option<DeliverableResource>, ClientError> {
        let path = format!("/v1/projects/{project}/deliverable?format=json");
        absent(self.read(path).await, "no_deliverable")
    }

    /// Content of one file, checked against its hash.
    pub async fn file(&self, file: &DeliverableFile) -> Result<Bytes, ClientError> {
        let bytes = match &file.text {
            Some(text) => Bytes::copy_from_slice(text.as_bytes()),
            None => self.fetch(&Call::get(&file.href)).await?,
        };
        let found = ArtifactHash::of(&bytes);
        if found == file.sha256 {
            return Ok(bytes);
        }
        Err(ClientError::Corrupt {
            path: file.path.clone(),
            found,
            expected: file.sha256,
        })
    }

    /// All files of a finished project as one zip archive.
    pub async fn archive(&self, project: ProjectId) -> Result<Bytes, ClientError> {
        let path = format!("/v1/projects/{project}/deliverable?format=zip");
        self.fetch(&Call::get(path)).await
    }

    /// Figures of a project, up to now.
    pub async fn report(&self, project: ProjectId) -> Result<Report, ClientError> {
        self.read(format!("/v1/projects/{project}/report?format=json"))
            .await
    }

    async fn command(
        &self,
        project: ProjectId,
        verb: &str,
        body: &impl Serialize,
    ) -> Result<CommandAccepted, ClientError> {
        let path = format!("/v1/projects/{project}/{verb}");
        let call = Call::post(path.as_str(), body, &self.idempotency_key());
        parse(&path, &self.fetch(&call).await?)
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, path: String) -> Result<T, ClientError> {
        let call = Call::get(path);
        parse(&call.path, &self.fetch(&call).await?)
    }

    /// A key that no other request has.
    pub(crate) fn idempotency_key(&self) -> String {
        format!("cli-{:032x}", self.clock.random_u128())
    }
}

/// Body of commands without arguments.
#[derive(Serialize)]
pub(crate) struct NoBody {}

pub(crate) fn parse<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| ClientError::Unreadable {
        path: path.to_owned(),
        reason: error.to_string(),
    })
}

/// Turns the refusal with this code into none.
fn absent<T>(found: Result<T, ClientError>, code: &str) -> Result<Option<T>, ClientError> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.code() == Some(code) => Ok(None),
        Err(error) => Err(error),
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Client({})", self.servers)
    }
}
