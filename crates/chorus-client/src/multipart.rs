//! The form of a submission: a brief, options and attachments as `multipart/form-data`.

use bytes::Bytes;
use chorus_api::SubmissionOptions;
use chorus_core::artifact::ArtifactHash;

/// A form that is ready to be sent by [`Client::submit`](crate::Client::submit).
pub(crate) struct Form {
    pub(crate) body: Bytes,
    /// Media type with the boundary between the parts.
    pub(crate) media_type: String,
}

/// Encodes a submission. Equal submissions give equal bytes.
pub(crate) fn encode(
    brief: &str,
    options: &SubmissionOptions,
    attachments: &[(String, String)],
) -> Form {
    let options =
        serde_json::to_string(options).expect("submission options are a struct with text keys");
    let boundary = boundary(brief, &options, attachments);
    let mut body = Vec::new();
    let mut part = |headers: &str, content: &str| {
        let head = format!("--{boundary}\r\nContent-Disposition: form-data; {headers}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content.as_bytes());
        body.extend_from_slice(b"\r\n");
    };
    part("name=\"brief\"", brief);
    part(
        "name=\"options\"\r\nContent-Type: application/json",
        &options,
    );
    for (name, text) in attachments {
        let file = name.replace('\\', "\\\\").replace('"', "\\\"");
        part(
            &format!("name=\"attachments\"; filename=\"{file}\"\r\nContent-Type: text/plain"),
            text,
        );
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    Form {
        body: body.into(),
        media_type: format!("multipart/form-data; boundary={boundary}"),
    }
}

/// Text that no content contains: a hash over all of it.
fn boundary(brief: &str, options: &str, attachments: &[(String, String)]) -> String {
    let mut hashed = String::new();
    for text in [brief, options]
        .into_iter()
        .chain(attachments.iter().map(|(_, text)| text.as_str()))
    {
        hashed.push_str(&ArtifactHash::of(text.as_bytes()).to_string());
    }
    format!("chorus-{}", ArtifactHash::of(hashed.as_bytes()))
}
