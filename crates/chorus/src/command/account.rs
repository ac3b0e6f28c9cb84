//! `chorus account import|list|remove`

use anyhow::Context;
use chorus_accounts::{BrokenRow, Row};
use chorus_core::id::Tenant;
use chorus_core::port::directory::CredentialState;

use crate::app::App;
use crate::cli::AccountCommand;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Runs the command. A file is read before the data folder is opened, so a missing file leaves no folder behind.
pub(crate) async fn run(config: Config, command: AccountCommand) -> anyhow::Result<Exit> {
    let rows = match &command {
        AccountCommand::Import { file, .. } => chorus_accounts::read(file)
            .map_err(|error| Failure::caused(ErrorCode::AccountsFileInvalid, error))?,
        AccountCommand::List { .. } | AccountCommand::Remove { .. } => Vec::new(),
    };
    let app = super::build(config).await?;
    let exit = carry_out(&app, command, rows).await;
    app.close().await;
    exit
}

async fn carry_out(
    app: &App,
    command: AccountCommand,
    rows: Vec<Result<Row, BrokenRow>>,
) -> anyhow::Result<Exit> {
    match command {
        AccountCommand::Import {
            tenant, no_check, ..
        } => {
            let report = app
                .importer(&Tenant::new(tenant), !no_check)
                .import(rows)
                .await?;
            for name in &report.added {
                println!("added    {name}");
            }
            for name in &report.unchecked {
                println!("stored   {name}");
            }
            for note in &report.notes {
                println!("note     {note}");
            }
            for refused in &report.refused {
                println!("refused  {refused}");
            }
            println!(
                "{} added, {} refused",
                report.added.len(),
                report.refused.len()
            );
            Ok(if report.refused.is_empty() {
                Exit::Done
            } else {
                Exit::Failed
            })
        }
        AccountCommand::List { tenant } => list(app, &Tenant::new(tenant)).await,
        AccountCommand::Remove { email, tenant } => {
            let tenant = Tenant::new(tenant);
            let accounts = app.ports.directory.accounts(&tenant).await?;
            let account = accounts.iter().find(|account| account.name == email);
            let account = account.with_context(|| {
                Failure::new(
                    ErrorCode::NoSuchAccount,
                    format!("there is no account {email}"),
                )
            })?;
            app.ports.directory.remove(&tenant, account.id).await?;
            println!("{email} is removed with its credentials.");
            Ok(Exit::Done)
        }
    }
}

async fn list(app: &App, tenant: &Tenant) -> anyhow::Result<Exit> {
    let accounts = app.ports.directory.accounts(tenant).await?;
    if accounts.is_empty() {
        println!(
            "No accounts yet. `chorus account import accounts.toml` adds some; so does a variable such as DEEPSEEK_API_KEY."
        );
    }
    for account in accounts {
        println!(
            "{}  ({}, {})",
            account.name, account.owner, account.entitlement.kind
        );
        for credential in account.credentials {
            let state = match credential.state {
                CredentialState::Active => "active".to_owned(),
                CredentialState::Refused { reason } => format!("refused by the provider: {reason}"),
                CredentialState::Parked { reason, .. } => format!("parked: {reason}"),
            };
            println!(
                "  {:<12} {state}, {} models",
                credential.provider.to_string(),
                credential.groups.len()
            );
        }
    }
    Ok(Exit::Done)
}
