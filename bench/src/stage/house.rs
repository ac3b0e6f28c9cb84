//! One installation: a database of its own, providers, accounts, and the processes that serve them.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::client::Client;
use super::fleet::{Fleet, Ground, Role};
use super::providers::{self, Providers, Temper};
use super::rows::Rows;
use super::services::Services;
use super::settings::Settings;
use super::web::Web;

/// Where things are.
#[derive(Debug, Clone)]
pub struct Place {
    /// The binary.
    pub program: PathBuf,
    /// The root of the sources: examples and scripts lie below it.
    pub root: PathBuf,
    /// A folder for data and logs.
    pub folder: PathBuf,
}

/// An installation that runs.
#[derive(Debug)]
pub struct House {
    /// Where commands run.
    pub ground: Ground,
    /// The simulated providers.
    pub providers: Providers,
    /// What the processes leave.
    pub rows: Rows,
    /// The processes.
    pub fleet: Fleet,
    /// URL of its database.
    pub database: String,
}

impl House {
    /// Makes the database, the topics and the accounts; nothing runs yet but the providers.
    pub async fn found(
        place: &Place,
        services: &Services,
        settings: &Settings,
        temper: Temper,
    ) -> anyhow::Result<Self> {
        let folder = place.folder.join(&settings.database);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let ground = Ground {
            program: place.program.clone(),
            folder,
        };
        let write = |name: &str, text: &str| {
            std::fs::write(ground.folder.join(name), text).with_context(|| format!("write {name}"))
        };
        write("chorus.toml", &settings.file(services))?;
        ground.command(&["envelope-key", "--out", "envelope.key"])?;
        Rows::make(&services.postgres, &settings.database).await?;
        ground.command(&["migrate"])?;
        let config = providers::config(temper);
        let providers = Providers::start(&config, &place.program, &ground.folder).await?;
        write(
            "accounts.toml",
            &providers::accounts(&config, providers.address)?,
        )?;
        ground.command(&["account", "import", "accounts.toml"])?;
        let database = settings.database_url(services);
        Ok(Self {
            ground,
            providers,
            rows: Rows::open(&database)?,
            fleet: Fleet::none()?,
            database,
        })
    }

    /// A client of the first gateway (or of the one process of all roles), with a key of its own.
    pub fn client(&self) -> anyhow::Result<Client> {
        let said = self
            .ground
            .command(&["key", "create", "--name", "client"])?;
        let key = said
            .split_whitespace()
            .find(|word| word.starts_with("chorus-sk-"))
            .context("`chorus key create` shows no key")?;
        let gateway = self
            .fleet
            .members
            .iter()
            .find(|member| matches!(member.role, Role::Gateway | Role::Serve));
        Ok(Client::new(
            Web::new()?,
            gateway.context("there is no gateway")?.serves,
            key.to_owned(),
        ))
    }

    /// Starts the processes and waits until all are ready.
    pub async fn people(&mut self, roles: &[Role]) -> anyhow::Result<()> {
        self.fleet = Fleet::start(&self.ground, roles).await?;
        Ok(())
    }
}

impl Place {
    /// The script that starts real servers.
    pub fn services(&self) -> PathBuf {
        Path::new(&self.root).join("scripts/services")
    }
}
