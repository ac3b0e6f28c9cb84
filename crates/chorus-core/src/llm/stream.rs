//! An answer as a stream of events, and the [`Assembler`] that makes a [`Reply`] out of them.

use serde::{Deserialize, Serialize};

use super::{Content, Extra, FinishReason, Reply, ToolCall, Usage};

/// One event of a streamed answer. An index names the content piece and never falls from event to
/// event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum StreamEvent {
    /// The answer begins.
    Start {
        /// Id that the provider gave the answer.
        id: String,
        /// Model that answers, as the provider names it.
        model: String,
    },
    /// More text of a piece.
    Text {
        /// Index of the content piece.
        index: u32,
        /// Text to be appended.
        delta: String,
    },
    /// More thinking of a piece.
    Reasoning {
        /// Index of the content piece.
        index: u32,
        /// Thinking to be appended.
        delta: String,
    },
    /// Part of the signature of a thinking piece.
    Signature {
        /// Index of the content piece.
        index: u32,
        /// Signature, or more of it.
        delta: String,
    },
    /// A whole encrypted thinking piece.
    Redacted {
        /// Index of the content piece.
        index: u32,
        /// Encrypted thinking, opaque.
        value: String,
    },
    /// A function call begins.
    ToolStart {
        /// Index of the content piece.
        index: u32,
        /// Id that the provider gave the call.
        id: String,
        /// Name of the function.
        name: String,
    },
    /// More arguments of a function call.
    ToolArguments {
        /// Index of the content piece.
        index: u32,
        /// JSON text, cut anywhere.
        delta: String,
    },
    /// More text of a refusal.
    Refusal {
        /// Index of the content piece.
        index: u32,
        /// Text to be appended.
        delta: String,
    },
    /// Counts so far; each replaces the one before.
    Usage(Usage),
    /// Reason why the answer ends.
    Finish(FinishReason),
    /// The provider reports an error in the middle of the stream.
    Error {
        /// Name of the error, for instance `overloaded_error`.
        kind: String,
        /// Message of the provider.
        message: String,
    },
    /// Fields or pieces that have no name here, by their wire name.
    Extra(Extra),
    /// The end of a whole stream; a stream that was cut has none.
    End,
}

/// State of a streamed answer that is put together.
#[derive(Debug, Clone, Default)]
pub struct Assembler {
    reply: Reply,
    pieces: Vec<(u32, Content)>,
    ended: bool,
}

impl Assembler {
    /// Starts with nothing received.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one more event.
    pub fn push(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Start { id, model } => {
                self.reply.id = id;
                self.reply.model = model;
            }
            StreamEvent::Text { index, delta } => match self.piece(index, || Content::text("")) {
                Content::Text { text, .. } => text.push_str(&delta),
                other => *other = Content::text(delta),
            },
            StreamEvent::Reasoning { index, delta } => {
                self.reasoning(index, |text, _, _| text.push_str(&delta));
            }
            StreamEvent::Signature { index, delta } => {
                self.reasoning(index, |_, signature, _| {
                    signature.get_or_insert_default().push_str(&delta);
                });
            }
            StreamEvent::Redacted { index, value } => {
                self.reasoning(index, |_, _, redacted| *redacted = Some(value));
            }
            StreamEvent::ToolStart { index, id, name } => {
                *self.piece(index, || Content::text("")) = Content::ToolCall(ToolCall {
                    id,
                    name,
                    arguments: String::new(),
                });
            }
            StreamEvent::ToolArguments { index, delta } => {
                let empty = || {
                    Content::ToolCall(ToolCall {
                        id: String::new(),
                        name: String::new(),
                        arguments: String::new(),
                    })
                };
                if let Content::ToolCall(call) = self.piece(index, empty) {
                    call.arguments.push_str(&delta);
                }
            }
            StreamEvent::Refusal { index, delta } => {
                if let Content::Refusal { text } = self.piece(index, || Content::Refusal {
                    text: String::new(),
                }) {
                    text.push_str(&delta);
                }
            }
            StreamEvent::Usage(usage) => self.reply.usage = Some(usage),
            StreamEvent::Finish(reason) => self.reply.finish = Some(reason),
            StreamEvent::Error { kind, message } => {
                self.reply.extra.insert(
                    "error".into(),
                    serde_json::json!({ "type": kind, "message": message }),
                );
            }
            StreamEvent::Extra(extra) => self.reply.extra.extend(extra),
            StreamEvent::End => self.ended = true,
        }
    }

    /// Returns true if [`StreamEvent::End`] was received.
    pub const fn ended(&self) -> bool {
        self.ended
    }

    /// Returns the answer received so far.
    pub fn finish(mut self) -> Reply {
        self.reply.content = self.pieces.into_iter().map(|(_, piece)| piece).collect();
        self.reply
    }

    fn piece(&mut self, index: u32, empty: impl FnOnce() -> Content) -> &mut Content {
        let at = match self.pieces.binary_search_by_key(&index, |(at, _)| *at) {
            Ok(at) => at,
            Err(at) => {
                self.pieces.insert(at, (index, empty()));
                at
            }
        };
        &mut self.pieces[at].1
    }

    fn reasoning(
        &mut self,
        index: u32,
        change: impl FnOnce(&mut String, &mut Option<String>, &mut Option<String>),
    ) {
        let empty = || Content::Reasoning {
            text: String::new(),
            signature: None,
            redacted: None,
        };
        if let Content::Reasoning {
            text,
            signature,
            redacted,
        } = self.piece(index, empty)
        {
            change(text, signature, redacted);
        }
    }
}

impl Reply {
    /// Returns the events that would have streamed this answer; an [`Assembler`] makes the same
    /// answer of them.
    pub fn into_events(self) -> Vec<StreamEvent> {
        let mut events = vec![StreamEvent::Start {
            id: self.id,
            model: self.model,
        }];
        for (index, piece) in (0..).zip(self.content) {
            events.extend(piece_events(index, piece));
        }
        if !self.extra.is_empty() {
            events.push(StreamEvent::Extra(self.extra));
        }
        events.extend(self.finish.map(StreamEvent::Finish));
        events.extend(self.usage.map(StreamEvent::Usage));
        events.push(StreamEvent::End);
        events
    }
}

fn piece_events(index: u32, piece: Content) -> Vec<StreamEvent> {
    match piece {
        Content::Text { text, .. } => vec![StreamEvent::Text { index, delta: text }],
        Content::Reasoning {
            text,
            signature,
            redacted,
        } => {
            let text = (redacted.is_none() || !text.is_empty())
                .then_some(StreamEvent::Reasoning { index, delta: text });
            let signature = signature.map(|delta| StreamEvent::Signature { index, delta });
            let redacted = redacted.map(|value| StreamEvent::Redacted { index, value });
            text.into_iter().chain(signature).chain(redacted).collect()
        }
        Content::ToolCall(call) => vec![
            StreamEvent::ToolStart {
                index,
                id: call.id,
                name: call.name,
            },
            StreamEvent::ToolArguments {
                index,
                delta: call.arguments,
            },
        ],
        Content::Refusal { text } => vec![StreamEvent::Refusal { index, delta: text }],
        Content::Image(_) | Content::ToolResult(_) | Content::Unknown { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn piece() -> impl Strategy<Value = Content> {
        let text = "[a-zé{}\"]{0,8}";
        prop_oneof![
            text.prop_map(Content::text),
            (text, prop::option::of("[A-Z]{1,4}")).prop_map(|(text, signature)| {
                Content::Reasoning {
                    text,
                    signature,
                    redacted: None,
                }
            }),
            "[A-Z]{1,6}".prop_map(|redacted| Content::Reasoning {
                text: String::new(),
                signature: None,
                redacted: Some(redacted),
            }),
            ("[a-z]{1,4}", "[a-z]{1,4}", text).prop_map(|(id, name, arguments)| {
                Content::ToolCall(ToolCall {
                    id,
                    name,
                    arguments,
                })
            }),
            text.prop_map(|text| Content::Refusal { text }),
        ]
    }

    fn reply() -> impl Strategy<Value = Reply> {
        let usage = prop::option::of((0u64..99).prop_map(|output| Usage {
            output,
            ..Usage::default()
        }));
        let finish = prop::option::of(prop_oneof![
            Just(FinishReason::Stop),
            Just(FinishReason::Length),
            "[a-z]{1,5}".prop_map(FinishReason::Other),
        ]);
        (prop::collection::vec(piece(), 0..6), usage, finish).prop_map(
            |(content, usage, finish)| Reply {
                id: "r1".into(),
                model: "m".into(),
                content,
                finish,
                usage,
                extra: Extra::new(),
            },
        )
    }

    fn assembled(events: impl IntoIterator<Item = StreamEvent>) -> Assembler {
        let mut assembler = Assembler::new();
        events.into_iter().for_each(|event| assembler.push(event));
        assembler
    }

    #[test]
    fn a_delta_of_another_kind_never_spoils_a_function_call() {
        let call = |arguments: &str| {
            Content::ToolCall(ToolCall {
                id: "c1".into(),
                name: "look".into(),
                arguments: arguments.into(),
            })
        };
        let mut events = vec![StreamEvent::ToolStart {
            index: 3,
            id: "c1".into(),
            name: "look".into(),
        }];
        events.push(StreamEvent::ToolArguments {
            index: 3,
            delta: "{\"a\":".into(),
        });
        events.push(StreamEvent::Refusal {
            index: 3,
            delta: "no".into(),
        });
        events.push(StreamEvent::Signature {
            index: 3,
            delta: "S".into(),
        });
        let reply = assembled(events).finish();
        assert_eq!(reply.content, [call("{\"a\":")]);
    }

    #[test]
    fn an_error_in_the_stream_is_kept_and_the_stream_is_not_whole() {
        let assembler = assembled([
            StreamEvent::Text {
                index: 0,
                delta: "half".into(),
            },
            StreamEvent::Error {
                kind: "overloaded_error".into(),
                message: "try later".into(),
            },
        ]);
        assert!(!assembler.ended());
        let reply = assembler.finish();
        assert_eq!(reply.text(), "half");
        assert_eq!(reply.extra["error"]["type"], "overloaded_error");
        assert_eq!(reply.finish, None);
    }

    #[test]
    fn a_reply_is_read_by_kind_of_piece() {
        let reply = Reply {
            content: vec![
                Content::Reasoning {
                    text: "hm".into(),
                    signature: None,
                    redacted: None,
                },
                Content::text("one "),
                Content::text("two"),
                Content::Refusal {
                    text: "not this".into(),
                },
            ],
            ..Reply::default()
        };
        assert_eq!(
            (
                reply.text().as_str(),
                reply.reasoning().as_str(),
                reply.refusal()
            ),
            ("one two", "hm", Some("not this"))
        );
        assert_eq!(reply.tool_calls().count(), 0);
    }

    proptest! {
        #[test]
        fn an_answer_survives_being_streamed(reply in reply()) {
            let assembler = assembled(reply.clone().into_events());
            prop_assert!(assembler.ended());
            prop_assert_eq!(assembler.finish(), reply);
        }

        #[test]
        fn a_cut_stream_gives_the_beginning_of_the_answer(reply in reply(), at in 0usize..20) {
            let events = reply.clone().into_events();
            let at = at.min(events.len() - 1);
            let assembler = assembled(events[..at].to_vec());
            prop_assert!(!assembler.ended());
            let cut = assembler.finish();
            prop_assert!(reply.text().starts_with(&cut.text()));
            prop_assert!(reply.reasoning().starts_with(&cut.reasoning()));
            prop_assert!(cut.content.len() <= reply.content.len());
        }

        #[test]
        fn events_and_replies_survive_json(reply in reply()) {
            let text = serde_json::to_string(&reply).expect("a reply is JSON");
            prop_assert_eq!(&serde_json::from_str::<Reply>(&text).expect("it is read back"), &reply);
            let events = reply.into_events();
            let text = serde_json::to_string(&events).expect("events are JSON");
            prop_assert_eq!(serde_json::from_str::<Vec<StreamEvent>>(&text).expect("they are read back"), events);
        }
    }
}
