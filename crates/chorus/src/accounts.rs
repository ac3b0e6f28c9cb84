//! Accounts from the variables of this process. The rules of an import are in [`chorus_accounts`].

use chorus_accounts::{Importer, variable_rows};

use crate::config::Environment;

/// Imports the keys of the environment with an [`Importer`], which checks new ones at their providers. A changed key
/// replaces the stored one. Returns the refusals.
pub(crate) async fn import_variables(
    importer: Importer,
    environment: &dyn Environment,
) -> anyhow::Result<Vec<String>> {
    let importer = Importer {
        replaces_keys: true,
        ..importer
    };
    let rows = variable_rows(&importer.catalog, |name| environment.variable(name));
    let report = importer.import(rows.into_iter().map(Ok).collect()).await?;
    for name in &report.added {
        eprintln!(
            "account {name} added; its key is kept, sealed, until `chorus account remove {name}`"
        );
    }
    for updated in &report.updated {
        eprintln!(
            "account {} updated: {}",
            updated.name,
            updated.changes.join("; ")
        );
    }
    for note in report.unchecked.iter().chain(&report.notes) {
        eprintln!("{note}");
    }
    let refused = report
        .refused
        .iter()
        .filter(|refused| !refused.is_duplicate);
    let refused: Vec<String> = refused.map(ToString::to_string).collect();
    for refusal in &refused {
        eprintln!("{refusal}");
    }
    Ok(refused)
}
