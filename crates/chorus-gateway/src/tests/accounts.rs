//! Accounts, pools and the audit over HTTP: scopes, secrets, hostile names.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use chorus_accounts::AccountOperator;
use chorus_core::artifact::ArtifactHash;
use chorus_core::attempt::{CallSize, NewAttempt};
use chorus_core::catalog::{Catalog, Provider};
use chorus_core::id::{AttemptId, ProjectId, TaskId};
use chorus_core::port::directory::CredentialState;
use chorus_core::port::projects::{Commit, Committed};
use chorus_core::task_kind::{ModelRole, TaskKind};
use chorus_core::time::{Millis, Timestamp};
use chorus_vault::address::AddressPolicy;
use chorus_vault::{EnvelopeKey, KeyCheck, KeyChecker, Liveness};
use serde_json::{Value, json};

use super::fixture::{Fixture, Reply, TestGateway};

/// A provider that accepts every key but those that begin with `dead`.
struct Accepting;

#[async_trait]
impl KeyChecker for Accepting {
    async fn check_key(&self, check: KeyCheck<'_>) -> Liveness {
        if check.secret.expose().starts_with("dead") {
            let reason = format!("{} is wrong", check.secret.expose());
            return Liveness::Dead { reason };
        }
        Liveness::Alive
    }
}

/// A fixture with one provider, and acts on accounts.
fn fixture() -> Fixture {
    let mut fixture = Fixture::new();
    let provider = json!({
        "id": "p", "title": "P", "base_url": "https://p.example", "path": "/x",
        "dialect": "openai_chat", "auth": "bearer",
    });
    let provider: Provider = serde_json::from_value(provider).expect("a row");
    let model = json!({
        "slug": "p/m", "pool": "other", "routes": {"p": "m"}, "context": 8_192,
        "max_output": 8_192, "price": {"input": 0, "output": 0}, "strength": 1,
    });
    let catalog = Arc::new(Catalog {
        providers: vec![provider],
        models: vec![serde_json::from_value(model).expect("a model")],
    });
    let ports = &fixture.ports;
    let operator = AccountOperator {
        directory: Arc::clone(&ports.directory),
        audit: Arc::clone(&ports.audit),
        bus: Arc::clone(&ports.bus),
        clock: Arc::clone(&ports.clock),
        catalog: Arc::clone(&catalog),
        key: EnvelopeKey::generate(),
        addresses: AddressPolicy::default(),
        checker: Arc::new(Accepting),
    };
    fixture.settings.catalog = catalog;
    fixture.settings.operator = Some(Arc::new(operator));
    fixture
}

fn account(email: &str, key: &str) -> Value {
    let limit = json!({
        "dimension": "requests", "amount": 60, "window": {"kind": "bucket", "per_ms": 60_000},
    });
    let credential = json!({"provider": "p", "key": key, "limits": [limit]});
    json!({"accounts": [{"email": email, "owner": "an", "credential": [credential]}]})
}

async fn key(fixture: &Fixture, scopes: &str) -> String {
    fixture.key("home", scopes, None).await.1
}

/// A gateway as the owner of a key sees it.
struct Caller<'a> {
    gateway: &'a TestGateway,
    key: Option<String>,
}

/// The owner of a new key with these scopes.
async fn caller<'a>(fixture: &Fixture, gateway: &'a TestGateway, scopes: &str) -> Caller<'a> {
    let key = Some(key(fixture, scopes).await);
    Caller { gateway, key }
}

impl Caller<'_> {
    fn headers(&self) -> Vec<(&str, &str)> {
        let key = self.key.iter();
        key.map(|key| ("x-api-key", key.as_str())).collect()
    }

    async fn get(&self, path: &str) -> Reply {
        self.gateway.get_with(path, &self.headers()).await
    }

    async fn post(&self, path: &str, body: &Value) -> Reply {
        let body = body.to_string();
        self.gateway.post_with(path, &self.headers(), &body).await
    }

    async fn import(&self, email: &str, secret: &str) {
        let reply = self.post("/v1/accounts", &account(email, secret)).await;
        assert_eq!(reply.expect(200).json()["added"], json!([email]));
    }
}

#[tokio::test(start_paused = true)]
async fn reading_and_changing_accounts_need_scopes_of_their_own() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let reader = caller(&fixture, &gateway, "accounts:read").await;
    let writer = caller(&fixture, &gateway, "accounts:write").await;
    let client = caller(&fixture, &gateway, "projects:read projects:write").await;
    writer.import("a@example.org", "sk-secret-key-1").await;
    let listed = reader.get("/v1/accounts").await;
    let text = String::from_utf8_lossy(&listed.body).into_owned();
    assert_eq!(
        listed.expect(200).json()["accounts"][0]["name"],
        "a@example.org"
    );
    assert!(
        !text.contains("sk-secret") && !text.contains("sealed"),
        "{text}"
    );
    for path in ["/v1/accounts", "/v1/pools", "/v1/audit", "/v1/audit/uses"] {
        client.get(path).await.expect_error(403, "missing_scope");
    }
    reader
        .get("/v1/audit")
        .await
        .expect_error(403, "missing_scope");
    for verb in ["pause", "enable", "probe"] {
        let path = format!("/v1/accounts/a@example.org/{verb}");
        let refused = reader.post(&path, &json!({})).await;
        refused.expect_error(403, "missing_scope");
        writer.post(&path, &json!({})).await.expect(200).json();
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_of_a_tenant_sees_and_changes_no_other_tenants_accounts() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let writer = caller(&fixture, &gateway, "accounts:write").await;
    writer.import("a@example.org", "sk-secret-key-1").await;
    let every = "projects:read projects:write accounts:read accounts:write";
    let (_, stranger) = fixture.key("stranger", every, None).await;
    let stranger = Caller {
        gateway: &gateway,
        key: Some(stranger),
    };
    let listed = stranger.get("/v1/accounts").await;
    assert_eq!(listed.expect(200).json()["accounts"], json!([]));
    let path = "/v1/accounts/a@example.org/pause";
    let refused = stranger.post(path, &json!({})).await;
    refused.expect_error(404, "no_such_account");
    let owner = json!({"owner": "an"});
    let refused = stranger.post("/v1/accounts/pause", &owner).await;
    refused.expect_error(404, "no_such_account");
    let acts = stranger.get("/v1/audit").await;
    assert_eq!(acts.expect(200).json()["entries"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_rotation_is_in_the_audit_with_the_key_that_asked_and_a_dead_key_changes_nothing() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let writer = caller(&fixture, &gateway, "accounts:write accounts:read").await;
    writer.import("a@example.org", "sk-secret-key-1").await;
    let path = "/v1/accounts/a@example.org/rotate";
    let dead = writer.post(path, &json!({"key": "dead-key-000"})).await;
    let error = dead.expect_error(422, "key_refused");
    assert!(!error.to_string().contains("dead-key"), "{error}");
    let same = writer.post(path, &json!({"key": "sk-secret-key-1"})).await;
    same.expect_error(409, "duplicate_key");
    let done = writer.post(path, &json!({"key": "sk-secret-key-2"})).await;
    let done = done.expect(200).json();
    let shown = writer
        .get("/v1/accounts/a@example.org")
        .await
        .expect(200)
        .json();
    let states: Vec<(&str, &str)> = shown["credentials"]
        .as_array()
        .expect("credentials")
        .iter()
        .map(|one| {
            (
                one["id"].as_str().unwrap_or(""),
                one["state"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert!(states.contains(&(done["replaced"].as_str().expect("an id"), "draining")));
    assert!(states.contains(&(done["credential"].as_str().expect("an id"), "active")));
    let acts = writer.get("/v1/audit?limit=1").await.expect(200).json();
    assert_eq!(acts["entries"][0]["action"], "rotate");
    let caller = acts["entries"][0]["caller"].as_str().expect("a caller");
    assert!(caller.starts_with("key_"), "{caller}");
}

#[tokio::test(start_paused = true)]
async fn hostile_names_and_reasons_are_refused_or_shown_as_they_are() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let writer = caller(&fixture, &gateway, "accounts:write accounts:read").await;
    writer.import("a@example.org", "sk-secret-key-1").await;
    for name in [
        "%2e%2e%2f",
        "a@example.org%00",
        "'%20OR%20''='",
        "%F0%9F%92%A3",
        "acc_",
    ] {
        let path = format!("/v1/accounts/{name}/pause");
        let refused = writer.post(&path, &json!({})).await;
        refused.expect_error(404, "no_such_account");
    }
    let path = "/v1/accounts/a@example.org/pause";
    for reason in [
        "two\nlines",
        "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789",
        &"x".repeat(501),
    ] {
        let refused = writer.post(path, &json!({"reason": reason})).await;
        refused.expect_error(422, "invalid_field");
    }
    let reason = "<script>alert(1)</script> \u{202e}";
    writer
        .post(path, &json!({"reason": reason}))
        .await
        .expect(200)
        .json();
    let owner = writer.post("/v1/accounts/pause", &json!({})).await;
    owner.expect_error(422, "invalid_field");
}

#[tokio::test(start_paused = true)]
async fn a_gateway_without_keys_does_not_change_accounts() {
    let mut fixture = fixture();
    fixture.settings.auth = crate::settings::Auth::Open(chorus_core::id::Tenant::new("home"));
    let gateway = fixture.gateway();
    let open = Caller {
        gateway: &gateway,
        key: None,
    };
    let import = account("a@example.org", "sk-secret-key-1");
    let refused = open.post("/v1/accounts", &import).await;
    refused.expect_error(403, "missing_scope");
    assert_eq!(
        open.get("/v1/accounts").await.expect(200).json()["accounts"],
        json!([])
    );
}

/// Complaint new-api #3537, #7071: disabled keys never return, and a pool shrinks to nothing unseen.
#[tokio::test(start_paused = true)]
async fn a_parked_key_returns_by_itself_and_a_pool_that_shrinks_is_seen() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let writer = caller(&fixture, &gateway, "accounts:write accounts:read").await;
    writer.import("a@example.org", "sk-secret-key-1").await;
    writer.import("b@example.org", "sk-secret-key-2").await;
    let accounts = fixture.ports.directory.accounts(&"home".into()).await;
    let accounts = accounts.expect("memory answers");
    let until = fixture.ports.clock.now() + Millis::from_secs(60);
    let states = [
        CredentialState::Parked {
            until,
            reason: "daily quota".to_owned(),
        },
        CredentialState::Refused {
            reason: "401".to_owned(),
        },
    ];
    for (account, state) in accounts.iter().zip(states) {
        let setting = fixture
            .ports
            .directory
            .set_state(account.credentials[0].id, state);
        setting.await.expect("memory answers");
    }
    let counts = async || {
        let pools = writer.get("/v1/pools").await.expect(200).json();
        pools["pools"][0]["credentials"].clone()
    };
    let shrunk = counts().await;
    let of = |counts: &Value| ["active", "parked", "refused"].map(|state| counts[state].as_u64());
    assert_eq!(of(&shrunk), [Some(0), Some(1), Some(1)]);
    fixture.ports.clock.sleep(Millis::from_secs(61)).await;
    assert_eq!(of(&counts().await), [Some(1), Some(0), Some(1)]);
    let listed = writer.get("/v1/accounts").await.expect(200).json();
    assert_eq!(listed["accounts"][0]["credentials"][0]["state"], "active");
    assert_eq!(listed["accounts"][1]["credentials"][0]["reason"], "401");
}

/// Complaint bifrost #2672: a key of a provider cannot have limits of its own.
#[tokio::test(start_paused = true)]
async fn every_key_has_limits_of_its_own() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let writer = caller(&fixture, &gateway, "accounts:write accounts:read").await;
    for (name, amount) in [("a@example.org", 5), ("b@example.org", 50)] {
        let limit = json!({
            "dimension": "requests", "amount": amount, "window": {"kind": "bucket", "per_ms": 60_000},
        });
        let secret = format!("sk-secret-key-{amount}");
        let credential = json!({"provider": "p", "key": secret, "limits": [limit]});
        let body = json!({"accounts": [{"email": name, "credential": [credential]}]});
        writer.post("/v1/accounts", &body).await.expect(200);
    }
    let pools = writer.get("/v1/pools").await.expect(200).json();
    let groups = pools["pools"][0]["groups"]
        .as_array()
        .expect("groups")
        .clone();
    let amounts: Vec<_> = groups
        .iter()
        .map(|group| group["limits"][0]["configured"].as_u64())
        .collect();
    assert_eq!(amounts, [Some(5), Some(50)]);
}

#[tokio::test(start_paused = true)]
async fn two_operators_at_once_leave_one_key_that_serves() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let [one, other] = [(); 2].map(|()| &fixture);
    let callers = [
        key(one, "accounts:write accounts:read").await,
        key(other, "accounts:write accounts:read").await,
    ];
    let [one, other] = callers.map(|key| Caller {
        gateway: &gateway,
        key: Some(key),
    });
    one.import("a@example.org", "sk-secret-key-1").await;
    let path = "/v1/accounts/a@example.org/rotate";
    let new = json!({"key": "sk-secret-key-2"});
    let (first, second) = futures_util::join!(one.post(path, &new), other.post(path, &new));
    for reply in [first, second] {
        assert!(
            [200, 409, 422].contains(&reply.status.as_u16()),
            "{}",
            reply.text()
        );
    }
    let pause = json!({"reason": "x"});
    let pause = one.post("/v1/accounts/a@example.org/pause", &pause);
    let none = json!({});
    let enable = other.post("/v1/accounts/a@example.org/enable", &none);
    let (paused, enabled) = futures_util::join!(pause, enable);
    paused.expect(200);
    enabled.expect(200);
    one.post("/v1/accounts/a@example.org/enable", &none)
        .await
        .expect(200);
    let shown = one
        .get("/v1/accounts/a@example.org")
        .await
        .expect(200)
        .json();
    let mut states: Vec<_> = shown["credentials"]
        .as_array()
        .expect("credentials")
        .iter()
        .filter_map(|of| of["state"].as_str())
        .collect();
    states.sort_unstable();
    assert_eq!(states, ["active", "draining"]);
}

#[tokio::test(start_paused = true)]
async fn pools_show_accounts_by_state_and_configured_limits() {
    let fixture = fixture();
    let gateway = fixture.gateway();
    let writer = caller(&fixture, &gateway, "accounts:write accounts:read").await;
    writer.import("a@example.org", "sk-secret-key-1").await;
    writer.import("b@example.org", "sk-secret-key-2").await;
    writer
        .post("/v1/accounts/b@example.org/pause", &json!({}))
        .await
        .expect(200)
        .json();
    let pools = writer.get("/v1/pools").await.expect(200).json();
    let pool = &pools["pools"][0];
    assert_eq!(
        (&pool["pool"], &pool["waiting"]),
        (&json!("other"), &json!(0))
    );
    assert_eq!(pool["credentials"]["active"], 1);
    assert_eq!(pool["credentials"]["paused"], 1);
    assert_eq!(pool["groups"].as_array().map(Vec::len), Some(2));
    let limit = &pool["groups"][0]["limits"][0];
    assert_eq!(
        (&limit["configured"], &limit["room"]),
        (&json!(60), &json!(60))
    );
    assert_eq!(
        (&limit["source"], &pools["has_levels"]),
        (&json!("configured"), &json!(true))
    );
}

/// Queues calls of one project.
async fn queue(fixture: &Fixture, id: ProjectId, count: u128) {
    let projects = &fixture.ports.projects;
    let loaded = projects.load(id).await.expect("memory answers");
    let loaded = loaded.expect("it is there");
    let attempt = |number| NewAttempt {
        id: AttemptId::new(number),
        task: TaskId::new(number),
        project: id,
        tenant: loaded.project.head.tenant.clone(),
        plan_version: 1,
        kind: TaskKind::Work,
        number: 1,
        order: ArtifactHash::of(b"order"),
        size: CallSize {
            input: 1_000,
            output: 200,
            max_tokens: 800,
        },
        priority: 100,
        path: Millis(1_000),
        not_before: Timestamp(0),
    };
    let commit = Commit {
        project: id,
        expected: loaded.version,
        head: loaded.project.head.clone(),
        tasks: vec![],
        attempts: (1..=count).map(attempt).collect(),
        cancel: vec![],
        events: vec![],
        outbox: vec![],
        budget: None,
        folded: vec![],
    };
    let committed = projects.commit(commit).await.expect("memory takes it");
    assert!(matches!(committed, Committed::Done(_)), "{committed:?}");
}

#[tokio::test(start_paused = true)]
async fn every_waiting_call_of_the_tenant_is_counted_and_none_of_another() {
    let mut fixture = fixture();
    let tiers = vec![vec!["p/m".into()]];
    fixture.settings.roles = BTreeMap::from([(ModelRole::Writer, tiers)]);
    let gateway = fixture.gateway();
    let (ours, theirs) = (
        fixture.project("home").await,
        fixture.project("elsewhere").await,
    );
    queue(&fixture, ours, 12_000).await;
    let reader = caller(&fixture, &gateway, "accounts:read").await;
    let pools = reader.get("/v1/pools").await.expect(200).json();
    assert_eq!(pools["pools"][0]["waiting"], json!(12_000));
    let elsewhere = fixture.key("elsewhere", "accounts:read", None).await.1;
    let elsewhere = Caller {
        gateway: &gateway,
        key: Some(elsewhere),
    };
    let pools = elsewhere.get("/v1/pools").await.expect(200).json();
    assert_eq!(pools["pools"], json!([]), "{theirs} has nothing queued");
}
