//! Error bodies of every family, read without and with a status.

use chorus_core::time::{Millis, Timestamp};
use proptest::prelude::*;

use super::*;

fn check(body: &str, kind: Option<&str>, code: Option<&str>, message: &str, wait: Option<Wait>) {
    let error = WireError::read(body.as_bytes());
    let found = (
        error.kind.as_deref(),
        error.code.as_deref(),
        &*error.message,
    );
    assert_eq!(found, (kind, code, message), "{body}");
    assert_eq!(error.wait, wait, "{body}");
}

fn seconds(wait: u64) -> Option<Wait> {
    Some(Wait::For(Millis(wait * 1000)))
}

#[test]
fn each_family_of_error_bodies_is_read() {
    check(
        r#"{"error":{"message":"Rate limit. Please try again in 5.289s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        Some("tokens"),
        Some("rate_limit_exceeded"),
        "Rate limit. Please try again in 5.289s.",
        Some(Wait::For(Millis(5_289))),
    );
    check(
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#,
        Some("rate_limit_error"),
        Some("enforced_spend_limit_reached"),
        "m",
        None,
    );
    check(
        r#"[{"error":{"code":429,"message":"q","status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"38.2s"}]}}]"#,
        Some("RESOURCE_EXHAUSTED"),
        Some("429"),
        "q",
        Some(Wait::For(Millis(38_200))),
    );
    check(
        r#"{"error":{"message":"Rate limit exceeded","code":429,"metadata":{"headers":{"X-RateLimit-Reset":"1764403242000"}}}}"#,
        None,
        Some("429"),
        "Rate limit exceeded",
        Some(Wait::Until(Timestamp(1_764_403_242_000))),
    );
    check(
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"m is temporarily rate-limited upstream, retry after 3","provider_name":"x"}}}"#,
        None,
        Some("429"),
        "Provider returned error: m is temporarily rate-limited upstream, retry after 3",
        seconds(3),
    );
}

#[test]
fn envelopes_and_odd_forms_are_read() {
    check(
        r#"{"code":429,"msg":"too many"}"#,
        None,
        Some("429"),
        "too many",
        None,
    );
    check(
        r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
        None,
        Some("1002"),
        "rate limit",
        None,
    );
    check(
        r#"{"detail":[{"loc":["body"],"msg":"field required","type":"missing"}]}"#,
        Some("missing"),
        None,
        "field required",
        None,
    );
    check(
        r#"{"error":"invalid_grant","error_description":"Bad Request"}"#,
        Some("invalid_grant"),
        None,
        "Bad Request",
        None,
    );
    check(
        r#"{"error":{"message":"litellm: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\"}}","code":"500"}}"#,
        Some("overloaded_error"),
        Some("500"),
        "Overloaded",
        None,
    );
    check(
        r#"{"errors":[{"code":7003,"message":"no route"}]}"#,
        None,
        Some("7003"),
        "no route",
        None,
    );
    check(
        r#"{"error":""}"#,
        None,
        None,
        "an error without any text",
        None,
    );
    check(
        r#"{"error":{}}"#,
        None,
        None,
        "an error without any text",
        None,
    );
    check(
        "data: {\"error\":{\"message\":\"Overloaded\",\"type\":\"overloaded_error\"}}\n\n",
        Some("overloaded_error"),
        None,
        "Overloaded",
        None,
    );
    check(
        r#"{"timestamp":"t","status":503,"error":"Service Unavailable","path":"/v1"}"#,
        None,
        None,
        "Service Unavailable",
        None,
    );
}

#[test]
fn prose_and_pages_become_the_message() {
    check(
        "<html><title>502</title><h1>Bad Gateway</h1></html>\n",
        Some(WEB_PAGE),
        None,
        "a web page answered: 502: Bad Gateway",
        None,
    );
    check(
        r#"{"error":"model not loaded"}"#,
        None,
        None,
        "model not loaded",
        None,
    );
    check(r#"{"detail":"Not Found"}"#, None, None, "Not Found", None);
    check(
        "upstream\u{1b}[31m  request\ntimeout",
        None,
        None,
        "upstream [31m request timeout",
        None,
    );
    check("", None, None, "", None);
}

#[test]
fn an_error_without_a_status_line_means_one() {
    let check = |body: &str, expected: Option<u16>| {
        let error = WireError::read(body.as_bytes());
        assert_eq!(error.meant_status(), expected, "{body}");
    };
    check(r#"{"code":429,"msg":"x"}"#, Some(429));
    check(r#"{"code":"503","message":"x"}"#, Some(503));
    check(
        r#"{"error":{"type":"insufficient_quota","message":"x"}}"#,
        Some(402),
    );
    check(
        r#"{"error":{"type":"overloaded_error","message":"x"}}"#,
        Some(503),
    );
    check(
        r#"{"error":{"type":"unknown_error","code":"invalid_request_error","message":"Insufficient Balance"}}"#,
        Some(402),
    );
    check(
        r#"{"error":{"code":"invalid_request_error","message":"bad"}}"#,
        Some(400),
    );
    check(r#"{"msg":"Too many requests, slow down"}"#, Some(429));
    check(r#"{"error":"token expired"}"#, Some(401));
    check(
        r#"{"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#,
        Some(429),
    );
    check(r#"{"error":"model not loaded"}"#, None);
}

#[test]
fn a_reply_is_no_error_and_an_envelope_is_one() {
    let check = |body: &str, expected: bool| {
        let value = serde_json::from_str(body).expect("JSON");
        assert_eq!(WireError::in_reply(&value).is_some(), expected, "{body}");
    };
    check(r#"{"choices":[{"message":{"content":"x"}}]}"#, false);
    check(
        r#"{"choices":[{"message":{"content":"x"}}],"error":null}"#,
        false,
    );
    check(
        r#"{"choices":[{"message":{"content":"x"}}],"error":""}"#,
        false,
    );
    check(r#"{"choices":[],"error":{"message":"x"}}"#, true);
    check(
        r#"{"choices":[{"error":{"code":502,"message":"x"},"message":{}}]}"#,
        true,
    );
    check(r#"{"type":"message","content":[]}"#, false);
    check(r#"{"type":"error","error":{"message":"x"}}"#, true);
    check(r#"{"code":429,"msg":"x"}"#, true);
    check(r#"{"error":""}"#, true);
    check("{}", false);
}

#[test]
fn a_long_message_is_shortened() {
    let error = WireError::read("ü".repeat(5_000).as_bytes());
    assert_eq!(error.message.chars().count(), 1_001);
}

proptest! {
    #[test]
    fn any_bytes_are_read_within_bounds(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let error = WireError::read(&body);
        prop_assert!(error.message.chars().count() <= 1_001);
        let _ = error.meant_status();
    }

    #[test]
    fn any_cut_of_an_error_is_read(body in "(\\{|\\}|\"error\"|:|\"message\"|\"a\"|,|\\[|\\]|\"code\"|429|\"metadata\"|\"raw\"|null){0,40}") {
        let error = WireError::read(body.as_bytes());
        prop_assert!(!error.message.contains('\n'));
        prop_assert!(error.details.len() <= 20_000);
    }
}
