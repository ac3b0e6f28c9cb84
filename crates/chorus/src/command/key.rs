//! `chorus key create|list|revoke`
//!
//! Works beside a running server, also over SQLite: only the data folder is a process's own, not its database.

use anyhow::Context;
use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::keys::{ApiKey, KeyStatus, NewKey, Scope, Scopes};
use chorus_core::port::{Clock, Keys};
use chorus_core::time::{Millis, Timestamp};
use chorus_gateway::Secret;
use chorus_store::DataDir;
use chorus_store::sql::{Pending, Store};
use uuid::Uuid;

use super::Exit;
use crate::cli::KeyCommand;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::house;

/// Carries the command out.
pub(crate) async fn run(config: &Config, command: KeyCommand) -> anyhow::Result<Exit> {
    // A server that runs on the folder has brought its database up to date; nobody else's is touched.
    let folder = if config.database.is_shared() {
        None
    } else {
        DataDir::open(&config.data.dir).ok()
    };
    let pending = if folder.is_some() {
        Pending::Apply
    } else {
        Pending::Refuse
    };
    let store = Store::open(house::place(config), pending)
        .await
        .context("cannot open the database")?;
    let exit = carry_out(&store, &SystemClock, command).await;
    store.close().await;
    exit
}

async fn carry_out(
    keys: &dyn Keys,
    clock: &dyn Clock,
    command: KeyCommand,
) -> anyhow::Result<Exit> {
    match command {
        KeyCommand::Create {
            tenant,
            name,
            expires,
            scope,
        } => {
            let secret = Secret::mint(chance());
            let scopes: Scopes = if scope.is_empty() {
                Scopes::all()
            } else {
                scope.into_iter().map(|Granted(scope)| scope).collect()
            };
            let expires_at = expires.map(|Lifetime(length)| clock.now() + length);
            let (id, hash) = (KeyId::new(clock.random_u128()), secret.hash());
            let told = format!("{id}, tenant {tenant}, may {scopes}");
            keys.create(NewKey {
                id,
                tenant: Tenant::new(tenant),
                name,
                hash,
                scopes,
                expires_at,
            })
            .await?;
            println!("{}", secret.reveal());
            eprintln!("Key {told}. It is shown this once; give it to clients as CHORUS_API_KEY.");
        }
        KeyCommand::List { tenant } => {
            let found = keys.list(&Tenant::new(&tenant)).await?;
            if found.is_empty() {
                println!("No keys of tenant {tenant}. `chorus key create` makes one.");
            }
            for key in found {
                println!(
                    "{}  {:<8}  {}  {}  {}",
                    key.id,
                    standing(&key, clock.now()),
                    day(key.created_at),
                    key.scopes,
                    key.name
                );
            }
        }
        KeyCommand::Revoke { id, tenant } => {
            let id: KeyId = id
                .trim()
                .parse()
                .context("see `chorus key list` for the ids of your keys")?;
            anyhow::ensure!(
                keys.revoke(&Tenant::new(&tenant), id).await?,
                "tenant {tenant} has no key {id}; see `chorus key list`"
            );
            println!("{id} is revoked: every gateway refuses it from now on.");
        }
    }
    Ok(Exit::Done)
}

/// Bytes that nobody can guess: the system's random numbers, hashed so that the fixed bits of their carrier are spread.
fn chance() -> [u8; 32] {
    use sha2::Digest as _;
    let mut pool = sha2::Sha256::new();
    for _ in 0..4 {
        pool.update(Uuid::new_v4().as_bytes());
    }
    pool.finalize().into()
}

const fn standing_word(standing: KeyStatus) -> &'static str {
    match standing {
        KeyStatus::Good => "good",
        KeyStatus::Revoked => "revoked",
        KeyStatus::Expired => "expired",
    }
}

fn standing(key: &ApiKey, now: Timestamp) -> &'static str {
    standing_word(key.status(now))
}

/// The day of a time, for people.
fn day(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

/// How long a key lives: a number of minutes, hours or days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(Millis);

impl std::str::FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || format!("{text:?} is no length of time such as 45m, 12h or 30d");
        let unit = text.chars().last().ok_or_else(refusal)?;
        let seconds = match unit {
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(refusal()),
        };
        let count: u64 = text[..text.len() - 1].parse().map_err(|_| refusal())?;
        if !(1..=10_000_000).contains(&count) {
            return Err(refusal());
        }
        Ok(Self(Millis::from_secs(count * seconds)))
    }
}

/// A scope that is granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Granted(Scope);

impl std::str::FromStr for Granted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
        let known = || Scope::ALL.map(Scope::as_str).join(", ");
        found
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no scope, expected one of: {}", known()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_and_scopes_are_read_or_named() {
        for (text, expected) in [
            ("45m", Some(2_700)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("0d", None),
            ("30", None),
            ("d", None),
            ("", None),
            ("é", None),
        ] {
            let read = text
                .parse::<Lifetime>()
                .ok()
                .map(|Lifetime(length)| length.0 / 1000);
            assert_eq!(read, expected, "{text}");
        }
        assert_eq!(
            "projects:read".parse::<Granted>(),
            Ok(Granted(Scope::ProjectsRead))
        );
        assert!(
            "projects"
                .parse::<Granted>()
                .expect_err("no scope")
                .contains("projects:write")
        );
    }

    #[test]
    fn no_two_keys_are_alike() {
        assert_ne!(chance(), chance());
    }
}
