//! `chorus account import|list|show|enable|pause|probe|remove`
//!
//! Works beside a process that holds the data folder: rows are changed here, and its dispatcher reads them again
//! within seconds.

mod show;

use anyhow::Context;
use chorus_accounts::{BrokenRow, Report, Row};
use chorus_core::id::Tenant;
use chorus_core::port::directory::{Account, Credential, CredentialState};
use chorus_core::time::Millis;
use chorus_vault::{KeyCheck, Liveness};

use crate::app::App;
use crate::cli::{AccountCommand, NamedAccount};
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Maximum time for the check of one key.
const CHECK_TIMEOUT: Millis = Millis::from_secs(15);

/// Reason of a credential that a person paused.
const PAUSED: &str = "paused by `chorus account pause`";

/// Runs the command. A file is read before the data folder is opened, so a missing file leaves no folder behind.
pub(crate) async fn run(config: Config, command: AccountCommand) -> anyhow::Result<Exit> {
    let rows = match &command {
        AccountCommand::Import { file, .. } => chorus_accounts::read(file)
            .map_err(|error| Failure::caused(ErrorCode::AccountsFileInvalid, error))?,
        _ => Vec::new(),
    };
    let app = super::build_beside(config).await?;
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
            let importer = app.importer(&Tenant::new(tenant), !no_check);
            Ok(print_import(&importer.import(rows).await?))
        }
        AccountCommand::List { tenant } => show::list(app, &Tenant::new(tenant)).await,
        AccountCommand::Show(named) => show::one(app, &account(app, &named).await?),
        AccountCommand::Enable(named) => {
            set_state(app, &named, &CredentialState::Active, "may be called again").await
        }
        AccountCommand::Pause(named) => {
            let paused = CredentialState::Refused {
                reason: PAUSED.to_owned(),
            };
            let effect = "gets no new calls; `chorus account enable` ends the pause";
            set_state(app, &named, &paused, effect).await
        }
        AccountCommand::Probe(named) => probe(app, &account(app, &named).await?).await,
        AccountCommand::Remove(named) => {
            let account = account(app, &named).await?;
            let tenant = Tenant::new(&named.tenant);
            app.ports.directory.remove(&tenant, account.id).await?;
            println!("{} is removed with its credentials.", account.name);
            Ok(Exit::Done)
        }
    }
}

fn print_import(report: &Report) -> Exit {
    for name in &report.added {
        println!("added    {name}");
    }
    for name in &report.unchecked {
        println!("stored   {name}");
    }
    for updated in &report.updated {
        println!("updated  {}: {}", updated.name, updated.changes.join("; "));
    }
    for name in &report.unchanged {
        println!("same     {name}");
    }
    for note in &report.notes {
        println!("note     {note}");
    }
    for refused in &report.refused {
        println!("refused  {refused}");
    }
    let updated = match report.updated.len() {
        0 => String::new(),
        count => format!(", {count} updated"),
    };
    let unchanged = match report.unchanged.len() {
        0 => String::new(),
        count => format!(", {count} unchanged"),
    };
    println!(
        "{} added{updated}{unchanged}, {} refused",
        report.added.len(),
        report.refused.len()
    );
    if report.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    }
}

/// Account of this name.
async fn account(app: &App, named: &NamedAccount) -> anyhow::Result<Account> {
    let tenant = Tenant::new(&named.tenant);
    let accounts = app.ports.directory.accounts(&tenant).await?;
    let found = accounts
        .into_iter()
        .find(|account| account.name == named.email);
    found.with_context(|| {
        let message = format!("there is no account {}", named.email);
        Failure::new(ErrorCode::NoSuchAccount, message)
    })
}

/// Sets the state of every credential of an account.
async fn set_state(
    app: &App,
    named: &NamedAccount,
    state: &CredentialState,
    effect: &str,
) -> anyhow::Result<Exit> {
    let account = account(app, named).await?;
    for credential in &account.credentials {
        app.ports
            .directory
            .set_state(credential.id, state.clone())
            .await?;
    }
    println!("{} {effect}.", account.name);
    Ok(Exit::Done)
}

/// Checks every key of an account at its provider, and sets the state that follows.
async fn probe(app: &App, account: &Account) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for credential in &account.credentials {
        let provider = credential.provider.to_string();
        match check(app, credential).await? {
            Liveness::Alive => {
                let active = CredentialState::Active;
                app.ports.directory.set_state(credential.id, active).await?;
                println!("{provider:<12} the key is accepted; calls may be made");
            }
            Liveness::Dead { reason } => {
                println!("{provider:<12} the key is refused: {reason}");
                let refused = CredentialState::Refused { reason };
                app.ports
                    .directory
                    .set_state(credential.id, refused)
                    .await?;
                exit = Exit::Failed;
            }
            Liveness::WrongAddress { reason, .. } => {
                println!("{provider:<12} the address is wrong: {reason}");
                exit = Exit::Failed;
            }
            Liveness::Unknown { reason } => {
                println!("{provider:<12} not known: {reason}; its state stays as it is");
                exit = Exit::Failed;
            }
        }
    }
    Ok(exit)
}

async fn check(app: &App, credential: &Credential) -> anyhow::Result<Liveness> {
    let unknown = |reason: String| Ok(Liveness::Unknown { reason });
    let Some(provider) = app.catalog.provider(&credential.provider) else {
        return unknown("the catalogue has no such provider".to_owned());
    };
    let Some(stored) = app.ports.directory.secret(credential.id).await? else {
        return unknown("its secret is gone; import the account again".to_owned());
    };
    let secret = match app.open(&stored, credential) {
        Ok(secret) => secret,
        Err(error) => return unknown(format!("its secret cannot be opened: {error}")),
    };
    let check = KeyCheck {
        provider,
        secret: &secret,
        base_url: stored.base_url.as_deref(),
        deadline: app.clock.now() + CHECK_TIMEOUT,
    };
    Ok(app.checker().check_key(check).await)
}
