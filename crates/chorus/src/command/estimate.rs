//! What a plan will take: calls, tokens, money and time, said before anything but planning is spent.

use chorus_core::port::projects::Loaded;
use chorus_gateway::estimate::{Sources, of as estimate_of};
use chorus_gateway::resource::Estimate;

use crate::house::House;

/// The estimate of a plan that waits for approval.
pub(crate) async fn of(house: &House, loaded: &Loaded) -> anyhow::Result<Estimate> {
    let sources = Sources {
        artifacts: &*house.ports.artifacts,
        deliveries: &*house.ports.deliveries,
        directory: &*house.ports.directory,
        catalog: &house.catalog,
        roles: &house.config.roles.lists(),
        now: house.clock.now(),
    };
    Ok(estimate_of(&sources, loaded).await?)
}
