//! The bytes of one event on the wire. What happened bears its place as id and no name, so that a browser's
//! `onmessage` gets it; progress, the end and an error have names and no id.

use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use serde::Serialize;

/// Said first, so that the client has the reply's head at once; a browser comes back after a second.
pub(super) const HELLO: &str = "retry: 1000\n\n";

/// Said when nothing else was for long.
pub(super) const ALIVE: &str = ": alive\n\n";

/// What happened.
pub(super) fn event(stored: &StoredEvent) -> String {
    format!("id: {}\ndata: {}\n\n", stored.seq.0, json(stored))
}

/// What runs.
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

/// Nothing will happen any more.
pub(super) fn end(state: &str) -> String {
    format!("event: end\ndata: {{\"state\":\"{state}\"}}\n\n")
}

/// The stream cannot go on.
pub(super) fn error() -> String {
    "event: error\ndata: {\"code\":\"store_broken\"}\n\n".to_owned()
}

/// On one line: JSON writes line breaks as escapes.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("events are plain structs with text keys")
}
