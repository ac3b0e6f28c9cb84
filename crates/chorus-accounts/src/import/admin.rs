//! Limits that an admin key of a row reads at its provider, before the row is stored. The key itself is not.

use chorus_core::catalog::{LimitsApi, Provider};
use chorus_core::id::ModelSlug;
use chorus_core::port::directory::Account;
use chorus_vault::{LimitsQuery, Secret};

use super::{CHECK_TIMEOUT, Checked, CheckedAccount, Importer};
use crate::reported_limits;
use crate::row::CredentialRow;

/// Admin key of a row, with what its limits are of.
pub(crate) struct Admin {
    secret: Secret,
    /// Beginning of the ids of the organisation's groups.
    organisation: String,
    project: Option<String>,
    models: Vec<ModelSlug>,
}

impl Importer {
    /// Puts the limits that providers tell to admin keys into the groups. Returns a note for each failure, after
    /// which the stored limits hold, and those of the tier or the file for a new credential.
    pub(super) async fn read_limits(
        &self,
        account: &mut CheckedAccount,
        stored: Option<&Account>,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        for checked in &mut account.credentials {
            let Some(admin) = checked.admin.take() else {
                continue;
            };
            if let Err(reason) = self.read_limits_of(checked, &admin).await {
                notes.push(format!(
                    "{}: limits of {} are not read: {reason}",
                    account.identity.email, checked.provider.title
                ));
                keep_stored(checked, stored);
            }
        }
        notes
    }

    async fn read_limits_of(&self, checked: &mut Checked, admin: &Admin) -> Result<(), String> {
        let Some(checker) = &self.checker else {
            return Err("keys are not checked".to_owned());
        };
        let query = |project| LimitsQuery {
            provider: &checked.provider,
            secret: &admin.secret,
            base_url: checked.base_url.as_deref(),
            project,
            deadline: self.clock.now() + CHECK_TIMEOUT,
        };
        let wire_name = |slug: &ModelSlug| {
            let model = self.catalog.model(slug)?;
            model.routes.get(&checked.provider.id).cloned()
        };
        let mut groups = checked.groups.clone();
        let covers_organization = checked.provider.limits_api == Some(LimitsApi::Anthropic);
        if covers_organization || admin.project.is_none() {
            let reported = checker.read_limits(query(None)).await?;
            reported_limits::apply(&checked.provider, &reported, wire_name, &mut groups);
        }
        if let Some(project) = &admin.project {
            let reported = checker.read_limits(query(Some(project))).await?;
            let prefix = format!("{}/project {project}", admin.organisation);
            let models = &admin.models;
            let own = reported_limits::project_groups(
                &checked.provider,
                &prefix,
                &reported,
                wire_name,
                models,
            );
            groups.retain(|of| own.iter().all(|reported| reported.group.id != of.group.id));
            groups.extend(own);
        }
        checked.groups = groups;
        Ok(())
    }

    /// Returns the admin key of a row; none where it has none.
    pub(super) fn admin(
        &self,
        email: &str,
        provider: &Provider,
        row: &CredentialRow,
    ) -> Result<Option<Admin>, String> {
        let Some(key) = row
            .admin_key
            .as_deref()
            .map(str::trim)
            .filter(|key| !key.is_empty())
        else {
            return Ok(None);
        };
        if provider.limits_api.is_none() {
            return Err(format!(
                "`admin_key`: {} tells no limits by an API",
                provider.title
            ));
        }
        let owner = row.organization.as_deref().unwrap_or(email);
        Ok(Some(Admin {
            secret: Secret::new(key),
            organisation: format!("{}/{owner}", provider.id),
            project: row.project.clone(),
            models: self.models(provider, row)?,
        }))
    }
}

/// Takes the groups of the stored credential of the same organisation, if there is one.
fn keep_stored(checked: &mut Checked, stored: Option<&Account>) {
    let first = checked.groups.first().map(|of| of.group.id.clone());
    let credentials = stored.into_iter().flat_map(|account| &account.credentials);
    let mut of_provider = credentials.filter(|credential| {
        let begins = credential.groups.first().map(|of| &of.group.id);
        credential.provider == checked.provider.id && begins == first.as_ref()
    });
    if let Some(credential) = of_provider.next() {
        checked.groups.clone_from(&credential.groups);
    }
}
