//! What the providers saw: one line a call, the witness against which the callers' books are held.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::quota::Counted;

/// One call that a provider received, in order of arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u64);

/// One call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the order of arrival.
    pub sequence: CallId,
    /// Who received it.
    pub provider: String,
    /// Whose key it was; empty when the key is unknown.
    pub organisation: String,
    /// The first twelve hexadecimal digits of the key's SHA-256.
    pub key: String,
    /// The model asked for.
    pub model: String,
    /// The caller's `x-client-request-id`.
    pub client_request: Option<String>,
    /// The provider's id of the request.
    pub request: String,
    /// The kind of task that the prompt names, or `chat`.
    pub kind: String,
    /// Hash of the conversation: equal calls have equal hashes.
    pub content: String,
    /// HTTP status.
    pub status: u16,
    /// Prompt tokens.
    pub input_tokens: u64,
    /// Tokens of the whole reply, thinking included, whether or not they were all delivered.
    pub output_tokens: u64,
    /// Whether the reply came in pieces.
    pub streamed: bool,
    /// The fault that was planted, if any.
    pub fault: Option<String>,
    /// The limit that the call would have passed by the provider's own count; none for refusals that were planted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passed: Option<Counted>,
    /// How much too early such a call came; none where time alone would not have let it pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub early_ms: Option<u64>,
    /// When it arrived.
    pub started_ms: u64,
    /// When it was over; none while it runs.
    pub ended_ms: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// Bytes of the body that were delivered.
    pub delivered: u64,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It still runs.
    Open,
    /// The whole reply was delivered.
    Complete,
    /// It was answered with an error.
    Refused,
    /// The client hung up.
    Aborted,
    /// The provider broke off.
    Cut,
}

/// All calls, and the lines that were not yet written to a file.
#[derive(Debug, Default)]
pub struct Journal {
    entries: BTreeMap<CallId, Entry>,
    fresh: Vec<CallId>,
}

impl Journal {
    /// Records a call; one that is over already is due for the file.
    pub fn open(&mut self, entry: Entry) {
        if entry.outcome != Outcome::Open {
            self.fresh.push(entry.sequence);
        }
        self.entries.insert(entry.sequence, entry);
    }

    /// Records how a running call ended; false when it was over before.
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

    /// One call.
    pub fn get(&self, call: CallId) -> Option<&Entry> {
        self.entries.get(&call)
    }

    /// All calls in order of arrival.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The lines of calls that ended since the last time.
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
