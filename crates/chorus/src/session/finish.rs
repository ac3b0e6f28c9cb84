//! Takes deliverable and report of a finished project into a folder, and prints where they are.

use std::path::{Path, PathBuf};

use chorus_client::Client;
use chorus_core::id::ProjectId;
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
    for defect in &report.defects {
        println!("  defect: {defect}");
    }
}

fn seconds(millis: u64) -> f64 {
    Millis(millis).as_secs_f64()
}
