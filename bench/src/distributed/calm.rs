//! Small projects one after the other: the latency of a task without other load, by section.
//!
//! Times come from rows (decided, committed, dispatched, claimed) and from Kafka's records
//! (produced, received by an own consumer). Times of rows come from the database, which shares this
//! machine's clock.

use std::collections::BTreeMap;

use chorus_bench::cluster::briefs;
use chorus_bench::cluster::client::Client;
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::cluster::observer::{BusObserver, SeenRecord};
use chorus_bench::cluster::rows::DeliveryRow;
use chorus_core::project::HistoryEvent;

use super::busy::wait_for_end;
use crate::measure::Figures;

/// Measures the latency of `tasks` tasks.
pub(super) async fn measure(
    cluster: &Cluster,
    client: &Client,
    observer: &BusObserver,
    tasks: u32,
) -> anyhow::Result<Figures> {
    let before = cluster.rows.projects().await?.len();
    let mut own = Vec::new();
    for number in 0..tasks.div_ceil(4) {
        own.push(
            client
                .submit(&briefs::small(1), &format!("calm-{number}"))
                .await?,
        );
        wait_for_end(cluster, before + own.len()).await?;
    }
    let ready = ready_at(cluster).await?;
    let queued = cluster.rows.queued_at().await?;
    let (wakes, dispatches) = (records(observer, false), records(observer, true));
    let deliveries = cluster.rows.deliveries().await?;
    let mut spans: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for row in deliveries
        .iter()
        .filter(|row| row.epoch == 0 && own.contains(&row.project))
    {
        let Some(moments) = Moments::of(row, &ready, &queued, (&wakes, &dispatches)) else {
            continue;
        };
        for (name, span) in moments.spans() {
            spans.entry(name).or_default().push(span);
        }
    }
    Ok(figures(spans))
}

/// Time of production and of arrival of the first record, by attempt and epoch.
type Records = BTreeMap<(String, i64), (i64, i64)>;

fn records(observer: &BusObserver, dispatch: bool) -> Records {
    let mut records = Records::new();
    for SeenRecord {
        attempt,
        epoch,
        produced_at,
        came_at,
        ..
    } in observer
        .seen()
        .into_iter()
        .filter(|seen| seen.dispatch == dispatch)
    {
        records
            .entry((attempt, epoch))
            .or_insert((produced_at, came_at));
    }
    records
}

/// Times of one delivery.
struct Moments {
    decided: i64,
    queued: i64,
    dispatched: i64,
    claimed: i64,
    wake: Option<(i64, i64)>,
    record: Option<(i64, i64)>,
}

impl Moments {
    fn of(
        row: &DeliveryRow,
        ready: &BTreeMap<String, i64>,
        queued: &BTreeMap<String, i64>,
        (wakes, records): (&Records, &Records),
    ) -> Option<Self> {
        let key = (row.attempt.clone(), row.epoch);
        Some(Self {
            decided: *ready.get(&row.attempt)?,
            queued: *queued.get(&row.attempt)?,
            dispatched: row.dispatched_at,
            claimed: row.claimed_at?,
            wake: wakes.get(&key).copied(),
            record: records.get(&key).copied(),
        })
    }

    fn spans(&self) -> Vec<(&'static str, f64)> {
        let mut spans = vec![
            ("Ready to claimed", self.decided, self.claimed),
            ("a. decided to row written", self.decided, self.queued),
            (
                "b. row written to dispatch written",
                self.queued,
                self.dispatched,
            ),
            (
                "c. dispatch written to claimed",
                self.dispatched,
                self.claimed,
            ),
        ];
        if let Some((produced, came)) = self.wake {
            spans.push(("b1. row written to wake-up produced", self.queued, produced));
            spans.push(("b2. wake-up produced to come", produced, came));
            spans.push((
                "b3. wake-up come to dispatch written",
                came,
                self.dispatched,
            ));
        }
        if let Some((produced, came)) = self.record {
            spans.push((
                "c1. dispatch written to record produced",
                self.dispatched,
                produced,
            ));
            spans.push(("c2. record produced to come", produced, came));
            spans.push(("c3. record come to claimed", came, self.claimed));
        }
        spans
            .into_iter()
            .map(|(name, from, to)| (name, (to - from) as f64))
            .collect()
    }
}

/// Time at which each attempt became ready.
async fn ready_at(cluster: &Cluster) -> anyhow::Result<BTreeMap<String, i64>> {
    let mut ready = BTreeMap::new();
    for (_, _, at, event) in cluster.rows.events().await? {
        if let HistoryEvent::TaskReady { attempt, .. } = event {
            ready.insert(attempt.to_string(), at);
        }
    }
    Ok(ready)
}

fn figures(spans: BTreeMap<&str, Vec<f64>>) -> Figures {
    let mut figures = Figures::new();
    for (name, mut values) in spans {
        values.sort_by(f64::total_cmp);
        let at = |share: f64| {
            values
                .get(((values.len() as f64 - 1.0) * share) as usize)
                .copied()
                .unwrap_or(f64::NAN)
        };
        figures.insert(format!("{name} ms p50"), at(0.5));
        if name == "Ready to claimed" {
            figures.insert(format!("{name} ms p95"), at(0.95));
            figures.insert(format!("{name} ms p99"), at(0.99));
        }
    }
    figures
}
