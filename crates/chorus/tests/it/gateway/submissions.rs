//! Submissions: once, complete, and refused with a reason.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use chorus_core::brief::{Brief, Options};
use chorus_core::money::MicroUsd;
use chorus_core::project::ClientCommand;
use chorus_gateway::{Bounds, Settings};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::fixture::{GatewayFixture, RunningGateway, on_each_store};
use super::wire::Client;

const LOOPBACK: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// A gateway with small limits.
async fn narrow(fixture: &GatewayFixture) -> RunningGateway {
    let bounds = Bounds {
        brief: 60,
        attachment: 40,
        body: 2000,
        attachments: 2,
    };
    fixture
        .gateway_with(
            Settings {
                bounds,
                most_budget: MicroUsd::from_dollars(10),
                ..GatewayFixture::settings()
            },
            LOOPBACK,
        )
        .await
}

#[tokio::test]
async fn a_project_is_durable_before_it_is_answered_in_either_form() {
    on_each_store("submissions", async |fixture| {
        let (gateway, key) = (fixture.gateway().await, fixture.key("home").await);
        let client = Client::new(&gateway.base, &key);
        let body = json!({
            "brief": "# A guide\nWrite it.",
            "attachments": [{"name": "docs/a.md", "text": "Über"}, {"name": "b.txt", "base64": "w5xiZXI="}],
            "budget_usd": 2.5, "assume": true, "approve": "auto",
        });
        let reply = client.post("/v1/projects", &body.to_string()).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        let project = reply.json();
        let id = project["id"].as_str().expect("an id").to_owned();
        assert_eq!(reply.headers["location"], format!("/v1/projects/{id}"));
        assert_eq!((&project["title"], &project["state"], &project["phase"]), (&json!("A guide"), &json!("submitted"), &json!("plan")));
        assert_eq!(project["money"]["budget_usd"], 2.5);
        let id = id.parse().expect("an id");
        let head = fixture.ports.projects.load(id).await.expect("it answers").expect("it is there").project.head;
        assert_eq!(head.options, Options { assume: true, approve: false });
        assert_eq!(fixture.ports.deliveries.money(id).await.expect("it answers").expect("it is there").budget, MicroUsd(2_500_000));
        assert_eq!(fixture.commands(id).await, [ClientCommand::Submit { brief: head.brief }]);
        let brief = fixture.ports.artifacts.get(head.brief).await.expect("it answers").expect("it is there");
        let brief: Brief = serde_json::from_slice(&brief).expect("a brief");
        let names: Vec<(&str, u64)> = brief.attachments.iter().map(|document| (document.name.as_str(), document.bytes)).collect();
        assert_eq!(names, [("docs/a.md", 5), ("b.txt", 5)]);
        assert_eq!(brief.attachments[0].text, brief.attachments[1].text, "both are the same text");

        // The same content in parts is the same body: under the same key it is the same project.
        let parts = "--x\r\ncontent-disposition: form-data; name=\"options\"\r\n\r\n{\"budget_usd\":2.5,\"assume\":true,\"approve\":\"auto\"}\r\n\
            --x\r\ncontent-disposition: form-data; name=\"brief\"\r\n\r\n# A guide\nWrite it.\r\n\
            --x\r\ncontent-disposition: form-data; name=\"attachments\"; filename=\"docs/a.md\"\r\ncontent-type: text/markdown\r\n\r\nÜber\r\n\
            --x\r\ncontent-disposition: form-data; name=\"attachments\"; filename=\"b.txt\"\r\n\r\nÜber\r\n--x--\r\n";
        let keyed = client.with("idempotency-key", "both forms");
        let first = keyed.post("/v1/projects", &body.to_string()).await;
        let again = keyed.with("content-type", "multipart/form-data; boundary=x").post_raw("/v1/projects", parts).await;
        assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 200), "{again:?}");
        assert_eq!(again.headers["idempotency-replayed"], "true");
        assert_eq!(first.json()["id"], again.json()["id"]);
        assert_ne!(first.json()["id"], project["id"]);
        gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn equal_posts_at_once_are_one_project_and_another_body_is_a_conflict() {
    on_each_store("idempotency", async |fixture| {
        let (one, other, key) = (
            fixture.gateway().await,
            fixture.gateway().await,
            fixture.key("home").await,
        );
        let body = json!({"brief": "Write a poem."}).to_string();
        let clients = [Client::new(&one.base, &key), Client::new(&other.base, &key)]
            .map(|client| client.with("idempotency-key", "k1"));
        let posts = (0..16).map(|number| clients[number % 2].post("/v1/projects", &body));
        let replies = join_all(posts).await;
        let ids: BTreeSet<String> = replies
            .iter()
            .map(|reply| reply.json()["id"].to_string())
            .collect();
        let mut statuses: Vec<u16> = replies.iter().map(|reply| reply.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(
            (ids.len(), statuses),
            (1, [vec![200; 15], vec![201]].concat())
        );
        let id = replies[0].json()["id"].clone();
        for body in [
            json!({"brief": "Write a song."}),
            json!({"brief": "Write a poem.", "budget_usd": 1}),
            json!({"brief": "Write a poem.", "assume": true}),
        ] {
            let refused = clients[0].post("/v1/projects", &body.to_string()).await;
            assert_eq!(
                refused.refusal(),
                (
                    409,
                    "idempotency_key_reused".to_owned(),
                    "Idempotency-Key".to_owned()
                ),
                "{body}"
            );
            assert_eq!(refused.json()["error"]["project"], id);
        }
        let stranger = Client::new(&one.base, &fixture.key("elsewhere").await)
            .with("idempotency-key", "k1")
            .post("/v1/projects", &body)
            .await;
        assert_eq!(stranger.status, 201, "keys of other tenants do not meet");
        let commands = fixture
            .commands(id.as_str().expect("an id").parse().expect("an id"))
            .await;
        assert_eq!(commands.len(), 1);
        one.stop().await;
        other.stop().await;
    })
    .await;
}

/// A refused body with the status, code and field of its error.
type Refused = (Value, (u16, &'static str, &'static str));

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"brief": "Write."});
    body[name] = value;
    body
}

fn refused_bodies() -> Vec<Refused> {
    let mut bodies = vec![
        (json!({}), (422, "invalid_field", "body")),
        (json!([]), (422, "invalid_field", "body")),
        (json!({"brief": 7}), (422, "invalid_field", "brief")),
        (json!({"brief": " \n"}), (422, "invalid_field", "brief")),
        (
            json!({"brief": "x".repeat(61)}),
            (413, "too_large", "brief"),
        ),
        (
            with("colour", json!("red")),
            (422, "invalid_field", "colour"),
        ),
        (
            with("assume", json!("yes")),
            (422, "invalid_field", "assume"),
        ),
        (
            with("approve", json!("maybe")),
            (422, "invalid_field", "approve"),
        ),
        (
            with("budget_usd", json!(-1)),
            (422, "invalid_field", "budget_usd"),
        ),
        (
            with("budget_usd", json!(10.01)),
            (422, "invalid_field", "budget_usd"),
        ),
        (
            with("budget_usd", json!(1e300)),
            (422, "invalid_field", "budget_usd"),
        ),
        (json!({"brief": "x".repeat(2000)}), (413, "too_large", "")),
    ];
    bodies.extend(refused_attachments());
    bodies
}

fn refused_attachments() -> Vec<Refused> {
    let document = |document: Value| with("attachments", json!([document]));
    vec![
        (
            document(json!({"text": "a"})),
            (422, "invalid_field", "attachments[0]"),
        ),
        (
            document(json!({"name": "a.md"})),
            (422, "invalid_field", "attachments[0]"),
        ),
        (
            document(json!({"name": "a.md", "text": "a", "base64": "YQ=="})),
            (422, "invalid_field", "attachments[0]"),
        ),
        (
            document(json!({"name": "a.md", "base64": "***"})),
            (422, "invalid_field", "attachments[0].base64"),
        ),
        (
            document(json!({"name": "../a.md", "text": "a"})),
            (422, "invalid_field", "attachments[0].name"),
        ),
        (
            document(json!({"name": "a.md", "text": "x".repeat(41)})),
            (413, "too_large", "attachments[0]"),
        ),
        (
            document(json!({"name": "a.png", "base64": "iVBORwAA"})),
            (422, "invalid_field", "attachments[0]"),
        ),
        (
            document(json!({"name": "a.md", "base64": "Y2Fm6Q=="})),
            (422, "invalid_field", "attachments[0]"),
        ),
        (
            with(
                "attachments",
                json!([{"name": "a", "text": "a"}, {"name": "a", "text": "b"}]),
            ),
            (422, "invalid_field", "attachments[1].name"),
        ),
        (
            with(
                "attachments",
                json!([{"name": "a", "text": ""}, {"name": "b", "text": ""}, {"name": "c", "text": ""}]),
            ),
            (422, "invalid_field", "attachments"),
        ),
    ]
}

#[tokio::test]
async fn what_cannot_be_taken_is_refused_with_its_field() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key) = (narrow(&fixture).await, fixture.key("home").await);
    let client = Client::new(&gateway.base, &key);
    for (body, (status, code, field)) in refused_bodies() {
        let refused = client.post("/v1/projects", &body.to_string()).await;
        assert_eq!(
            refused.refusal(),
            (status, code.to_owned(), field.to_owned()),
            "{body:.200}"
        );
    }
    assert_eq!(
        client.get("/v1/projects").await.json()["projects"],
        json!([]),
        "nothing of it was taken"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_of_the_wrong_form_is_refused_with_its_part() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key) = (narrow(&fixture).await, fixture.key("home").await);
    let client = Client::new(&gateway.base, &key);
    for (content_type, body, expected) in [
        ("application/json", "{", (400, "malformed_request", "")),
        (
            "application/json",
            "{\"brief\":\"a\"} x",
            (400, "malformed_request", ""),
        ),
        (
            "text/plain",
            "Write.",
            (415, "unsupported_media_type", "Content-Type"),
        ),
        ("multipart/form-data", "", (400, "malformed_request", "")),
        (
            "multipart/form-data; boundary=x",
            "--x--\r\n",
            (422, "invalid_field", "brief"),
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"brief\"\r\n\r\nWri",
            (400, "malformed_request", ""),
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"color\"\r\n\r\nred\r\n--x--\r\n",
            (422, "invalid_field", "color"),
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"attachments\"\r\n\r\nred\r\n--x--\r\n",
            (422, "invalid_field", "attachments[0]"),
        ),
        (
            "multipart/form-data; boundary=x",
            "--x\r\ncontent-disposition: form-data; name=\"options\"\r\n\r\n{\"assume\":1}\r\n--x--\r\n",
            (422, "invalid_field", "assume"),
        ),
    ] {
        let refused = client
            .with("content-type", content_type)
            .post_raw("/v1/projects", body)
            .await;
        let (status, code, field) = expected;
        assert_eq!(
            refused.refusal(),
            (status, code.to_owned(), field.to_owned()),
            "{content_type} {body}"
        );
    }
    let long = "k".repeat(256);
    for key in ["", long.as_str()] {
        let refused = client
            .with("idempotency-key", key)
            .post("/v1/projects", "{\"brief\":\"a\"}")
            .await;
        assert_eq!(
            refused.refusal(),
            (
                422,
                "invalid_field".to_owned(),
                "Idempotency-Key".to_owned()
            )
        );
    }
    assert_eq!(
        client.get("/v1/projects").await.json()["projects"],
        json!([]),
        "nothing of it was taken"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    on_each_store("lists", async |fixture| {
        let (gateway, key) = (fixture.gateway().await, fixture.key("home").await);
        let client = Client::new(&gateway.base, &key);
        let mut mine = Vec::new();
        for _ in 0..7 {
            mine.insert(0, json!(fixture.project("home").await.to_string()));
            fixture.project("elsewhere").await;
        }
        let mut found = Vec::new();
        let mut path = "/v1/projects?limit=3".to_owned();
        loop {
            let page = client.get(&path).await.json();
            found.extend(
                page["projects"]
                    .as_array()
                    .expect("projects")
                    .iter()
                    .map(|project| project["id"].clone()),
            );
            let Some(cursor) = page["next_cursor"].as_str() else {
                break;
            };
            path = format!("/v1/projects?limit=3&cursor={cursor}");
        }
        assert_eq!(found, mine);
        for (query, field) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=x", "limit"),
            ("cursor=x", "cursor"),
            ("page=2", "page"),
        ] {
            let refused = client.get(&format!("/v1/projects?{query}")).await;
            assert_eq!(
                refused.refusal(),
                (422, "invalid_field".to_owned(), field.to_owned()),
                "{query}"
            );
        }
        gateway.stop().await;
    })
    .await;
}
