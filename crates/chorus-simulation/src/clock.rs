//! The [`Clock`] port on virtual time, one for each boot of a process, with a random stream of its
//! own.

use std::sync::{Arc, Mutex};

use chorus_core::port::Clock;
use chorus_core::time::Timestamp;
use fastrand::Rng;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::chance;
use crate::executor::Timeline;

/// Clock of one boot: the shared [`Timeline`] and a random stream.
#[derive(Debug)]
pub struct VirtualClock {
    timeline: Arc<Timeline>,
    chance: Mutex<Rng>,
}

impl VirtualClock {
    /// Creates the clock called `name`. Names are unique within one simulation, as they select the
    /// stream.
    pub fn new(timeline: &Arc<Timeline>, seed: u64, name: &str) -> Self {
        Self {
            timeline: Arc::clone(timeline),
            chance: Mutex::new(chance::stream(seed, name)),
        }
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Rng) -> T) -> T {
        draw(&mut self.chance.lock().expect("one thread alone draws"))
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        self.timeline.now()
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'static, ()> {
        self.timeline.sleep_until(at).boxed()
    }

    fn random_u128(&self) -> u128 {
        let millis = u128::from(self.timeline.now().0.unsigned_abs()) & 0xffff_ffff_ffff;
        let chance = self.draw(|chance| chance.u128(..));
        let random = (chance >> 64) & 0xfff;
        let rest = chance & 0x3fff_ffff_ffff_ffff;
        (millis << 80) | (7 << 76) | (random << 64) | (2 << 62) | rest
    }

    fn random_below(&self, below: u64) -> u64 {
        if below == 0 {
            0
        } else {
            self.draw(|chance| chance.u64(0..below))
        }
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::id::TaskId;

    use super::*;

    #[test]
    fn numbers_are_uuids_of_version_7_in_order_of_time() {
        let timeline = Timeline::new(Timestamp(1_750_000_000_000));
        let clock = VirtualClock::new(&timeline, 1, "w");
        let (one, two) = (clock.random_u128(), clock.random_u128());
        assert_ne!(one, two);
        assert_eq!(one >> 80, 1_750_000_000_000);
        assert_eq!(TaskId::new(one).to_string().chars().nth(4 + 12), Some('7'));
        assert_eq!((two >> 62) & 3, 2);
    }

    #[test]
    fn chance_stays_below_its_bound() {
        let clock = VirtualClock::new(&Timeline::new(Timestamp(0)), 2, "w");
        assert_eq!(clock.random_below(0), 0);
        assert!((0..100).all(|_| clock.random_below(3) < 3));
    }
}
