//! Bytes that no golden file foresees: every cut of every golden stream, damaged streams, noise.
//! A reader never panics, and never takes half a text for a whole one.

use std::path::Path;

use chorus_core::catalog::{Dialect, Quirks};
use chorus_core::llm::{Assembler, Reply, StreamEvent};
use chorus_dialect::sniff::{Coding, Sniffer};
use chorus_dialect::{WireError, anthropic_messages, openai_chat};
use proptest::prelude::*;
use serde_json::Value;

/// A golden stream in one dialect.
struct Golden {
    name: String,
    dialect: Dialect,
    quirks: Quirks,
    bytes: Vec<u8>,
}

/// Every stream of the golden matrix, as it stands on the wire of each dialect.
fn streams() -> Vec<Golden> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut streams = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder of cases") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a readable case");
        let case: Value = serde_json::from_str(&text).expect("a case");
        if case["kind"] != "stream" {
            continue;
        }
        let quirks = serde_json::from_value(case["quirks"].clone()).unwrap_or_default();
        let from = case["from"].as_str().expect("a source");
        let name = path.file_stem().expect("a name").to_string_lossy();
        for (dialect, column) in [
            (Dialect::OpenaiChat, "openai_chat"),
            (Dialect::AnthropicMessages, "anthropic_messages"),
        ] {
            let field = if column == from { "input" } else { column };
            let lines = case[field].as_array().expect("a list of lines").iter();
            let lines: Vec<&str> = lines.filter_map(Value::as_str).collect();
            streams.push(Golden {
                name: format!("{name}, {column}"),
                dialect,
                quirks: Quirks::clone(&quirks),
                bytes: lines.join("\n").into_bytes(),
            });
        }
    }
    assert!(streams.len() >= 20, "only {} streams", streams.len());
    streams
}

fn events(dialect: Dialect, quirks: &Quirks, bytes: &[u8]) -> Vec<StreamEvent> {
    match dialect {
        Dialect::OpenaiChat => {
            let mut reader = openai_chat::StreamReader::new(quirks);
            let mut events = reader.push(bytes);
            events.extend(reader.close());
            events
        }
        Dialect::AnthropicMessages => {
            let mut reader = anthropic_messages::StreamReader::new();
            let mut events = reader.push(bytes);
            events.extend(reader.close());
            events
        }
    }
}

/// The reply of a stream that ended; none for one that was cut or reported an error.
fn whole(events: &[StreamEvent]) -> Option<Reply> {
    let is_error = |event: &StreamEvent| matches!(event, StreamEvent::Error { .. });
    let mut assembler = Assembler::new();
    events
        .iter()
        .for_each(|event| assembler.push(event.clone()));
    (assembler.ended() && !events.iter().any(is_error)).then(|| assembler.finish())
}

#[test]
fn every_cut_of_every_golden_stream_is_whole_or_no_reply() {
    for golden in streams() {
        let Golden {
            name,
            dialect,
            quirks,
            bytes,
        } = golden;
        let complete = whole(&events(dialect, &quirks, &bytes));
        for cut in 0..bytes.len() {
            let Some(found) = whole(&events(dialect, &quirks, &bytes[..cut])) else {
                continue;
            };
            let complete = complete.as_ref();
            let complete = complete.unwrap_or_else(|| panic!("{name}: a cut made it whole"));
            assert_eq!(found.content, complete.content, "{name}: cut at {cut}");
            assert_eq!(found.finish, complete.finish, "{name}: cut at {cut}");
        }
    }
}

#[test]
fn no_golden_stream_with_a_lost_event_gives_another_text_and_no_error() {
    for golden in streams() {
        let text = String::from_utf8(golden.bytes.clone()).expect("UTF-8");
        let parts: Vec<&str> = text.split_inclusive("\n\n").collect();
        for at in 0..parts.len() {
            if !parts[at].contains("data: {") {
                continue;
            }
            let mut spoiled = parts.clone();
            let half = &parts[at][..parts[at].find("data: {").map_or(0, |found| found + 7)];
            let replaced = format!("{half}\n\n");
            spoiled[at] = &replaced;
            let bytes = spoiled.concat();
            let found = whole(&events(golden.dialect, &golden.quirks, bytes.as_bytes()));
            let is_after_end = parts[..at].iter().any(|part| part.contains("_stop\""));
            assert!(
                found.is_none() || is_after_end,
                "{}: event {at} was lost in silence",
                golden.name
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damaged_streams_never_panic_and_stay_in_bounds(
        which in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        let streams = streams();
        let golden = which.get(&streams);
        let mut bytes = golden.bytes.clone();
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
            let found = events(dialect, &golden.quirks, &bytes);
            prop_assert!(found.len() <= bytes.len() + 2);
        }
    }

    #[test]
    fn noise_is_read_by_every_reader_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut sniffer = Sniffer::new();
        let found = sniffer.push(&bytes).unwrap_or_else(|| sniffer.close());
        prop_assert!(found.1.len() <= bytes.len());
        let _ = Coding::of(&bytes);
        let quirks = Quirks::default();
        for dialect in [Dialect::OpenaiChat, Dialect::AnthropicMessages] {
            prop_assert_eq!(whole(&events(dialect, &quirks, &bytes)), None);
        }
        let error: WireError = openai_chat::read_error(&bytes);
        prop_assert!(error.message.chars().count() <= 1_001);
        prop_assert!(openai_chat::read_reply(&bytes, &quirks).is_err());
        prop_assert!(anthropic_messages::read_reply(&bytes).is_err());
    }
}
