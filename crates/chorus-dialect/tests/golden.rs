//! The golden matrix: every case of `golden/*.json` times every dialect. A case is a file: its
//! input (canonical, or as it stands on one dialect's wire), the canonical form that it must be
//! read into, and a column for each dialect with the expected output. A column not named in `lossy`
//! must also be read back into the same canonical form. Streams are read again for every cut of
//! their bytes.
//!
//! To add a case, write a file with `kind`, `from` and `input` and run `cargo test -p
//! chorus-dialect --test golden -- --ignored`, which fills in the rest; then read the result.

use std::path::{Path, PathBuf};

use chorus_core::catalog::{Dialect, Form, Quirks};
use chorus_core::llm::{Assembler, Reply, Request, StreamEvent};
use chorus_dialect::fit::{Target, fit};
use chorus_dialect::{anthropic_messages, openai_chat};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    about: String,
    kind: Kind,
    from: From,
    input: Value,
    /// Quirks of the model that requests are fitted to; the defaults when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quirks: Option<Quirks>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    form: Option<Form>,
    /// Dialects that have no form for something in this case.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lossy: Vec<Dialect>,
    #[serde(default)]
    canonical: Value,
    #[serde(default)]
    openai_chat: Value,
    #[serde(default)]
    anthropic_messages: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Request,
    Reply,
    Stream,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum From {
    Canonical,
    OpenaiChat,
    AnthropicMessages,
}

const DIALECTS: [Dialect; 2] = [Dialect::OpenaiChat, Dialect::AnthropicMessages];

impl Case {
    /// Returns the case with the canonical form and one column for each dialect filled in.
    fn work_out(&self) -> Self {
        let mut case = self.clone();
        match self.kind {
            Kind::Request => self.requests(&mut case),
            Kind::Reply => {
                let reply = match self.dialect() {
                    None => serde_json::from_value(self.input.clone()).expect("a canonical reply"),
                    Some(dialect) => self.read_reply(dialect, &self.input),
                };
                case.canonical = json!(reply);
                case.openai_chat = openai_chat::write_reply(&reply, "reasoning_content");
                case.anthropic_messages = anthropic_messages::write_reply(&reply);
            }
            Kind::Stream => {
                let events: Vec<StreamEvent> = match self.dialect() {
                    None => serde_json::from_value(self.input.clone()).expect("canonical pieces"),
                    Some(dialect) => self.read_every_cut(dialect, text_of(&self.input).as_bytes()),
                };
                case.canonical = json!(events);
                let mut openai = openai_chat::StreamWriter::new("reasoning_content", true);
                let mut anthropic = anthropic_messages::StreamWriter::new();
                case.openai_chat = lines_of(
                    events
                        .iter()
                        .cloned()
                        .flat_map(|event| openai.write(event))
                        .collect(),
                );
                case.anthropic_messages = lines_of(
                    events
                        .into_iter()
                        .flat_map(|event| anthropic.write(event))
                        .collect(),
                );
            }
        }
        case
    }

    fn requests(&self, case: &mut Self) {
        let request: Request = match self.dialect() {
            None => serde_json::from_value(self.input.clone()).expect("a canonical request"),
            Some(dialect) => read_request(dialect, &self.input),
        };
        case.canonical = json!(request);
        case.openai_chat = openai_chat::write_request(
            &self.fitted(&request, Dialect::OpenaiChat),
            &self.form.clone().unwrap_or_default(),
        );
        case.anthropic_messages =
            anthropic_messages::write_request(&self.fitted(&request, Dialect::AnthropicMessages));
    }

    fn fitted(&self, request: &Request, dialect: Dialect) -> Request {
        let quirks = self.quirks.clone().unwrap_or_default();
        let form = self.form.clone().unwrap_or_default();
        fit(
            request,
            &Target {
                model: &request.model,
                dialect,
                quirks: &quirks,
                form: &form,
                max_output: 16_000,
            },
        )
    }

    const fn dialect(&self) -> Option<Dialect> {
        match self.from {
            From::Canonical => None,
            From::OpenaiChat => Some(Dialect::OpenaiChat),
            From::AnthropicMessages => Some(Dialect::AnthropicMessages),
        }
    }

    fn column(&self, dialect: Dialect) -> &Value {
        match dialect {
            Dialect::OpenaiChat => &self.openai_chat,
            Dialect::AnthropicMessages => &self.anthropic_messages,
        }
    }

    fn read_reply(&self, dialect: Dialect, wire: &Value) -> Reply {
        let body = wire.to_string();
        match dialect {
            Dialect::OpenaiChat => {
                openai_chat::read_reply(body.as_bytes(), &self.quirks.clone().unwrap_or_default())
            }
            Dialect::AnthropicMessages => anthropic_messages::read_reply(body.as_bytes()),
        }
        .expect("a reply")
    }

    /// Reads a stream in one piece and, for every cut, in two.
    fn read_every_cut(&self, dialect: Dialect, wire: &[u8]) -> Vec<StreamEvent> {
        let whole = self.read_stream(dialect, wire);
        for cut in 0..=wire.len() {
            let (first, rest) = wire.split_at(cut);
            assert_eq!(
                joined(&self.read_pieces(dialect, &[first, rest])),
                joined(&whole),
                "cut at {cut}"
            );
        }
        whole
    }

    /// Reads a stream in one piece and byte by byte.
    fn read_stream(&self, dialect: Dialect, wire: &[u8]) -> Vec<StreamEvent> {
        let whole = self.read_pieces(dialect, &[wire]);
        let bytes: Vec<&[u8]> = wire.chunks(1).collect();
        assert_eq!(
            joined(&self.read_pieces(dialect, &bytes)),
            joined(&whole),
            "byte by byte"
        );
        whole
    }

    fn read_pieces(&self, dialect: Dialect, pieces: &[&[u8]]) -> Vec<StreamEvent> {
        let mut events = Vec::new();
        match dialect {
            Dialect::OpenaiChat => {
                let mut reader =
                    openai_chat::StreamReader::new(&self.quirks.clone().unwrap_or_default());
                pieces
                    .iter()
                    .for_each(|piece| events.extend(reader.push(piece)));
                events.extend(reader.close());
            }
            Dialect::AnthropicMessages => {
                let mut reader = anthropic_messages::StreamReader::new();
                pieces
                    .iter()
                    .for_each(|piece| events.extend(reader.push(piece)));
                events.extend(reader.close());
            }
        }
        events
    }

    /// Returns the value that the column reads back as, and the expected one, as texts.
    fn read_back(&self, dialect: Dialect) -> (String, String) {
        let wire = self.column(dialect);
        match self.kind {
            Kind::Request => {
                let request: Request =
                    serde_json::from_value(self.canonical.clone()).expect("a canonical request");
                shown(
                    &read_request(dialect, wire),
                    &self.fitted(&request, dialect),
                )
            }
            Kind::Reply => {
                let reply: Reply =
                    serde_json::from_value(self.canonical.clone()).expect("a canonical reply");
                shown(&essence(self.read_reply(dialect, wire)), &essence(reply))
            }
            Kind::Stream => {
                let events: Vec<StreamEvent> =
                    serde_json::from_value(self.canonical.clone()).expect("canonical pieces");
                let back = self.read_stream(dialect, text_of(wire).as_bytes());
                let ended = |events: &[StreamEvent]| events.last() == Some(&StreamEvent::End);
                shown(
                    &(ended(&back), essence(assembled(back))),
                    &(ended(&events), essence(assembled(events))),
                )
            }
        }
    }
}

fn shown<T: std::fmt::Debug>(found: &T, expected: &T) -> (String, String) {
    (format!("{found:#?}"), format!("{expected:#?}"))
}

fn read_request(dialect: Dialect, wire: &Value) -> Request {
    let body = wire.to_string();
    match dialect {
        Dialect::OpenaiChat => openai_chat::read_request(body.as_bytes()),
        Dialect::AnthropicMessages => anthropic_messages::read_request(body.as_bytes()),
    }
    .expect("a request")
}

/// Removes the carried-through fields, which belong to their own dialect; everything else must
/// survive every dialect.
fn essence(mut reply: Reply) -> Reply {
    reply.extra.clear();
    reply
}

fn assembled(events: Vec<StreamEvent>) -> Reply {
    let mut assembler = Assembler::new();
    events.into_iter().for_each(|event| assembler.push(event));
    assembler.finish()
}

/// Joins neighbouring texts: a cut through a think tag may cut a text in two.
fn joined(events: &[StreamEvent]) -> Vec<StreamEvent> {
    let mut all: Vec<StreamEvent> = Vec::new();
    for event in events {
        match (all.last_mut(), event) {
            (
                Some(StreamEvent::Text { index: a, delta }),
                StreamEvent::Text {
                    index: b,
                    delta: more,
                },
            ) if a == b => delta.push_str(more),
            (
                Some(StreamEvent::Reasoning { index: a, delta }),
                StreamEvent::Reasoning {
                    index: b,
                    delta: more,
                },
            ) if a == b => {
                delta.push_str(more);
            }
            _ => all.push(event.clone()),
        }
    }
    all
}

/// Streams are kept as lists of lines, so that people can read them.
fn text_of(lines: &Value) -> String {
    let lines: Vec<String> = serde_json::from_value(lines.clone()).expect("a list of lines");
    lines.join("\n")
}

fn lines_of(bytes: Vec<u8>) -> Value {
    let text = String::from_utf8(bytes).expect("UTF-8");
    text.split('\n').collect()
}

fn cases() -> Vec<(String, PathBuf, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path
                .file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned();
            let text = std::fs::read_to_string(&path).expect("a readable case");
            let case =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, path, case)
        })
        .collect();
    cases.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    cases
}

#[test]
fn every_case_is_written_as_expected_in_every_dialect() {
    let cases = cases();
    for (name, _, case) in &cases {
        let worked = case.work_out();
        assert_eq!(worked.canonical, case.canonical, "{name}: canonical");
        for dialect in DIALECTS {
            assert_eq!(
                worked.column(dialect),
                case.column(dialect),
                "{name}: {dialect:?}"
            );
        }
    }
    println!("{} cases in {} dialects", cases.len(), DIALECTS.len());
    assert!(cases.len() >= 25, "only {} cases were found", cases.len());
}

#[test]
fn written_requests_are_read_back_unless_the_dialect_cannot_express_them() {
    let mut wrong = Vec::new();
    for (name, _, case) in cases() {
        for dialect in DIALECTS {
            let (found, expected) = case.read_back(dialect);
            match (found == expected, case.lossy.contains(&dialect)) {
                (false, false) => wrong.push(format!(
                    "{name}: {dialect:?} loses something:\n{found}\ninstead of\n{expected}"
                )),
                (true, true) => wrong.push(format!(
                    "{name}: {dialect:?} is marked lossy and loses nothing"
                )),
                (true, false) | (false, true) => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
#[ignore = "writes the expected columns anew, to be read by a person"]
fn the_matrix_is_written_anew() {
    for (name, path, case) in cases() {
        let worked = serde_json::to_value(case.work_out()).expect("a case");
        let Value::Object(fields) = worked else {
            panic!("{name} is no object")
        };
        let fields: Map<String, Value> = fields
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .collect();
        let text = serde_json::to_string_pretty(&fields).expect("JSON");
        std::fs::write(path, text + "\n").expect("a written case");
    }
}
