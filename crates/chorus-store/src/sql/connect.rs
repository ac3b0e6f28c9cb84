//! Where the database is, and connections to it.

use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Executor};

use super::fault::Fault;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A file on this machine, made when it is not there.
    Sqlite(PathBuf),
    /// A PostgreSQL server, by its URL.
    Postgres(String),
}

/// How long one may wait for a connection. A server that is away is asked again until then, so this is also how soon
/// its absence is known.
const SQLITE_WAIT: Duration = Duration::from_secs(10);
const POSTGRES_WAIT: Duration = Duration::from_secs(3);

/// How long a server may be silent before its answer counts as lost: TCP alone would wait for minutes.
const SILENCE: Duration = Duration::from_secs(20);

/// The server gives up before we do, so that nothing runs on behind our back.
const POSTGRES_SETTINGS: &str = "SET statement_timeout = '15s'; SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '20s'";

/// Durable before a commit returns, readers beside the one writer. The second fork of the SQL text is the clock.
const SQLITE_PRAGMAS: &str =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000";

impl Place {
    /// One connection.
    pub(super) async fn connect(&self) -> Result<AnyConnection, Fault> {
        let options = self.options()?;
        let mut connection = in_time(async { Ok(options.connect().await?) }).await?;
        if self.is_sqlite() {
            connection.execute(SQLITE_PRAGMAS).await?;
        }
        Ok(connection)
    }

    /// A pool of connections; on SQLite they only read.
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

    /// What people call it; a URL is not shown, because it may hold a password.
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

impl std::fmt::Debug for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// The answer, unless the server fell silent: then what was asked may have been done.
#[expect(
    clippy::disallowed_methods,
    reason = "an adapter bounds its own waits, it has no Clock"
)]
pub(super) async fn in_time<T>(answer: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let silent = |_| {
        Err(Fault::away(format!(
            "no answer within {} s",
            SILENCE.as_secs()
        )))
    };
    tokio::time::timeout(SILENCE, answer)
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
