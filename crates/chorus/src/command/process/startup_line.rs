//! The line that a process prints once it is up. It holds no secret.

use std::net::SocketAddr;

use crate::app::App;
use crate::config::ProcessRole;

/// Role, dependencies and address of this process.
pub(super) fn format(app: &App, role: &ProcessRole, address: Option<SocketAddr>) -> String {
    let dependencies: Vec<String> = app
        .dependencies()
        .iter()
        .map(|dependency| format!("{} {}", dependency.name, dependency.what))
        .collect();
    let has_gateway = matches!(role, ProcessRole::Gateway | ProcessRole::All);
    let answers = match (has_gateway, address) {
        (true, Some(address)) => format!("clients and probes on http://{address}"),
        (false, Some(address)) => format!("probes on http://{address}"),
        (_, None) => "no probes (probe.listen is empty)".to_owned(),
    };
    format!(
        "chorus {}: {}; {answers}",
        name(role),
        dependencies.join(", ")
    )
}

fn name(role: &ProcessRole) -> String {
    match role {
        ProcessRole::Worker(pools) if pools.is_empty() => "worker of all pools".to_owned(),
        ProcessRole::Worker(pools) => {
            let names: Vec<String> = pools.iter().map(ToString::to_string).collect();
            format!("worker of {}", names.join(", "))
        }
        other => other.name().to_owned(),
    }
}
