//! Takes deliverable and report of a finished project into a folder, and prints where they are.

use std::path::Path;

use chorus_client::Client;
use chorus_core::id::ProjectId;
use chorus_core::time::Millis;
use chorus_report::Report;

use crate::deliver;
use crate::exit::Exit;

/// Writes everything into `out` with [`deliver`]. The exit code is that of the project's final state.
pub(super) async fn finish(client: &Client, id: ProjectId, out: &Path) -> anyhow::Result<Exit> {
    if let Some(deliverable) = client.deliverable(id).await? {
        for file in &deliverable.files {
            let bytes = client.file(file).await?;
            deliver::file(&file.path, &bytes, out)?;
        }
    }
    let report = client.report(id).await?;
    deliver::report(&report, out)?;
    print(&report, out);
    Ok(match report.state.as_str() {
        "done" => Exit::Done,
        "partial" => Exit::Partial,
        _ => Exit::Failed,
    })
}

fn print(report: &Report, out: &Path) {
    let totals = &report.totals;
    println!("{}: {}", report.title, report.state.replace('_', " "));
    for file in &report.files {
        println!(
            "  {}  ({} bytes)",
            out.join(&file.path).display(),
            file.bytes
        );
    }
    println!("  {}", out.join("report.html").display());
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
    for defect in &report.defects {
        println!("  defect: {defect}");
    }
}

fn seconds(millis: u64) -> f64 {
    Millis(millis).as_secs_f64()
}
