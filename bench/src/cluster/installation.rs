//! Installation of a cluster: a database, providers, accounts, and the processes.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::client::Client;
use super::fleet::{Environment, Fleet, Role};
use super::providers::{self, ProviderSpeed, Providers};
use super::rows::Rows;
use super::services::Services;
use super::settings::Settings;
use super::web::Web;

/// Paths of a cluster.
#[derive(Debug, Clone)]
pub struct Paths {
    /// Path of the binary.
    pub program: PathBuf,
    /// Root of the sources, with examples and scripts.
    pub root: PathBuf,
    /// Folder for data and logs.
    pub folder: PathBuf,
}

/// A running cluster: servers, providers and a [`Fleet`].
#[derive(Debug)]
pub struct Cluster {
    /// Environment in which commands run.
    pub environment: Environment,
    /// Simulated [`Providers`] with their journal.
    pub providers: Providers,
    /// [`Rows`] of the database.
    pub rows: Rows,
    /// Processes of the [`Fleet`].
    pub fleet: Fleet,
    /// URL of the database.
    pub database: String,
}

impl Cluster {
    /// Creates the database, the topics and the accounts, and starts the providers.
    pub async fn create(
        paths: &Paths,
        services: &Services,
        settings: &Settings,
        speed: ProviderSpeed,
    ) -> anyhow::Result<Self> {
        let folder = paths.folder.join(&settings.database);
        std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        let environment = Environment {
            program: paths.program.clone(),
            folder,
        };
        let write = |name: &str, text: &str| {
            std::fs::write(environment.folder.join(name), text)
                .with_context(|| format!("write {name}"))
        };
        write("chorus.toml", &settings.file(services))?;
        environment.command(&["envelope-key", "--out", "envelope.key"])?;
        Rows::make(&services.postgres, &settings.database).await?;
        environment.command(&["migrate"])?;
        let config = providers::config(speed);
        let providers = Providers::start(&config, &paths.program, &environment.folder).await?;
        write(
            "accounts.toml",
            &providers::accounts(&config, providers.address, false)?,
        )?;
        write(
            "sick.toml",
            &providers::accounts(&config, providers.address, true)?,
        )?;
        environment.command(&["account", "import", "accounts.toml"])?;
        let database = settings.database_url(services);
        Ok(Self {
            environment,
            providers,
            rows: Rows::open(&database)?,
            fleet: Fleet::none()?,
            database,
        })
    }

    /// Creates a [`Client`] of the first gateway (or of the process with all roles), with an API
    /// key of its own.
    pub fn client(&self) -> anyhow::Result<Client> {
        let output = self
            .environment
            .command(&["key", "create", "--name", "client"])?;
        let key = output
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

    /// Imports accounts that fail every call, without asking their providers about them.
    pub fn import_sick_accounts(&self) -> anyhow::Result<()> {
        self.environment
            .command(&["account", "import", "sick.toml", "--no-check"])?;
        Ok(())
    }

    /// Starts the processes and waits until all are ready.
    pub async fn start_processes(&mut self, roles: &[Role]) -> anyhow::Result<()> {
        self.fleet = Fleet::start(&self.environment, roles).await?;
        Ok(())
    }
}

impl Paths {
    /// Path of the script that starts real servers, for [`Services::up`].
    pub fn services(&self) -> PathBuf {
        Path::new(&self.root).join("scripts/services")
    }
}
