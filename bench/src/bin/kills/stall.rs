//! Longest time in which nothing was seen: no call under way, no new call, no new line of output.

/// State of a series at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// Number of calls that the providers received.
    pub(crate) calls: usize,
    /// Number of calls under way.
    pub(crate) open: usize,
    /// Bytes of output.
    pub(crate) output: usize,
}

/// Measures silences from one [`Look`] to the next.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    last: Option<(Look, f64)>,
    longest: f64,
}

impl Silence {
    /// Records a look at a time in seconds.
    pub(crate) fn look(&mut self, look: Look, now: f64) {
        match self.last {
            Some((last, since)) if last == look && look.open == 0 => {
                self.longest = self.longest.max(now - since);
            }
            _ => self.last = Some((look, now)),
        }
    }

    /// Longest silence so far, in seconds.
    pub(crate) const fn longest(&self) -> f64 {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn open_calls_new_calls_and_new_lines_end_a_silence() {
        let look = |calls, open, output| Look {
            calls,
            open,
            output,
        };
        let mut silence = Silence::default();
        silence.look(look(1, 1, 10), 0.0);
        silence.look(look(1, 1, 10), 20.0);
        assert!(silence.longest() < 0.1, "a call is under way");
        silence.look(look(1, 0, 10), 21.0);
        silence.look(look(1, 0, 10), 24.0);
        silence.look(look(1, 0, 11), 30.0);
        silence.look(look(2, 0, 11), 35.0);
        silence.look(look(2, 0, 11), 37.0);
        assert!((silence.longest() - 3.0).abs() < 1e-9);
    }
}
