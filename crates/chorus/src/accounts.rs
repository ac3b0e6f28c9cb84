//! Accounts from the variables of this process. The rules of an import are in [`chorus_accounts`].

use chorus_accounts::{Importer, Row, variable_rows};
use chorus_core::port::StoreError;
use chorus_core::time::Millis;

use crate::app::App;
use crate::config::Environment;
use crate::human_time;

/// Prints a warning for each key of the own tenant that ends within 14 days, or has ended.
pub(crate) async fn warn_of_ends(app: &App) -> Result<(), StoreError> {
    let now = app.clock.now();
    for account in app.ports.directory.accounts(&app.tenant).await? {
        for credential in &account.credentials {
            let end = credential.expires_at;
            let Some(end) = end.filter(|end| chorus_api::expiry(*end, now).is_some()) else {
                continue;
            };
            let left = if end <= now {
                "has expired".to_owned()
            } else {
                format!("expires in {}", human_time::length(end.since(now)))
            };
            eprintln!(
                "warning: the key of {0} at {1} {left}; `chorus account rotate {0}` takes a new one",
                account.name, credential.provider
            );
        }
    }
    Ok(())
}

/// Time between two readings of limits by the admin keys of variables.
const LIMITS_AGAIN: Millis = Millis::from_secs(86_400);

/// Reads the limits of accounts with an admin key in a variable again, once a day, for as long as it is awaited.
pub(crate) async fn refresh_limits(importer: Importer, environment: impl Environment + Sync) {
    loop {
        importer.clock.sleep(LIMITS_AGAIN).await;
        let rows = variable_rows(&importer.catalog, |name| environment.variable(name));
        let with_admin = |row: &Row| row.credentials.iter().any(|it| it.admin_key.is_some());
        let rows = rows.into_iter().filter(with_admin).map(Ok).collect();
        match importer.import(rows).await {
            Ok(report) => {
                for updated in report.updated {
                    tracing::info!(account.changes = %updated.changes.join("; "), "limits were read again");
                }
                for note in report.notes {
                    tracing::warn!(reason = %note, "limits were not read again");
                }
            }
            Err(error) => tracing::warn!(error = %error, "limits were not read again"),
        }
    }
}

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
