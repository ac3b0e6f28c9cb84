//! Installation of a cluster: a database, providers, accounts, and the processes.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::client::Client;
use super::fleet::{Fleet, Ground, Role};
use super::providers::{self, Providers, Temper};
use super::rows::Rows;
use super::services::Services;
use super::settings::Settings;
use super::web::Web;

/// Paths of a cluster.
#[derive(Debug, Clone)]
pub struct Place {
    /// Path of the binary.
    pub program: PathBuf,
    /// Root of the sources, with examples and scripts.
    pub root: PathBuf,
    /// Folder for data and logs.
    pub folder: PathBuf,
}

/// A running cluster.
#[derive(Debug)]
pub struct House {
    /// Environment in which commands run.
    pub ground: Ground,
    /// The simulated providers.
    pub providers: Providers,
    /// Rows of the database.
    pub rows: Rows,
    /// The processes.
    pub fleet: Fleet,
    /// URL of the database.
    pub database: String,
}

impl House {
    /// Creates the database, the topics and the accounts, and starts the providers.
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

    /// Creates a client of the first gateway (or of the process with all roles), with an API key of
    /// its own.
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
    /// Path of the script that starts real servers.
    pub fn services(&self) -> PathBuf {
        Path::new(&self.root).join("scripts/services")
    }
}
