//! Address of the database, and connections to it.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Executor};

use super::fault::Fault;

/// Address of a database; shown without the password that it may hold.
#[derive(Clone, PartialEq, Eq)]
pub enum DatabaseUrl {
    /// A file on this machine, created when it is missing.
    Sqlite(PathBuf),
    /// URL of a PostgreSQL server.
    Postgres(String),
}

/// Longest wait for a connection. A server that is away is asked again until then.
const SQLITE_WAIT: Duration = Duration::from_secs(10);
const POSTGRES_WAIT: Duration = Duration::from_secs(3);

/// Silence after which a reply counts as lost: TCP alone would wait for minutes.
const REPLY_TIMEOUT: Duration = Duration::from_secs(20);

/// Timeouts of the server, shorter than [`REPLY_TIMEOUT`], so that no abandoned statement runs on.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '20s'";

/// Commits are durable when they return, and readers run beside the one writer.
const SQLITE_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";

impl DatabaseUrl {
    /// Opens one connection.
    pub(super) async fn connect(&self) -> Result<AnyConnection, Fault> {
        let options = self.options()?;
        let mut connection = in_time(async { Ok(options.connect().await?) }).await?;
        if self.is_sqlite() {
            connection.execute(SQLITE_PRAGMAS).await?;
        }
        Ok(connection)
    }

    /// Opens a pool of connections; those to SQLite only read.
    pub(super) async fn pool(&self, size: u32) -> Result<AnyPool, Fault> {
        let sqlite = self.is_sqlite();
        let wait = if sqlite { SQLITE_WAIT } else { POSTGRES_WAIT };
        let options = AnyPoolOptions::new()
            .max_connections(size)
            .acquire_timeout(wait);
        let options = options.after_connect(move |connection, _| {
            Box::pin(async move {
                if sqlite {
                    connection.execute(SQLITE_PRAGMAS).await?;
                    connection.execute("PRAGMA query_only = ON").await?;
                } else {
                    connection.execute(POSTGRES_SETTINGS).await?;
                }
                Ok(())
            })
        });
        Ok(options.connect_with(self.options()?).await?)
    }

    /// Name for messages; a URL is not shown, because it may hold a password.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Sqlite(file) => file.display().to_string(),
            Self::Postgres(_) => "the database of database.url".to_owned(),
        }
    }

    pub(super) const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    fn options(&self) -> Result<AnyConnectOptions, Fault> {
        static DRIVERS: Once = Once::new();
        DRIVERS.call_once(sqlx::any::install_default_drivers);
        let options: AnyConnectOptions = match self {
            Self::Sqlite(file) => sqlite_url(file).parse()?,
            Self::Postgres(url) => url
                .parse()
                .map_err(|_| Fault::broken("database.url is not a URL"))?,
        };
        Ok(options.disable_statement_logging())
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// The reply, or [`Fault::Away`] after [`REPLY_TIMEOUT`]: the statement may have been executed.
#[expect(
    clippy::disallowed_methods,
    reason = "an adapter bounds its own waits, it has no Clock"
)]
pub(super) async fn in_time<T>(answer: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let silent = |_| {
        Err(Fault::away(format!(
            "no answer within {} s",
            REPLY_TIMEOUT.as_secs()
        )))
    };
    tokio::time::timeout(REPLY_TIMEOUT, answer)
        .await
        .unwrap_or_else(silent)
}

fn sqlite_url(file: &Path) -> String {
    let path = file
        .display()
        .to_string()
        .replace('%', "%25")
        .replace('?', "%3f")
        .replace('#', "%23");
    format!("sqlite://{path}?mode=rwc")
}
