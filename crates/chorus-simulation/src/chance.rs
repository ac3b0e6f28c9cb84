//! Seeded random streams, one for each label.
//!
//! Streams are independent, so drawing more numbers in one place does not shift the numbers of
//! another place. The simulation has no other source of randomness. Renaming a label changes the
//! history of every seed.

use fastrand::Rng;

/// Returns the stream of `seed` that belongs to `label`.
pub fn stream(seed: u64, label: &str) -> Rng {
    let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Rng::with_seed(mixed(seed ^ mixed(hash)))
}

/// Spreads nearby seeds far apart (the finaliser of SplitMix64).
const fn mixed(seed: u64) -> u64 {
    let one = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let two = (one ^ (one >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    two ^ (two >> 31)
}

/// Returns true in `share` of 1,000 cases; never if `share` is 0.
pub fn permille(chance: &mut Rng, share: u32) -> bool {
    share > 0 && chance.u32(0..1000) < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_and_repeat() {
        assert_eq!(stream(7, "a").u64(..), stream(7, "a").u64(..));
        assert_ne!(stream(7, "a").u64(..), stream(7, "b").u64(..));
        assert_ne!(stream(7, "a").u64(..), stream(8, "a").u64(..));
    }

    #[test]
    fn no_share_never_happens() {
        let mut chance = stream(1, "share");
        assert!((0..2000).all(|_| !permille(&mut chance, 0)));
        assert!((0..2000).all(|_| permille(&mut chance, 1000)));
    }
}
