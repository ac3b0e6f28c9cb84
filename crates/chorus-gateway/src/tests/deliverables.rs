//! Deliverables as JSON, as zip and file by file.

use std::io::{Cursor, Read as _};

use chorus_core::artifact::ArtifactHash;
use chorus_core::project::State;

use super::fixture::Fixture;

#[tokio::test(start_paused = true)]
async fn there_is_no_deliverable_before_the_end() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let gateway = fixture.gateway();
    fixture.set_state(id, State::Running).await;
    for below in ["deliverable", "deliverable?format=zip", "deliverable/a.md"] {
        let reply = gateway.get(&format!("/v1/projects/{id}/{below}")).await;
        let error = reply.expect_error(409, "not_ready");
        assert_eq!(error["project"], id.to_string());
        assert_eq!(
            error["message"],
            "the project is running: there is no deliverable yet"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_project_that_made_nothing_has_no_deliverable() {
    let fixture = Fixture::open();
    let gateway = fixture.gateway();
    let failed = State::Failed {
        why: "no account".to_owned(),
    };
    for (state, name) in [(failed, "failed"), (State::Cancelled, "cancelled")] {
        let id = fixture.project("home").await;
        fixture.set_state(id, state).await;
        let reply = gateway.get(&format!("/v1/projects/{id}/deliverable")).await;
        let error = reply.expect_error(404, "no_deliverable");
        assert_eq!(
            error["message"],
            format!("the project is {name}: nothing was delivered")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_deliverable_has_its_files_with_addresses_that_work() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let files: [(&str, &str, &[u8]); 3] = [
        ("a.md", "text/markdown", b"# A"),
        (
            "teil/\u{dc}bung 1#.html",
            "text/html",
            b"<script>x</script>",
        ),
        ("b.bin", "not a media type\n", b"\xff\x00"),
    ];
    let deliverable = fixture.deliverable(&files).await;
    fixture.finish(id, deliverable).await;
    let gateway = fixture.gateway();
    let body = gateway
        .get(&format!("/v1/projects/{id}/deliverable"))
        .await
        .expect(200)
        .json();
    assert_eq!(body["project"], id.to_string());
    let listed = body["files"].as_array().expect("files");
    assert_eq!(listed.len(), files.len());
    for (file, (path, media_type, content)) in listed.iter().zip(files) {
        assert_eq!(file["path"], path);
        assert_eq!(file["bytes"], content.len());
        let text = std::str::from_utf8(content).ok();
        assert_eq!(file["text"].as_str(), text, "binary files have no text");
        let href = file["href"].as_str().expect("an address");
        let reply = gateway.get(href).await.expect(200);
        assert_eq!(reply.body, content);
        let hash = ArtifactHash::of(content).to_string();
        assert_eq!(file["sha256"], hash);
        assert_eq!(reply.header("etag"), Some(format!("\"{hash}\"").as_str()));
        assert_eq!(reply.header("content-security-policy"), Some("sandbox"));
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
        let expected = if media_type.ends_with('\n') {
            "application/octet-stream"
        } else {
            media_type
        };
        assert_eq!(reply.header("content-type"), Some(expected));
    }
    for path in ["c.md", "A.md", "teil", "../a.md"] {
        let reply = gateway
            .get(&format!("/v1/projects/{id}/deliverable/{path}"))
            .await;
        let error = reply.expect_error(404, "no_such_file");
        assert_eq!(
            error["message"],
            format!("the deliverable has no file {path}")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_zip_holds_every_file_and_is_the_same_each_time() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let files: [(&str, &str, &[u8]); 2] = [
        ("a.md", "text/markdown", b"# A"),
        ("teil/b.bin", "application/octet-stream", b"\xff\x00"),
    ];
    let deliverable = fixture.deliverable(&files).await;
    fixture.finish(id, deliverable).await;
    let gateway = fixture.gateway();
    let path = format!("/v1/projects/{id}/deliverable");
    let by_parameter = gateway.get(&format!("{path}?format=zip")).await.expect(200);
    let headers = [("accept", "application/zip")];
    let by_header = gateway.get_with(&path, &headers).await.expect(200);
    assert_eq!(by_parameter.body, by_header.body);
    assert_eq!(by_header.header("content-type"), Some("application/zip"));
    assert_eq!(
        by_header.header("content-disposition"),
        Some(format!("attachment; filename=\"{id}.zip\"").as_str())
    );
    let mut zip = zip::ZipArchive::new(Cursor::new(by_header.body)).expect("it opens");
    assert_eq!(zip.len(), files.len());
    for (path, _, content) in files {
        let mut read = Vec::new();
        let mut file = zip.by_name(path).expect("the file is in it");
        file.read_to_end(&mut read).expect("it unpacks");
        assert_eq!(read, content);
    }
    let wrong = gateway.get(&format!("{path}?format=tar")).await;
    let error = wrong.expect_error(422, "invalid_field");
    assert_eq!(error["message"], "expected one of: json, zip");
}

#[tokio::test(start_paused = true)]
async fn a_missing_artifact_is_an_error_and_cuts_a_zip() {
    let fixture = Fixture::open();
    let id = fixture.project("home").await;
    let lost = ArtifactHash::of(b"lost");
    let kept = fixture.artifact(b"kept").await;
    let text = serde_json::json!({
        "version": 1,
        "files": [
            { "path": "a", "media_type": "text/plain", "content": kept, "bytes": 4 },
            { "path": "b", "media_type": "text/plain", "content": lost, "bytes": 4 },
        ],
        "conflicts": [],
        "resolutions": [],
    });
    let deliverable = fixture.artifact(text.to_string().as_bytes()).await;
    fixture.finish(id, deliverable).await;
    let gateway = fixture.gateway();
    let path = format!("/v1/projects/{id}/deliverable");
    let error = gateway
        .get(&path)
        .await
        .expect_error(500, "artifact_missing");
    assert_eq!(
        error["message"],
        format!("the artifact {lost} is gone from the store: restore it from a backup")
    );
    gateway.get(&format!("{path}/a")).await.expect(200);
    gateway
        .get(&format!("{path}/b"))
        .await
        .expect_error(500, "artifact_missing");
    let zip = super::fixture::request(http::Method::GET, &format!("{path}?format=zip"), &[], "");
    let response = gateway.start(zip).await;
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    assert!(body.is_err(), "half a zip is not a whole one");
}
