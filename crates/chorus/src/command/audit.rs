//! `chorus audit`: acts of operators on accounts, or uses of accounts by projects.

use chorus_api::{AuditResource, UseResource};
use chorus_client::AuditQuery;

use super::account::show::{Form, plain};
use super::project::parse_id;
use crate::cli::AuditArgs;
use crate::config::Config;
use crate::connection::Operated;
use crate::exit::Exit;
use crate::human_time;

/// Runs the command.
pub(crate) async fn run(config: Config, args: AuditArgs) -> anyhow::Result<Exit> {
    let project = args.project.as_deref().map(parse_id).transpose()?;
    let place = &args.place;
    let tenant = Some(place.tenant.as_str());
    let options = super::beside_options()?;
    let operated = Operated::open(config, &place.server, (tenant, false), options).await?;
    let client = operated.client().clone();
    let form = Form {
        is_json: place.json,
        is_running: operated.is_running,
    };
    let query = AuditQuery {
        account: args.account,
        project,
        limit: args.limit,
    };
    let command = async {
        if args.uses {
            let list = client.uses(&query).await?;
            if !form.json(&list)? {
                list.uses.iter().for_each(print_use);
            }
        } else {
            let list = client.acts(&query).await?;
            if !form.json(&list)? {
                list.entries.iter().for_each(print_act);
            }
        }
        Ok(Exit::Done)
    };
    operated.finish(command).await
}

fn print_act(act: &AuditResource) {
    let action = serde_json::to_value(act.action).unwrap_or_default();
    let subject = match act.project {
        Some(project) => project.to_string(),
        None => plain(&act.account_name),
    };
    println!(
        "{}  {:<13} {subject}  by {}",
        human_time::date(act.at_ms),
        action.as_str().unwrap_or("?"),
        plain(&act.caller)
    );
    if !act.detail.is_empty() {
        println!("                  {}", plain(&act.detail));
    }
}

fn print_use(one: &UseResource) {
    let account = one.account_name.clone();
    let account = account.unwrap_or_else(|| one.account.to_string());
    let end = if one.ended_at_ms.is_some() {
        ""
    } else {
        "  under way"
    };
    println!(
        "{}  {}  {}  ${:.4}{end}",
        human_time::date(one.at_ms),
        plain(&account),
        one.model,
        one.cost_usd
    );
    println!(
        "                  {} by {}, {} + {} tokens",
        one.project,
        one.caller.as_deref().map_or("?", |caller| caller),
        one.input_tokens,
        one.output_tokens
    );
}
