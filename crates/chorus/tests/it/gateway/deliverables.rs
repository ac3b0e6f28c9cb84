//! Deliverables: as JSON, as a zip, file by file, and the report.

use std::collections::BTreeMap;

use std::io::{Cursor, Read};

use chorus_core::artifact::ArtifactHash;
use chorus_core::project::{Best, HistoryEvent, State};
use serde_json::json;

use super::fixture::{GatewayFixture, on_each_store};
use super::wire::Client;

const PAGE: &[u8] = b"<script>alert(1)</script>";

/// Path, media type and content of a file.
type File<'a> = (&'a str, &'a str, &'a [u8]);

/// Checks the deliverable as JSON, and each file by its address.
async fn check_json(client: &Client, reply: &serde_json::Value, files: &[File<'_>]) {
    for (file, (path, media_type, content)) in
        reply["files"].as_array().expect("files").iter().zip(files)
    {
        assert_eq!(
            (&file["path"], &file["media_type"], &file["bytes"]),
            (&json!(path), &json!(media_type), &json!(content.len()))
        );
        assert_eq!(file["sha256"], ArtifactHash::of(content).to_string());
        assert_eq!(
            file["text"],
            std::str::from_utf8(content).map_or(serde_json::Value::Null, |text| json!(text))
        );
        let single = client.get(file["href"].as_str().expect("an address")).await;
        assert_eq!((single.status.as_u16(), &single.body[..]), (200, *content));
        assert_eq!(
            single.headers["content-security-policy"], "sandbox",
            "what a model wrote gets no rights"
        );
        assert_eq!(single.headers["x-content-type-options"], "nosniff");
        assert_eq!(
            single.headers["etag"],
            format!("\"{}\"", ArtifactHash::of(content))
        );
    }
}

/// Checks the zip, chosen by query and by header.
async fn check_zip(client: &Client, path: &str, files: &[File<'_>]) {
    let by_query = client.get(&format!("{path}?format=zip")).await;
    let by_header = client.with("accept", "application/zip").get(path).await;
    assert_eq!(
        (&by_query.headers["content-type"], &by_query.body),
        (
            &http::HeaderValue::from_static("application/zip"),
            &by_header.body
        )
    );
    let mut zip = zip::ZipArchive::new(Cursor::new(by_query.body)).expect("it opens");
    assert_eq!(zip.len(), files.len());
    for (path, _, content) in files {
        let mut bytes = Vec::new();
        zip.by_name(path)
            .expect("the file is in it")
            .read_to_end(&mut bytes)
            .expect("it unpacks");
        assert_eq!(bytes, *content, "{path}");
    }
}

#[tokio::test]
async fn json_zip_and_files_are_the_artifacts() {
    on_each_store("deliverables", async |fixture| {
        let (gateway, key, id) = (
            fixture.gateway().await,
            fixture.key("home").await,
            fixture.project("home").await,
        );
        let client = Client::new(&gateway.base, &key);
        let path = format!("/v1/projects/{id}/deliverable");
        for path in [
            path.clone(),
            format!("{path}?format=zip"),
            format!("{path}/a.md"),
        ] {
            assert_eq!(
                client.get(&path).await.refusal(),
                (409, "not_ready".to_owned(), String::new()),
                "{path}"
            );
        }
        let long = "Grüße aus dem langen Text.\n".repeat(20_000);
        let files: [(&str, &str, &[u8]); 4] = [
            ("a.md", "text/markdown", b"# A\n"),
            ("teil/\u{dc}bung 1#.md", "text/markdown", long.as_bytes()),
            ("page.html", "text/html", PAGE),
            ("data.bin", "no media\ntype", b"\xff\x00\xfe"),
        ];
        let deliverable = fixture.deliverable(&files).await;
        let defects = vec!["the glossary is missing".to_owned()];
        fixture
            .decide(id, vec![], false, |head| {
                head.best = Some(Best {
                    deliverable,
                    score: 900,
                    defects,
                    redo: BTreeMap::new(),
                });
                head.round = 1;
            })
            .await;
        fixture.done(id, deliverable).await;

        let project = client.get(&format!("/v1/projects/{id}")).await.json();
        assert_eq!(
            project["verdict"],
            json!({"score": 1.0, "defects": [], "rounds": 1}),
            "not the verdict of the round before"
        );

        let reply = client.get(&path).await.json();
        check_json(&client, &reply, &files).await;
        check_zip(&client, &path, &files).await;
        for stray in ["b.md", "../a.md", "%2e%2e/a.md", "teil"] {
            let refused = client.get(&format!("{path}/{stray}")).await;
            assert_eq!(refused.status, 404, "{stray}");
        }
        assert_eq!(
            client.get(&format!("{path}?format=tar")).await.refusal().2,
            "format"
        );
        gateway.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_failed_project_reports_that_nothing_was_delivered() {
    let fixture = GatewayFixture::sqlite().await;
    let (gateway, key, id) = (
        fixture.gateway().await,
        fixture.key("home").await,
        fixture.project("home").await,
    );
    let why = "no account can serve it".to_owned();
    fixture
        .decide(
            id,
            vec![HistoryEvent::Failed { why: why.clone() }],
            true,
            |head| head.state = State::Failed { why: why.clone() },
        )
        .await;
    let client = Client::new(&gateway.base, &key);
    assert_eq!(
        client
            .get(&format!("/v1/projects/{id}/deliverable"))
            .await
            .refusal(),
        (404, "no_deliverable".to_owned(), String::new())
    );
    assert_eq!(
        client
            .get(&format!("/v1/projects/{id}/plan"))
            .await
            .refusal(),
        (409, "not_ready".to_owned(), String::new())
    );
    assert_eq!(
        client.get(&format!("/v1/projects/{id}")).await.json()["defects"],
        json!([why])
    );
    let report = client
        .get(&format!("/v1/projects/{id}/report"))
        .await
        .json();
    assert_eq!(
        (&report["state"], &report["defects"]),
        (&json!("failed"), &json!([why]))
    );
    let page = client
        .with("accept", "text/html,*/*")
        .get(&format!("/v1/projects/{id}/report"))
        .await;
    assert!(
        page.headers["content-type"]
            .to_str()
            .is_ok_and(|kind| kind.starts_with("text/html"))
    );
    assert!(
        page.headers["content-security-policy"]
            .to_str()
            .is_ok_and(|policy| policy.contains("default-src 'none'"))
    );
    gateway.stop().await;
}
