//! Journal of the providers: one line for each call, against which the callers' own records are
//! checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::call::CallId;
use super::quota::Counted;

/// Journal entry of one call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Number of the call.
    pub sequence: CallId,
    /// Name of the provider.
    pub provider: String,
    /// Organisation of the key; empty if the key is unknown.
    pub organisation: String,
    /// First twelve hexadecimal digits of the key's SHA-256.
    pub key: String,
    /// Requested model.
    pub model: String,
    /// Header `x-client-request-id` of the caller.
    pub client_request: Option<String>,
    /// Request id of the provider.
    pub request: String,
    /// Kind of task in the prompt, or `chat`.
    pub kind: String,
    /// Hash of the conversation; equal calls have equal hashes.
    pub content: String,
    /// HTTP status.
    pub status: u16,
    /// Number of prompt tokens.
    pub input_tokens: u64,
    /// Tokens of the whole reply including thinking, delivered or not.
    pub output_tokens: u64,
    /// True if the reply was streamed.
    pub streamed: bool,
    /// Name of the injected [`Fault`](super::fault::Fault), if any.
    pub fault: Option<String>,
    /// Limit that the call exceeded by the provider's own count; `None` for injected refusals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<Counted>,
    /// Milliseconds by which such a call came too early; `None` if no wait would have let it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_ms: Option<u64>,
    /// Time of arrival, in milliseconds.
    pub started_ms: u64,
    /// Time of the end; `None` while the call runs.
    pub ended_ms: Option<u64>,
    /// Ending of the call.
    pub outcome: Outcome,
    /// Delivered bytes of the body.
    pub delivered: u64,
}

/// Ending of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The call still runs.
    Open,
    /// The whole reply was delivered.
    Complete,
    /// The reply was an error.
    Refused,
    /// The client closed the connection.
    Aborted,
    /// The provider closed the connection.
    Cut,
}

/// All calls, and the lines not yet written to a file.
#[derive(Debug, Default)]
pub struct Journal {
    entries: BTreeMap<CallId, Entry>,
    fresh: Vec<CallId>,
}

impl Journal {
    /// Adds a call. An ended call is due for the file at once.
    pub fn open(&mut self, entry: Entry) {
        if entry.outcome != Outcome::Open {
            self.fresh.push(entry.sequence);
        }
        self.entries.insert(entry.sequence, entry);
    }

    /// Records the end of a running call; returns false if it had ended before.
    pub fn close(&mut self, call: CallId, now_ms: u64, outcome: Outcome, delivered: u64) -> bool {
        let Some(entry) = self
            .entries
            .get_mut(&call)
            .filter(|entry| entry.outcome == Outcome::Open)
        else {
            return false;
        };
        entry.outcome = outcome;
        entry.ended_ms = Some(now_ms);
        entry.delivered = delivered;
        self.fresh.push(call);
        true
    }

    /// Returns the entry of a call.
    pub fn get(&self, call: CallId) -> Option<&Entry> {
        self.entries.get(&call)
    }

    /// All entries in order of arrival.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// Lines of calls that ended since the last call of this method.
    pub fn take_fresh(&mut self) -> Vec<String> {
        let fresh = std::mem::take(&mut self.fresh);
        fresh
            .iter()
            .filter_map(|call| self.entries.get(call))
            .map(line)
            .collect()
    }

    /// All lines.
    pub fn lines(&self) -> String {
        self.entries().map(line).collect()
    }
}

fn line(entry: &Entry) -> String {
    let mut text = serde_json::to_string(entry).expect("a journal entry has only plain fields");
    text.push('\n');
    text
}
