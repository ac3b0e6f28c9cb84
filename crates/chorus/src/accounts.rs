//! Accounts from the variables of this process. The rules of an import are in [`chorus_accounts`].

use chorus_accounts::{Importer, variable_rows};

use crate::config::Environment;

/// Imports the keys of the environment with an [`Importer`]; stored ones are left as they are.
pub(crate) async fn import_variables(
    importer: &Importer,
    environment: &dyn Environment,
) -> anyhow::Result<()> {
    let rows = variable_rows(&importer.catalog, |name| environment.variable(name));
    let report = importer.import(rows.into_iter().map(Ok).collect()).await?;
    for name in &report.added {
        eprintln!("account {name} added");
    }
    for refused in report
        .refused
        .iter()
        .filter(|refused| !refused.is_duplicate)
    {
        eprintln!("{refused}");
    }
    Ok(())
}
