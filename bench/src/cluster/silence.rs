//! Longest time in which nothing happens and nothing says what is waited for.
//!
//! Both proofs use it: `kills` looks at the calls and the output of one process, `prove` at each project.

/// Longest silence that passes, in seconds.
pub const LONGEST: f64 = 15.0;

/// State of a project at one look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Number of calls so far.
    pub calls: u64,
    /// Number that grows with every line of output or event that a client receives.
    pub seen: u64,
    /// True while a call is under way, or a client is shown what is waited for.
    pub is_explained: bool,
}

/// Measures silences from one [`Look`] to the next.
#[derive(Debug, Clone, Default)]
pub struct Silence {
    last: Option<(Look, f64)>,
    longest: f64,
}

impl Silence {
    /// Records a look at a time in seconds.
    pub fn look(&mut self, look: Look, now: f64) {
        match self.last {
            Some((last, since)) if last == look && !look.is_explained => {
                self.longest = self.longest.max(now - since);
            }
            _ => self.last = Some((look, now)),
        }
    }

    /// Longest silence so far, in seconds.
    pub const fn longest(&self) -> f64 {
        self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_lines_and_reasons_end_a_silence() {
        let look = |calls, is_explained, seen| Look {
            calls,
            seen,
            is_explained,
        };
        let mut silence = Silence::default();
        silence.look(look(1, true, 10), 0.0);
        silence.look(look(1, true, 10), 20.0);
        assert!(silence.longest() < 0.1, "a call is under way");
        silence.look(look(1, false, 10), 21.0);
        silence.look(look(1, false, 10), 24.0);
        silence.look(look(1, false, 11), 30.0);
        silence.look(look(2, false, 11), 35.0);
        silence.look(look(2, false, 11), 37.0);
        assert!((silence.longest() - 3.0).abs() < 1e-9);
    }
}
