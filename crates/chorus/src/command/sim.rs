//! `chorus sim`: the simulated providers of [`chorus_provider_sim`] alone.

use std::path::Path;

use anyhow::Context;
use chorus_provider_sim::config::Account;
use chorus_provider_sim::{Config, Server};

use crate::cli::SimArgs;
use crate::exit::Exit;

/// Serves until Ctrl-C.
pub(crate) async fn run(sim: &SimArgs) -> anyhow::Result<Exit> {
    let demo = chorus_provider_sim::config::demo(sim.seed);
    let mut config = match &sim.providers {
        Some(file) => read(file)?,
        None => demo.config,
    };
    if sim.journal.is_some() {
        config.journal.clone_from(&sim.journal);
    }
    let (server, address) = Server::bind(config, sim.listen)
        .await
        .with_context(|| format!("cannot listen on {}", sim.listen))?;
    println!("Simulated providers on http://{address} (no real model is called):");
    if sim.providers.is_none() {
        print_accounts(&demo.accounts, address, sim.accounts.as_deref())?;
    }
    println!("What they saw: http://{address}/_sim/journal and /_sim/limits. Ctrl-C ends.");
    server
        .serve(async { drop(tokio::signal::ctrl_c().await) })
        .await
        .context("serve")?;
    Ok(Exit::Done)
}

fn read(file: &Path) -> anyhow::Result<Config> {
    let text =
        std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    toml::from_str(&text).with_context(|| format!("{} cannot be used", file.display()))
}

fn print_accounts(
    accounts: &[Account],
    address: std::net::SocketAddr,
    file: Option<&Path>,
) -> anyhow::Result<()> {
    for account in accounts {
        println!(
            "  {:<24} {:<10} http://{address}{}  {}",
            account.name, account.provider, account.path, account.key
        );
    }
    if let Some(file) = file {
        let text =
            super::demo::accounts_file(&chorus_upstream::catalog::load(), accounts, address)?;
        std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
        println!("`chorus account import {}` imports them.", file.display());
    }
    Ok(())
}
