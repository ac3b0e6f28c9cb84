//! The tree finds what a look at every leaf finds.

use super::*;

/// Exact room of a leaf: one dimension, a rate, and a time at which it opens.
#[derive(Clone, Copy)]
struct Leaf {
    room: f64,
    per_ms: f64,
    opens: i64,
}

impl Leaf {
    fn bound(self, now: Timestamp) -> Bound {
        let mut bound = Bound {
            opens: Timestamp(self.opens),
            room: [f64::INFINITY; TOKENS],
            per_ms: [0.0; TOKENS],
            at: now,
        };
        (bound.room[0], bound.per_ms[0]) = (self.room, self.per_ms);
        bound
    }

    fn earliest(self, need: f64, now: Timestamp) -> Timestamp {
        self.bound(now).earliest(&[need, 0.0, 0.0], now)
    }
}

fn leaves(random: &mut fastrand::Rng, count: usize) -> Vec<Leaf> {
    let leaf = |random: &mut fastrand::Rng| Leaf {
        room: random.f64() * 1_000.0,
        per_ms: f64::from(random.u8(0..4)) / 10.0,
        opens: if random.u8(0..4) == 0 {
            random.i64(0..9_000)
        } else {
            0
        },
    };
    (0..count).map(|_| leaf(random)).collect()
}

/// Searches and compares with a look at every leaf; returns the number of looks.
fn check(tree: &mut FitTree, leaves: &[Leaf], need: f64, now: Timestamp) -> u64 {
    let before = tree.looked;
    let mut fits = Vec::new();
    let found = tree.search(&[need, 0.0, 0.0], now, |leaf| {
        let at = leaves[leaf].earliest(need, now);
        if at <= now {
            fits.push(leaf);
            return Look::Stop;
        }
        Look::On(at)
    });
    let soonest = leaves.iter().map(|leaf| leaf.earliest(need, now)).min();
    let soonest = soonest.expect("there are leaves");
    if soonest <= now {
        assert_eq!(fits.len(), 1, "a leaf with room was missed");
    } else {
        assert!(fits.is_empty());
        assert_eq!(found, soonest, "an earlier instant was missed");
    }
    tree.looked - before
}

#[test]
fn a_search_finds_a_leaf_with_room_or_the_earliest_instant() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let count = random.usize(1..300);
        let mut all = leaves(&mut random, count);
        let bounds = all.iter().map(|leaf| leaf.bound(Timestamp(0)));
        let mut tree = FitTree::new(bounds.collect(), Timestamp(0));
        for _ in 0..60 {
            let changed = random.usize(0..count);
            all[changed] = leaves(&mut random, 1)[0];
            tree.set(changed, all[changed].bound(Timestamp(0)), Timestamp(0));
            let need = random.f64() * 1_300.0;
            check(&mut tree, &all, need, Timestamp(0));
        }
    }
}

#[test]
fn a_search_over_many_full_leaves_looks_at_few() {
    for count in [64, 1_024, 16_384] {
        let full = Leaf {
            room: 10.0,
            per_ms: 0.0,
            opens: 0,
        };
        let mut all = vec![full; count];
        all[count / 3].room = 500.0;
        let bounds = all.iter().map(|leaf| leaf.bound(Timestamp(0)));
        let mut tree = FitTree::new(bounds.collect(), Timestamp(0));
        let looked = check(&mut tree, &all, 400.0, Timestamp(0));
        let levels = (count as f64).log(FAN as f64).ceil() as u64 + 1;
        assert!(looked <= levels * FAN as u64, "{count}: {looked}");
        all[count / 3] = full;
        tree.set(count / 3, full.bound(Timestamp(0)), Timestamp(0));
        check(&mut tree, &all, 400.0, Timestamp(0));
        assert!(
            check(&mut tree, &all, 400.0, Timestamp(0)) <= 1,
            "bounds were tightened"
        );
    }
}
