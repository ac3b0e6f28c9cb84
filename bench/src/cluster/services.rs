//! Real servers, started by `scripts/services` as an instance that ends with this process.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Running [`Server`]s.
#[derive(Debug)]
pub struct Services {
    script: PathBuf,
    name: String,
    /// URL of the PostgreSQL server.
    pub postgres: String,
    /// URL of the Redis server.
    pub redis: String,
    /// Address of the Kafka broker.
    pub kafka: String,
}

/// A server of [`Services`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// PostgreSQL.
    Postgres,
    /// Redis, for the shared limits.
    Redis,
    /// Kafka, for the bus.
    Kafka,
}

impl Server {
    const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Kafka => "kafka",
        }
    }
}

impl Services {
    /// Starts an empty instance; it ends with this process.
    pub fn up(script: PathBuf) -> anyhow::Result<Self> {
        let me = std::process::id().to_string();
        let mut services = Self {
            script,
            name: format!("prove-{me}"),
            postgres: String::new(),
            redis: String::new(),
            kafka: String::new(),
        };
        services.call(&["up", "--with", &me])?;
        let output = services.call(&["env"])?;
        let value = |variable: &str| {
            let found = output.lines().find_map(|line| {
                line.strip_prefix("export ")?
                    .strip_prefix(variable)?
                    .strip_prefix('=')
            });
            found
                .map(|value| value.trim_matches('\'').to_owned())
                .with_context(|| format!("scripts/services does not print {variable}"))
        };
        let (postgres, redis, kafka) = (
            value("CHORUS_TEST_POSTGRES")?,
            value("CHORUS_TEST_REDIS")?,
            value("CHORUS_TEST_KAFKA")?,
        );
        (services.postgres, services.redis, services.kafka) = (postgres, redis, kafka);
        Ok(services)
    }

    /// Stops a server in order.
    pub fn stop(&self, server: Server) -> anyhow::Result<()> {
        self.call(&["stop", server.name()]).map(drop)
    }

    /// Sends SIGKILL to a server.
    pub fn kill(&self, server: Server) -> anyhow::Result<()> {
        self.call(&["kill", server.name()]).map(drop)
    }

    /// Starts a server on its old data and port; returns when it answers.
    pub fn start(&self, server: Server) -> anyhow::Result<()> {
        self.call(&["start", server.name()]).map(drop)
    }

    /// Deletes all data in Redis.
    pub async fn flush_redis(&self) -> anyhow::Result<()> {
        let address = self
            .redis
            .trim_start_matches("redis://")
            .split('/')
            .next()
            .unwrap_or_default();
        let mut stream = TcpStream::connect(address)
            .await
            .context("connect to Redis")?;
        stream
            .write_all(b"FLUSHALL\r\n")
            .await
            .context("send FLUSHALL")?;
        let mut answer = [0; 5];
        stream
            .read_exact(&mut answer)
            .await
            .context("read Redis's answer")?;
        anyhow::ensure!(&answer == b"+OK\r\n", "Redis did not flush");
        Ok(())
    }

    /// Stops all servers and deletes their data.
    pub fn down(&self) -> anyhow::Result<()> {
        self.call(&["down", "--remove"]).map(drop)
    }

    fn call(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.script);
        command.args(arguments).args(["--name", &self.name]);
        let output = command
            .output()
            .with_context(|| format!("run {}", self.script.display()))?;
        let messages = String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "scripts/services {} failed: {messages}",
            arguments.join(" ")
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
