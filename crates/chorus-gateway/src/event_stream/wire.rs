//! Server-sent events as text.
//!
//! An event of the project has its sequence number as id and no name, so that a browser's
//! `onmessage` receives it. `progress`, `end` and `error` have names and no id.

use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use serde::Serialize;

use crate::resource::{EndOfEvents, ProgressEvent};

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
pub(super) fn progress(progress: &Progress, account_name: Option<&String>) -> String {
    let data = ProgressEvent {
        progress: progress.clone(),
        account_name: account_name.cloned(),
    };
    format!("event: progress\ndata: {}\n\n", json(&data))
}

/// Last event of a project in a final state.
pub(super) fn end(state: &str) -> String {
    let data = EndOfEvents {
        state: state.to_owned(),
    };
    format!("event: end\ndata: {}\n\n", json(&data))
}

/// Last event of a stream after its store broke.
pub(super) fn error() -> String {
    "event: error\ndata: {\"code\":\"store_broken\"}\n\n".to_owned()
}

/// JSON on one line; line breaks in texts are escaped.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("events are plain structs with text keys")
}

#[cfg(test)]
mod tests {
    use chorus_core::id::{ProjectId, Seq};
    use chorus_core::project::HistoryEvent;
    use chorus_core::time::Timestamp;

    use super::*;

    #[test]
    fn an_event_is_one_line_of_data_under_its_sequence_number() {
        let stored = StoredEvent {
            project: ProjectId::new(1),
            seq: Seq(7),
            at: Timestamp(5),
            event: HistoryEvent::Rejected {
                reason: "two\nlines".to_owned(),
            },
        };
        let text = event(&stored);
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!(lines[0], "id: 7");
        let data = lines[1].strip_prefix("data: ").expect("data");
        let read: StoredEvent = serde_json::from_str(data).expect("the event again");
        assert_eq!(read, stored);
        assert_eq!(lines[2..], ["", ""]);
    }

    #[test]
    fn named_events_have_no_id() {
        assert_eq!(end("done"), "event: end\ndata: {\"state\":\"done\"}\n\n");
        assert_eq!(
            error(),
            "event: error\ndata: {\"code\":\"store_broken\"}\n\n"
        );
        assert!(KEEP_ALIVE.starts_with(':'), "a comment");
    }
}
