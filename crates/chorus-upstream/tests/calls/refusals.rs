//! Refusals: each provider's signals and what they mean.

use chorus_core::failure::FailureClass;
use chorus_core::limit::Dimension;
use chorus_core::port::Upstream as _;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Millis;

use crate::server::Server;
use crate::{SECRET, bounded, call_of, request, send, upstream_at};

type Headers = &'static [(&'static str, &'static str)];

async fn check(
    provider: &str,
    status: u16,
    headers: Headers,
    body: &'static str,
    class: FailureClass,
) -> CallFailure {
    let server = Server::fixed(status, headers, body).await;
    let failure = send(provider, &server, request(false))
        .await
        .expect_err("a refusal");
    assert_eq!(
        (failure.class, failure.status),
        (class, Some(status)),
        "{provider} {status} {body}"
    );
    failure
}

#[tokio::test]
async fn anthropics_refusals_are_told_apart() {
    let rate = check(
        "sim-anthropic",
        429,
        &[("retry-after", "17"), ("anthropic-ratelimit-output-tokens-limit", "8000"), ("anthropic-ratelimit-output-tokens-remaining", "0")],
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your rate limit"}}"#,
        FailureClass::RateWindow,
    )
    .await;
    assert_eq!(rate.retry_after, Some(Millis(17_000)));
    assert_eq!(
        (
            rate.levels[0].dimension,
            rate.levels[0].remaining,
            rate.levels[0].rounded_to
        ),
        (Dimension::OutputTokens, Some(0), 1000)
    );
    let ramp = r#"{"error":{"type":"rate_limit_error","message":"exceeds your organization's acceleration limit"}}"#;
    check("sim-anthropic", 429, &[], ramp, FailureClass::Ramp).await;
    let spend = r#"{"error":{"type":"rate_limit_error","message":"m","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    let spend = check("sim-anthropic", 429, &[], spend, FailureClass::Spend).await;
    assert_eq!(spend.kind.as_deref(), Some("enforced_spend_limit_reached"));
    let capped = r#"{"error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits."}}"#;
    check("sim-anthropic", 400, &[], capped, FailureClass::Spend).await;
    check(
        "sim-anthropic",
        400,
        &[],
        r#"{"error":{"type":"invalid_request_error","message":"bad"}}"#,
        FailureClass::Request,
    )
    .await;
    check(
        "sim-anthropic",
        529,
        &[],
        r#"{"error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        FailureClass::Overload,
    )
    .await;
    check(
        "sim-anthropic",
        401,
        &[],
        r#"{"error":{"type":"authentication_error","message":"invalid x-api-key"}}"#,
        FailureClass::Auth,
    )
    .await;
    check(
        "sim-anthropic",
        404,
        &[],
        r#"{"error":{"type":"not_found_error","message":"model: x"}}"#,
        FailureClass::Forbidden,
    )
    .await;
    check(
        "sim-anthropic",
        413,
        &[],
        r#"{"error":{"type":"request_too_large","message":"m"}}"#,
        FailureClass::Request,
    )
    .await;
    check(
        "sim-anthropic",
        500,
        &[],
        r#"{"error":{"type":"api_error","message":"m"}}"#,
        FailureClass::Transient,
    )
    .await;
}

#[tokio::test]
async fn openais_refusals_are_told_apart() {
    let rate = check(
        "sim-openai",
        429,
        &[("x-ratelimit-limit-tokens", "40000"), ("x-ratelimit-remaining-tokens", "12"), ("x-ratelimit-reset-tokens", "6m0s"), ("retry-after-ms", "250"), ("retry-after", "1")],
        r#"{"error":{"message":"Rate limit reached. Limit 40000, Used 39988. Please try again in 5.289s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        FailureClass::RateWindow,
    )
    .await;
    assert_eq!(
        (rate.retry_after, rate.levels[0].remaining),
        (Some(Millis(250)), Some(12))
    );
    let spoken = r#"{"error":{"message":"Please try again in 5.289s.","type":"requests","code":"rate_limit_exceeded"}}"#;
    assert_eq!(
        check("sim-openai", 429, &[], spoken, FailureClass::RateWindow)
            .await
            .retry_after,
        Some(Millis(5289))
    );
    check(
        "sim-openai",
        429,
        &[],
        r#"{"error":{"message":"m","type":"rate_limit_error","code":"slow_down"}}"#,
        FailureClass::Ramp,
    )
    .await;
    check(
        "sim-openai",
        429,
        &[],
        r#"{"error":{"message":"m","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
        FailureClass::Spend,
    )
    .await;
    check(
        "sim-openai",
        429,
        &[],
        r#"{"error":{"message":"on requests per day (RPD): Limit 200","type":"requests","code":"rate_limit_exceeded"}}"#,
        FailureClass::QuotaDay,
    )
    .await;
    check(
        "sim-openai",
        503,
        &[],
        r#"{"error":{"message":"m","type":"server_error","code":"server_is_overloaded"}}"#,
        FailureClass::Overload,
    )
    .await;
    check(
        "sim-openai",
        500,
        &[("x-should-retry", "false")],
        "{}",
        FailureClass::Request,
    )
    .await;
    check(
        "sim-openai",
        302,
        &[("location", "http://127.0.0.1:1/")],
        "",
        FailureClass::Transient,
    )
    .await;
}

#[tokio::test]
async fn deepseeks_refusals_are_told_apart() {
    check(
        "sim-deepseek",
        429,
        &[],
        r#"{"error":{"message":"Too many requests","type":"rate_limit_error"}}"#,
        FailureClass::Concurrency,
    )
    .await;
    check(
        "sim-deepseek",
        402,
        &[],
        r#"{"error":{"message":"Insufficient Balance"}}"#,
        FailureClass::Spend,
    )
    .await;
    check("sim-deepseek", 503, &[], "busy", FailureClass::Overload).await;
    check("sim-deepseek", 418, &[], "teapot", FailureClass::Transient).await;
}

#[tokio::test]
async fn a_server_that_is_not_there_is_passing_trouble() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("a free port");
    let address = listener.local_addr().expect("its address");
    drop(listener);
    let (upstream, _clock) = upstream_at(&format!("http://{address}"));
    let failure = bounded(upstream.send(call_of("sim-openai", request(true))))
        .await
        .expect_err("nobody is there");
    assert_eq!(
        (failure.class, failure.kind.as_deref(), failure.status),
        (FailureClass::Transient, Some("unreachable"), None)
    );
    assert!(!failure.message.contains(&address.to_string()), "{failure}");
}

#[tokio::test]
async fn a_secret_that_a_provider_repeats_is_blotted_out() {
    let body = r#"{"error":{"message":"Incorrect API key provided: sk-test-0123456789.","code":"invalid_api_key"}}"#;
    let failure = check("sim-openai", 401, &[], body, FailureClass::Auth).await;
    let shown = format!("{failure} {failure:?}");
    assert!(
        shown.contains("[secret]") && !shown.contains(SECRET),
        "{shown}"
    );
}

#[tokio::test]
async fn a_huge_error_is_told_shortly() {
    let server = Server::fixed(500, &[], "x".repeat(3 << 20)).await;
    let failure = send("sim-openai", &server, request(false))
        .await
        .expect_err("a refusal");
    assert!(
        failure.message.len() < 3_000,
        "{} bytes",
        failure.message.len()
    );
}

#[tokio::test]
async fn a_forbidden_address_is_never_called() {
    for base_url in [
        "http://10.1.2.3/v1",
        "https://169.254.169.254/latest",
        "ftp://127.0.0.1",
        "",
    ] {
        let (upstream, _clock) = upstream_at(base_url);
        let failure = bounded(upstream.send(call_of("sim-openai", request(false))))
            .await
            .expect_err("refused");
        assert_eq!(
            (failure.class, failure.kind.as_deref(), failure.sent_at),
            (FailureClass::Auth, Some("address"), None),
            "{base_url:?}"
        );
    }
}
