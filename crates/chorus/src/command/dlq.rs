//! `chorus dlq list|replay`: records that no consumer could read, each a [`DeadLetter`].

use chorus_core::time::Timestamp;

use crate::app::{self, DeadLetter};
use crate::cli::DlqCommand;
use crate::config::{BusKind, Config};
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Carries the command out.
pub(crate) async fn run(config: &Config, command: &DlqCommand) -> anyhow::Result<Exit> {
    if config.bus.kind == BusKind::Embedded {
        println!(
            "The embedded bus keeps no dead letters: what cannot be read is logged as an error, and the rows are tried again."
        );
        return Ok(Exit::Done);
    }
    match command {
        DlqCommand::List => list(config).await,
        DlqCommand::Replay {
            id: Some(id),
            all: false,
        } => replay(config, |letter| letter.id == *id, id).await,
        DlqCommand::Replay {
            id: None,
            all: true,
        } => replay(config, |letter| !letter.replayed, "all").await,
        DlqCommand::Replay { .. } => Err(Failure::new(
            ErrorCode::InvalidArgument,
            "name a dead letter of `chorus dlq list`, or give --all for those that were not replayed yet",
        )
        .into()),
    }
}

async fn list(config: &Config) -> anyhow::Result<Exit> {
    let letters = app::dead_letters(&config.bus).await?;
    if letters.is_empty() {
        println!("No dead letters.");
    }
    for letter in letters {
        let state = if letter.replayed { "replayed" } else { "waits" };
        println!(
            "{}  {}  {state:<8}  {}  key {}  {}",
            letter.id,
            when(letter.at),
            letter.origin,
            letter.key,
            letter.reason
        );
    }
    Ok(Exit::Done)
}

fn when(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| format!("{} ms", at.0), |at| at.to_string())
}

async fn replay(
    config: &Config,
    chosen: impl Fn(&DeadLetter) -> bool,
    which: &str,
) -> anyhow::Result<Exit> {
    let sent = app::replay(&config.bus, chosen).await?;
    for letter in &sent {
        println!("{}  sent again to {}", letter.id, letter.origin);
    }
    if sent.is_empty() && which != "all" {
        let message = format!("there is no dead letter {which}");
        return Err(Failure::new(ErrorCode::NoSuchDeadLetter, message).into());
    }
    println!("{} sent again", sent.len());
    Ok(Exit::Done)
}
