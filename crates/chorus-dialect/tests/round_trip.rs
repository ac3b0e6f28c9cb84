//! Everything that each dialect can express survives being written and read: requests, replies, and
//! streams cut anywhere.

use std::collections::BTreeMap;

use chorus_core::catalog::{Form, Quirks, ReasoningForm};
use chorus_core::llm::{
    Assembler, CacheHint, Content, FinishReason, Image, ImageSource, Message, Reasoning, Reply,
    Request, Role, Sampling, StreamEvent, Tool, ToolCall, ToolChoice, ToolResult, Usage,
};
use chorus_dialect::{anthropic_messages, openai_chat};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::json;

/// A server that takes everything the dialect can express.
fn form() -> Form {
    Form {
        reasoning: ReasoningForm::Object,
        reasoning_field: "reasoning".into(),
        max_effort: "max".into(),
        cache_control: true,
        top_k: true,
        ..Form::default()
    }
}

fn words() -> impl Strategy<Value = String> {
    "[a-zA-Zéß世\"\\\\\n<>/{}: ]{1,24}"
}

fn cache() -> impl Strategy<Value = Option<CacheHint>> {
    option::weighted(
        0.2,
        option::of(Just("1h".to_owned())).prop_map(|ttl| CacheHint { ttl }),
    )
}

fn said() -> impl Strategy<Value = Content> {
    let text = (words(), cache()).prop_map(|(text, cache)| Content::Text {
        text,
        cache,
        extra: BTreeMap::new(),
    });
    let inline = ImageSource::Inline {
        media_type: "image/png".into(),
        base64: "aGk=".into(),
    };
    let source = prop_oneof![
        Just(inline),
        Just(ImageSource::Url {
            url: "https://example.com/a.png".into()
        })
    ];
    prop_oneof![4 => text, 1 => source.prop_map(|source| Content::Image(Image { source, detail: None }))]
}

fn thinking() -> impl Strategy<Value = Content> {
    let sealed = Just(Content::Reasoning {
        text: String::new(),
        signature: None,
        redacted: Some("c2VhbGVk".into()),
    });
    prop_oneof![
        words().prop_map(|text| Content::Reasoning {
            text,
            signature: Some("c2ln".into()),
            redacted: None
        }),
        sealed
    ]
}

fn calls() -> impl Strategy<Value = Vec<ToolCall>> {
    vec((words(), "[a-z_]{1,8}"), 0..3).prop_map(|calls| {
        let call = |(index, (value, name)): (usize, (String, String))| ToolCall {
            id: format!("call_{index}"),
            name,
            arguments: json!({ "value": value, "n": index }).to_string(),
        };
        calls.into_iter().enumerate().map(call).collect()
    })
}

/// An answer of a model: thinking, then a text, then calls; never nothing.
fn answer() -> impl Strategy<Value = Vec<Content>> {
    (vec(thinking(), 0..3), option::of(words()), calls()).prop_map(|(mut pieces, text, calls)| {
        let text = text.or_else(|| calls.is_empty().then(|| "…".to_owned()));
        pieces.extend(text.map(Content::text));
        pieces.extend(calls.into_iter().map(Content::ToolCall));
        pieces
    })
}

/// A question, its answer, and the results of the calls in it.
fn exchange() -> impl Strategy<Value = Vec<Message>> {
    (vec(said(), 1..4), answer()).prop_map(|(question, answer)| {
        let message = |role, content| Message {
            role,
            content,
            extra: BTreeMap::new(),
        };
        let result = |piece: &Content| match piece {
            Content::ToolCall(call) => Some(Content::ToolResult(ToolResult {
                call_id: call.id.clone(),
                content: vec![Content::text("done")],
                is_error: false,
            })),
            _ => None,
        };
        let results: Vec<Content> = answer.iter().filter_map(result).collect();
        let closing = if results.is_empty() {
            None
        } else {
            Some(message(Role::User, results))
        };
        let rest = closing.into_iter().flat_map(|results| {
            [
                results,
                message(Role::Assistant, vec![Content::text("I see.")]),
            ]
        });
        [
            message(Role::User, question),
            message(Role::Assistant, answer),
        ]
        .into_iter()
        .chain(rest)
        .collect()
    })
}

fn tools() -> impl Strategy<Value = (Vec<Tool>, Option<ToolChoice>, Option<bool>)> {
    let tool = Tool {
        name: "look".into(),
        description: Some("Looks.".into()),
        parameters: json!({ "type": "object", "properties": { "value": { "type": "string" } } }),
        strict: None,
        extra: BTreeMap::new(),
    };
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::Required),
        Just(ToolChoice::Named {
            name: "look".into()
        })
    ];
    let with = (choice, option::of(any::<bool>()))
        .prop_map(move |(choice, parallel)| (vec![tool.clone()], Some(choice), parallel));
    prop_oneof![Just((Vec::new(), None, None)), with]
}

fn sampling() -> impl Strategy<Value = Sampling> {
    (
        1u32..9000,
        option::of(0u8..=4),
        option::of(1u8..=4),
        option::of(1u32..100),
        vec("[A-Z]{1,4}", 0..3),
    )
        .prop_map(|(max_tokens, temperature, top_p, top_k, stop)| Sampling {
            max_tokens: Some(max_tokens),
            temperature: temperature.map(|quarters| f64::from(quarters) / 4.0),
            top_p: top_p.map(|quarters| f64::from(quarters) / 4.0),
            top_k,
            stop,
            ..Sampling::default()
        })
}

prop_compose! {
    fn requests()(
        system in option::of((words(), cache())),
        exchanges in vec(exchange(), 1..4),
        (tools, tool_choice, parallel_tool_calls) in tools(),
        sampling in sampling(),
        thinks in any::<bool>(),
        stream in any::<bool>(),
    ) -> Request {
        let mut request = Request {
            model: "m".into(),
            system: system.map(|(text, cache)| Content::Text { text, cache, extra: BTreeMap::new() }).into_iter().collect(),
            messages: exchanges.into_iter().flatten().collect(),
            tools, tool_choice, parallel_tool_calls, sampling, stream,
            ..Request::default()
        };
        if thinks {
            request.sampling = Sampling { max_tokens: Some(9000), stop: request.sampling.stop, ..Sampling::default() };
            request.tool_choice = request.tool_choice.map(|_| ToolChoice::Auto);
            request.reasoning = Some(Reasoning { effort: None, max_tokens: Some(2048), enabled: Some(true) });
        }
        request
    }
}

prop_compose! {
    fn replies()(
        content in answer(),
        finish in prop_oneof![Just(FinishReason::Stop), Just(FinishReason::Length), Just(FinishReason::ToolCalls)],
        (input, cache_read, cache_write, output) in (0u64..999, 0u64..999, 0u64..999, 0u64..999),
        reasoning in 0u64..99,
    ) -> Reply {
        let usage = Usage { input, cache_read, cache_write, output: output + reasoning, reasoning, is_estimated: false };
        Reply { id: "r1".into(), model: "m".into(), content, finish: Some(finish), usage: Some(usage), extra: BTreeMap::new() }
    }
}

fn assembled(events: Vec<StreamEvent>) -> (bool, Reply) {
    let mut assembler = Assembler::new();
    events.into_iter().for_each(|event| assembler.push(event));
    let ended = assembler.ended();
    let mut reply = assembler.finish();
    reply.extra.clear();
    (ended, reply)
}

fn pieces<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts
        .iter()
        .map(|cut| cut % (bytes.len() + 1))
        .chain([0, bytes.len()])
        .collect();
    cuts.sort_unstable();
    cuts.windows(2)
        .map(|pair| &bytes[pair[0]..pair[1]])
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_request_survives_every_dialect(request in requests()) {
        let openai = openai_chat::write_request(&request, &form()).to_string();
        prop_assert_eq!(&openai_chat::read_request(openai.as_bytes()).expect("a request"), &request);
        let anthropic = anthropic_messages::write_request(&request).to_string();
        prop_assert_eq!(&anthropic_messages::read_request(anthropic.as_bytes()).expect("a request"), &request);
    }

    #[test]
    fn a_reply_survives_every_dialect(reply in replies()) {
        let openai = openai_chat::write_reply(&reply, "reasoning").to_string();
        let mut read = openai_chat::read_reply(openai.as_bytes(), &Quirks::default()).expect("a reply");
        read.extra.clear();
        prop_assert_eq!(&read, &reply);
        let anthropic = anthropic_messages::write_reply(&reply).to_string();
        prop_assert_eq!(&anthropic_messages::read_reply(anthropic.as_bytes()).expect("a reply"), &reply);
    }

    #[test]
    fn a_stream_survives_every_dialect_and_every_cut(reply in replies(), cuts in vec(0usize..10_000, 0..8)) {
        let mut writer = openai_chat::StreamWriter::new("reasoning_content", true);
        let bytes: Vec<u8> = reply.clone().into_events().into_iter().flat_map(|event| writer.write(event)).collect();
        let mut reader = openai_chat::StreamReader::new(&Quirks::default());
        let mut events: Vec<StreamEvent> = pieces(&bytes, &cuts).into_iter().flat_map(|piece| reader.push(piece)).collect();
        events.extend(reader.close());
        prop_assert_eq!(assembled(events), (true, reply.clone()));

        let mut writer = anthropic_messages::StreamWriter::new();
        let bytes: Vec<u8> = reply.clone().into_events().into_iter().flat_map(|event| writer.write(event)).collect();
        let mut reader = anthropic_messages::StreamReader::new();
        let mut events: Vec<StreamEvent> = pieces(&bytes, &cuts).into_iter().flat_map(|piece| reader.push(piece)).collect();
        events.extend(reader.close());
        prop_assert_eq!(assembled(events), (true, reply));
    }

    #[test]
    fn no_bytes_make_a_reader_panic(bytes in vec(any::<u8>(), 0..200), text in "(data: |event: |[{}\\[\\]\":,a-z0-9]|\n){0,60}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let mut openai = openai_chat::StreamReader::new(&Quirks::default());
            let mut anthropic = anthropic_messages::StreamReader::new();
            let count = openai.push(bytes).len() + openai.close().len() + anthropic.push(bytes).len() + anthropic.close().len();
            prop_assert!(count <= bytes.len() + 4);
            prop_assert!(openai_chat::read_request(bytes).is_err() && anthropic_messages::read_request(bytes).is_err());
            prop_assert!(openai_chat::read_reply(bytes, &Quirks::default()).is_err() && anthropic_messages::read_reply(bytes).is_err());
        }
    }
}
