//! Takes deliverable and report of a finished project into a folder, and prints where they are.

use std::path::{Path, PathBuf};

use chorus_client::Client;
use chorus_core::id::ProjectId;
use chorus_core::money::MicroUsd;
use chorus_core::time::Millis;
use chorus_report::Report;

use crate::cli::RunOptions;
use crate::deliver::{self, Delivery, ResultFolder, Written};
use crate::exit::Exit;

/// Makes the folder of the project before it costs anything, and prints its name.
pub(super) async fn prepare(
    client: &Client,
    id: ProjectId,
    options: &RunOptions,
) -> anyhow::Result<PathBuf> {
    let project = client.get(id).await?;
    let folder = ResultFolder::new(options.out.as_deref()).of(id, &project.title);
    deliver::try_folder(&folder)?;
    eprintln!("files will be written to {}", folder.display());
    Ok(folder)
}

/// Writes everything into `folder` with [`Delivery`]. The exit code is that of the project's final state.
pub(super) async fn finish(
    client: &Client,
    id: ProjectId,
    (folder, forced): (&Path, &[String]),
) -> anyhow::Result<Exit> {
    let mut delivery = Delivery::open(folder, id, forced)?;
    let mut written = Written::new();
    if let Some(deliverable) = client.deliverable(id).await? {
        for file in &deliverable.files {
            let bytes = client.file(file).await?;
            written.insert(file.path.clone(), delivery.file(&file.path, &bytes)?);
        }
    }
    let report = client.report(id).await?;
    let page = delivery.report(&report)?;
    print(&report, &written, &page);
    for renamed in delivery.renamed() {
        println!("  renamed: {renamed}; --force with the name in the plan writes it there");
    }
    Ok(match report.state.as_str() {
        "done" => Exit::Done,
        "partial" => Exit::Partial,
        _ => Exit::Failed,
    })
}

fn print(report: &Report, written: &Written, page: &Path) {
    let totals = &report.totals;
    println!("{}: {}", report.title, report.state.replace('_', " "));
    for file in &report.files {
        if let Some(path) = written.get(&file.path) {
            println!("  {}  ({} bytes)", path.display(), file.bytes);
        }
    }
    println!("  {}", page.display());
    println!(
        "{} tasks in {:.1} s (critical path {:.1} s, calls one after another {:.1} s), {} deliveries, {} rate-limited, {} lost",
        report.tasks.len(),
        seconds(totals.makespan_ms),
        seconds(totals.critical_path_ms),
        seconds(totals.call_ms),
        totals.deliveries,
        totals.limited,
        totals.lost
    );
    for line in money(report) {
        println!("{line}");
    }
    for defect in &report.defects {
        println!("  defect: {defect}");
    }
}

/// Sentences about the money: spent, wasted, and the estimate beside it.
fn money(report: &Report) -> Vec<String> {
    let (totals, money) = (&report.totals, &report.money);
    let usd = MicroUsd;
    let mut spent = format!(
        "{} spent of a budget of {}",
        usd(totals.spent),
        usd(totals.budget)
    );
    if totals.wasted > 0 {
        spent.push_str(&format!(", {} of it wasted", usd(totals.wasted)));
    }
    if totals.unconfirmed > 0 {
        spent.push_str(&format!(
            " ({} reserved for lost calls, not confirmed)",
            usd(totals.unconfirmed)
        ));
    }
    let estimated = money.estimate.map(|(likely, most)| {
        format!(
            "the plan was estimated at {} to {} and cost {}; planning before it cost {}",
            usd(likely),
            usd(most),
            usd(totals.spent - money.before_plan),
            usd(money.before_plan)
        )
    });
    [Some(spent), estimated].into_iter().flatten().collect()
}

fn seconds(millis: u64) -> f64 {
    Millis(millis).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        spent: i64,
        wasted: i64,
        unconfirmed: i64,
        estimate: Option<(i64, i64)>,
    ) -> Vec<String> {
        let report: Report = serde_json::from_value(serde_json::json!({
            "version": 1, "project": "prj", "title": "t", "state": "done", "simulated": true,
            "totals": {"makespan_ms": 0, "critical_path_ms": 0, "call_ms": 0, "waited_ms": 0, "deliveries": 0, "limited": 0, "lost": 0,
                "retried": 0, "input_tokens": 0, "cached_tokens": 0, "output_tokens": 0, "reasoning_tokens": 0,
                "budget": 5_000_000, "spent": spent, "wasted": wasted, "unconfirmed": unconfirmed},
            "tasks": [], "accounts": [], "conflicts": [], "verdicts": [], "defects": [], "assumptions": [], "files": [], "happenings": [],
            "money": {"phases": [], "accounts": [], "models": [], "estimate": estimate, "estimated_calls": 3, "before_plan": 100_000},
        }))
        .expect("a report");
        money(&report)
    }

    #[test]
    fn the_summary_has_spent_wasted_unconfirmed_and_the_estimate() {
        assert_eq!(
            check(1_500_000, 0, 0, None),
            ["$1.50 spent of a budget of $5.00"]
        );
        let lines = check(1_500_000, 300_000, 200_000, Some((1_000_000, 2_000_000)));
        assert_eq!(
            lines,
            [
                "$1.50 spent of a budget of $5.00, $0.30 of it wasted ($0.20 reserved for lost calls, not confirmed)",
                "the plan was estimated at $1.00 to $2.00 and cost $1.40; planning before it cost $0.10",
            ]
        );
    }
}
