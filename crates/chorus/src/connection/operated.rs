//! Connection of a command that looks at, or acts on, an installation: a server, the process that holds the data folder
//! through its [control socket](super::control), or this process over the data folder itself.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use chorus_client::{Client, ConnectionListener};
use chorus_core::time::Millis;
use chorus_upstream::HttpTransport;

use super::http::HttpConnection;
use super::{LocalServer, Terminal, control, remote};
use crate::app::{App, BuildOptions, ServiceSet};
use crate::cli::ServerArgs;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;

/// Time after which an unanswered command is given up.
pub(crate) const LIMIT: Millis = Millis::from_secs(10);

/// Time within which the holder's socket must answer.
const SOCKET_LIMIT: Millis = Millis::from_secs(2);

/// An open connection.
pub(crate) struct Operated {
    client: Client,
    /// The app and gateway of this process, where nothing else was asked.
    local: Option<LocalServer>,
    /// Arguments that name the same installation, for the commands in advice.
    pub(crate) flags: String,
    /// True if a process that makes calls answers.
    pub(crate) is_running: bool,
}

impl Operated {
    /// Connects to the servers that the command line names, else to the process that holds the data folder, else opens
    /// the data folder; `changes` are commands that an orchestrator of this process must apply then.
    pub(crate) async fn open(
        config: Config,
        server: &ServerArgs,
        (tenant, changes): (Option<&str>, bool),
        options: BuildOptions,
    ) -> anyhow::Result<Self> {
        if let Some(client) = remote(server)? {
            let flags = format!(" --server {}", client.servers());
            return Ok(Self {
                client: client.retry_for(LIMIT),
                local: None,
                flags,
                is_running: true,
            });
        }
        let flags = config.flags.clone();
        if let Some(client) = holder(&config).await? {
            return Ok(Self {
                client: of_tenant(client, tenant),
                local: None,
                flags,
                is_running: true,
            });
        }
        let is_shared = config.database.is_shared();
        let app = App::build(config, options).await?;
        if !app.may_serve() {
            eprintln!(
                "the process that holds the data folder does not answer on its control socket: this command works \
                 beside it, and a change takes effect within seconds"
            );
        }
        let services = ServiceSet {
            orchestrator: changes && app.may_serve(),
            ..ServiceSet::none(LIMIT)
        };
        let server = LocalServer::start(app, &services);
        Ok(Self {
            client: of_tenant(server.client().retry_for(LIMIT), tenant),
            local: Some(server),
            flags,
            is_running: is_shared,
        })
    }

    /// Client of the connection.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Runs a command, and closes the connection after it.
    pub(crate) async fn finish(
        self,
        command: impl Future<Output = anyhow::Result<Exit>>,
    ) -> anyhow::Result<Exit> {
        let Some(server) = self.local else {
            return command.await;
        };
        let exit = tokio::select! {
            biased;
            exit = command => exit,
            error = server.failed() => Err(error),
        };
        server.stop(true).await;
        exit
    }
}

fn of_tenant(client: Client, tenant: Option<&str>) -> Client {
    match tenant {
        Some(tenant) => client.for_tenant(tenant),
        None => client,
    }
}

/// Client of the process that holds the data folder; none if no process answers there.
async fn holder(config: &Config) -> anyhow::Result<Option<Client>> {
    let path = control::path(config);
    if config.database.is_shared() || !path.exists() {
        return Ok(None);
    }
    let probe = over_socket(&path, Arc::new(Quiet))?.retry_for(Millis(0));
    let clock = probe.clock();
    let answer = clock.deadline(clock.now() + SOCKET_LIMIT, probe.answers());
    if answer.await != Some(true) {
        return Ok(None);
    }
    let client = over_socket(&path, Arc::new(Terminal))?;
    Ok(Some(client.retry_for(LIMIT)))
}

/// Client of a process through its socket; no key is needed there.
fn over_socket(path: &Path, listener: Arc<dyn ConnectionListener>) -> anyhow::Result<Client> {
    let transport = HttpTransport::over_socket(path).context("cannot use the control socket")?;
    Ok(Client::new(
        Arc::new(HttpConnection::of(transport)),
        "http://control".parse()?,
        None,
        Arc::new(SystemClock),
        listener,
    ))
}

/// Prints nothing about a socket that may be dead.
struct Quiet;

impl ConnectionListener for Quiet {
    fn lost(&self, _: &str, _: &str) {}

    fn restored(&self, _: &str) {}
}
