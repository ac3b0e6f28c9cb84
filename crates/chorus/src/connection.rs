//! Connections of this program to a gateway: over HTTP to a server, or to the gateway inside this process.
//!
//! [`Operated`] finds the process that holds the data folder by its [control socket](ControlSocket).
//!
//! All give a [`Client`] of the same API, so that commands have one implementation. [`LocalServer`] is the app of
//! this process with its services; nothing of it listens on a socket.

mod control;
mod http;
mod in_process;
mod local;
mod operated;

use std::sync::Arc;

use chorus_client::{Client, ConnectionListener};
use chorus_vault::redacted;

use crate::cli::ServerArgs;
use crate::clock::SystemClock;
use crate::config::{Environment, ProcessEnvironment};
use crate::failure::{ErrorCode, Failure};

pub(crate) use control::ControlSocket;
pub(crate) use local::LocalServer;
pub(crate) use operated::{LIMIT, Operated};

/// Client of the servers that the command line names; none if it names none.
pub(crate) fn remote(args: &ServerArgs) -> anyhow::Result<Option<Client>> {
    let Some(servers) = &args.server else {
        return Ok(None);
    };
    let servers = servers
        .parse()
        .map_err(|error| Failure::caused(ErrorCode::InvalidServer, error))?;
    let key = args
        .api_key
        .clone()
        .or_else(|| ProcessEnvironment.variable("CHORUS_API_KEY"));
    Ok(Some(Client::new(
        Arc::new(http::HttpConnection::new()?),
        servers,
        key,
        Arc::new(SystemClock),
        Arc::new(Terminal),
    )))
}

/// Prints changes of the connection on standard error.
struct Terminal;

impl ConnectionListener for Terminal {
    fn lost(&self, server: &str, reason: &str) {
        eprintln!(
            "          {} does not answer ({}); trying again",
            redacted(name(server)),
            redacted(reason)
        );
    }

    fn restored(&self, server: &str) {
        eprintln!("          {} answers again", redacted(name(server)));
    }
}

fn name(server: &str) -> &str {
    if server.is_empty() {
        "this process's own gateway"
    } else {
        server
    }
}
