//! `chorus account import|add|list|show|limits|enable|pause|rotate|probe|remove`, through a
//! [connection](crate::connection) like every other client's.

mod new_key;
pub(super) mod show;

use chorus_accounts::{BrokenRow, CredentialRow, Row};
use chorus_api::{
    AccountImport, ChangedAccounts, EnableBody, ImportReport, NewAccountBody, NewCredentialBody,
    PauseBody, ProbeReport, RefusedAccount, RotateBody,
};
use chorus_client::Client;

use crate::cli::{AccountArgs, AccountCommand, AddArgs, RotateArgs, SelectedAccounts};
use crate::config::Config;
use crate::connection::Operated;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Runs the command. Files and keys are read before anything is opened, so a missing file leaves no folder behind.
pub(crate) async fn run(config: Config, args: AccountArgs) -> anyhow::Result<Exit> {
    let AccountArgs { place, command } = args;
    let prepared = prepare(command)?;
    let tenant = Some(place.tenant.as_str());
    let options = super::beside_options()?;
    let operated = Operated::open(config, &place.server, (tenant, false), options).await?;
    let client = operated.client().clone();
    let shown = show::Form {
        is_json: place.json,
        is_running: operated.is_running,
    };
    operated.finish(carry_out(&client, prepared, &shown)).await
}

/// A command with what it reads from files and from the terminal.
enum Prepared {
    Import {
        import: AccountImport,
        broken: Vec<BrokenRow>,
    },
    Rotate {
        account: String,
        body: RotateBody,
    },
    Other(AccountCommand),
}

fn prepare(command: AccountCommand) -> anyhow::Result<Prepared> {
    Ok(match command {
        AccountCommand::Import { file, no_check } => {
            let rows = chorus_accounts::read(&file)
                .map_err(|error| Failure::caused(ErrorCode::AccountsFileInvalid, error))?;
            let mut broken = Vec::new();
            let mut accounts = Vec::new();
            for row in rows {
                match row {
                    Ok(row) => accounts.push(body(row)),
                    Err(row) => broken.push(row),
                }
            }
            let import = AccountImport {
                accounts,
                check: !no_check,
            };
            Prepared::Import { import, broken }
        }
        AccountCommand::Add(add) => Prepared::Import {
            import: added(add)?,
            broken: Vec::new(),
        },
        AccountCommand::Rotate(rotate) => rotation(rotate)?,
        other => Prepared::Other(other),
    })
}

/// A row of a file as the API takes it.
fn body(row: Row) -> NewAccountBody {
    let credential = |of: CredentialRow| NewCredentialBody {
        provider: of.provider,
        key: of.key,
        organization: of.organization,
        base_url: of.base_url,
        expires: of.expires,
        models: of.models,
        limits: of.limits,
        tier: of.tier,
        project: of.project,
        admin_key: of.admin_key,
        project_limits: of.project_limits,
    };
    NewAccountBody {
        email: row.identity.email,
        owner: row.identity.owner,
        entitlement: Some(row.identity.entitlement),
        attested_by: row.identity.attested_by,
        same_owner_spill: row.identity.same_owner_spill,
        place: Some(row.place),
        credential: row.credentials.into_iter().map(credential).collect(),
    }
}

fn added(add: AddArgs) -> anyhow::Result<AccountImport> {
    let key = new_key::read(&add.provider)?;
    Ok(AccountImport {
        accounts: vec![NewAccountBody {
            email: add.email,
            owner: add.owner,
            entitlement: Some(add.entitlement),
            attested_by: add.attested_by,
            same_owner_spill: false,
            place: Some("the command line".to_owned()),
            credential: vec![NewCredentialBody {
                provider: add.provider,
                key,
                organization: add.organization,
                base_url: add.base_url,
                expires: add.expires,
                models: Vec::new(),
                limits: Vec::new(),
                tier: None,
                project: None,
                admin_key: None,
                project_limits: Vec::new(),
            }],
        }],
        check: !add.no_check,
    })
}

fn rotation(rotate: RotateArgs) -> anyhow::Result<Prepared> {
    let credential = rotate.credential.map(|text| {
        text.trim().parse().map_err(|_| {
            let message = format!("{text:?} is no id of a credential");
            Failure::new(ErrorCode::InvalidId, message)
        })
    });
    let body = RotateBody {
        key: new_key::read(&rotate.account)?,
        provider: rotate.provider,
        credential: credential.transpose()?,
        expires: rotate.expires,
        unchecked: rotate.unchecked,
    };
    Ok(Prepared::Rotate {
        account: rotate.account,
        body,
    })
}

async fn carry_out(client: &Client, prepared: Prepared, form: &show::Form) -> anyhow::Result<Exit> {
    match prepared {
        Prepared::Import { import, broken } => {
            let mut report = import_each(client, import).await?;
            let broken = broken.into_iter().map(|row| RefusedAccount {
                place: row.place,
                name: String::new(),
                reason: row.reason,
            });
            report.refused.extend(broken);
            print_import(&report, form)
        }
        Prepared::Rotate { account, body } => {
            let rotated = client.rotate(&account, &body).await?;
            if form.json(&rotated)? {
                return Ok(Exit::Done);
            }
            println!(
                "{}: the new key of {} gets all new calls; the old one is removed after its last call.",
                rotated.account, rotated.provider
            );
            if !rotated.is_checked {
                println!(
                    "Not known whether the new key is alive: the old one is kept until `chorus account probe {}` finds out.",
                    rotated.account
                );
            }
            Ok(Exit::Done)
        }
        Prepared::Other(command) => other(client, command, form).await,
    }
}

/// Imports account by account: a check of many keys takes longer than one reply may.
async fn import_each(client: &Client, import: AccountImport) -> anyhow::Result<ImportReport> {
    let mut all = ImportReport::default();
    for account in import.accounts {
        let one = AccountImport {
            accounts: vec![account],
            check: import.check,
        };
        let report = client.import(&one).await?;
        all.added.extend(report.added);
        all.unchecked.extend(report.unchecked);
        all.updated.extend(report.updated);
        all.unchanged.extend(report.unchanged);
        all.notes.extend(report.notes);
        all.refused.extend(report.refused);
    }
    Ok(all)
}

async fn other(
    client: &Client,
    command: AccountCommand,
    form: &show::Form,
) -> anyhow::Result<Exit> {
    match command {
        AccountCommand::List { owner } => {
            show::list(&client.accounts(owner.as_deref()).await?, form)
        }
        AccountCommand::Show(named) => show::one(&client.account(&named.account).await?, form),
        AccountCommand::Limits(named) => show::limits(&client.account(&named.account).await?, form),
        AccountCommand::Enable(SelectedAccounts { account, owner }) => {
            let enable = EnableBody { owner };
            let changed = client.enable_accounts(account.as_deref(), &enable).await?;
            print_changed(&changed, "may be called again", form)
        }
        AccountCommand::Pause {
            accounts: SelectedAccounts { account, owner },
            reason,
            cut,
        } => {
            let pause = PauseBody { owner, reason, cut };
            let changed = client.pause_accounts(account.as_deref(), &pause).await?;
            let effect = if cut {
                "gets no new calls, and calls under way are cut; `chorus account enable` ends the pause"
            } else {
                "gets no new calls; `chorus account enable` ends the pause"
            };
            print_changed(&changed, effect, form)
        }
        AccountCommand::Probe(named) => print_probe(&client.probe(&named.account).await?, form),
        AccountCommand::Remove(named) => {
            let removed = client.remove_account(&named.account).await?;
            print_changed(&removed, "is removed with its credentials", form)
        }
        AccountCommand::Import { .. } | AccountCommand::Add(_) | AccountCommand::Rotate(_) => {
            unreachable!("it was prepared before")
        }
    }
}

fn print_changed(
    changed: &ChangedAccounts,
    effect: &str,
    form: &show::Form,
) -> anyhow::Result<Exit> {
    if form.json(changed)? {
        return Ok(Exit::Done);
    }
    for name in &changed.accounts {
        println!("{} {effect}.", show::plain(name));
    }
    Ok(Exit::Done)
}

fn print_import(report: &ImportReport, form: &show::Form) -> anyhow::Result<Exit> {
    let exit = if report.refused.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    };
    if form.json(report)? {
        return Ok(exit);
    }
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
        let RefusedAccount {
            place,
            name,
            reason,
        } = refused;
        if name.is_empty() {
            println!("refused  {place}: {reason}");
        } else {
            println!("refused  {place} ({name}): {reason}");
        }
    }
    println!("{}", counts(report));
    Ok(exit)
}

/// Last line of an import.
fn counts(report: &ImportReport) -> String {
    let some = |count: usize, what: &str| match count {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    format!(
        "{} added{}{}, {} refused",
        report.added.len(),
        some(report.updated.len(), "updated"),
        some(report.unchanged.len(), "unchanged"),
        report.refused.len()
    )
}

fn print_probe(report: &ProbeReport, form: &show::Form) -> anyhow::Result<Exit> {
    let mut exit = Exit::Done;
    for check in &report.checks {
        if check.result != "accepted" {
            exit = Exit::Failed;
        }
    }
    if form.json(report)? {
        return Ok(exit);
    }
    for check in &report.checks {
        let provider = check.provider.to_string();
        let reason = show::plain(&check.reason);
        let effect = match check.result.as_str() {
            "accepted" if check.is_held => {
                "the key is accepted; the pause holds until `chorus account enable`".to_owned()
            }
            "accepted" => "the key is accepted; calls may be made".to_owned(),
            "refused" => format!("the key is refused: {reason}"),
            "wrong_address" => format!("the address is wrong: {reason}"),
            _ => format!("not known: {reason}; its state stays as it is"),
        };
        println!("{provider:<12} {effect}");
    }
    Ok(exit)
}
