//! One measurement in this process.

use std::collections::BTreeMap;

use chorus_bench::time::stopwatch;
use chorus_bench::usage::{cpu_ms, resident_mib};
use chorus_core::id::{AttemptId, ProjectId, Seq};
use chorus_core::project::HistoryEvent;

use crate::embedded::EmbeddedServices;
use crate::{Kind, What};

/// Measured values by name; names contain the unit.
pub(crate) type Figures = BTreeMap<String, f64>;

/// Events read at once.
const PAGE: u32 = 1000;

/// Makes one measurement.
pub(crate) async fn one(what: What, kind: Kind, tasks: u32) -> anyhow::Result<Figures> {
    let folder = tempfile::tempdir()?;
    match what {
        What::Busy => busy(kind, folder.path(), tasks).await,
        What::Calm => calm(kind, folder.path(), tasks).await,
        What::Cold => cold(kind, folder.path()).await,
    }
}

/// Many small projects at once, about four tasks each.
async fn busy(kind: Kind, folder: &std::path::Path, tasks: u32) -> anyhow::Result<Figures> {
    let (services, me) = (
        EmbeddedServices::open(kind, folder).await?,
        std::process::id(),
    );
    let first = services.submit(1).await?;
    services.finished(first).await?;
    let (idle, cpu, took) = (resident_mib(me)?, cpu_ms(me)?, stopwatch());
    let mut projects = Vec::new();
    for _ in 0..tasks.div_ceil(4) {
        projects.push(services.submit(1).await?);
    }
    for id in &projects {
        services.finished(*id).await?;
    }
    let (seconds, cpu) = (took(), cpu_ms(me)? - cpu);
    let busy = resident_mib(me)?;
    let mut calls = 0.0;
    for id in &projects {
        calls += count(services.ports.deliveries.of_project(*id).await?.len());
    }
    Ok(figures(&[
        ("tasks", calls),
        ("tasks per second", calls / seconds),
        ("CPU ms per task", cpu / calls),
        ("resident MiB idle", idle),
        ("resident MiB busy", busy),
    ]))
}

/// Small projects one after the other, without other load.
async fn calm(kind: Kind, folder: &std::path::Path, tasks: u32) -> anyhow::Result<Figures> {
    let services = EmbeddedServices::open(kind, folder).await?;
    let mut waits = Vec::new();
    for _ in 0..tasks.div_ceil(4) {
        let id = services.submit(1).await?;
        services.finished(id).await?;
        waits.extend(ready_to_claimed(&services, id).await?);
    }
    waits.sort_by(f64::total_cmp);
    let at = |share: f64| {
        waits
            .get(((count(waits.len()) - 1.0) * share) as usize)
            .copied()
            .unwrap_or(f64::NAN)
    };
    Ok(figures(&[
        ("Ready to claimed ms p50", at(0.5)),
        ("Ready to claimed ms p95", at(0.95)),
        ("Ready to claimed ms p99", at(0.99)),
    ]))
}

/// Milliseconds from the ready event of each task to the claim of its first delivery.
async fn ready_to_claimed(services: &EmbeddedServices, id: ProjectId) -> anyhow::Result<Vec<f64>> {
    let events = services.ports.projects.events(id, Seq(0), PAGE).await?;
    let ready: BTreeMap<AttemptId, i64> = events
        .iter()
        .filter_map(|stored| match &stored.event {
            HistoryEvent::TaskReady { attempt, .. } => Some((*attempt, stored.at.0)),
            _ => None,
        })
        .collect();
    let rows = services.ports.deliveries.of_project(id).await?;
    let firsts = rows.iter().filter(|row| row.epoch.0 == 0);
    Ok(firsts
        .filter_map(|row| Some((row.claimed_at?.0 - ready.get(&row.attempt)?) as f64))
        .collect())
}

/// Opens the store, submits, and waits for the first call; the parent measures the whole process.
async fn cold(kind: Kind, folder: &std::path::Path) -> anyhow::Result<Figures> {
    let services = EmbeddedServices::open(kind, folder).await?;
    services.submit(1).await?;
    services.upstream.called.notified().await;
    Ok(figures(&[(
        "calls",
        services
            .upstream
            .calls
            .load(std::sync::atomic::Ordering::Relaxed) as f64,
    )]))
}

fn figures(pairs: &[(&str, f64)]) -> Figures {
    pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), *value))
        .collect()
}

fn count(number: usize) -> f64 {
    number as f64
}
