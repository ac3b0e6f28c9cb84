//! Crash points at which a task changes hands: a process is killed at each one by name, and
//! restarted.

use std::time::Duration;

use anyhow::bail;
use chorus_bench::cluster::fleet::Role;
use chorus_bench::cluster::installation::Cluster;
use chorus_bench::cluster::process::was_killed;
use chorus_bench::time::until;

use crate::progress::Progress;

/// Maximum time until a process passes its point.
const PASSES: Duration = Duration::from_secs(60);

/// Each point with the [`Role`] that passes it.
pub(crate) const POINTS: [(&str, Role); 7] = [
    ("reserve", Role::Dispatcher),
    ("dispatch", Role::Dispatcher),
    ("publish", Role::Dispatcher),
    ("claim", Role::Worker("")),
    ("offset", Role::Worker("")),
    ("reply", Role::Worker("")),
    ("finish", Role::Worker("")),
];

/// Kills a process of the point's role at the point. Only the leading dispatcher passes the points
/// of dispatchers, so the other dispatchers are stopped meanwhile.
pub(crate) async fn hit(
    cluster: &mut Cluster,
    progress: &Progress,
    (point, role): (&str, Role),
    chance: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let times = chance.u32(1..=3);
    let members = cluster.fleet.with_role(role);
    let victim = members[chance.usize(..members.len())];
    let away: Vec<usize> = if role == Role::Dispatcher {
        members
    } else {
        vec![victim]
    };
    for at in &away {
        cluster.fleet.kill(*at);
    }
    cluster.fleet.members[victim]
        .process
        .restart(&[("CHORUS_CRASH", &format!("{point}:{times}"))])?;
    let name = cluster.fleet.name(victim).to_owned();
    let ended = until(
        &format!("{name} dies at {point}:{times}"),
        PASSES,
        async || cluster.fleet.members[victim].process.ended(),
    )
    .await?;
    if !was_killed(ended) {
        bail!("{name} should have died at {point}:{times}, but ended with {ended}");
    }
    progress.print(&format!(
        "{name} died at point {point}, passed for time {times}"
    ));
    for at in away {
        cluster.fleet.restart(at)?;
    }
    Ok(())
}
