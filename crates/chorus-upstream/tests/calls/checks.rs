//! Checks of keys: the living, the dead, and addresses at which no provider answers.

use axum::body::Body as AxumBody;
use axum::extract::Request;
use axum::response::Response;
use chorus_vault::{KeyCheck, KeyChecker as _, LimitsQuery, Liveness, Secret};
use tokio::net::TcpListener;

use crate::server::{Server, answer};
use crate::{DEADLINE, SECRET, bounded, upstream_at};

const PAGE: &str = "<!DOCTYPE html><title>Welcome to nginx!</title>";
const MODELS: &str = r#"{"object":"list","data":[{"id":"m"}]}"#;

async fn check(base_url: &str) -> Liveness {
    let (upstream, _clock) = upstream_at(base_url);
    let catalog = chorus_upstream::catalog::load();
    let provider = catalog.provider(&"sim-openai".into()).expect("a row");
    let secret = Secret::new(SECRET);
    let check = KeyCheck {
        provider,
        secret: &secret,
        base_url: Some(base_url),
        deadline: DEADLINE,
    };
    bounded(upstream.check_key(check)).await
}

/// Name of the result, and its reason.
fn named(liveness: Liveness) -> (&'static str, String) {
    let (name, reason) = match liveness {
        Liveness::Alive => ("alive", String::new()),
        Liveness::Dead { reason } => ("dead", reason),
        Liveness::Unknown { reason } => ("unknown", reason),
        Liveness::WrongAddress { reason, .. } => ("elsewhere", reason),
    };
    assert!(!reason.contains(SECRET), "{reason}");
    (name, reason)
}

#[tokio::test]
async fn a_check_tells_the_living_from_the_dead() {
    let error = r#"{"error":{"message":"words with sk-test-0123456789"}}"#;
    let broke = r#"{"error":{"message":"Insufficient Balance"}}"#;
    for (status, body, expected) in [
        (200, MODELS, "alive"),
        (200, r#"{"data":{"label":"key"}}"#, "alive"),
        (200, "[]", "alive"),
        (429, error, "alive"),
        (401, error, "dead"),
        (403, error, "dead"),
        (200, r#"{"error":{"message":"invalid api key"}}"#, "dead"),
        (402, broke, "unknown"),
        (500, error, "unknown"),
        (503, PAGE, "unknown"),
        (403, PAGE, "unknown"),
        (404, error, "unknown"),
        (200, "OK", "unknown"),
        (200, PAGE, "elsewhere"),
    ] {
        let server = Server::fixed(status, &[], body).await;
        let (found, reason) = named(check(&server.base_url).await);
        assert_eq!(found, expected, "{status} {body}: {reason}");
        assert_eq!(server.seen()[0].path, "/v1/models");
    }
}

#[tokio::test]
async fn a_redirect_is_named_and_the_key_does_not_follow_it() {
    let target = Server::fixed(200, &[], MODELS).await;
    let location = target.base_url.clone();
    let server = Server::new(move || {
        let mut response = answer(301, &[], AxumBody::empty());
        let value = location.parse().expect("a header value");
        response.headers_mut().insert("location", value);
        response
    })
    .await;
    let (found, reason) = named(check(&server.base_url).await);
    assert_eq!(found, "elsewhere");
    assert!(reason.contains(&target.base_url), "{reason}");
    assert!(target.seen().is_empty());
}

/// A server with its API under `/v1`, and this status for everything else.
async fn api_under_v1(status: u16, body: &'static str) -> (String, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let base_url = format!("http://{}", listener.local_addr().expect("its address"));
    let app = axum::Router::new().fallback(move |request: Request| async move {
        let response: Response = match request.uri().path() {
            "/v1/models" => answer(200, &[], AxumBody::from(MODELS)),
            _ => answer(status, &[], AxumBody::from(body)),
        };
        response
    });
    let task = tokio::spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    (base_url, task)
}

#[tokio::test]
async fn the_address_of_the_api_is_proposed_where_a_page_or_nothing_answers() {
    for (status, body) in [(200, PAGE), (404, PAGE), (404, r#"{"detail":"Not Found"}"#)] {
        let (root, task) = api_under_v1(status, body).await;
        let expected = Some(format!("{root}/v1"));
        for base_url in [root.clone(), format!("{root}/v1/chat/completions")] {
            let Liveness::WrongAddress { reason, proposal } = check(&base_url).await else {
                panic!("{status} {body} passed at {base_url}")
            };
            assert_eq!(proposal, expected, "{status} {body}: {reason}");
        }
        assert_eq!(check(&format!("{root}/v1")).await, Liveness::Alive);
        task.abort();
    }
}

async fn limits(provider: &str, base_url: &str, project: Option<&str>) -> Result<usize, String> {
    let (upstream, _clock) = upstream_at(base_url);
    let catalog = chorus_upstream::catalog::load();
    let secret = Secret::new(SECRET);
    let query = LimitsQuery {
        provider: catalog.provider(&provider.into()).expect("a row"),
        secret: &secret,
        base_url: Some(base_url),
        project,
        deadline: DEADLINE,
    };
    let reported = bounded(upstream.read_limits(query)).await?;
    Ok(reported.iter().map(|reported| reported.levels.len()).sum())
}

#[tokio::test]
async fn limits_are_read_at_the_providers_api_and_a_refusal_never_shows_the_key() {
    let list = r#"{"data":[{"models":["m"],"limits":[{"type":"requests_per_minute","value":5}]},{"models":null,"limits":[]}]}"#;
    let server = Server::fixed(200, &[], list).await;
    assert_eq!(limits("sim-anthropic", &server.base_url, None).await, Ok(1));
    assert_eq!(
        limits("sim-anthropic", &server.base_url, Some("w1")).await,
        Ok(1)
    );
    let paths: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    let organizations = "/v1/organizations";
    let expected = [
        format!("{organizations}/rate_limits"),
        format!("{organizations}/workspaces/w1/rate_limits"),
    ];
    assert_eq!(paths, expected);

    let refused = format!(r#"{{"error":{{"message":"no admin key: {SECRET}"}}}}"#);
    let server = Server::fixed(403, &[], refused).await;
    let reason = limits("sim-openai", &server.base_url, Some("proj")).await;
    let reason = reason.expect_err("refused");
    assert!(
        reason.contains("answered 403: no admin key") && !reason.contains(SECRET),
        "{reason}"
    );
    let server = Server::fixed(200, &[], "<title>Sign in</title>").await;
    let reason = limits("sim-anthropic", &server.base_url, None).await;
    assert_eq!(reason, Err("the list of limits cannot be read".to_owned()));
    let reason = limits("compatible", &server.base_url, None).await;
    assert_eq!(
        reason,
        Err("the provider tells no limits by its API".to_owned())
    );
}

#[tokio::test]
async fn a_list_of_limits_without_an_end_is_given_up() {
    let list = r#"{"data":[],"next_page":"again"}"#;
    let server = Server::fixed(200, &[], list).await;
    let reason = limits("sim-anthropic", &server.base_url, None).await;
    assert!(reason.expect_err("endless").contains("more than 50 pages"));
}
