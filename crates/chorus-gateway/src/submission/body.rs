//! Reads a submission from JSON or multipart into one checked form.
//!
//! Sizes, encodings and names are the rules of [`chorus_core::intake`]; this module adds the field
//! and the advice to each refusal.

use axum::body::Bytes;
use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{FromRequest, Multipart, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chorus_core::intake::{
    AcceptedAttachment, AttachmentRefusal, Attachments, Part, TextRefusal, brief_text,
};
use http::{HeaderMap, header};

use crate::api_error::ApiError;
use crate::error_code::ErrorCode;
use crate::json_body::read_json;
use crate::resource::{Document, Submission, SubmissionOptions};
use crate::settings::Bounds;

/// A submission that passed all checks.
#[derive(Debug)]
pub(super) struct CheckedSubmission {
    pub(super) text: String,
    /// Attachments in the order given.
    pub(super) attachments: Vec<AcceptedAttachment>,
    pub(super) options: SubmissionOptions,
}

/// Reads the body of a request in the form that its Content-Type names.
pub(super) async fn read(request: Request, bounds: &Bounds) -> Result<CheckedSubmission, ApiError> {
    let media_type = media_type(request.headers());
    match media_type.as_str() {
        "application/json" => {
            let body = Bytes::from_request(request, &()).await?;
            from_json(read_json(&body)?, bounds)
        }
        "multipart/form-data" => {
            let malformed = |why: axum::extract::multipart::MultipartRejection| {
                ApiError::new(ErrorCode::MalformedRequest, why.body_text())
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
            let message = format!(
                "Content-Type is {found}; a project is submitted as application/json or multipart/form-data"
            );
            Err(ApiError::new(ErrorCode::UnsupportedMediaType, message).of_field("Content-Type"))
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

fn from_json(submission: Submission, bounds: &Bounds) -> Result<CheckedSubmission, ApiError> {
    let Submission {
        brief,
        attachments,
        title,
        budget_usd,
        assume,
        approve,
    } = submission;
    let text = checked_brief(brief.into_bytes(), bounds)?;
    let mut accepted = Attachments::new(bounds.intake());
    for (at, document) in attachments.into_iter().enumerate() {
        let field = format!("attachments[{at}]");
        let Document { name, text, base64 } = document;
        let bytes = match (text, base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(coded)) => STANDARD.decode(coded.as_bytes()).map_err(|error| {
                ApiError::field(
                    format!("{field}.base64"),
                    format!("it is not base64: {error}"),
                )
            })?,
            _ => return Err(ApiError::field(field, "give either text or base64")),
        };
        add(&mut accepted, &field, name, bytes)?;
    }
    Ok(CheckedSubmission {
        text,
        attachments: accepted.into_accepted(),
        options: SubmissionOptions {
            title,
            budget_usd,
            assume,
            approve,
        },
    })
}

async fn from_parts(mut parts: Multipart, bounds: &Bounds) -> Result<CheckedSubmission, ApiError> {
    let mut brief = None;
    let mut options = SubmissionOptions::default();
    let mut accepted = Attachments::new(bounds.intake());
    while let Some(part) = parts.next_field().await.map_err(|error| broken(&error))? {
        let name = part.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "brief" if brief.is_none() => brief = Some(checked_brief(bytes(part).await?, bounds)?),
            "options" => options = read_json(&bytes(part).await?)?,
            "attachments" => {
                let field = format!("attachments[{}]", accepted.len());
                let file = part.file_name().map(str::to_owned);
                let file = file.ok_or_else(|| {
                    ApiError::field(field.as_str(), "an attachment needs a filename")
                })?;
                add(&mut accepted, &field, file, bytes(part).await?)?;
            }
            "brief" => return Err(ApiError::field("brief", "there are two of it")),
            other => {
                return Err(ApiError::field(
                    format!("{other:.64}"),
                    "unknown part, expected one of: brief, attachments, options",
                ));
            }
        }
    }
    let text = brief.ok_or_else(|| ApiError::field("brief", "it is missing"))?;
    Ok(CheckedSubmission {
        text,
        attachments: accepted.into_accepted(),
        options,
    })
}

async fn bytes(part: Field<'_>) -> Result<Vec<u8>, ApiError> {
    Ok(part.bytes().await.map_err(|error| broken(&error))?.into())
}

fn broken(error: &MultipartError) -> ApiError {
    ApiError::new(ErrorCode::of_status(error.status()), error.body_text())
}

fn checked_brief(bytes: Vec<u8>, bounds: &Bounds) -> Result<String, ApiError> {
    brief_text(bytes, &bounds.intake()).map_err(|why| refused_text(Part::Brief, "brief", why))
}

/// Adds an attachment, or names the field that is wrong with it.
fn add(
    attachments: &mut Attachments,
    field: &str,
    name: String,
    bytes: Vec<u8>,
) -> Result<(), ApiError> {
    let quoted = format!("{name:.64?}");
    attachments.add(name, bytes).map_err(|why| match why {
        AttachmentRefusal::TooMany { max } => {
            ApiError::field("attachments", format!("at most {max} are taken"))
        }
        AttachmentRefusal::DuplicateName => ApiError::field(
            format!("{field}.name"),
            format!("two attachments are called {quoted}"),
        ),
        AttachmentRefusal::Name(why) => {
            ApiError::field(format!("{field}.name"), format!("the name {why}"))
        }
        AttachmentRefusal::Text(why) => refused_text(Part::Attachment, field, why),
    })
}

/// The refusal of a content, with advice.
fn refused_text(part: Part, field: &str, why: TextRefusal) -> ApiError {
    let advice = match (why, part) {
        (TextRefusal::Empty, _) => ": write what is to be made".to_owned(),
        (TextRefusal::TooLarge { .. }, Part::Brief) => {
            ": move long texts into attachments".to_owned()
        }
        (TextRefusal::TooLarge { .. }, Part::Attachment) => ": split it".to_owned(),
        (TextRefusal::Format(format), _) => format!(": {}", format.advice()),
        (TextRefusal::Binary, Part::Brief) => ": only text is taken".to_owned(),
        (TextRefusal::Binary, Part::Attachment) => ": only text can be attached".to_owned(),
        (TextRefusal::NotUtf8 { .. } | TextRefusal::Broken(_), _) => {
            ": send it as UTF-8".to_owned()
        }
    };
    let message = format!("{part} {why}{advice}");
    if matches!(why, TextRefusal::TooLarge { .. }) {
        ApiError::new(ErrorCode::TooLarge, message).of_field(field)
    } else {
        ApiError::field(field, message)
    }
}
