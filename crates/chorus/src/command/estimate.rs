//! What a plan will take: calls, tokens, money and time, said before anything but planning is spent.

use chorus_api::Estimate;
use chorus_core::port::projects::Loaded;
use chorus_gateway::estimate::{Sources, of as estimate_of};

use crate::app::App;

/// The estimate of a plan that waits for approval.
pub(crate) async fn of(app: &App, loaded: &Loaded) -> anyhow::Result<Estimate> {
    let sources = Sources {
        artifacts: &*app.ports.artifacts,
        deliveries: &*app.ports.deliveries,
        directory: &*app.ports.directory,
        catalog: &app.catalog,
        roles: &app.config.roles.lists(),
        now: app.clock.now(),
    };
    Ok(estimate_of(&sources, loaded).await?)
}
