//! Keys, scopes, tenants, and gateways without keys.

use std::sync::Arc;
use std::time::Duration;

use chorus_core::time::Millis;
use http::Method;

use super::failing_store::{DRIVER_TEXT, FailingStore};
use super::fixture::{Fixture, TestGateway, request};

const ALL: &str = "projects:read projects:write accounts:read";

async fn list_with(gateway: &TestGateway, key: &str) -> super::fixture::Reply {
    let bearer = format!("Bearer {key}");
    gateway
        .get_with("/v1/projects", &[("authorization", &bearer)])
        .await
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_key_is_asked_for_one() {
    let gateway = Fixture::new().gateway();
    let cases: [&[(&str, &str)]; 4] = [
        &[],
        &[("authorization", "Basic Y2hvcnVzOmNob3J1cw==")],
        &[("authorization", "chorus-sk-without-a-scheme")],
        &[("cookie", "key=chorus-sk-x")],
    ];
    for headers in cases {
        let reply = gateway.get_with("/v1/projects", headers).await;
        reply.expect_error(401, "missing_key");
        assert_eq!(
            reply.header("www-authenticate"),
            Some("Bearer realm=\"chorus\"")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_is_taken_from_either_header() {
    let fixture = Fixture::new();
    let (_, key) = fixture.key("home", ALL, None).await;
    let gateway = fixture.gateway();
    list_with(&gateway, &key).await.expect(200);
    let headers = [("x-api-key", key.as_str())];
    gateway.get_with("/v1/projects", &headers).await.expect(200);
    let head = request(Method::HEAD, "/v1/projects", &headers, "");
    let reply = gateway.send(head).await.expect(200);
    assert!(reply.body.is_empty());
}

#[tokio::test(start_paused = true)]
async fn keys_that_were_never_made_are_unknown() {
    let fixture = Fixture::new();
    let (_, key) = fixture.key("home", ALL, None).await;
    let gateway = fixture.gateway();
    let never_made = crate::Secret::mint([9; 32]).reveal().to_owned();
    let (kept, _) = key.split_at(key.len() - 1);
    for wrong in [
        "",
        "x",
        &never_made,
        &format!("{kept}!"),
        &key.to_uppercase(),
    ] {
        list_with(&gateway, wrong)
            .await
            .expect_error(401, "unknown_key");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revoked_key_is_named_by_its_id() {
    let fixture = Fixture::new();
    let (id, key) = fixture.key("home", ALL, None).await;
    let gateway = fixture.gateway();
    list_with(&gateway, &key).await.expect(200);
    let tenant = chorus_core::id::Tenant::new("home");
    let revoked = fixture.ports.keys.revoke(&tenant, id).await;
    assert!(revoked.expect("memory answers"));
    let error = list_with(&gateway, &key)
        .await
        .expect_error(401, "revoked_key");
    assert_eq!(
        error["message"],
        format!("the API key {id} was revoked"),
        "the secret is not repeated"
    );
}

#[tokio::test(start_paused = true)]
async fn a_key_ends_at_its_time() {
    let fixture = Fixture::new();
    let end = fixture.ports.clock.now() + Millis::from_secs(60);
    let (id, key) = fixture.key("home", ALL, Some(end)).await;
    let gateway = fixture.gateway();
    list_with(&gateway, &key).await.expect(200);
    tokio::time::advance(Duration::from_secs(60)).await;
    let error = list_with(&gateway, &key)
        .await
        .expect_error(401, "expired_key");
    assert_eq!(error["message"], format!("the API key {id} has expired"));
}

#[tokio::test(start_paused = true)]
async fn a_key_does_what_its_scopes_allow() {
    let fixture = Fixture::new();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    let cancel = format!("/v1/projects/{id}/cancel");
    let cases = [
        ("projects:read", 200, 403),
        ("projects:write", 403, 202),
        ("accounts:read", 403, 403),
        ("", 403, 403),
    ];
    for (scopes, read, write) in cases {
        let (_, key) = fixture.key("home", scopes, None).await;
        let headers = [("x-api-key", key.as_str())];
        let reading = gateway
            .get_with("/v1/projects", &headers)
            .await
            .expect(read);
        if read == 403 {
            let error = reading.expect_error(403, "missing_scope");
            assert_eq!(error["message"], "this key lacks the scope projects:read");
        }
        let writing = gateway.post_with(&cancel, &headers, "").await.expect(write);
        if write == 403 {
            let error = writing.expect_error(403, "missing_scope");
            assert_eq!(error["message"], "this key lacks the scope projects:write");
        }
    }
    assert_eq!(
        fixture.commands(id).len(),
        2,
        "the submission and one cancel"
    );
}

#[tokio::test(start_paused = true)]
async fn projects_of_another_tenant_are_as_if_they_did_not_exist() {
    let fixture = Fixture::new();
    let id = fixture.project("home").await;
    let (_, key) = fixture.key("elsewhere", ALL, None).await;
    let gateway = fixture.gateway();
    let headers = [("x-api-key", key.as_str())];
    for below in [
        "",
        "/plan",
        "/events",
        "/deliverable",
        "/deliverable/a",
        "/report",
    ] {
        let path = format!("/v1/projects/{id}{below}");
        let reply = gateway.get_with(&path, &headers).await;
        let error = reply.expect_error(404, "no_such_project");
        assert_eq!(error["message"], format!("there is no project {id}"));
    }
    for command in ["approve", "pause", "resume", "cancel"] {
        let path = format!("/v1/projects/{id}/{command}");
        let reply = gateway.post_with(&path, &headers, "").await;
        reply.expect_error(404, "no_such_project");
    }
    assert_eq!(fixture.commands(id).len(), 1, "only the submission");
    let list = gateway.get_with("/v1/projects", &headers).await.json();
    assert_eq!(list["projects"], serde_json::json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_503_and_never_401() {
    for (store, code, wait) in [
        (FailingStore::Unavailable, "store_unavailable", "2"),
        (FailingStore::Broken, "store_broken", "30"),
    ] {
        let mut fixture = Fixture::new();
        let (_, key) = fixture.key("home", ALL, None).await;
        fixture.ports.keys = Arc::new(store);
        let reply = list_with(&fixture.gateway(), &key).await;
        reply.expect_error(503, code);
        assert_eq!(reply.header("retry-after"), Some(wait));
        assert!(!reply.text().contains(DRIVER_TEXT), "{}", reply.text());
    }
}

#[tokio::test(start_paused = true)]
async fn without_keys_only_loopback_names_and_origins_pass() {
    let gateway = Fixture::open().gateway();
    let cases: [(&[(&str, &str)], bool); 5] = [
        (&[], true),
        (&[("host", "localhost:8780")], true),
        (&[("host", "chorus.example:8780")], false),
        (
            &[("host", "127.0.0.1"), ("origin", "https://evil.example")],
            false,
        ),
        (&[("origin", "null")], false),
    ];
    for (headers, passes) in cases {
        let reply = gateway.get_with("/v1/projects", headers).await;
        if passes {
            reply.expect(200);
        } else {
            reply.expect_error(403, "foreign_origin");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_specification_needs_no_key() {
    let reply = Fixture::new().gateway().get("/openapi.json").await;
    let document = reply.expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
}
