//! Authentication and authorisation on every route of the specification.

use std::net::SocketAddr;

use chorus_core::id::{ProjectId, Tenant};
use chorus_core::port::keys::{Scope, Scopes};
use chorus_core::time::Millis;
use chorus_gateway::{Auth, Settings};
use http::Method;
use serde_json::Value;

use super::fixture::{GatewayFixture, RunningGateway, on_each_store};
use super::wire::{Client, Reply};

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// Every route that needs a key, for this project.
async fn routes(gateway: &RunningGateway, id: ProjectId) -> Vec<(Method, String)> {
    let document = Client::stranger(&gateway.base)
        .get("/openapi.json")
        .await
        .json();
    let mut routes = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item
            .as_object()
            .expect("methods")
            .iter()
            .filter(|(name, _)| *name != "parameters")
        {
            if operation["security"] != serde_json::json!([]) {
                let path = path
                    .replace("{id}", &id.to_string())
                    .replace("{path}", "a.md");
                routes.push((method.to_uppercase().parse().expect("a method"), path));
            }
        }
    }
    assert!(routes.len() >= 20, "{routes:?}");
    routes
}

/// Requests a route with a body that it accepts.
async fn ask(client: &Client, (method, path): &(Method, String)) -> Reply {
    let body = match path.rsplit('/').next() {
        Some("projects") => r#"{"brief":"Write."}"#,
        Some("answers") => r#"{"assume_rest":true}"#,
        Some("reject") => r#"{"reason":"shorter"}"#,
        Some("budget") => r#"{"budget_usd":6}"#,
        _ => "{}",
    };
    match *method {
        Method::POST => client.post(path, body).await,
        Method::GET => client.get(path).await,
        _ => client.method(method.clone(), path).await,
    }
}

/// Scope that a route demands.
fn scope_of((method, path): &(Method, String)) -> Scope {
    let is_read = *method == Method::GET;
    let is_below = |part: &str| path.starts_with(part);
    if is_below("/v1/audit") || (is_below("/v1/accounts") && !is_read) {
        Scope::AccountsWrite
    } else if is_below("/v1/accounts") || is_below("/v1/pools") {
        Scope::AccountsRead
    } else if is_read {
        Scope::ProjectsRead
    } else {
        Scope::ProjectsWrite
    }
}

#[tokio::test]
async fn another_tenants_project_is_as_if_it_were_not_there_on_every_route() {
    on_each_store("tenants", async |fixture| {
        let gateway = fixture.gateway().await;
        let id = fixture.project("home").await;
        let deliverable = fixture
            .deliverable(&[("a.md", "text/markdown", b"ours")])
            .await;
        fixture.done(id, deliverable).await;
        let (mine, theirs) = (fixture.key("home").await, fixture.key("elsewhere").await);
        let theirs = Client::new(&gateway.base, &theirs);
        let mut crossed = 0;
        for route in routes(&gateway, id)
            .await
            .into_iter()
            .filter(|(_, path)| path.contains(&id.to_string()))
        {
            let refused = ask(&theirs, &route).await;
            assert_eq!(
                refused.refusal(),
                (404, "no_such_project".to_owned(), String::new()),
                "{route:?}"
            );
            crossed += 1;
        }
        assert_eq!(crossed, 19);
        assert_eq!(
            theirs.get("/v1/projects").await.json()["projects"],
            serde_json::json!([])
        );
        assert_eq!(
            fixture.commands(id).await.len(),
            1,
            "no command of theirs was taken"
        );
        let mine = Client::new(&gateway.base, &mine);
        assert_eq!(
            mine.get(&format!("/v1/projects/{id}/deliverable/a.md"))
                .await
                .body,
            "ours"
        );
        for unknown in [
            ProjectId::new(9).to_string(),
            "prj_".to_owned(),
            "prj_%00".to_owned(),
        ] {
            assert_eq!(
                mine.get(&format!("/v1/projects/{unknown}"))
                    .await
                    .refusal()
                    .1,
                "no_such_project"
            );
        }
        gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn without_a_good_key_nothing_is_seen_or_done_on_any_route() {
    on_each_store("keys", async |fixture| {
        let (gateway, id) = (fixture.gateway().await, fixture.project("home").await);
        let now = fixture.ports.clock.now();
        let (_, expired) = fixture
            .key_with("home", Scopes::all(), Some(now - Millis(1)))
            .await;
        let (revoked_id, revoked) = fixture.key_with("home", Scopes::all(), None).await;
        assert!(
            fixture
                .ports
                .keys
                .revoke(&Tenant::new("home"), revoked_id)
                .await
                .expect("it answers")
        );
        let made_up = chorus_gateway::Secret::mint([9; 32]);
        let stranger = Client::stranger(&gateway.base);
        let cases = [
            (stranger.clone(), "missing_key"),
            (stranger.with("authorization", "Basic YTpi"), "missing_key"),
            (
                Client::new(&gateway.base, "chorus-sk-nonsense"),
                "unknown_key",
            ),
            (Client::new(&gateway.base, made_up.reveal()), "unknown_key"),
            (stranger.with("x-api-key", made_up.reveal()), "unknown_key"),
            (Client::new(&gateway.base, &expired), "expired_key"),
            (Client::new(&gateway.base, &revoked), "revoked_key"),
        ];
        for route in routes(&gateway, id).await {
            for (client, code) in &cases {
                let refused = ask(client, &route).await;
                assert_eq!(
                    refused.refusal(),
                    (401, (*code).to_owned(), String::new()),
                    "{route:?}"
                );
                assert_eq!(
                    refused.headers["www-authenticate"],
                    "Bearer realm=\"chorus\""
                );
            }
        }
        gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_key_allows_exactly_its_scopes() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, id) = (fixture.gateway().await, fixture.project("home").await);
    let mut keys = Vec::new();
    for scope in [
        Scope::ProjectsRead,
        Scope::ProjectsWrite,
        Scope::AccountsRead,
        Scope::AccountsWrite,
    ] {
        let scopes: Scopes = [scope].into_iter().collect();
        keys.push((scope, fixture.key_with("home", scopes, None).await.1));
    }
    for route in routes(&gateway, id).await {
        for (scope, key) in &keys {
            let may = *scope == scope_of(&route);
            let client = Client::new(&gateway.base, key);
            if route.1.ends_with("/events") && may {
                drop(client.follow(&route.1).await);
                continue;
            }
            let reply = ask(&client, &route).await;
            assert_eq!(reply.status == 403, !may, "{route:?}: {reply:?}");
            if !may {
                assert_eq!(reply.refusal().1, "missing_scope");
            }
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_that_is_revoked_is_refused_at_once_at_every_gateway() {
    on_each_store("revocation", async |fixture| {
        let (one, other) = (fixture.gateway().await, fixture.gateway().await);
        let (id, key) = fixture.key_with("home", Scopes::all(), None).await;
        let clients = [
            Client::new(&one.base, &key),
            Client::stranger(&other.base).with("x-api-key", &key),
        ];
        for client in &clients {
            assert_eq!(client.get("/v1/projects").await.status, 200);
        }
        assert!(
            fixture
                .ports
                .keys
                .revoke(&Tenant::new("home"), id)
                .await
                .expect("it answers")
        );
        for client in &clients {
            assert_eq!(
                client.get("/v1/projects").await.refusal(),
                (401, "revoked_key".to_owned(), String::new())
            );
        }
        one.stop().await;
        other.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_store_that_is_away_is_503_on_every_route_and_never_401() {
    on_each_store("a store that is away", async |fixture| {
        let (gateway, key, id) = (
            fixture.gateway().await,
            fixture.key("home").await,
            fixture.project("home").await,
        );
        let routes = routes(&gateway, id).await;
        fixture.store.close().await;
        for key in [key.as_str(), chorus_gateway::Secret::mint([9; 32]).reveal()] {
            let client = Client::new(&gateway.base, key);
            for route in &routes {
                let refused = ask(&client, route).await;
                assert_eq!(
                    refused.refusal(),
                    (503, "store_unavailable".to_owned(), String::new()),
                    "{route:?}"
                );
                assert_eq!(refused.headers["retry-after"], "2");
            }
        }
        assert_eq!(
            Client::stranger(&gateway.base)
                .get("/v1/projects")
                .await
                .status,
            401,
            "no key is no key"
        );
        gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn without_keys_only_this_machine_is_served_and_no_foreign_page() {
    let fixture = GatewayFixture::sqlite().await;
    let open = || Settings {
        auth: Auth::Open(Tenant::new("home")),
        ..GatewayFixture::settings()
    };
    let gateway = fixture.gateway_with(open(), LOOPBACK).await;
    let client = Client::stranger(&gateway.base);
    let made = client.post("/v1/projects", r#"{"brief":"Write."}"#).await;
    assert_eq!(made.status, 201, "{made:?}");
    let id: ProjectId = made.json()["id"]
        .as_str()
        .expect("an id")
        .parse()
        .expect("an id");
    for route in routes(&gateway, id).await {
        let refused = ask(&client.with("origin", "https://evil.example"), &route).await;
        assert_eq!(
            refused.refusal(),
            (403, "foreign_origin".to_owned(), String::new()),
            "{route:?}"
        );
    }
    let rebound = ask(
        &client.with("host", "evil.example"),
        &(Method::GET, "/v1/projects".to_owned()),
    )
    .await;
    assert_eq!(rebound.refusal().1, "foreign_origin");
    gateway.stop().await;
    let everywhere = tokio::net::TcpListener::bind("0.0.0.0:0")
        .await
        .expect("a free port");
    let refused = chorus_gateway::Gateway::new(fixture.ports.clone(), open())
        .serve(everywhere, std::future::pending())
        .await;
    let refusal = refused.expect_err("everybody could come in").to_string();
    assert!(refusal.contains("gateway.auth"), "{refusal}");
}

#[tokio::test]
async fn every_error_has_the_same_shape_from_any_source() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key) = (fixture.gateway().await, fixture.key("home").await);
    let client = Client::new(&gateway.base, &key).with("x-request-id", "mine-7");
    for path in ["/", "/v1", "/v1/nothing", "/v1/projects/"] {
        assert_eq!(
            client.get(path).await.refusal(),
            (404, "no_such_route".to_owned(), String::new()),
            "{path}"
        );
    }
    let other = client.method(Method::DELETE, "/v1/projects").await;
    assert_eq!(
        other.refusal(),
        (405, "method_not_allowed".to_owned(), String::new())
    );
    assert_eq!(other.headers["allow"], "POST,GET,HEAD");
    assert_eq!(other.headers["x-request-id"], "mine-7");
    let unfit = client.with("x-request-id", &"x".repeat(129)).get("/").await;
    assert!(
        unfit.headers["x-request-id"]
            .to_str()
            .is_ok_and(|id| id == "mine-7" || id.starts_with("req_"))
    );
    let own = Client::stranger(&gateway.base).get("/v1/projects").await;
    assert!(
        own.headers["x-request-id"]
            .to_str()
            .expect("letters")
            .starts_with("req_")
    );
    gateway.stop().await;
}

/// Checks a value against its schema in the specification.
fn check(document: &Value, schema: &Value, value: &Value, place: &str) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .expect("the reference leads somewhere"),
        None => schema,
    };
    if let Some(choices) = schema["oneOf"].as_array() {
        if !value.is_null() {
            check(document, &choices[0], value, place);
        }
        return;
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        values
            .iter()
            .for_each(|value| check(document, items, value, place));
    }
    if let (Some(properties), Some(object)) = (schema["properties"].as_object(), value.as_object())
    {
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(
                object.contains_key(required.as_str().expect("a name")),
                "{place} lacks {required}"
            );
        }
        for (name, value) in object {
            let property = properties
                .get(name)
                .unwrap_or_else(|| panic!("{place}.{name} is not specified"));
            check(document, property, value, &format!("{place}.{name}"));
        }
    }
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{place} is {value}");
    }
}

#[tokio::test]
async fn replies_match_the_specification() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key, id) = (
        fixture.gateway().await,
        fixture.key("home").await,
        fixture.project("home").await,
    );
    let deliverable = fixture
        .deliverable(&[("a.md", "text/markdown", b"text")])
        .await;
    fixture.done(id, deliverable).await;
    let client = Client::new(&gateway.base, &key);
    let document = client.get("/openapi.json").await.json();
    let submitted = client
        .post("/v1/projects", r#"{"brief":"Write."}"#)
        .await
        .json();
    let replies = [
        ("Project", submitted),
        (
            "Project",
            client.get(&format!("/v1/projects/{id}")).await.json(),
        ),
        ("ProjectList", client.get("/v1/projects").await.json()),
        (
            "Deliverable",
            client
                .get(&format!("/v1/projects/{id}/deliverable"))
                .await
                .json(),
        ),
        ("ErrorBody", client.get("/v1/projects/x").await.json()),
    ];
    for (schema, reply) in replies {
        check(
            &document,
            &document["components"]["schemas"][schema],
            &reply,
            schema,
        );
    }
    gateway.stop().await;
}
