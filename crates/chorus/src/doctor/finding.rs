//! One thing that was looked at.

use std::fmt;

/// Finding about one part, with advice for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    part: &'static str,
    state: State,
    what: String,
    advice: Option<String>,
}

/// Severity of a [`Finding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// As it should be.
    Well,
    /// The part works, and a person should look at it.
    Doubtful,
    /// The part does not work.
    Wrong,
}

impl Finding {
    /// As it should be.
    pub(super) fn well(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            part,
            state: State::Well,
            what: what.into(),
            advice: None,
        }
    }

    /// The part works, and a person should look at it.
    pub(super) fn doubtful(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            state: State::Doubtful,
            ..Self::well(part, what)
        }
    }

    /// The part does not work.
    pub(super) fn wrong(part: &'static str, what: impl Into<String>) -> Self {
        Self {
            state: State::Wrong,
            ..Self::well(part, what)
        }
    }

    /// The same finding with this advice.
    pub(super) fn advise(self, advice: impl Into<String>) -> Self {
        Self {
            advice: Some(advice.into()),
            ..self
        }
    }

    pub(super) fn is_wrong(&self) -> bool {
        self.state == State::Wrong
    }

    pub(super) fn is_doubtful(&self) -> bool {
        self.state == State::Doubtful
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Well => "well",
            State::Doubtful => "LOOK",
            State::Wrong => "WRONG",
        };
        write!(f, "{:<14} {state:<6} {}", self.part, self.what)?;
        match &self.advice {
            Some(advice) => write!(f, "\n{:<14} {:<6} → {advice}", "", ""),
            None => Ok(()),
        }
    }
}
