//! Accounts from the usual variables: each variable that holds a key is one account.

use chorus_core::catalog::{Catalog, Provider};

use crate::row::{CredentialRow, Identity, Row};

/// One row for each provider of the catalogue that has its variable set. A set `…_BASE_URL` beside `…_API_KEY` is
/// the row's address.
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
    let base_url = variable(&name.replace("_API_KEY", "_BASE_URL"));
    Some(Row {
        place: format!("the variable {name}"),
        identity: Identity {
            email: format!("{}@environment", provider.id),
            owner: Some("environment".to_owned()),
            entitlement: "own".to_owned(),
            attested_by: Some("whoever set the variable".to_owned()),
            same_owner_spill: false,
        },
        credentials: vec![CredentialRow {
            provider: provider.id.to_string(),
            key,
            organization: None,
            base_url,
            expires: None,
            models: Vec::new(),
            limits: Vec::new(),
            tier: None,
            project: None,
            project_limits: Vec::new(),
        }],
    })
}
