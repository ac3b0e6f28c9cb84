//! Crash points at which a task changes hands: a process is killed at each one by name, and
//! restarted.

use std::time::Duration;

use anyhow::bail;
use chorus_bench::stage::fleet::Role;
use chorus_bench::stage::house::House;
use chorus_bench::stage::process::was_killed;
use chorus_bench::time::until;

use crate::story::Story;

/// Maximum time until a process passes its point.
const PASSES: Duration = Duration::from_secs(60);

/// Each point with the role that passes it.
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
    house: &mut House,
    story: &Story,
    (point, role): (&str, Role),
    chance: &mut fastrand::Rng,
) -> anyhow::Result<()> {
    let times = chance.u32(1..=3);
    let members = house.fleet.with_role(role);
    let victim = members[chance.usize(..members.len())];
    let away: Vec<usize> = if role == Role::Dispatcher {
        members
    } else {
        vec![victim]
    };
    for at in &away {
        house.fleet.kill(*at);
    }
    house.fleet.members[victim]
        .process
        .again(&[("CHORUS_CRASH", &format!("{point}:{times}"))])?;
    let name = house.fleet.name(victim).to_owned();
    let ended = until(
        &format!("{name} dies at {point}:{times}"),
        PASSES,
        async || house.fleet.members[victim].process.ended(),
    )
    .await?;
    if !was_killed(ended) {
        bail!("{name} should have died at {point}:{times}, but ended with {ended}");
    }
    story.tell(&format!(
        "{name} died at point {point}, passed for time {times}"
    ));
    for at in away {
        house.fleet.again(at)?;
    }
    Ok(())
}
