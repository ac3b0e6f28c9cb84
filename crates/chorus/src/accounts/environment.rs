//! The usual variables: each that holds a key is one account.

use chorus_core::catalog::Provider;

use super::import::Importer;
use super::row::{CredentialRow, Identity, Row};
use crate::config::Environment;

/// Imports the keys of the environment; those that are there already are left as they are.
pub(crate) async fn from_environment(
    importer: &Importer,
    environment: &dyn Environment,
) -> anyhow::Result<()> {
    let rows = importer
        .catalog
        .providers
        .iter()
        .filter_map(|provider| row(provider, environment))
        .map(Ok)
        .collect();
    let report = importer.import(rows).await?;
    for name in &report.added {
        eprintln!("account {name} added");
    }
    for refused in report
        .refused
        .iter()
        .filter(|refused| !refused.reason.contains("is there already"))
    {
        eprintln!("{refused}");
    }
    Ok(())
}

/// The account of one variable. A base URL of the same name with `_BASE_URL` is minded.
fn row(provider: &Provider, environment: &dyn Environment) -> Option<Row> {
    let name = provider.env.as_ref()?;
    let key = environment.variable(name)?;
    let base_url = environment.variable(&name.replace("_API_KEY", "_BASE_URL"));
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
            models: Vec::new(),
            limits: Vec::new(),
        }],
    })
}
