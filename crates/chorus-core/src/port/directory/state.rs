//! State of a credential, and the evidence of it.
//!
//! Neighbour: [`Directory`](super::Directory), which stores both.

use serde::{Deserialize, Serialize};

use crate::id::CredentialId;
use crate::time::Timestamp;

/// State of a credential: the calls that may be made with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredState", into = "StoredState")]
pub enum CredentialState {
    /// Calls may be made.
    Active,
    /// The provider refused the credential: no calls until a person acts.
    Refused {
        /// Message of the provider.
        reason: String,
    },
    /// No calls until a time: a day's quota or a month's spend is used up.
    Parked {
        /// End of the pause.
        until: Timestamp,
        /// Message of the provider.
        reason: String,
    },
    /// A person paused it: no new calls until a person ends the pause. No reply and no check of the key does.
    Paused {
        /// Reason that the person gave; empty if none.
        reason: String,
        /// True if calls under way are cut; false if they may end.
        is_cut: bool,
    },
    /// Another credential replaces it: no new calls. It is removed once its last call has ended.
    Draining {
        /// Credential that takes its place.
        replaced_by: CredentialId,
    },
}

/// Reason of credentials that a release without [`CredentialState::Paused`] stored as paused.
const EARLIER_PAUSE: &str = "paused by `chorus account pause`";

/// [`CredentialState`] as it is stored: an earlier release reads each hold of a person as a refusal, and makes no
/// calls either.
#[derive(Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
enum StoredState {
    Active,
    Refused {
        reason: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hold: Option<Hold>,
    },
    Parked {
        until: Timestamp,
        reason: String,
    },
}

/// Hold of a person on a credential.
#[derive(Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Hold {
    Paused { cut: bool },
    Draining { replaced_by: CredentialId },
}

impl From<CredentialState> for StoredState {
    fn from(state: CredentialState) -> Self {
        match state {
            CredentialState::Active => Self::Active,
            CredentialState::Refused { reason } => Self::Refused { reason, hold: None },
            CredentialState::Parked { until, reason } => Self::Parked { until, reason },
            CredentialState::Paused { reason, is_cut } => Self::Refused {
                reason,
                hold: Some(Hold::Paused { cut: is_cut }),
            },
            CredentialState::Draining { replaced_by } => Self::Refused {
                reason: String::new(),
                hold: Some(Hold::Draining { replaced_by }),
            },
        }
    }
}

impl From<StoredState> for CredentialState {
    fn from(stored: StoredState) -> Self {
        match stored {
            StoredState::Active => Self::Active,
            StoredState::Parked { until, reason } => Self::Parked { until, reason },
            StoredState::Refused { hold, reason } => match hold {
                Some(Hold::Paused { cut }) => Self::Paused {
                    reason,
                    is_cut: cut,
                },
                Some(Hold::Draining { replaced_by }) => Self::Draining { replaced_by },
                None if reason == EARLIER_PAUSE => Self::Paused {
                    reason: String::new(),
                    is_cut: false,
                },
                None => Self::Refused { reason },
            },
        }
    }
}

impl CredentialState {
    /// Returns the name of the state, as clients see it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Refused { .. } => "refused",
            Self::Parked { .. } => "parked",
            Self::Paused { .. } => "paused",
            Self::Draining { .. } => "draining",
        }
    }

    /// Returns true if only an act of a person changes the state: no call and no check of the key is evidence
    /// against it.
    pub const fn is_held(&self) -> bool {
        matches!(self, Self::Paused { .. } | Self::Draining { .. })
    }

    /// Returns true if new calls may be made at `now`.
    pub fn is_callable(&self, now: Timestamp) -> bool {
        match self {
            Self::Active => true,
            Self::Parked { until, .. } => *until <= now,
            Self::Refused { .. } | Self::Paused { .. } | Self::Draining { .. } => false,
        }
    }

    /// Returns true if calls under way are cut.
    pub const fn is_cut(&self) -> bool {
        matches!(self, Self::Paused { is_cut: true, .. })
    }
}

/// Evidence of a credential's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Time of the evidence: for a call, the time at which its request was sent.
    pub at: Timestamp,
    /// Source of the evidence.
    pub source: MarkSource,
}

/// Source of the evidence of a credential's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkSource {
    /// Reply or refusal of a call.
    Call,
    /// Check of the key.
    Check,
    /// Act of a person.
    Person,
}

impl Mark {
    /// Evidence of a call that was sent at `at`.
    pub const fn of_call(at: Timestamp) -> Self {
        Self {
            at,
            source: MarkSource::Call,
        }
    }

    /// Evidence of a check of the key at `at`.
    pub const fn of_check(at: Timestamp) -> Self {
        Self {
            at,
            source: MarkSource::Check,
        }
    }

    /// Evidence of a person who acted at `at`.
    pub const fn of_person(at: Timestamp) -> Self {
        Self {
            at,
            source: MarkSource::Person,
        }
    }

    /// Returns true if this evidence replaces `stored`.
    pub fn replaces(&self, stored: Option<&Self>) -> bool {
        stored.is_none_or(|stored| stored.at <= self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_read_back_and_a_hold_is_a_refusal_to_an_earlier_release() {
        let states = [
            CredentialState::Active,
            CredentialState::Refused {
                reason: "401".to_owned(),
            },
            CredentialState::Parked {
                until: Timestamp(9),
                reason: "no money".to_owned(),
            },
            CredentialState::Paused {
                reason: "leak".to_owned(),
                is_cut: true,
            },
            CredentialState::Draining {
                replaced_by: CredentialId::new(7),
            },
        ];
        for state in states {
            let stored = serde_json::to_value(&state).expect("plain data");
            if state.is_held() {
                assert_eq!(stored["state"], "refused", "{stored}");
                assert!(stored["reason"].is_string(), "{stored}");
            }
            let read: CredentialState = serde_json::from_value(stored).expect("it was written");
            assert_eq!(read, state);
        }
    }

    #[test]
    fn a_pause_of_an_earlier_release_is_a_pause() {
        let stored = serde_json::json!({
            "state": "refused", "reason": "paused by `chorus account pause`",
        });
        let state: CredentialState = serde_json::from_value(stored).expect("an earlier row");
        assert!(state.is_held() && !state.is_cut());
    }
}
