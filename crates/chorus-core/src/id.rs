//! Typed ids: each kind has its own type and prefix, so that one can never be passed for another.
//!
//! The text form is `prefix_` followed by a UUIDv7 in 32 hex digits. Ids are made from numbers that the
//! `Clock` port hands out; nothing here draws one. Names that people or providers give (a tenant, a model, a
//! quota group) are texts with a type of their own.

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
            /// The prefix of this kind's text form, without the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// An id from a number drawn through the `Clock` port.
            pub const fn new(number: u128) -> Self {
                Self(Uuid::from_u128(number))
            }

            /// The number behind the id.
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
    /// A client's piece of work.
    ProjectId "prj" "a project",
    /// A node of a plan: what is to be done.
    TaskId "tsk" "a task",
    /// One try at a task: the doing.
    AttemptId "att" "an attempt",
    /// An identity that holds credentials.
    AccountId "acc" "an account",
    /// One secret for one provider route.
    CredentialId "crd" "a credential",
    /// Permission to make one call.
    LeaseId "lse" "a lease",
    /// One bus record, the key of deduplication.
    EventId "evt" "a record",
    /// One start of a process.
    BootId "bot" "a process",
    /// An API key, as people speak of it; its secret is another text.
    KeyId "key" "a key",
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name from its text.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(Arc::from(text.as_ref()))
            }

            /// The text of the name.
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
    /// Whose work it is; everything is scoped to one.
    Tenant,
    /// What a provider really limits, for instance `openai/org-1/gpt-5.5`; two keys of one organisation share it.
    GroupId,
    /// A model as Chorus names it, `family/name`, for instance `deepseek/deepseek-r1`.
    ModelSlug,
    /// A row of `catalog/providers.toml`, for instance `anthropic`.
    ProviderId,
    /// The accounts that can serve one family of models: `claude`, `gpt`, `deepseek`, `gemini`, `other`.
    Pool,
    /// Who holds a running attempt: a boot id and a nonce for each polled record.
    Holder,
    /// A task's short name inside its plan, given by the planner, for instance `t3`.
    TaskKey,
}

/// Fencing number of an attempt's current holder; it only grows.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u32);

impl Epoch {
    /// The epoch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

/// Version of a project's row; each commit adds one.
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

/// Place of an event in its project's history, from 1, allocated by the project's writer.
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
}
