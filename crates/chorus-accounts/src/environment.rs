//! Accounts from the usual variables: each variable that holds a key is one account.

use chorus_core::catalog::{Catalog, Provider};

use crate::row::{CredentialRow, Identity, Row};

/// One row for each provider of the catalogue that has its variable set. A set `…_BASE_URL` beside `…_API_KEY` is
/// the row's address, and `…_ADMIN_KEY` reads its limits, with `…_PROJECT` those of a project.
pub fn variable_rows(catalog: &Catalog, variable: impl Fn(&str) -> Option<String>) -> Vec<Row> {
    let rows = catalog
        .providers
        .iter()
        .filter_map(|provider| row(provider, &variable));
    rows.collect()
}

fn row(provider: &Provider, variable: impl Fn(&str) -> Option<String>) -> Option<Row> {
    let name = provider.env.as_ref()?;
    let key = variable(name)?;
    let beside = |end: &str| variable(&name.replace("_API_KEY", end));
    let base_url = beside("_BASE_URL");
    let admin_key = beside("_ADMIN_KEY").filter(|_| provider.limits_api.is_some());
    let project = beside("_PROJECT").filter(|_| admin_key.is_some());
    Some(Row {
        place: format!("the variable {name}"),
        identity: identity(provider),
        credentials: vec![CredentialRow {
            provider: provider.id.to_string(),
            key,
            organization: None,
            base_url,
            expires: None,
            models: Vec::new(),
            limits: Vec::new(),
            tier: None,
            project,
            admin_key,
            project_limits: Vec::new(),
        }],
    })
}

fn identity(provider: &Provider) -> Identity {
    Identity {
        email: format!("{}@environment", provider.id),
        owner: Some("environment".to_owned()),
        entitlement: "own".to_owned(),
        attested_by: Some("whoever set the variable".to_owned()),
        same_owner_spill: false,
    }
}
