//! `chorus pool status`: accounts, slots, queue and limits of each pool, and the limit to raise first.

use chorus_api::{PoolList, PoolResource};
use chorus_client::Client;
use chorus_core::limit::Dimension;
use chorus_core::time::{Millis, Timestamp};

use super::account::show::{Form, has_levels, plain, print_group, without_levels};
use crate::cli::{PoolArgs, PoolCommand};
use crate::config::Config;
use crate::connection::Operated;
use crate::exit::Exit;
use crate::human_time;
use crate::stop::Stop;

/// Time between two looks.
const PACE: Millis = Millis::from_secs(2);

/// Runs the command.
pub(crate) async fn run(config: Config, args: PoolArgs) -> anyhow::Result<Exit> {
    let PoolArgs { place, command } = args;
    let PoolCommand::Status { watch } = command;
    let tenant = Some(place.tenant.as_str());
    let options = super::beside_options()?;
    let operated = Operated::open(config, &place.server, (tenant, false), options).await?;
    let client = operated.client().clone();
    let form = Form {
        is_json: place.json,
        is_running: operated.is_running,
    };
    let command = async {
        if watch {
            repeat(&client, &form).await
        } else {
            print(&client.pools().await?, &form)?;
            Ok(Exit::Done)
        }
    };
    operated.finish(command).await
}

/// Prints the pools again and again until Ctrl-C.
async fn repeat(client: &Client, form: &Form) -> anyhow::Result<Exit> {
    let stop = Stop::listen("")?;
    loop {
        let pools = client.pools().await?;
        if !form.is_json {
            // The screen is cleared where there is one; a file gets one list after the other.
            console::Term::stdout().clear_screen()?;
        }
        print(&pools, form)?;
        let pause = client.clock().sleep(PACE);
        tokio::select! {
            biased;
            () = stop.requested() => return Ok(Exit::Done),
            () = pause => {}
        }
    }
}

fn print(list: &PoolList, form: &Form) -> anyhow::Result<()> {
    if form.json(list)? {
        return Ok(());
    }
    if list.pools.is_empty() {
        println!("No account serves a model yet; `chorus account import accounts.toml` adds some.");
    }
    for pool in &list.pools {
        print_pool(pool, list.at_ms);
    }
    let mut groups = list.pools.iter().flat_map(|pool| &pool.groups);
    if !groups.any(has_levels) && !list.pools.is_empty() {
        println!("{}", without_levels(form));
    }
    Ok(())
}

fn print_pool(pool: &PoolResource, now: Timestamp) {
    let counts = pool.credentials;
    let states = [
        (counts.active, "active"),
        (counts.parked, "parked"),
        (counts.paused, "paused"),
        (counts.refused, "refused"),
        (counts.draining, "draining"),
    ];
    let states = states.iter().filter(|(count, _)| *count > 0);
    let states: Vec<String> = states
        .map(|(count, state)| format!("{count} {state}"))
        .collect();
    let states = if states.is_empty() {
        "no credential".to_owned()
    } else {
        states.join(", ")
    };
    println!("{}  {states}", pool.pool);
    println!("  slots     {} taken of {}", pool.open, pool.slots);
    let oldest = pool.oldest_ms.map(|at| human_time::length(now.since(at)));
    match oldest {
        Some(age) => println!("  queue     {} calls, the oldest for {age}", pool.waiting),
        None if pool.waiting > 0 => println!("  queue     {} calls, none is due yet", pool.waiting),
        None => println!("  queue     empty"),
    }
    for wait in &pool.waits {
        let until = wait
            .until_ms
            .map(|at| format!(", {}", human_time::until(at, now)));
        println!(
            "    {} tasks: {}{}",
            wait.tasks,
            plain(&wait.text),
            until.unwrap_or_default()
        );
    }
    if let Some(bottleneck) = &pool.bottleneck {
        println!(
            "  raise first: {} of {} ({} % of what waits)",
            dimension(bottleneck.dimension),
            plain(bottleneck.group.as_str()),
            bottleneck.permille / 10
        );
    }
    for group in &pool.groups {
        print_group(group, now);
    }
    println!();
}

const fn dimension(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Requests => "requests",
        Dimension::InputTokens => "prompt tokens",
        Dimension::OutputTokens => "output tokens",
        Dimension::TotalTokens => "tokens",
        Dimension::Spend => "money",
        Dimension::Concurrency => "calls at once",
    }
}
