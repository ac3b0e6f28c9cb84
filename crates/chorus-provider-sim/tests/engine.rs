//! Tests of the engine in process: limits are exact, headers agree with them, and the wire text is
//! as recorded.

use std::collections::BTreeMap;

use bytes::Bytes;
use chorus_provider_sim::config::{
    Dialect, Limits, ModelConfig, OrganisationConfig, OrganisationStatus, ProviderConfig, Service,
};
use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use chorus_provider_sim::engine::journal::Outcome;
use chorus_provider_sim::engine::{Delivery, End, HttpRequest, Providers, Scripted};
use chorus_provider_sim::{Config, config};
use proptest::prelude::*;
use serde_json::{Value, json};

fn limits(requests: u64, input: u64, output: u64) -> Limits {
    Limits {
        requests_per_minute: Some(requests),
        input_tokens_per_minute: Some(input),
        output_tokens_per_minute: Some(output),
        ..Limits::default()
    }
}

fn providers(dialect: Dialect, limits: Limits, faults: Vec<FaultRule>) -> Providers {
    let organisation = |id: &str, keys: &[&str], status| OrganisationConfig {
        id: id.to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        speed: 1.0,
        limits,
        groups: BTreeMap::new(),
        status,
    };
    let model = |id: &str| ModelConfig {
        id: id.to_owned(),
        group: Some("m".into()),
        context: 3_000,
        max_output: 500,
        thinks: true,
    };
    Providers::new(Config {
        seed: 3,
        speed: 1.0,
        providers: vec![ProviderConfig {
            name: "p".into(),
            dialect,
            models: vec![model("m-1"), model("m-2")],
            organisations: vec![
                organisation(
                    "org-a",
                    &["key-of-a-first", "key-of-a-second"],
                    OrganisationStatus::Good,
                ),
                organisation("org-b", &["key-of-b"], OrganisationStatus::Unpaid),
                organisation("org-c", &["key-of-c"], OrganisationStatus::Capped),
                organisation("org-d", &["key-of-d"], OrganisationStatus::Revoked),
            ],
            service: Service {
                jitter_percent: 0,
                ..Service::default()
            },
        }],
        faults,
        omissions: Vec::new(),
        journal: None,
    })
}

fn request(dialect: Dialect, key: &str, body: &Value) -> HttpRequest {
    let (path, headers) = match dialect {
        Dialect::Anthropic => (
            "/p/v1/messages",
            vec![
                ("x-api-key", key.to_owned()),
                ("anthropic-version", "2023-06-01".to_owned()),
            ],
        ),
        Dialect::Openai | Dialect::Deepseek => (
            "/p/v1/chat/completions",
            vec![("Authorization", format!("Bearer {key}"))],
        ),
    };
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
        body: Bytes::from(body.to_string()),
    }
}

fn ask(model: &str, words: usize, stream: bool) -> Value {
    json!({"model": model, "max_tokens": 100, "stream": stream, "messages": [{"role": "user", "content": "word ".repeat(words)}]})
}

fn header<'a>(scripted: &'a Scripted, name: &str) -> Option<&'a str> {
    scripted
        .headers
        .iter()
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.as_str())
}

fn body(scripted: &Scripted) -> String {
    scripted
        .chunks
        .iter()
        .map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn two_keys_and_two_models_of_one_organisation_never_pass_its_limits(
        calls in proptest::collection::vec((0_u64..9_000, 1_usize..120, any::<bool>(), any::<bool>(), any::<bool>()), 1..60),
        requests in 2_u64..20,
        input in 100_u64..900,
    ) {
        let mut sim = providers(Dialect::Anthropic, limits(requests, input, 100_000), Vec::new());
        let mut now = 1_000_000;
        let mut admitted: Vec<(u64, u64)> = Vec::new();
        for (passed, words, first_key, first_model, abort) in calls {
            now += passed;
            let key = if first_key { "key-of-a-first" } else { "key-of-a-second" };
            let model = if first_model { "m-1" } else { "m-2" };
            let scripted = sim.handle(now, &request(Dialect::Anthropic, key, &ask(model, words, false)));
            let left: u64 = header(&scripted, "anthropic-ratelimit-requests-remaining").expect("a header").parse().expect("a number");
            prop_assert!(left < requests || scripted.status == 429);
            if let Some(call) = scripted.call {
                let input = sim.journal().get(call).expect("a line").input_tokens;
                admitted.push((now, input));
                sim.finished(now, call, if abort { Delivery::Bytes(0) } else { Delivery::All });
            } else {
                prop_assert_eq!(scripted.status, 429);
                prop_assert!(header(&scripted, "retry-after").is_some());
            }
        }
        for first in 0..admitted.len() {
            let (start, mut calls, mut tokens) = (admitted[first].0, 0_u64, 0_u64);
            for (at, used) in &admitted[first..] {
                calls += 1;
                tokens += used;
                let span = at - start;
                prop_assert!(calls * 60_000 <= requests * (60_000 + span));
                prop_assert!(tokens * 60_000 <= input * (60_000 + span));
            }
        }
        for count in sim.counts() {
            prop_assert!(count.limits.iter().all(|peak| peak.peak <= peak.limit), "{count:?}");
        }
    }

    #[test]
    fn waiting_as_long_as_openai_asks_is_enough(words in 10_usize..300, tokens in 120_u64..400) {
        let limits = Limits { tokens_per_minute: Some(tokens), requests_per_minute: Some(500), ..Limits::default() };
        let mut sim = providers(Dialect::Openai, limits, Vec::new());
        let call = request(Dialect::Openai, "key-of-a-first", &ask("m-1", words, false));
        let mut now = 5_000;
        let refused = loop {
            let scripted = sim.handle(now, &call);
            if scripted.status == 429 {
                break scripted;
            }
            now += 10;
        };
        match header(&refused, "retry-after-ms").map(|wait| wait.parse::<u64>().expect("a number")) {
            Some(wait) if !body(&refused).contains("Request too large") => {
                let status = sim.handle(now + wait, &call).status;
                prop_assert_eq!(status, 200);
            }
            _ => prop_assert!(body(&refused).contains("Request too large")),
        }
    }
}

#[test]
fn output_is_charged_while_it_is_produced_and_max_tokens_is_not_reserved() {
    let mut sim = providers(Dialect::Anthropic, limits(100, 100_000, 100), Vec::new());
    let call = request(Dialect::Anthropic, "key-of-a-first", &ask("m-1", 5, false));
    let first = sim.handle(0, &call);
    assert_eq!(
        first.status, 200,
        "a limit of 100 admits max_tokens of 100 and more at once"
    );
    assert_eq!(sim.handle(0, &call).status, 200);
    let produced = sim
        .journal()
        .get(first.call.expect("a call"))
        .expect("a line")
        .output_tokens;
    let end: u64 = first.chunks.iter().map(|chunk| chunk.delay_ms).sum();
    let later = sim.handle(end, &call);
    let left: u64 = header(&later, "anthropic-ratelimit-output-tokens-remaining")
        .expect("a header")
        .parse()
        .expect("a number");
    let peak = sim.counts()[0].limits[2];
    assert!(
        left < 100 && peak.peak >= produced,
        "{left} {peak:?} {produced}"
    );
}

#[test]
fn deepseek_counts_calls_in_flight_until_they_end_or_the_grace_is_over() {
    let mut sim = providers(
        Dialect::Deepseek,
        Limits {
            concurrency: Some(1),
            ..Limits::default()
        },
        Vec::new(),
    );
    let call = request(Dialect::Deepseek, "key-of-a-first", &ask("m-1", 5, false));
    let first = sim.handle(0, &call).call.expect("a call");
    let refused = sim.handle(1, &call);
    assert_eq!(refused.status, 429);
    assert!(
        body(&refused)
            .contains("Your current concurrency is 2, which exceeds your concurrency limit of 1."),
        "{}",
        body(&refused)
    );
    sim.finished(10, first, Delivery::Bytes(0));
    assert_eq!(sim.handle(1_009, &call).status, 429, "it still generates");
    let second = sim.handle(1_010, &call).call.expect("the grace is over");
    sim.finished(2_000, second, Delivery::All);
    assert_eq!(sim.handle(2_000, &call).status, 200);
}

/// Dialect, key, model, words of the prompt, and the status and text of the error.
type ErrorRow = (
    Dialect,
    &'static str,
    &'static str,
    usize,
    u16,
    &'static str,
);

const ERRORS: [ErrorRow; 13] = [
    (
        Dialect::Anthropic,
        "no-such-key",
        "m-1",
        5,
        401,
        r#""type":"authentication_error","message":"invalid x-api-key""#,
    ),
    (
        Dialect::Anthropic,
        "key-of-b",
        "m-1",
        5,
        402,
        r#""type":"billing_error""#,
    ),
    (
        Dialect::Anthropic,
        "key-of-c",
        "m-1",
        5,
        400,
        "You have reached your specified API usage limits",
    ),
    (
        Dialect::Anthropic,
        "key-of-a-first",
        "m-9",
        5,
        404,
        r#""type":"not_found_error","message":"model: m-9""#,
    ),
    (
        Dialect::Anthropic,
        "key-of-a-first",
        "m-1",
        4_000,
        400,
        "prompt is too long: 4005 tokens > 3000 maximum",
    ),
    (
        Dialect::Openai,
        "key-of-d-long",
        "m-1",
        5,
        401,
        "Incorrect API key provided: key-of-d*long.",
    ),
    (
        Dialect::Openai,
        "key-of-b",
        "m-1",
        5,
        429,
        r#""type":"insufficient_quota","param":null,"code":"insufficient_quota""#,
    ),
    (
        Dialect::Openai,
        "key-of-a-first",
        "m-9",
        5,
        404,
        r#""code":"model_not_found""#,
    ),
    (
        Dialect::Openai,
        "key-of-a-first",
        "m-1",
        4_000,
        400,
        r#""code":"context_length_exceeded""#,
    ),
    (
        Dialect::Deepseek,
        "sk-nobody-fcc2",
        "m-1",
        5,
        401,
        "Authentication Fails, Your api key: ****fcc2 is invalid",
    ),
    (
        Dialect::Deepseek,
        "key-of-b",
        "m-1",
        5,
        402,
        r#"{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}"#,
    ),
    (
        Dialect::Deepseek,
        "key-of-a-first",
        "m-9",
        5,
        400,
        "Model Not Exist",
    ),
    (
        Dialect::Deepseek,
        "key-of-a-first",
        "m-1",
        3_000,
        400,
        "However, you requested 3105 tokens (3005 in the messages, 100 in the completion).",
    ),
];

#[test]
fn errors_have_the_recorded_status_and_message() {
    for (dialect, key, model, words, status, text) in ERRORS {
        let mut sim = providers(dialect, Limits::default(), Vec::new());
        let scripted = sim.handle(0, &request(dialect, key, &ask(model, words, false)));
        assert_eq!(scripted.status, status, "{}", body(&scripted));
        assert!(
            body(&scripted).contains(text),
            "{} lacks {text}",
            body(&scripted)
        );
        assert_eq!(
            sim.journal()
                .entries()
                .next()
                .map(|entry| (entry.outcome, entry.status)),
            Some((Outcome::Refused, status))
        );
        assert!(
            !sim.journal().lines().contains(key),
            "the journal shows a key"
        );
    }
}

#[test]
fn streams_begin_and_end_as_recorded() {
    let stream = |dialect| {
        body(
            &providers(dialect, Limits::default(), Vec::new())
                .handle(0, &request(dialect, "key-of-a-first", &ask("m-1", 5, true))),
        )
    };
    let names = |text: &str| {
        let mut names: Vec<String> = text
            .lines()
            .filter_map(|line| line.strip_prefix("event: "))
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    };
    assert_eq!(
        names(&stream(Dialect::Anthropic)),
        [
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let deepseek = stream(Dialect::Deepseek);
    assert!(
        deepseek.contains(r#""delta":{"role":"assistant","content":null,"reasoning_content":""}"#),
        "{deepseek}"
    );
    assert!(
        deepseek.contains(r#""finish_reason":"stop"}],"usage":{"prompt_tokens":"#)
            && deepseek.ends_with("data: [DONE]\n\n"),
        "{deepseek}"
    );
    let openai = stream(Dialect::Openai);
    assert!(
        openai.contains(r#""delta":{"role":"assistant","content":"","refusal":null}"#)
            && !openai.contains("usage"),
        "{openai}"
    );
}

#[test]
fn a_slow_deepseek_keeps_calls_alive_with_comments_or_empty_lines() {
    for (stream, comment) in [(true, ": keep-alive\n\n"), (false, "\n")] {
        let mut sim = providers(
            Dialect::Deepseek,
            Limits::default(),
            vec![FaultRule {
                factor: 50,
                ..FaultRule::always(Fault::Slow)
            }],
        );
        let scripted = sim.handle(
            0,
            &request(Dialect::Deepseek, "key-of-a-first", &ask("m-1", 5, stream)),
        );
        assert_eq!(scripted.chunks[0].bytes, comment);
        assert_eq!(scripted.chunks[0].delay_ms, 5_000);
    }
}

#[test]
fn the_same_calls_meet_the_same_faults_in_any_order() {
    let rule = FaultRule {
        permille: 500,
        ..FaultRule::always(Fault::ServerError)
    };
    let statuses = |order: &mut dyn Iterator<Item = usize>| -> BTreeMap<usize, u16> {
        let mut sim = providers(Dialect::Openai, Limits::default(), vec![rule.clone()]);
        order
            .map(|words| {
                (
                    words,
                    sim.handle(
                        0,
                        &request(Dialect::Openai, "key-of-a-first", &ask("m-1", words, false)),
                    )
                    .status,
                )
            })
            .collect()
    };
    let (forward, backward) = (statuses(&mut (1..60)), statuses(&mut (1..60).rev()));
    assert_eq!(forward, backward);
    let failed = forward.values().filter(|status| **status == 500).count();
    assert!((10..50).contains(&failed), "{failed}");
}

#[test]
fn faults_in_the_content_come_as_asked_by_a_marker() {
    for (name, dialect, wanted) in [
        ("empty", Dialect::Openai, r#""content":"""#),
        ("refusal", Dialect::Anthropic, r#""stop_reason":"refusal""#),
        (
            "length",
            Dialect::Anthropic,
            r#""stop_reason":"max_tokens""#,
        ),
        ("prose", Dialect::Deepseek, "Certainly."),
        ("overloaded", Dialect::Anthropic, "overloaded_error"),
    ] {
        let mut sim = providers(dialect, Limits::default(), Vec::new());
        let body_in = json!({"model": "m-1", "max_tokens": 100, "messages": [{"role": "user", "content": format!("Hello. [[sim:{name}]]")}]});
        let scripted = sim.handle(0, &request(dialect, "key-of-a-first", &body_in));
        assert!(
            body(&scripted).contains(wanted),
            "{name}: {}",
            body(&scripted)
        );
        assert_eq!(
            sim.journal()
                .entries()
                .next()
                .and_then(|entry| entry.fault.clone())
                .as_deref(),
            Some(name)
        );
    }
    let mut sim = providers(
        Dialect::Openai,
        Limits::default(),
        vec![FaultRule::always(Fault::Hang)],
    );
    assert_eq!(
        sim.handle(
            0,
            &request(Dialect::Openai, "key-of-a-first", &ask("m-1", 5, false))
        )
        .end,
        End::Hang
    );
}

#[test]
fn the_demo_has_at_least_six_organisations_of_three_providers_and_its_keys_are_known() {
    let demo = config::demo(1);
    let text = serde_json::to_string(&demo.config).expect("a configuration can be written");
    assert_eq!(
        serde_json::from_str::<Config>(&text).expect("and read"),
        demo.config
    );
    let organisations: Vec<_> = demo
        .config
        .providers
        .iter()
        .flat_map(|provider| &provider.organisations)
        .collect();
    assert!(organisations.len() >= 6 && demo.config.providers.len() == 3);
    for account in &demo.accounts {
        let mut sim = Providers::new(demo.config.clone());
        let anthropic = account.provider == "anthropic";
        let path = format!(
            "{}{}",
            account.path,
            if anthropic {
                "/v1/messages"
            } else {
                "/chat/completions"
            }
        );
        let headers = vec![
            ("x-api-key".to_owned(), account.key.clone()),
            ("anthropic-version".to_owned(), "2023-06-01".to_owned()),
            (
                "authorization".to_owned(),
                format!("Bearer {}", account.key),
            ),
        ];
        let body_in = Bytes::from(ask(&account.models[0], 5, true).to_string());
        let scripted = sim.handle(
            0,
            &HttpRequest {
                method: "POST".into(),
                path,
                headers,
                body: body_in,
            },
        );
        assert_eq!(scripted.status, 200, "{account:?} {}", body(&scripted));
    }
}

#[test]
fn an_admin_key_reads_the_limits_of_its_organisation_and_makes_no_call() {
    let read = |dialect, path: &str, key: &str| {
        let request = HttpRequest {
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: vec![("authorization".to_owned(), format!("Bearer {key}"))],
            body: Bytes::new(),
        };
        let scripted = providers(dialect, limits(5, 700, 90), Vec::new()).handle(0, &request);
        let bytes = scripted.chunks[0].bytes.clone();
        let body: Value = serde_json::from_slice(&bytes).expect("JSON");
        (scripted.status, body["data"].clone())
    };
    let groups = "/p/v1/organizations/rate_limits";
    let (status, data) = read(Dialect::Anthropic, groups, "admin-org-a");
    assert_eq!((status, &data[0]["models"]), (200, &json!(["m-1", "m-2"])));
    assert_eq!(data[0]["limits"][1]["value"], 700);
    assert_eq!(read(Dialect::Anthropic, groups, "key-of-a-first").0, 401);
    let models = "/p/v1/organization/projects/web/rate_limits";
    let (_, data) = read(Dialect::Openai, models, "admin-org-a");
    assert_eq!(data[1]["max_requests_per_1_minute"], 5);
}
