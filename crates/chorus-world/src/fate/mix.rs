//! A mix of faults: which ones a world meets and how often, drawn from its seed or named for a purpose.

use chorus_core::time::{Millis, Timestamp};
use fastrand::Rng;

use super::Part;
use crate::chance::{self, permille};

/// Which faults happen how often, in a thousand port calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    /// What people call it.
    pub name: &'static str,
    /// When the last fault has happened.
    pub until: Timestamp,
    /// Calls that fail without having done anything.
    pub fails: u32,
    /// Calls that are done but whose reply is lost.
    pub loses_reply: u32,
    /// Calls that take seconds.
    pub slow: u32,
    /// Awaits at which the process dies.
    pub crashes: u32,
    /// Awaits at which the process freezes, perhaps for longer than its leases.
    pub pauses: u32,
    /// Most crashes and pauses together.
    pub most_blows: u32,
    /// Published records that never arrive.
    pub records_lost: u32,
    /// Published records that arrive twice.
    pub records_doubled: u32,
    /// Published records that arrive late.
    pub records_late: u32,
    /// Provider calls that fail in some way.
    pub provider: u32,
    /// Times at which a part answers nobody.
    pub outages: Vec<Outage>,
    /// Times at which all records on the bus vanish.
    pub topics_dropped: Vec<Timestamp>,
    /// Whether only the store and dispatchers may fail: then no paid call may be thrown away.
    pub store_only: bool,
}

/// A time in which a part answers nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outage {
    /// The part.
    pub part: Part,
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub to: Timestamp,
}

impl Mix {
    /// Nothing goes wrong.
    pub const fn calm(start: Timestamp) -> Self {
        Self {
            name: "calm",
            until: start,
            fails: 0,
            loses_reply: 0,
            slow: 0,
            crashes: 0,
            pauses: 0,
            most_blows: 0,
            records_lost: 0,
            records_doubled: 0,
            records_late: 0,
            provider: 0,
            outages: Vec::new(),
            topics_dropped: Vec::new(),
            store_only: false,
        }
    }

    /// The mix of this seed: each kind of trouble alone in some worlds, everything together in others.
    pub fn drawn(seed: u64, start: Timestamp) -> Self {
        let mut chance = chance::stream(seed, "mix");
        let until = start + Millis::from_secs(chance.u64(60..600));
        let calm = Self { until, ..Self::calm(start) };
        match chance.u32(0..10) {
            0 => Self { name: "crashes", crashes: 8, most_blows: 8, ..calm },
            1 => Self { name: "pauses", pauses: 8, most_blows: 6, ..calm },
            2 => Self { name: "lost replies", fails: 40, loses_reply: 60, ..calm },
            3 => Self { name: "bus", records_lost: 100, records_doubled: 150, records_late: 100, ..calm }
                .with_topics_dropped(&mut chance, start),
            4 => Self { name: "store only", store_only: true, ..calm }.with_outages(&mut chance, start, Part::Store),
            5 => Self { name: "outages", ..calm }
                .with_outages(&mut chance, start, Part::Store)
                .with_outages(&mut chance, start, Part::Bus)
                .with_outages(&mut chance, start, Part::Limits),
            6 => Self { name: "slow", slow: 60, fails: 10, loses_reply: 10, ..calm },
            7 => Self { name: "providers", provider: 250, ..calm },
            8 => Self {
                name: "crashes and lost replies",
                crashes: 5,
                most_blows: 6,
                fails: 15,
                loses_reply: 30,
                records_doubled: 50,
                ..calm
            },
            _ => Self {
                name: "everything",
                fails: 15,
                loses_reply: 20,
                slow: 20,
                crashes: 4,
                pauses: 4,
                most_blows: 8,
                records_lost: 30,
                records_doubled: 50,
                records_late: 50,
                provider: 80,
                ..calm
            }
            .with_outages(&mut chance, start, Part::Store)
            .with_topics_dropped(&mut chance, start),
        }
    }

    /// How long one call takes.
    pub(super) fn latency(&self, chance: &mut Rng) -> Millis {
        if permille(chance, self.slow) { Millis(chance.u64(500..12_000)) } else { Millis(chance.u64(0..4)) }
    }

    fn with_outages(mut self, chance: &mut Rng, start: Timestamp, part: Part) -> Self {
        for _ in 0..chance.u32(1..4) {
            let from = start + Millis(chance.u64(0..self.until.since(start).0));
            let length = [2_000, 12_000, 40_000, 200_000][chance.usize(0..4)];
            let to = (from + Millis(chance.u64(length / 2..length))).min(self.until);
            self.outages.push(Outage { part, from, to });
        }
        self
    }

    fn with_topics_dropped(mut self, chance: &mut Rng, start: Timestamp) -> Self {
        for _ in 0..chance.u32(1..3) {
            self.topics_dropped.push(start + Millis(chance.u64(0..self.until.since(start).0)));
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_one_mix_and_every_kind_is_drawn() {
        let start = Timestamp(1_000_000);
        assert_eq!(Mix::drawn(9, start), Mix::drawn(9, start));
        let names: std::collections::BTreeSet<&str> = (0..200).map(|seed| Mix::drawn(seed, start).name).collect();
        assert_eq!(names.len(), 10);
    }

    #[test]
    fn outages_are_over_when_faults_are() {
        let start = Timestamp(1_000_000);
        for mix in (0..200).map(|seed| Mix::drawn(seed, start)) {
            assert!(mix.outages.iter().all(|outage| outage.to <= mix.until && outage.from < mix.until), "{mix:?}");
        }
    }
}
