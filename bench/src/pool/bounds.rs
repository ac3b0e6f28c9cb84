//! Bounds of a run: the certified one for the calls as they were, and the one for a chooser that cannot foresee them.

use std::collections::{BTreeMap, BTreeSet};

use chorus_core::limit::Dimension;
use chorus_core::time::Millis;
use chorus_pool::bound::{Job, LimitChange, Station, certified_bound, verify};

use super::faults::{Fault, MID_RUN};
use super::fleet::{Amounts, Charging, kinds};
use super::workload::{Task, Workload};

/// Groups of like guesses over which unknown sizes are averaged.
const GUESS_GROUPS: usize = 24;

/// Bounds of one run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bounds {
    /// No schedule of these calls ends earlier.
    pub(crate) certified: Millis,
    /// No policy that knows only the guesses ends earlier on average.
    pub(crate) unforeseen: Millis,
}

/// Computes the bounds of a workload on a fleet, and checks the certificate again without a solver.
pub(crate) fn bounds(
    workload: &Workload,
    fleet: &[Amounts],
    charging: Charging,
    fault: Fault,
) -> anyhow::Result<Bounds> {
    let stations = stations(fleet, charging, fault);
    let all: BTreeSet<usize> = (0..stations.len()).collect();
    let jobs: Vec<Job> = workload
        .tasks
        .iter()
        .map(|task| job(task, charging, &all))
        .collect();
    let bound = certified_bound(&jobs, &stations);
    let certificate = bound
        .certificate
        .as_ref()
        .ok_or_else(|| anyhow::anyhow!("the programme of the bound was not solved"))?;
    let proved = verify(&jobs, &stations, certificate);
    anyhow::ensure!(
        proved == Some(certificate.makespan),
        "the certificate names {} and proves {proved:?}",
        certificate.makespan
    );
    let averaged = averaged(&workload.tasks, &jobs);
    Ok(Bounds {
        certified: bound.makespan(),
        unforeseen: certified_bound(&averaged, &stations).makespan(),
    })
}

fn job(task: &Task, charging: Charging, all: &BTreeSet<usize>) -> Job {
    let used = match charging {
        Charging::Admission | Charging::Anthropic | Charging::Gemini | Charging::Deepseek => {
            BTreeMap::from([
                (Dimension::Requests, 1),
                (Dimension::InputTokens, task.input),
                (Dimension::OutputTokens, task.output),
            ])
        }
        Charging::Mistral => BTreeMap::from([
            (Dimension::Requests, 1),
            (Dimension::TotalTokens, task.input + task.output),
        ]),
        Charging::Bedrock => {
            BTreeMap::from([(Dimension::TotalTokens, task.input + 5 * task.output)])
        }
        // A caller need not ask for more than is produced.
        Charging::Openai => BTreeMap::from([
            (Dimension::Requests, 1),
            (Dimension::TotalTokens, task.input.max(task.output)),
        ]),
    };
    Job {
        parents: task.parents.clone(),
        service: task.took,
        used,
        eligible: all.clone(),
        count: 1,
    }
}

/// Equal accounts as one station each.
fn stations(fleet: &[Amounts], charging: Charging, fault: Fault) -> Vec<Station> {
    let halves = matches!(fault, Fault::Halved(_) | Fault::Others);
    kinds(fleet)
        .into_iter()
        .map(|(amounts, count)| {
            let mut station = Station::full(amounts.limits(charging));
            station.count = count;
            if matches!(charging, Charging::Mistral | Charging::Bedrock) {
                // Charged at the end: calls that run are not counted yet.
                station.overdrawn.insert(Dimension::TotalTokens);
            }
            if halves {
                let rates = station.limits.iter();
                let rates = rates.filter(|limit| limit.dimension != Dimension::Concurrency);
                station.changes = rates
                    .map(|limit| LimitChange {
                        at: MID_RUN,
                        dimension: limit.dimension,
                        amount: limit.amount / 2,
                    })
                    .collect();
            }
            station
        })
        .collect()
}

/// Jobs with mean sizes and times in the place of their true ones: means of the jobs with like guesses.
fn averaged(tasks: &[Task], jobs: &[Job]) -> Vec<Job> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    order.sort_by_key(|at| tasks[*at].size.output);
    let size = order.len().div_ceil(GUESS_GROUPS).max(1);
    let mut averaged = jobs.to_vec();
    for group in order.chunks(size) {
        let count = group.len() as u64;
        let mean = |value: &dyn Fn(usize) -> u64| {
            let sum: u64 = group.iter().map(|at| value(*at)).sum();
            sum / count
        };
        let service = mean(&|at| jobs[at].service.0);
        let mut dimensions: Vec<Dimension> = jobs[group[0]].used.keys().copied().collect();
        // Prompts are known beforehand.
        dimensions.retain(|dimension| *dimension != Dimension::InputTokens);
        for dimension in dimensions {
            let used = mean(&|at| jobs[at].used[&dimension]);
            for at in group {
                averaged[*at].used.insert(dimension, used);
            }
        }
        for at in group {
            averaged[*at].service = Millis(service);
        }
    }
    averaged
}
