//! Time from SIGKILL of the leading dispatcher until tasks are claimed again.

use std::time::Duration;

use anyhow::Context;
use chorus_bench::cluster::briefs;
use chorus_bench::cluster::client::Client;
use chorus_bench::cluster::fleet::Role;
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::time::{now_ms, until};

use crate::measure::Figures;

/// Maximum time of a take-over.
const TAKE_OVER: Duration = Duration::from_secs(60);

/// Kills the leader `times` times with work in progress and a follower running.
pub(super) async fn measure(
    cluster: &mut Cluster,
    client: &Client,
    times: u32,
) -> anyhow::Result<Figures> {
    let stand_by = cluster
        .fleet
        .spawn(&cluster.environment, Role::Dispatcher)?;
    cluster.fleet.ready(stand_by).await?;
    let mut waits = Vec::new();
    for time in 0..times {
        let victim = leader(cluster).await?;
        // A project submitted just before the kill: its first task waits for the next leader.
        cluster.fleet.kill(victim);
        let killed_at = now_ms();
        client
            .submit(&briefs::small(1), &format!("fall-{time}"))
            .await?;
        let claimed_at = claimed_after(cluster, killed_at).await?;
        waits.push((claimed_at - killed_at) as f64 / 1000.0);
        cluster.fleet.restart(victim)?;
        cluster.fleet.ready(victim).await?;
    }
    waits.sort_by(f64::total_cmp);
    let median = waits.get(waits.len() / 2).copied().unwrap_or(f64::NAN);
    Ok(Figures::from([(
        "SIGKILL of the leading dispatcher to tasks flow, s".to_owned(),
        median,
    )]))
}

/// Waits for the first claim after this time.
async fn claimed_after(cluster: &Cluster, killed_at: i64) -> anyhow::Result<i64> {
    until("a task is claimed again", TAKE_OVER, async || {
        let rows = cluster.rows.deliveries().await?;
        Ok(rows
            .iter()
            .filter_map(|row| row.claimed_at)
            .filter(|at| *at > killed_at)
            .min())
    })
    .await
}

/// Index of the leading dispatcher.
async fn leader(cluster: &Cluster) -> anyhow::Result<usize> {
    let leader = until("a dispatcher leads", TAKE_OVER, async || {
        cluster.rows.leader("dispatcher").await
    })
    .await?;
    let dispatchers = cluster.fleet.with_role(Role::Dispatcher);
    cluster
        .fleet
        .with_log(&leader.boot)
        .filter(|at| dispatchers.contains(at))
        .context("no process reports that it leads")
}
