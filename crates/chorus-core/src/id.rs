//! Typed ids: each kind has its own type and prefix, so that one can never be passed for another.
//!
//! The text form is `prefix_` followed by a UUIDv7 in 32 hexadecimal digits. Ids are made from numbers that
//! the [`Clock`](crate::port::Clock) port draws. Names given by people or providers (a tenant, a
//! model, a quota group) are texts with types of their own. Deliberately absent: drawing a number.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Reason why a text is not an id of the kind that the caller needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {kind} id: one is {prefix}_ and 32 hexadecimal digits after it")]
pub struct ParseIdError {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal $kind:literal,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// Prefix of the text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// Creates an id from a drawn number.
            pub const fn new(number: u128) -> Self {
                Self(Uuid::from_u128(number))
            }

            /// Number that the id was created from.
            pub const fn number(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIdError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .filter(|rest| rest.len() == 32)
                    .and_then(|rest| Uuid::try_parse(rest).ok())
                    .map(Self)
                    .ok_or_else(|| ParseIdError {
                        text: text.chars().take(64).collect(),
                        kind: $kind,
                        prefix: $prefix,
                    })
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

ids! {
    /// Id of a [`Project`](crate::project::Project).
    ProjectId "prj" "a project",
    /// Id of a [`Task`](crate::project::Task).
    TaskId "tsk" "a task",
    /// Id of an [attempt](crate::attempt), which is one try at a task.
    AttemptId "att" "an attempt",
    /// Id of an account: an identity that holds credentials.
    AccountId "acc" "an account",
    /// Id of a credential: one secret for one provider route.
    CredentialId "crd" "a credential",
    /// Id of a lease: permission to make one call.
    LeaseId "lse" "a lease",
    /// Id of a bus record, which is the key of deduplication.
    EventId "evt" "a record",
    /// Id of one start of a process.
    BootId "bot" "a process",
    /// Public id of an API key; the secret is another text.
    KeyId "key" "a key",
    /// Id of an [entry](crate::port::audit::AuditEntry) of the audit.
    AuditId "aud" "an entry of the audit",
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Creates the name from its text.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// Text of the name.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }
    )*};
}

names! {
    /// Owner of projects, accounts and keys; every row is scoped to one tenant.
    Tenant,
    /// Quota group: the unit that a provider limits, for instance `openai/org-1/gpt-5.5`. Two keys of one
    /// organisation share a group.
    GroupId,
    /// Model in the form `family/name`, for instance `deepseek/deepseek-r1`.
    ModelSlug,
    /// Name of a row of `catalog/providers.toml`, for instance `anthropic`.
    ProviderId,
    /// Name of the accounts that serve one family of models, for instance `claude`.
    Pool,
    /// Name of the worker that holds a running attempt: a boot id and a nonce for each polled record.
    Holder,
    /// Short name of a task in a plan, given by the planner, for instance `t3`.
    TaskKey,
}

impl Holder {
    /// Returns the text of the process: everything before the first full stop.
    pub fn process(&self) -> &str {
        let text = self.as_str();
        text.split_once('.').map_or(text, |(process, _)| process)
    }
}

/// Fencing number of an attempt's current holder; it only grows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// Returns the epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Version of a project's row, which grows by one with each commit.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Version(pub u64);

/// Fencing number of a leader's term.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Term(pub u64);

/// Number of an event in the history of a project, from 1, given by the orchestrator.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_keeps_its_text_form() {
        let id = ProjectId::new(7);
        assert_eq!(id.to_string(), "prj_00000000000000000000000000000007");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn another_kinds_prefix_is_refused() {
        let text = TaskId::new(7).to_string();
        let refusal = text
            .parse::<ProjectId>()
            .expect_err("a task id is no project id");
        assert!(
            refusal
                .to_string()
                .contains("is not a project id: one is prj_ and 32")
        );
    }

    proptest::proptest! {
        #[test]
        fn every_id_is_read_back_from_its_text_and_its_json(number in proptest::prelude::any::<u128>()) {
            let id = AttemptId::new(number);
            proptest::prop_assert_eq!(id.to_string().parse(), Ok(id));
            let json = serde_json::to_string(&id).expect("an id is JSON");
            proptest::prop_assert_eq!(serde_json::from_str::<AttemptId>(&json).ok(), Some(id));
            proptest::prop_assert_eq!(id.number(), number);
            proptest::prop_assert!(id.to_string().parse::<TaskId>().is_err());
        }

        #[test]
        fn a_text_that_is_no_id_is_refused(text in "(prj_)?[0-9a-fg{}-]{0,40}") {
            let digits = text.strip_prefix("prj_").unwrap_or("");
            let sound = digits.len() == 32 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            proptest::prop_assert_eq!(text.parse::<ProjectId>().is_ok(), sound, "{}", text);
        }
    }
}
