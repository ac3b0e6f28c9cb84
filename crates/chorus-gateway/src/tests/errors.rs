//! Errors that no handler makes: routes, methods, sizes, deadlines, and the store's failures.

use std::sync::Arc;

use chorus_core::time::Millis;
use http::Method;

use super::failing_store::{DRIVER_TEXT, FailingStore};
use super::fixture::{Fixture, request};

#[tokio::test(start_paused = true)]
async fn an_unknown_address_is_named_as_such() {
    let gateway = Fixture::open().gateway();
    for path in [
        "/",
        "/v1",
        "/v1/project",
        "/v1/projects/x/y",
        "/v2/projects",
    ] {
        gateway.get(path).await.expect_error(404, "no_such_route");
    }
    let keyed = Fixture::new().gateway();
    keyed
        .get("/nothing")
        .await
        .expect_error(404, "no_such_route");
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_no_id_is_no_project() {
    let gateway = Fixture::open().gateway();
    for id in ["x", "prj_1", "tsk_00000000000000000000000000000001"] {
        let reply = gateway.get(&format!("/v1/projects/{id}")).await;
        let error = reply.expect_error(404, "no_such_project");
        assert_eq!(error["message"], format!("there is no project {id}"));
    }
    let broken = gateway.get("/v1/projects/%FF").await;
    broken.expect_error(400, "malformed_request");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_method_is_answered_with_the_right_ones() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let cases = [
        (Method::DELETE, "/v1/projects".to_owned(), "GET,HEAD,POST"),
        (Method::POST, format!("/v1/projects/{id}"), "GET,HEAD"),
        (Method::GET, format!("/v1/projects/{id}/cancel"), "POST"),
        (Method::PUT, "/openapi.json".to_owned(), "GET,HEAD"),
    ];
    for (method, path, allowed) in cases {
        let reply = gateway.send(request(method, &path, &[], "")).await;
        reply.expect_error(405, "method_not_allowed");
        let mut methods: Vec<&str> = reply
            .header("allow")
            .expect("the header Allow")
            .split(',')
            .collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_above_the_bound_is_refused_whole() {
    let mut fixture = Fixture::open();
    fixture.settings.bounds.body = 1000;
    let gateway = fixture.gateway();
    let brief = "x".repeat(1000);
    let json = format!("{{\"brief\": \"{brief}\"}}");
    gateway
        .post("/v1/projects", &json)
        .await
        .expect_error(413, "too_large");
    let multipart = format!(
        "--b\r\ncontent-disposition: form-data; name=\"brief\"\r\n\r\n{brief}\r\n--b--\r\n"
    );
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    let reply = gateway
        .send(request(Method::POST, "/v1/projects", &headers, multipart))
        .await;
    reply.expect_error(413, "too_large");
    let id = fixture.project("home").await;
    let reject = format!("/v1/projects/{id}/reject");
    gateway
        .post(&reject, &json)
        .await
        .expect_error(413, "too_large");
}

#[tokio::test(start_paused = true)]
async fn a_request_that_takes_too_long_is_answered_at_its_deadline() {
    let mut fixture = Fixture::open();
    fixture.ports.projects = Arc::new(FailingStore::Silent);
    fixture.settings.deadline = Millis::from_secs(7);
    let began = fixture.ports.clock.now();
    let reply = fixture.gateway().get("/v1/projects").await;
    reply.expect_error(503, "timed_out");
    assert_eq!(reply.header("retry-after"), Some("2"));
    let took = fixture.ports.clock.now().since(began);
    assert_eq!(took, Millis::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn no_reply_repeats_the_text_of_the_driver() {
    for (store, code) in [
        (FailingStore::Unavailable, "store_unavailable"),
        (FailingStore::Broken, "store_broken"),
    ] {
        let mut fixture = Fixture::open();
        let id = fixture.project("home").await;
        let project = format!("/v1/projects/{id}");
        fixture.ports.deliveries = Arc::new(store);
        let gateway = fixture.gateway();
        let replies = [
            gateway.get(&project).await,
            gateway.get(&format!("{project}/report")).await,
        ];
        fixture.ports.artifacts = Arc::new(store);
        let submitted = fixture
            .gateway()
            .post("/v1/projects", r#"{"brief": "x"}"#)
            .await;
        fixture.ports.projects = Arc::new(store);
        let gateway = fixture.gateway();
        let more = [
            submitted,
            gateway.get("/v1/projects").await,
            gateway.post(&format!("{project}/pause"), "").await,
        ];
        for reply in replies.into_iter().chain(more) {
            reply.expect_error(503, code);
            assert!(!reply.text().contains(DRIVER_TEXT), "{}", reply.text());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_keeps_its_own_id_and_others_get_one() {
    let gateway = Fixture::open().gateway();
    let headers = [("x-request-id", "client-7")];
    let error = gateway
        .get_with("/nothing", &headers)
        .await
        .expect_error(404, "no_such_route");
    assert_eq!(error["request_id"], "client-7");
    let reply = gateway.get_with("/v1/projects", &headers).await;
    assert_eq!(reply.header("x-request-id"), Some("client-7"));
    let made: Vec<String> = [
        gateway.get("/v1/projects").await,
        gateway
            .get_with("/v1/projects", &[("x-request-id", "two words")])
            .await,
    ]
    .iter()
    .map(|reply| reply.header("x-request-id").expect("an id").to_owned())
    .collect();
    assert!(made.iter().all(|id| id.starts_with("req_")), "{made:?}");
    assert_ne!(made[0], made[1]);
}
