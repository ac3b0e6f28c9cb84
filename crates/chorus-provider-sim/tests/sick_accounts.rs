//! Tests of accounts that are sick in one way each: the bytes of every fault, its bounds in count
//! and time, and the account that stays well beside it.

use std::collections::BTreeMap;
use std::io::Read as _;

use bytes::Bytes;
use chorus_provider_sim::Config;
use chorus_provider_sim::config::{
    Dialect, Limits, ModelConfig, OrganisationConfig, OrganisationStatus, ProviderConfig, Service,
};
use chorus_provider_sim::engine::fault::{Fault, FaultRule};
use chorus_provider_sim::engine::{End, HttpRequest, Providers, Scripted};
use serde_json::{Value, json};

const SICK: &str = "key-of-the-sick";
const WELL: &str = "key-of-the-well";
const DIALECTS: [Dialect; 3] = [Dialect::Anthropic, Dialect::Openai, Dialect::Deepseek];

fn providers(dialect: Dialect, faults: Vec<FaultRule>) -> Providers {
    let organisation = |id: &str, key: &str, status| OrganisationConfig {
        id: id.to_owned(),
        keys: vec![key.to_owned()],
        speed: 1.0,
        limits: Limits::default(),
        groups: BTreeMap::new(),
        status,
    };
    let model = ModelConfig {
        id: "m".to_owned(),
        group: None,
        context: 30_000,
        max_output: 500,
        thinks: false,
    };
    Providers::new(Config {
        seed: 3,
        speed: 2.0,
        providers: vec![ProviderConfig {
            name: "p".into(),
            dialect,
            models: vec![model],
            organisations: vec![
                organisation("org-sick", SICK, OrganisationStatus::Good),
                organisation("org-well", WELL, OrganisationStatus::Good),
                organisation("org-gone", "key-of-the-gone", OrganisationStatus::Revoked),
            ],
            service: Service::default(),
        }],
        faults,
        omissions: Vec::new(),
        journal: None,
    })
}

fn headers(dialect: Dialect, key: &str) -> Vec<(String, String)> {
    match dialect {
        Dialect::Anthropic => vec![
            ("x-api-key".to_owned(), key.to_owned()),
            ("anthropic-version".to_owned(), "2023-06-01".to_owned()),
        ],
        Dialect::Openai | Dialect::Deepseek => {
            vec![("authorization".to_owned(), format!("Bearer {key}"))]
        }
    }
}

fn ask(sim: &mut Providers, dialect: Dialect, key: &str, now_ms: u64, stream: bool) -> Scripted {
    let path = match dialect {
        Dialect::Anthropic => "/p/v1/messages",
        Dialect::Openai | Dialect::Deepseek => "/p/v1/chat/completions",
    };
    let body = json!({"model": "m", "max_tokens": 100, "stream": stream, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Explain tides in a few plain sentences."}]});
    sim.handle(
        now_ms,
        &HttpRequest {
            method: "POST".into(),
            path: path.into(),
            headers: headers(dialect, key),
            body: Bytes::from(body.to_string()),
        },
    )
}

fn models(sim: &mut Providers, dialect: Dialect, key: &str) -> u16 {
    let request = HttpRequest {
        method: "GET".into(),
        path: "/p/v1/models".into(),
        headers: headers(dialect, key),
        body: Bytes::new(),
    };
    sim.handle(0, &request).status
}

fn header<'a>(scripted: &'a Scripted, name: &str) -> Option<&'a str> {
    let found = scripted.headers.iter().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str())
}

fn bytes(scripted: &Scripted) -> Vec<u8> {
    let chunks = scripted.chunks.iter();
    chunks.flat_map(|chunk| chunk.bytes.to_vec()).collect()
}

fn text(scripted: &Scripted) -> String {
    String::from_utf8_lossy(&bytes(scripted)).into_owned()
}

fn of_the_sick(fault: Fault) -> FaultRule {
    FaultRule {
        organisation: Some("org-sick".to_owned()),
        ..FaultRule::always(fault)
    }
}

/// Compares status and a part of the body of one fault in every dialect, and demands that the
/// other account is served.
fn check(fault: Fault, stream: bool, status: u16, part: &str) -> [Scripted; 3] {
    DIALECTS.map(|dialect| {
        let mut sim = providers(dialect, vec![of_the_sick(fault)]);
        let scripted = ask(&mut sim, dialect, SICK, 1_000_000, stream);
        assert_eq!(scripted.status, status, "{fault:?} at {dialect:?}");
        let found = text(&scripted);
        assert!(found.contains(part), "{fault:?} at {dialect:?}: {found}");
        let well = ask(&mut sim, dialect, WELL, 1_000_000, stream);
        assert_eq!(well.status, 200, "{fault:?} at {dialect:?}");
        assert_eq!(well.end, End::Close, "{fault:?} at {dialect:?}");
        scripted
    })
}

#[test]
fn refusals_have_the_status_and_the_body_of_their_fault() {
    check(Fault::Forbidden, true, 403, "error");
    for scripted in check(Fault::Page, true, 200, "<html>") {
        assert_eq!(
            header(&scripted, "content-type"),
            Some("text/html; charset=utf-8")
        );
    }
    check(Fault::PageForbidden, true, 403, "<html>");
    check(Fault::PageFailed, false, 502, "<html>");
    for scripted in check(Fault::Redirect, true, 308, "") {
        assert!(header(&scripted, "location").is_some());
    }
    check(Fault::Enveloped, true, 200, r#"{"code":429,"msg":"#);
    check(Fault::EmptyError, false, 200, r#"{"error":""}"#);
}

#[test]
fn a_wait_stands_only_where_the_fault_puts_it() {
    let cases = [
        (Fault::RateLimitUntold, "Rate limit exceeded"),
        (Fault::WaitInBody, r#""X-RateLimit-Reset":"1002400""#),
        (Fault::WaitInText, "try again in 2.4s"),
    ];
    for (fault, part) in cases {
        for scripted in check(fault, true, 429, part) {
            let waits = scripted
                .headers
                .iter()
                .filter(|(name, _)| name.starts_with("retry-after") || name.contains("ratelimit"));
            assert_eq!(waits.count(), 0, "{fault:?}");
        }
    }
}

#[test]
fn one_completion_stands_in_the_place_of_a_stream() {
    for scripted in check(Fault::JsonAsStream, true, 200, "\"usage\"") {
        let kind = header(&scripted, "content-type");
        assert_eq!(kind, Some("text/event-stream; charset=utf-8"));
        serde_json::from_slice::<Value>(&bytes(&scripted)).expect("one JSON object");
    }
    for scripted in check(Fault::JsonWithDone, true, 200, "}data: [DONE]") {
        assert!(header(&scripted, "content-type").is_some());
    }
    for scripted in check(Fault::Untyped, true, 200, "\"usage\"") {
        assert_eq!(header(&scripted, "content-type"), None);
    }
}

#[test]
fn a_compressed_reply_is_the_same_reply() {
    for dialect in DIALECTS {
        let mut plain = providers(dialect, Vec::new());
        let mut packed = providers(dialect, vec![of_the_sick(Fault::Gzip)]);
        let expected = text(&ask(&mut plain, dialect, SICK, 0, true));
        let scripted = ask(&mut packed, dialect, SICK, 0, true);
        assert_eq!(header(&scripted, "content-encoding"), Some("gzip"));
        let mut found = String::new();
        flate2::read::GzDecoder::new(&bytes(&scripted)[..])
            .read_to_string(&mut found)
            .expect("whole gzip");
        assert_eq!(found, expected, "{dialect:?}");
    }
}

#[test]
fn streams_end_as_their_fault_demands() {
    for scripted in check(Fault::EmptyStream, true, 200, "") {
        assert_eq!(text(&scripted), "");
    }
    check(
        Fault::UnreadableChunk,
        true,
        200,
        "data: {\"id\": \"\u{fffd}",
    );
    check(Fault::UnknownFinish, true, 200, "tide_turned");
    for scripted in check(Fault::ForeignLength, false, 200, "") {
        let found = text(&scripted).to_lowercase();
        assert!(found.contains("max_tokens") || found.contains("max_output_tokens"));
    }
    for scripted in check(Fault::WithoutDone, true, 200, "") {
        let found = text(&scripted);
        assert_eq!(scripted.end, End::Cut);
        assert!(!found.contains("[DONE]") && !found.contains("\"type\":\"message_stop\"}"));
        assert!(found.contains("\"stop\"") || found.contains("end_turn"));
    }
    for scripted in check(Fault::ErrorEvent, true, 200, "\"error\"") {
        assert_eq!(scripted.end, End::Died);
    }
}

#[test]
fn usage_of_zero_and_thoughts_alone_stand_in_a_good_reply() {
    for scripted in check(Fault::ZeroUsage, false, 200, "tokens\":0") {
        assert!(!text(&scripted).contains("tokens\":1"));
    }
    let mut sim = providers(Dialect::Deepseek, vec![of_the_sick(Fault::OnlyThoughts)]);
    let whole = text(&ask(&mut sim, Dialect::Deepseek, SICK, 0, false));
    assert!(whole.contains("\"content\":null,\"reasoning_content\":\""));
}

#[test]
fn a_fault_is_bounded_in_count_and_in_provider_time() {
    let dialect = Dialect::Openai;
    let statuses = |rule: FaultRule, times: &[u64]| -> Vec<u16> {
        let mut sim = providers(dialect, vec![rule]);
        let mut status = |at: &u64| ask(&mut sim, dialect, SICK, *at, true).status;
        times.iter().map(&mut status).collect()
    };
    let twice = FaultRule {
        times: Some(2),
        ..of_the_sick(Fault::ServerError)
    };
    assert_eq!(statuses(twice, &[0, 0, 0]), [500, 500, 200]);
    // Twice as fast as a real provider: a real second is two of the provider.
    let between = FaultRule {
        from_ms: Some(2_000),
        until_ms: Some(4_000),
        ..of_the_sick(Fault::ServerError)
    };
    assert_eq!(
        statuses(between, &[500, 1_499, 1_500, 2_499, 2_500]),
        [200, 200, 500, 500, 200]
    );
}

#[test]
fn the_list_of_models_is_refused_to_dead_keys_and_by_rules_of_its_own_kind() {
    for dialect in DIALECTS {
        let mut sim = providers(dialect, vec![of_the_sick(Fault::DeadKey)]);
        assert_eq!(
            models(&mut sim, dialect, SICK),
            200,
            "only calls are refused"
        );
        assert_eq!(models(&mut sim, dialect, "key-of-the-gone"), 401);
        assert_eq!(models(&mut sim, dialect, "key-of-a-stranger"), 401);
        let rule = FaultRule {
            kind: Some("models".to_owned()),
            ..of_the_sick(Fault::Page)
        };
        let mut sim = providers(dialect, vec![rule]);
        let request = HttpRequest {
            method: "GET".into(),
            path: "/p/v1/models".into(),
            headers: headers(dialect, SICK),
            body: Bytes::new(),
        };
        assert!(text(&sim.handle(0, &request)).contains("<html>"));
        assert_eq!(models(&mut sim, dialect, WELL), 200);
    }
}
