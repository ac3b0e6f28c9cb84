//! Reads a submission from JSON or multipart into the same thing.

use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chorus_core::intake::{
    AcceptedAttachment, AttachmentRefusal, Attachments, Part, TextRefusal, brief_text,
};
use http::{HeaderMap, header};
use serde::de::DeserializeOwned;

use crate::fault::{Code, Fault};
use crate::resource::{Document, Submission, SubmissionOptions};
use crate::settings::Bounds;

/// Letters of a reader's complaint that are passed on.
const COMPLAINT: usize = 300;

/// What was handed in, checked.
pub(super) struct Intake {
    pub(super) text: String,
    /// In the order given.
    pub(super) documents: Vec<AcceptedAttachment>,
    pub(super) options: SubmissionOptions,
}

/// Reads it, in either form.
pub(super) async fn read(request: Request, bounds: &Bounds) -> Result<Intake, Fault> {
    let media_type = media_type(request.headers());
    match media_type.as_str() {
        "application/json" => {
            let body = Bytes::from_request(request, &()).await?;
            from_json(json(&body)?, bounds)
        }
        "multipart/form-data" => {
            let malformed = |why: axum::extract::multipart::MultipartRejection| {
                Fault::new(Code::MalformedRequest, why.body_text())
            };
            from_parts(
                Multipart::from_request(request, &())
                    .await
                    .map_err(malformed)?,
                bounds,
            )
            .await
        }
        other => {
            let found = if other.is_empty() {
                "none".to_owned()
            } else {
                format!("{other:.80}")
            };
            let words = format!(
                "Content-Type is {found}; a project is handed in as application/json or multipart/form-data"
            );
            Err(Fault::new(Code::UnsupportedMediaType, words).of_field("Content-Type"))
        }
    }
}

/// The media type without its parameters.
fn media_type(headers: &HeaderMap) -> String {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// JSON of a known form; a complaint names the field.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let words: String = error.inner().to_string().chars().take(COMPLAINT).collect();
        let path = error.path().to_string();
        if error.inner().is_data() {
            Fault::field(if path == "." { "body".to_owned() } else { path }, words)
        } else {
            Fault::new(
                Code::MalformedRequest,
                format!("the body is not JSON: {words}"),
            )
        }
    })?;
    reader.end().map_err(|error| {
        Fault::new(
            Code::MalformedRequest,
            format!("the body is not JSON: {error}"),
        )
    })?;
    Ok(read)
}

fn from_json(submission: Submission, bounds: &Bounds) -> Result<Intake, Fault> {
    let Submission {
        brief,
        attachments,
        title,
        budget_usd,
        assume,
        approve,
    } = submission;
    let text = checked_brief(brief.into_bytes(), bounds)?;
    let mut documents = Attachments::new(bounds.intake());
    for (at, document) in attachments.into_iter().enumerate() {
        let field = format!("attachments[{at}]");
        let Document { name, text, base64 } = document;
        let bytes = match (text, base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(coded)) => STANDARD.decode(coded.as_bytes()).map_err(|error| {
                Fault::field(
                    format!("{field}.base64"),
                    format!("it is not base64: {error}"),
                )
            })?,
            _ => return Err(Fault::field(field, "give either text or base64")),
        };
        add(&mut documents, &field, name, bytes)?;
    }
    Ok(Intake {
        text,
        documents: documents.into_accepted(),
        options: SubmissionOptions {
            title,
            budget_usd,
            assume,
            approve,
        },
    })
}

async fn from_parts(mut parts: Multipart, bounds: &Bounds) -> Result<Intake, Fault> {
    let mut brief = None;
    let mut options = SubmissionOptions::default();
    let mut documents = Attachments::new(bounds.intake());
    while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "brief" if brief.is_none() => brief = Some(checked_brief(bytes(part).await?, bounds)?),
            "options" => options = json(&bytes(part).await?)?,
            "attachments" => {
                let field = format!("attachments[{}]", documents.len());
                let file = part.file_name().map(str::to_owned);
                let file = file.ok_or_else(|| {
                    Fault::field(field.as_str(), "an attachment needs a filename")
                })?;
                add(&mut documents, &field, file, bytes(part).await?)?;
            }
            "brief" => return Err(Fault::field("brief", "there are two of it")),
            other => {
                return Err(Fault::field(
                    format!("{other:.64}"),
                    "unknown part, expected one of: brief, attachments, options",
                ));
            }
        }
    }
    let text = brief.ok_or_else(|| Fault::field("brief", "it is missing"))?;
    Ok(Intake {
        text,
        documents: documents.into_accepted(),
        options,
    })
}

async fn bytes(part: Field<'_>) -> Result<Vec<u8>, Fault> {
    Ok(part.bytes().await.map_err(|error| broken(&error))?.into())
}

fn broken(error: &MultipartError) -> Fault {
    Fault::new(Code::of_status(error.status()), error.body_text())
}

fn checked_brief(bytes: Vec<u8>, bounds: &Bounds) -> Result<String, Fault> {
    brief_text(bytes, &bounds.intake()).map_err(|why| refused_text(Part::Brief, "brief", why))
}

/// Adds an attachment, or names the field that is wrong with it.
fn add(
    attachments: &mut Attachments,
    field: &str,
    name: String,
    bytes: Vec<u8>,
) -> Result<(), Fault> {
    let quoted = format!("{name:.64?}");
    attachments.add(name, bytes).map_err(|why| match why {
        AttachmentRefusal::TooMany { max } => {
            Fault::field("attachments", format!("at most {max} are taken"))
        }
        AttachmentRefusal::DuplicateName => Fault::field(
            format!("{field}.name"),
            format!("two attachments are called {quoted}"),
        ),
        AttachmentRefusal::Name(why) => {
            Fault::field(format!("{field}.name"), format!("the name {why}"))
        }
        AttachmentRefusal::Text(why) => refused_text(Part::Attachment, field, why),
    })
}

/// The refusal of a content, with advice.
fn refused_text(part: Part, field: &str, why: TextRefusal) -> Fault {
    let advice = match (why, part) {
        (TextRefusal::Empty, _) => ": write what is to be made",
        (TextRefusal::TooLarge { .. }, Part::Brief) => ": move long texts into attachments",
        (TextRefusal::TooLarge { .. }, Part::Attachment) => ": split it",
        (TextRefusal::Binary | TextRefusal::Format(_), Part::Brief) => ": only text is taken",
        (TextRefusal::Binary | TextRefusal::Format(_), Part::Attachment) => {
            ": only text can be attached"
        }
        (
            TextRefusal::NotUtf8 { .. }
            | TextRefusal::BrokenUtf16(_)
            | TextRefusal::Unmarked(_)
            | TextRefusal::Utf32,
            _,
        ) => ": send it as UTF-8",
    };
    let message = format!("{part} {why}{advice}");
    if matches!(why, TextRefusal::TooLarge { .. }) {
        Fault::new(Code::TooLarge, message).of_field(field)
    } else {
        Fault::field(field, message)
    }
}
