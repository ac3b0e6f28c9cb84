//! Seeded chance: one stream of numbers for each use of it, so that drawing more in one place does not shift
//! what another place sees. No other source of chance exists in the world.

use fastrand::Rng;

/// The stream of this seed that belongs to `label`.
pub fn stream(seed: u64, label: &str) -> Rng {
    let hash = label.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Rng::with_seed(mixed(seed ^ mixed(hash)))
}

/// Spreads near seeds far apart.
const fn mixed(seed: u64) -> u64 {
    let one = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let two = (one ^ (one >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    two ^ (two >> 31)
}

/// True in so many of a thousand cases.
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
