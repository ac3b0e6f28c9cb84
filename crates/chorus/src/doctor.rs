//! `chorus doctor`: looks at everything that a process stands on; a [`Finding`] advises about what is wrong.
//!
//! Each part is asked by itself, so one that is away hides nothing of the others. It only reads: nothing is made,
//! migrated or repaired here, and no secret is shown.

mod accounts;
mod database;
mod finding;
mod ground;
mod servers;
mod work;

use std::sync::Arc;

use chorus_core::id::Tenant;
use chorus_core::port::Clock;
use chorus_core::time::{Millis, Timestamp};

use crate::clock::SystemClock;
use crate::config::Config;
use crate::exit::Exit;

use finding::Finding;

/// Maximum time for one question to a server.
const PATIENCE: Millis = Millis::from_secs(8);
/// Clocks that differ more than this make leases and deadlines end too soon or too late.
const CLOCK_BOUND: Millis = Millis::from_secs(1);

/// Looks at everything, prints what it finds, and ends with what is wrong.
pub(crate) async fn run(config: &Config, tenant: &Tenant) -> Exit {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut findings = vec![ground::configuration(config)];
    let (key, found) = ground::key(config);
    findings.push(found);
    findings.extend(ground::folder(config));
    let (store, found) = database::look(config, &clock).await;
    findings.extend(found);
    let (bus, found) = servers::bus(config, &clock).await;
    findings.extend(found);
    findings.extend(servers::limits(config, &clock).await);
    if let Some(store) = &store {
        let (pools, found) = accounts::look(config, store, tenant, key.as_ref(), clock.now()).await;
        findings.extend(found);
        findings.extend(bus.map(|state| servers::readers(&state, &pools)));
        findings.extend(work::look(store, clock.now()).await);
        store.close().await;
    } else if !config.database.is_shared() && !config.data.dir.join("chorus.db").exists() {
        findings.push(accounts::none_yet());
    }
    say(&findings)
}

fn say(findings: &[Finding]) -> Exit {
    findings.iter().for_each(|finding| println!("{finding}"));
    let wrong = findings.iter().filter(|finding| finding.is_wrong()).count();
    let doubtful = findings
        .iter()
        .filter(|finding| finding.is_doubtful())
        .count();
    match (wrong, doubtful) {
        (0, 0) => println!("\nAll is well."),
        (0, doubtful) => println!("\nNothing is wrong; {doubtful} to look at."),
        (wrong, 0) => println!("\n{wrong} wrong."),
        (wrong, doubtful) => println!("\n{wrong} wrong, {doubtful} to look at."),
    }
    if wrong == 0 { Exit::Done } else { Exit::Failed }
}

/// Compares the clock of a server with this machine's. `asked` and `answered` are this machine's times around the
/// question: the truth lies between them.
fn clocks(
    part: &'static str,
    whose: &str,
    theirs: Timestamp,
    asked: Timestamp,
    answered: Timestamp,
) -> Finding {
    let off = if theirs < asked {
        asked.since(theirs)
    } else {
        theirs.since(answered)
    };
    if off <= CLOCK_BOUND {
        return Finding::well(
            part,
            format!(
                "its clock and this machine's agree within {} ms",
                off.0.max(answered.since(asked).0)
            ),
        );
    }
    let direction = if theirs < asked { "behind" } else { "ahead of" };
    Finding::wrong(
        part,
        format!("{whose} clock is {} ms {direction} this machine's", off.0),
    )
    .advise(
        "let both machines follow NTP (chrony, systemd-timesyncd): leases and deadlines are times",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_off_by_more_than_the_way_is_said_with_its_direction() {
        let at = Timestamp;
        let cases = [
            (
                at(10_000),
                "its clock and this machine's agree within 20 ms",
            ),
            (
                at(9_500),
                "its clock and this machine's agree within 490 ms",
            ),
            (
                at(4_990),
                "the server's clock is 5000 ms behind this machine's",
            ),
            (
                at(15_010),
                "the server's clock is 5000 ms ahead of this machine's",
            ),
        ];
        for (theirs, said) in cases {
            let finding =
                clocks("database", "the server's", theirs, at(9_990), at(10_010)).to_string();
            assert!(finding.contains(said), "{finding}");
        }
    }
}
