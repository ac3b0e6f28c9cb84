//! Many small projects at once: throughput, and the cost of each role.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context;
use chorus_bench::cluster::briefs;
use chorus_bench::cluster::client::Client;
use chorus_bench::cluster::fleet::Role;
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::cluster::rows::DeliveryRow;
use chorus_bench::time::until;
use chorus_bench::usage::{cpu_ms, resident_mib};

use crate::measure::Figures;

/// Maximum time for all projects.
const ALL: Duration = Duration::from_secs(300);

/// Approximate number of tasks of a small project.
const TASKS: u32 = 4;

/// Measures after one project that warms up caches.
pub(super) async fn measure(
    cluster: &Cluster,
    client: &Client,
    tasks: u32,
) -> anyhow::Result<Figures> {
    let small = briefs::small(1);
    client.submit(&small, "warm").await?;
    wait_for_end(cluster, 1).await?;
    let (idle, cpu) = (by_role(cluster, resident_mib)?, by_role(cluster, cpu_ms)?);
    let warm = cluster.rows.deliveries().await?.len();
    let many = tasks.div_ceil(TASKS);
    let submissions = (0..many).map(|number| {
        let (client, small) = (client.clone(), small.clone());
        async move { client.submit(&small, &format!("busy-{number}")).await }
    });
    futures_util::future::try_join_all(submissions).await?;
    wait_for_end(cluster, many as usize + 1).await?;
    let (busy, cpu_after) = (by_role(cluster, resident_mib)?, by_role(cluster, cpu_ms)?);
    let deliveries = cluster.rows.deliveries().await?;
    let own = &deliveries[warm..];
    let done = own.len() as f64;
    let mut figures = Figures::from([(
        "tasks per second".to_owned(),
        done * 1000.0 / duration_ms(own)? as f64,
    )]);
    let mut all = 0.0;
    for (role, after) in cpu_after {
        let spent = (after - cpu.get(role).copied().unwrap_or(0.0)) / done;
        all += spent;
        figures.insert(format!("CPU ms per task, {role}"), spent);
    }
    figures.insert("CPU ms per task, all processes".to_owned(), all);
    figures.extend(
        idle.into_iter()
            .map(|(role, mib)| (format!("resident MiB idle, {role}"), mib)),
    );
    figures.extend(
        busy.into_iter()
            .map(|(role, mib)| (format!("resident MiB busy, {role}"), mib)),
    );
    Ok(figures)
}

/// Milliseconds from the first dispatch to the last end, at least 1.
fn duration_ms(rows: &[DeliveryRow]) -> anyhow::Result<i64> {
    let first = rows.iter().map(|row| row.dispatched_at).min();
    let last = rows.iter().filter_map(|row| row.ended_at).max();
    let (first, last) = first.zip(last).context("no delivery ended")?;
    Ok((last - first).max(1))
}

/// Waits until `many` projects have ended.
pub(super) async fn wait_for_end(cluster: &Cluster, many: usize) -> anyhow::Result<()> {
    until(&format!("{many} projects are over"), ALL, async || {
        let done = cluster
            .rows
            .projects()
            .await?
            .iter()
            .filter(|project| project.over == 1)
            .count();
        Ok((done >= many).then_some(()))
    })
    .await
}

/// Figure for each role; the figures of the two workers are added.
fn by_role(
    cluster: &Cluster,
    figure: fn(u32) -> anyhow::Result<f64>,
) -> anyhow::Result<BTreeMap<&'static str, f64>> {
    let mut sums = BTreeMap::new();
    for member in &cluster.fleet.members {
        let pid = member.process.pid().context("a process is gone")?;
        let role = if matches!(member.role, Role::Worker(_)) {
            "2 workers"
        } else {
            member.role.as_str()
        };
        *sums.entry(role).or_insert(0.0) += figure(pid)?;
    }
    Ok(sums)
}
