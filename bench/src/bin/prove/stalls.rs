//! Looks at every project while processes and servers die: none may stand still longer than
//! [`LONGEST`] without a call under way and without a reason that is shown to its client or to the operator.
//!
//! A project shows `waits` and `attention`; a gateway that cannot answer says so to every client; a process
//! that lacks a server names it at `/readyz`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chorus_bench::cluster::client::Client;
use chorus_bench::cluster::providers::Witness;
use chorus_bench::cluster::silence::{LONGEST, Look, Silence};
use chorus_bench::cluster::web::Web;
use chorus_bench::time::{pause, stopwatch};
use chorus_provider_sim::engine::journal::Outcome;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::check::Check;

/// Time between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Silences of all projects, measured by a task of their own.
pub(crate) struct Stalls {
    silences: Arc<Mutex<BTreeMap<String, Silence>>>,
    task: JoinHandle<()>,
}

/// Addresses that are asked at each look.
struct Watch {
    client: Client,
    witness: Witness,
    web: Web,
    processes: Vec<SocketAddr>,
}

impl Stalls {
    /// Starts to look, until [`Stalls::check`].
    pub(crate) fn watch(
        client: Client,
        witness: Witness,
        processes: Vec<SocketAddr>,
    ) -> anyhow::Result<Self> {
        let watch = Watch {
            client,
            witness,
            web: Web::new()?,
            processes,
        };
        let silences: Arc<Mutex<BTreeMap<String, Silence>>> = Arc::default();
        let own = Arc::clone(&silences);
        let task = tokio::spawn(async move {
            let elapsed = stopwatch();
            loop {
                let looks = watch.looks().await;
                record(
                    &mut own.lock().unwrap_or_else(PoisonError::into_inner),
                    looks,
                    elapsed(),
                );
                pause(INTERVAL).await;
            }
        });
        Ok(Self { silences, task })
    }

    /// Ends the looks. The check fails for each project that stood still too long.
    pub(crate) fn check(&self) -> Check {
        self.task.abort();
        let silences = self.silences.lock().unwrap_or_else(PoisonError::into_inner);
        verdict(&silences)
    }
}

fn verdict(silences: &BTreeMap<String, Silence>) -> Check {
    let longest = silences.values().map(Silence::longest).fold(0.0, f64::max);
    let mut faults: Vec<String> = silences
        .iter()
        .filter(|(_, silence)| silence.longest() > LONGEST)
        .map(|(id, silence)| format!("{id} stood still for {:.1} s", silence.longest()))
        .collect();
    if silences.is_empty() {
        faults.push("no project was seen".to_owned());
    }
    let saw = format!("{} projects, longest {longest:.1} s", silences.len());
    Check::new("no project stands still without a reason", saw, faults)
}

/// Records the looks of all projects that are not at their end. Without any, the reason is known to everyone:
/// each project is excused until the next look.
fn record(
    silences: &mut BTreeMap<String, Silence>,
    looks: Option<BTreeMap<String, Look>>,
    now: f64,
) {
    let Some(looks) = looks else {
        let excused = Look {
            calls: 0,
            seen: 0,
            is_explained: true,
        };
        silences
            .values_mut()
            .for_each(|silence| silence.look(excused, now));
        return;
    };
    for (id, look) in looks {
        silences.entry(id).or_default().look(look, now);
    }
}

impl Watch {
    /// Looks of all projects that are not at their end; none if the gateway refuses, does not answer, or a process
    /// names a server that it lacks.
    async fn looks(&self) -> Option<BTreeMap<String, Look>> {
        if self.names_a_lack().await {
            return None;
        }
        let list = self.client.get("/v1/projects?limit=100").await?;
        let (calls, has_open) = self.calls().await?;
        let mut looks = BTreeMap::new();
        for project in list["projects"].as_array()? {
            let Some(id) = project["id"].as_str().filter(|_| is_live(project)) else {
                continue;
            };
            let whole = self.client.get(&format!("/v1/projects/{id}")).await?;
            if is_live(&whole) {
                looks.insert(id.to_owned(), look(&whole, calls, has_open));
            }
        }
        Some(looks)
    }

    async fn names_a_lack(&self) -> bool {
        for address in &self.processes {
            if let Some((503, _)) = self.web.get(*address, "/readyz").await {
                return true;
            }
        }
        false
    }

    /// Number of calls so far, and true if one is under way.
    async fn calls(&self) -> Option<(u64, bool)> {
        let journal = self.witness.journal().await.ok()?;
        let has_open = journal.iter().any(|entry| entry.outcome == Outcome::Open);
        Some((journal.len() as u64, has_open))
    }
}

fn is_live(project: &Value) -> bool {
    let ends = ["done", "partial", "failed", "cancelled"];
    project["state"]
        .as_str()
        .is_some_and(|state| !ends.contains(&state))
}

/// Look at a project as its client sees it. A call counts as under way if the providers see one too.
fn look(project: &Value, calls: u64, has_open: bool) -> Look {
    let under_way = project["tasks"]["under_way"].as_u64().unwrap_or(0);
    let has_waits = project["waits"]
        .as_array()
        .is_some_and(|waits| !waits.is_empty());
    let version = project["version"].as_u64().unwrap_or(0);
    Look {
        // Calls of other projects are no progress of one that has none.
        calls: if under_way > 0 { calls } else { 0 },
        seen: version,
        is_explained: (under_way > 0 && has_open) || has_waits || !project["attention"].is_null(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn project(under_way: u64, waits: &[&str], attention: Option<&str>) -> Value {
        json!({"id": "prj_1", "state": "running", "version": 4, "tasks": {"under_way": under_way},
            "waits": waits, "attention": attention})
    }

    /// Looks at a project every second for a while, beside calls of other projects.
    fn check(project: &Value, has_open: bool, passes: bool) {
        let mut silences = BTreeMap::new();
        for second in 0..=20 {
            let looks = BTreeMap::from([("prj_1".to_owned(), look(project, second, has_open))]);
            record(&mut silences, Some(looks), second as f64);
        }
        assert_eq!(verdict(&silences).holds(), passes, "{project}");
    }

    #[test]
    fn only_an_open_call_or_a_shown_reason_excuses_a_stall() {
        check(&project(0, &[], None), true, false);
        check(
            &project(0, &["no worker serves pool claude"], None),
            true,
            true,
        );
        check(&project(0, &[], Some("budget")), false, true);
        check(&project(1, &[], None), true, true);
    }

    #[test]
    fn an_outage_that_is_named_excuses_only_its_own_time() {
        let still =
            || BTreeMap::from([("prj_1".to_owned(), look(&project(0, &[], None), 0, false))]);
        let mut silences = BTreeMap::new();
        record(&mut silences, Some(still()), 0.0);
        record(&mut silences, None, 1.0);
        record(&mut silences, None, 30.0);
        record(&mut silences, Some(still()), 31.0);
        record(&mut silences, Some(still()), 40.0);
        assert!(verdict(&silences).holds());
        record(&mut silences, Some(still()), 47.0);
        assert!(!verdict(&silences).holds());
        assert!(!verdict(&BTreeMap::new()).holds(), "nothing was seen");
    }
}
