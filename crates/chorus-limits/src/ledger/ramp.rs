//! A cap on calls in flight, learned from refusals: lowered at once, raised call by call.

/// Learned cap, in thousandths of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ramp {
    milli: u64,
}

impl Ramp {
    /// Returns the cap after a refusal for too many calls; `in_flight` counts the refused one.
    pub(crate) fn below(in_flight: u64) -> Self {
        Self {
            milli: in_flight.saturating_sub(1).max(1) * 1000,
        }
    }

    /// Returns the cap after a refusal for growing too fast: half of the present one.
    pub(crate) fn halved(current: Option<Self>, in_flight: u64) -> Self {
        let from = current.map_or(in_flight * 1000, |ramp| ramp.milli.min(in_flight * 1000));
        Self {
            milli: (from / 2).max(1000),
        }
    }

    /// Returns the number of calls that may be in flight.
    pub(crate) const fn cap(self) -> u64 {
        self.milli / 1000
    }

    /// Raises the cap after a call that ended well while at least half of it was in use: by one call
    /// after each round of calls.
    pub(crate) fn raise(&mut self, in_flight: u64) {
        if in_flight * 2 >= self.cap() {
            self.milli += 1000_u64.div_ceil(self.cap().max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_falls_at_once_and_climbs_by_one_a_round() {
        let mut ramp = Ramp::below(8);
        assert_eq!(ramp.cap(), 7);
        for _ in 0..8 {
            ramp.raise(7);
        }
        assert_eq!(ramp.cap(), 8);
        ramp.raise(2);
        assert_eq!(ramp.cap(), 8, "an idle account proves nothing");
        assert_eq!(Ramp::halved(Some(ramp), 8).cap(), 4);
        assert_eq!(Ramp::halved(None, 1).cap(), 1);
    }
}
