//! Server-sent events as text.
//!
//! An event of the project has its sequence number as id and no name, so that a browser's
//! `onmessage` receives it. `progress`, `end` and `error` have names and no id.

use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use serde::Serialize;

/// First bytes of a stream: they send the reply's head at once, and make a browser reconnect after
/// one second.
pub(super) const OPENING: &str = "retry: 1000\n\n";

/// Comment that keeps a silent connection open.
pub(super) const KEEP_ALIVE: &str = ": alive\n\n";

/// An event of the project.
pub(super) fn event(stored: &StoredEvent) -> String {
    format!("id: {}\ndata: {}\n\n", stored.seq.0, json(stored))
}

/// Progress of a running call, with the account's name for callers that may read it.
pub(super) fn progress(progress: &Progress, account: Option<&String>) -> String {
    #[derive(Serialize)]
    struct Named<'a> {
        progress: &'a Progress,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_name: Option<&'a String>,
    }
    format!(
        "event: progress\ndata: {}\n\n",
        json(&Named {
            progress,
            account_name: account
        })
    )
}

/// Last event of a project in a final state.
pub(super) fn end(state: &str) -> String {
    format!("event: end\ndata: {{\"state\":\"{state}\"}}\n\n")
}

/// Last event of a stream whose store is broken.
pub(super) fn error() -> String {
    "event: error\ndata: {\"code\":\"store_broken\"}\n\n".to_owned()
}

/// JSON on one line; line breaks in texts are escaped.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("events are plain structs with text keys")
}
