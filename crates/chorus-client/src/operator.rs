//! Typed calls of the routes for operators: accounts, pools, the audit, and why a task waits.

use chorus_api::{
    AccountImport, AccountList, AccountResource, AuditList, ChangedAccounts, EnableBody,
    ImportReport, PauseBody, PoolList, ProbeReport, RotateBody, RotationResource, TaskWhy, UseList,
};
use chorus_core::id::ProjectId;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::call::Call;
use crate::client::{Client, NoBody, parse};
use crate::error::ClientError;

/// Rows of the audit that are read; without a field every row is.
#[derive(Debug, Clone, Default)]
pub struct AuditQuery {
    /// Name or id of an account.
    pub account: Option<String>,
    /// Id of a project.
    pub project: Option<ProjectId>,
    /// Maximum number of rows.
    pub limit: u32,
}

impl AuditQuery {
    fn text(&self) -> String {
        let mut text = format!("?limit={}", self.limit.max(1));
        if let Some(account) = &self.account {
            text.push_str("&account=");
            text.push_str(&encoded(account));
        }
        if let Some(project) = self.project {
            text.push_str(&format!("&project={project}"));
        }
        text
    }
}

impl Client {
    /// Returns true if a gateway answers.
    pub async fn answers(&self) -> bool {
        self.fetch(&Call::get("/openapi.json")).await.is_ok()
    }

    /// All accounts of the tenant, by name; those of one owner if it is named.
    pub async fn accounts(&self, owner: Option<&str>) -> Result<AccountList, ClientError> {
        let owner = owner.map(|owner| format!("?owner={}", encoded(owner)));
        self.read(format!("/v1/accounts{}", owner.unwrap_or_default()))
            .await
    }

    /// One account by name or id, with the levels of its limits.
    pub async fn account(&self, named: &str) -> Result<AccountResource, ClientError> {
        self.read(format!("/v1/accounts/{}", encoded(named))).await
    }

    /// Imports accounts; a refused one does not stop the others.
    pub async fn import(&self, import: &AccountImport) -> Result<ImportReport, ClientError> {
        self.act("/v1/accounts", import).await
    }

    /// Asks the providers whether the keys of an account are alive.
    pub async fn probe(&self, named: &str) -> Result<ProbeReport, ClientError> {
        let path = format!("/v1/accounts/{}/probe", encoded(named));
        self.act(&path, &NoBody {}).await
    }

    /// Gives an account no new calls until it is enabled; without an account all of the body's owner.
    pub async fn pause_accounts(
        &self,
        named: Option<&str>,
        pause: &PauseBody,
    ) -> Result<ChangedAccounts, ClientError> {
        self.act(&of_some("pause", named), pause).await
    }

    /// Uses an account again; without an account all of the body's owner.
    pub async fn enable_accounts(
        &self,
        named: Option<&str>,
        enable: &EnableBody,
    ) -> Result<ChangedAccounts, ClientError> {
        self.act(&of_some("enable", named), enable).await
    }

    /// Replaces a key of an account.
    pub async fn rotate(
        &self,
        named: &str,
        rotate: &RotateBody,
    ) -> Result<RotationResource, ClientError> {
        let path = format!("/v1/accounts/{}/rotate", encoded(named));
        self.act(&path, rotate).await
    }

    /// Removes an account with its credentials.
    pub async fn remove_account(&self, named: &str) -> Result<ChangedAccounts, ClientError> {
        let path = format!("/v1/accounts/{}", encoded(named));
        parse(&path, &self.fetch(&Call::delete(path.as_str())).await?)
    }

    /// Accounts, slots, queue and limits of each pool.
    pub async fn pools(&self) -> Result<PoolList, ClientError> {
        self.read("/v1/pools".to_owned()).await
    }

    /// Reason why a task, named by key or id, is not done yet.
    pub async fn why(&self, project: ProjectId, task: &str) -> Result<TaskWhy, ClientError> {
        let task = encoded(task);
        self.read(format!("/v1/projects/{project}/tasks/{task}/why"))
            .await
    }

    /// Acts of operators, newest first.
    pub async fn acts(&self, query: &AuditQuery) -> Result<AuditList, ClientError> {
        self.read(format!("/v1/audit{}", query.text())).await
    }

    /// Uses of accounts, newest first.
    pub async fn uses(&self, query: &AuditQuery) -> Result<UseList, ClientError> {
        self.read(format!("/v1/audit/uses{}", query.text())).await
    }

    async fn act<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ClientError> {
        let call = Call::post(path, body, &self.idempotency_key());
        parse(path, &self.fetch(&call).await?)
    }
}

fn of_some(verb: &str, named: Option<&str>) -> String {
    match named {
        Some(named) => format!("/v1/accounts/{}/{verb}", encoded(named)),
        None => format!("/v1/accounts/{verb}"),
    }
}

/// A text as one part of a path or a query: every byte but letters, digits and `-._~@` as `%XX`.
fn encoded(text: &str) -> String {
    let mut path = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~@".contains(&byte) {
            path.push(char::from(byte));
        } else {
            path.push_str(&format!("%{byte:02X}"));
        }
    }
    // `.` and `..` alone are steps in a path, not names.
    match path.as_str() {
        "." | ".." => path.replace('.', "%2E"),
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_part_of_the_path() {
        let cases = [
            ("a@example.org", "a@example.org"),
            ("../x?y=1&z#f", "..%2Fx%3Fy%3D1%26z%23f"),
            ("..", "%2E%2E"),
            ("é %", "%C3%A9%20%25"),
        ];
        for (text, expected) in cases {
            assert_eq!(encoded(text), expected);
        }
    }
}
