//! Time from SIGKILL of the leading dispatcher until tasks are claimed again.

use std::time::Duration;

use anyhow::Context;
use chorus_bench::stage::briefs;
use chorus_bench::stage::client::Client;
use chorus_bench::stage::fleet::Role;
use chorus_bench::stage::house::House;
use chorus_bench::time::{now_ms, until};

use crate::measure::Figures;

/// Maximum time of a take-over.
const TAKE_OVER: Duration = Duration::from_secs(60);

/// Kills the leader `times` times with work in progress and a follower running.
pub(super) async fn measure(
    house: &mut House,
    client: &Client,
    times: u32,
) -> anyhow::Result<Figures> {
    let stand_by = house.fleet.hire(&house.ground, Role::Dispatcher)?;
    house.fleet.ready(stand_by).await?;
    let mut waits = Vec::new();
    for time in 0..times {
        let leader = until("a dispatcher leads", TAKE_OVER, async || {
            house.rows.leader("dispatcher").await
        })
        .await?;
        let dispatchers = house.fleet.with_role(Role::Dispatcher);
        let victim = house
            .fleet
            .that_said(&leader.boot)
            .filter(|at| dispatchers.contains(at))
            .context("no process says that it leads")?;
        // A project submitted just before the kill: its first task waits for the next leader.
        house.fleet.kill(victim);
        let killed_at = now_ms();
        client
            .hand_in(&briefs::small(1), &format!("fall-{time}"))
            .await?;
        let claimed_at = until("a task flows again", TAKE_OVER, async || {
            let rows = house.rows.deliveries().await?;
            Ok(rows
                .iter()
                .filter_map(|row| row.claimed_at)
                .filter(|at| *at > killed_at)
                .min())
        })
        .await?;
        waits.push((claimed_at - killed_at) as f64 / 1000.0);
        house.fleet.again(victim)?;
        house.fleet.ready(victim).await?;
    }
    waits.sort_by(f64::total_cmp);
    let median = waits.get(waits.len() / 2).copied().unwrap_or(f64::NAN);
    Ok(Figures::from([(
        "SIGKILL of the leading dispatcher to tasks flow, s".to_owned(),
        median,
    )]))
}
