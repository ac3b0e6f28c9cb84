//! `POST /v1/projects` in both forms, and every refusal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chorus_core::brief::Brief;
use chorus_core::id::ProjectId;
use chorus_core::project::ClientCommand;
use http::Method;
use serde_json::{Value, json};

use super::fixture::{Fixture, Reply, TestGateway, request};

/// Parts of a multipart body: name, file name, content.
type Parts<'a> = [(&'a str, Option<&'a str>, &'a [u8])];

async fn multipart(gateway: &TestGateway, parts: &Parts<'_>) -> Reply {
    let mut body = Vec::new();
    for (name, file, content) in parts {
        let file = file.map_or_else(String::new, |file| format!("; filename=\"{file}\""));
        let head = format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"{file}\r\n\r\n");
        body.extend(head.as_bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(b"--b--\r\n");
    let headers = [("content-type", "multipart/form-data; boundary=b")];
    gateway
        .send(request(Method::POST, "/v1/projects", &headers, body))
        .await
}

async fn submit(gateway: &TestGateway, body: &Value) -> Reply {
    gateway.post("/v1/projects", &body.to_string()).await
}

/// The stored brief of a project, as its submission command names it.
async fn stored_brief(fixture: &Fixture, project: &Value) -> Brief {
    let id: ProjectId = project["id"]
        .as_str()
        .and_then(|id| id.parse().ok())
        .expect("an id");
    let commands = fixture.commands(id);
    let [(_, ClientCommand::Submit { brief })] = commands.as_slice() else {
        panic!("one submission is expected: {commands:?}");
    };
    let bytes = fixture.ports.artifacts.get(*brief).await;
    let bytes = bytes.expect("memory answers").expect("it was stored");
    serde_json::from_slice(&bytes).expect("a brief")
}

#[tokio::test(start_paused = true)]
async fn a_submission_in_json_becomes_a_project() {
    let fixture = Fixture::open();
    let gateway = fixture.gateway();
    let body = json!({
        "brief": "\u{feff}# A guide\nWrite it.",
        "attachments": [
            { "name": "docs/a.md", "text": "Text a" },
            { "name": "b.txt", "base64": STANDARD.encode("Grüße") },
        ],
        "budget_usd": 2.5,
        "assume": true,
        "approve": "auto",
    });
    let reply = submit(&gateway, &body).await.expect(201);
    let project = reply.json();
    let own = project["links"]["self"].as_str().expect("a link");
    assert_eq!(reply.header("location"), Some(own));
    assert_eq!(project["title"], "A guide");
    assert_eq!(project["state"], "submitted");
    assert_eq!(project["money"]["budget_usd"], 2.5);
    let brief = stored_brief(&fixture, &project).await;
    assert_eq!(brief.text, "# A guide\nWrite it.");
    assert!(brief.options.assume && !brief.options.approve);
    let names: Vec<(&str, u64)> = brief
        .attachments
        .iter()
        .map(|attachment| (attachment.name.as_str(), attachment.bytes))
        .collect();
    assert_eq!(names, [("docs/a.md", 6), ("b.txt", 7)]);
    let read = gateway.get(own).await.expect(200).json();
    assert_eq!(read["id"], project["id"]);
}

#[tokio::test(start_paused = true)]
async fn a_submission_in_parts_becomes_the_same_project() {
    let fixture = Fixture::open();
    let parts: &Parts = &[
        ("attachments", Some("docs/a.md"), b"Text a"),
        (
            "options",
            None,
            br#"{"title": " Guide ", "budget_usd": 2.5}"#,
        ),
        ("brief", Some("brief.md"), b"Write it."),
        ("attachments", Some("b.txt"), b"\xff\xfeh\0i\0"),
    ];
    let reply = multipart(&fixture.gateway(), parts).await.expect(201);
    let project = reply.json();
    assert_eq!(project["title"], "Guide");
    assert_eq!(project["money"]["budget_usd"], 2.5);
    let brief = stored_brief(&fixture, &project).await;
    assert!(
        !brief.options.assume && brief.options.approve,
        "the defaults"
    );
    let utf16 = &brief.attachments[1];
    assert_eq!((utf16.name.as_str(), utf16.bytes), ("b.txt", 2), "as UTF-8");
}

/// A submission and its refusal: body, status, field, part of the message.
type Refusal = (Value, u16, &'static str, &'static str);

/// Sends each body to a gateway with small bounds; none may become a project.
async fn check_refusals(cases: Vec<Refusal>) {
    let mut fixture = Fixture::open();
    fixture.settings.bounds.brief = 20;
    fixture.settings.bounds.attachment = 30;
    fixture.settings.bounds.attachments = 2;
    let gateway = fixture.gateway();
    for (body, status, field, message) in cases {
        let code = if status == 413 {
            "too_large"
        } else {
            "invalid_field"
        };
        let error = submit(&gateway, &body).await.expect_error(status, code);
        assert_eq!(error["field"], field, "{body}");
        let found = error["message"].as_str().expect("a message");
        assert!(found.contains(message), "{body}: {found}");
    }
    let list = gateway.get("/v1/projects").await.json();
    assert_eq!(list["projects"], json!([]), "nothing was accepted");
}

fn brief(brief: &str) -> Value {
    json!({ "brief": brief })
}

fn with(attachments: &Value) -> Value {
    json!({ "brief": "x", "attachments": attachments })
}

fn text(name: &str, text: &str) -> Value {
    json!({ "name": name, "text": text })
}

fn encoded(bytes: &[u8]) -> Value {
    with(&json!([{ "name": "a", "base64": STANDARD.encode(bytes) }]))
}

#[tokio::test(start_paused = true)]
async fn a_brief_that_is_no_text_of_its_size_is_named() {
    let empty = "the brief is empty: write what is to be made";
    let long = "the brief has 21 bytes, at most 20 are taken: move long texts into attachments";
    check_refusals(vec![
        (json!({}), 422, "body", "missing field `brief`"),
        (json!({ "brief": null }), 422, "brief", "expected a string"),
        (brief(""), 422, "brief", empty),
        (brief(" \n"), 422, "brief", empty),
        (
            brief("a\u{0}b"),
            422,
            "brief",
            "the brief is binary: only text is taken",
        ),
        (
            brief("%PDF-1.7"),
            422,
            "brief",
            "the brief is a PDF document",
        ),
        (brief(&"x".repeat(21)), 413, "brief", long),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_option_of_a_submission_is_named() {
    let budget = |dollars: f64| json!({ "brief": "x", "budget_usd": dollars });
    let between = "it must be between 0 and";
    check_refusals(vec![
        (
            json!({ "brief": "x", "colour": "red" }),
            422,
            "colour",
            "unknown field",
        ),
        (
            json!({ "brief": "x", "approve": "no" }),
            422,
            "approve",
            "unknown variant",
        ),
        (
            json!({ "brief": "x", "assume": "yes" }),
            422,
            "assume",
            "expected a boolean",
        ),
        (budget(-1.0), 422, "budget_usd", between),
        (budget(1000.01), 422, "budget_usd", between),
        (budget(1e300), 422, "budget_usd", between),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_attachment_that_is_no_text_of_its_size_is_named() {
    let both = json!([{ "name": "a", "text": "a", "base64": "YQ==" }]);
    let no_base64 = json!([text("a", "a"), { "name": "b", "base64": "?" }]);
    let long = with(&json!([text("a", &"x".repeat(31))]));
    let one = "attachments[0]";
    check_refusals(vec![
        (with(&json!([{}])), 422, one, "missing field `name`"),
        (
            with(&json!([{ "name": "a" }])),
            422,
            one,
            "give either text or base64",
        ),
        (with(&both), 422, one, "give either text or base64"),
        (
            with(&no_base64),
            422,
            "attachments[1].base64",
            "it is not base64",
        ),
        (
            encoded(b"caf\xe9"),
            422,
            one,
            "is not UTF-8 text (byte 3 is not); it looks like windows-1252: send it as UTF-8",
        ),
        (
            encoded(b"\0\x01\0\x02"),
            422,
            one,
            "is binary: only text can be attached",
        ),
        (encoded(b"PK\x03\x04"), 422, one, "Office document"),
        (
            long,
            413,
            one,
            "has 31 bytes, at most 30 are taken: split it",
        ),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn names_and_number_of_attachments_are_checked() {
    let named = |name: &str| with(&json!([text(name, "a")]));
    let name = "attachments[0].name";
    let twice = with(&json!([text("a", "1"), text("a", "2")]));
    let three = with(&json!([text("a", ""), text("b", ""), text("c", "")]));
    check_refusals(vec![
        (named(""), 422, name, "is empty"),
        (named("../a"), 422, name, "must stay below"),
        (named("/a"), 422, name, "is absolute"),
        (named("a\\b"), 422, name, "backslash"),
        (named("a\u{1b}"), 422, name, "U+001B"),
        (
            twice,
            422,
            "attachments[1].name",
            "two attachments are called \"a\"",
        ),
        (three, 422, "attachments", "at most 2 are taken"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_part_of_a_submission_is_named() {
    let gateway = Fixture::open().gateway();
    let brief = ("brief", None, b"Write it.".as_slice());
    let cases: [(&Parts, &str, &str); 7] = [
        (&[], "brief", "it is missing"),
        (&[brief, brief], "brief", "there are two of it"),
        (
            &[brief, ("attachment", Some("a"), b"a")],
            "attachment",
            "unknown part",
        ),
        (
            &[brief, ("attachments", None, b"a")],
            "attachments[0]",
            "needs a filename",
        ),
        (
            &[
                brief,
                ("attachments", Some("a"), b"1"),
                ("attachments", Some("a"), b"2"),
            ],
            "attachments[1].name",
            "two attachments",
        ),
        (
            &[brief, ("attachments", Some("a"), b"\0")],
            "attachments[0]",
            "is binary",
        ),
        (
            &[brief, ("options", None, br#"{"budget": 1}"#)],
            "budget",
            "unknown field",
        ),
    ];
    for (parts, field, message) in cases {
        let reply = multipart(&gateway, parts).await;
        let error = reply.expect_error(422, "invalid_field");
        assert_eq!(error["field"], field);
        let found = error["message"].as_str().expect("a message");
        assert!(found.contains(message), "{field}: {found}");
    }
    multipart(&gateway, &[brief, ("options", None, b"{")])
        .await
        .expect_error(400, "malformed_request");
}

#[tokio::test(start_paused = true)]
async fn a_body_of_another_type_or_cut_short_is_refused() {
    let gateway = Fixture::open().gateway();
    let send = async |headers: &[(&str, &str)], body: &'static str| {
        gateway
            .send(request(Method::POST, "/v1/projects", headers, body))
            .await
    };
    for (headers, found) in [
        (&[][..], "Content-Type is none"),
        (
            &[("content-type", "text/plain")],
            "Content-Type is text/plain",
        ),
        (
            &[("content-type", "application/x-www-form-urlencoded")],
            "Content-Type is application/x-www-form-urlencoded",
        ),
    ] {
        let error = send(headers, "brief=x")
            .await
            .expect_error(415, "unsupported_media_type");
        assert_eq!(error["field"], "Content-Type");
        let message = error["message"].as_str().expect("a message");
        assert!(message.starts_with(found), "{message}");
    }
    for body in ["", "{", "brief", "{\"brief\": \"x\"} {}"] {
        let reply = send(&[("content-type", "application/json")], body).await;
        let error = reply.expect_error(400, "malformed_request");
        let message = error["message"].as_str().expect("a message");
        assert!(message.starts_with("the body is not JSON: "), "{message}");
    }
    for (kind, body) in [
        ("multipart/form-data", "--b--"),
        (
            "multipart/form-data; boundary=b",
            "--b\r\ncontent-disposition",
        ),
    ] {
        let reply = send(&[("content-type", kind)], body).await;
        reply.expect_error(400, "malformed_request");
    }
    let charset = [("content-type", "Application/JSON; charset=utf-8")];
    send(&charset, "{\"brief\": \"x\"}").await.expect(201);
}

#[tokio::test(start_paused = true)]
async fn a_budget_is_rounded_to_millionths_and_has_a_default() {
    let gateway = Fixture::open().gateway();
    let cases = [
        (json!({ "brief": "x" }), 5.0),
        (json!({ "brief": "x", "budget_usd": 0 }), 0.0),
        (json!({ "brief": "x", "budget_usd": 1000 }), 1000.0),
        (json!({ "brief": "x", "budget_usd": 0.000_000_4 }), 0.0),
        (
            json!({ "brief": "x", "budget_usd": 0.000_000_6 }),
            0.000_001,
        ),
    ];
    for (body, budget) in cases {
        let project = submit(&gateway, &body).await.expect(201).json();
        assert_eq!(project["money"]["budget_usd"], budget, "{body}");
    }
}
