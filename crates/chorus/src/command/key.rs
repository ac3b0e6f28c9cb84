//! `chorus key create|list|revoke`
//!
//! Works beside a running server, also with SQLite: a server locks its data folder, not the database file.

use anyhow::Context;
use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::keys::{KeyStatus, NewKey, Scopes};
use chorus_core::port::{Clock, Keys};
use chorus_core::time::Timestamp;
use chorus_gateway::Secret;
use chorus_store::DataDir;
use chorus_store::sql::{Pending, Store};
use uuid::Uuid;

use crate::app;
use crate::cli::{GrantedScope, KeyCommand, Lifetime};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;
use crate::failure::{ErrorCode, Failure};

/// Carries the command out.
pub(crate) async fn run(config: &Config, command: KeyCommand) -> anyhow::Result<Exit> {
    // A server that holds the folder has migrated its database already; only a free folder is migrated here.
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
    let store = Store::open(app::place(config), pending)
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
            let secret = Secret::mint(random_bytes());
            let scopes: Scopes = if scope.is_empty() {
                Scopes::of_clients()
            } else {
                scope.into_iter().map(|GrantedScope(scope)| scope).collect()
            };
            let expires_at = expires.map(|Lifetime(length)| clock.now() + length);
            let (id, hash) = (KeyId::new(clock.random_u128()), secret.hash());
            let described = format!("{id}, tenant {tenant}, may {scopes}");
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
            eprintln!(
                "Key {described}. It is shown this once; give it to clients as CHORUS_API_KEY."
            );
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
                    status_text(key.status(clock.now())),
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
                .with_context(|| Failure::new(ErrorCode::InvalidId, "not the id of a key"))?;
            if !keys.revoke(&Tenant::new(&tenant), id).await? {
                let message = format!("tenant {tenant} has no key {id}");
                return Err(Failure::new(ErrorCode::NoSuchKey, message).into());
            }
            println!("{id} is revoked: every gateway refuses it from now on.");
        }
    }
    Ok(Exit::Done)
}

/// 32 random bytes from the system. UUIDs carry them, so they are hashed to spread the UUIDs' fixed bits.
fn random_bytes() -> [u8; 32] {
    use sha2::Digest as _;
    let mut pool = sha2::Sha256::new();
    for _ in 0..4 {
        pool.update(Uuid::new_v4().as_bytes());
    }
    pool.finalize().into()
}

const fn status_text(status: KeyStatus) -> &'static str {
    match status {
        KeyStatus::Good => "good",
        KeyStatus::Revoked => "revoked",
        KeyStatus::Expired => "expired",
    }
}

/// Date of a time as `YYYY-MM-DD`.
fn day(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0)
        .map_or_else(|_| "?".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_are_alike() {
        assert_ne!(random_bytes(), random_bytes());
    }
}
