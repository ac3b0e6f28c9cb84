//! The header `Idempotency-Key`: its form, and the id of a command that has one.

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::{EventId, ProjectId, Tenant};
use chorus_core::project::{ClientCommand, Head};
use http::HeaderMap;

use crate::api_error::ApiError;

/// Maximum length of an Idempotency-Key, in bytes.
const MAX_KEY_BYTES: usize = 255;

/// The key of a request, if it has one.
pub(crate) fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let text = value.to_str().ok();
    let text = text.filter(|text| (1..=MAX_KEY_BYTES).contains(&text.len()));
    let invalid = || {
        ApiError::field(
            "Idempotency-Key",
            format!("it must be 1 to {MAX_KEY_BYTES} visible ASCII letters"),
        )
    };
    Ok(Some(text.ok_or_else(invalid)?.to_owned()))
}

/// The id of a command that the client gave a key: equal for an equal key, project and command.
pub(crate) fn command_id(head: &Head, key: &str, command: &ClientCommand) -> EventId {
    let identity: (&Tenant, ProjectId, &str, &ClientCommand) =
        (&head.tenant, head.id, key, command);
    let text = serde_json::to_string(&identity).expect("texts and ids can be written");
    let hash = ArtifactHash::of(text.as_bytes()).to_string();
    EventId::new(u128::from_str_radix(&hash[..32], 16).expect("a hash is hex digits"))
}

#[cfg(test)]
mod tests {
    use chorus_core::brief::Options;
    use chorus_core::project::NewHead;
    use chorus_core::time::Timestamp;
    use http::HeaderValue;

    use super::*;

    fn headers(value: &[u8]) -> HeaderMap {
        let value = HeaderValue::from_bytes(value).expect("a header may hold it");
        let name = http::header::HeaderName::from_static("idempotency-key");
        [(name, value)].into_iter().collect()
    }

    #[test]
    fn a_key_is_1_to_255_visible_letters() {
        assert_eq!(key(&HeaderMap::new()), Ok(None));
        let longest = "k".repeat(MAX_KEY_BYTES);
        for text in ["a", "order 66", longest.as_str()] {
            assert_eq!(key(&headers(text.as_bytes())), Ok(Some(text.to_owned())));
        }
        let too_long = "k".repeat(MAX_KEY_BYTES + 1);
        for text in [b"".as_slice(), too_long.as_bytes(), "schlüssel".as_bytes()] {
            let error = key(&headers(text)).expect_err("it is refused");
            assert_eq!(
                error,
                ApiError::field(
                    "Idempotency-Key",
                    "it must be 1 to 255 visible ASCII letters"
                )
            );
        }
    }

    #[test]
    fn a_command_has_another_id_when_key_project_tenant_or_body_differ() {
        let head = |id, tenant: &str| {
            Head::new(NewHead {
                id: ProjectId::new(id),
                tenant: Tenant::new(tenant),
                title: String::new(),
                created_at: Timestamp(0),
                brief: ArtifactHash::of(b"brief"),
                options: Options {
                    assume: false,
                    approve: false,
                },
            })
        };
        let reject = |reason: &str| ClientCommand::Reject {
            reason: reason.to_owned(),
            plan: None,
        };
        let id = command_id(&head(1, "a"), "k", &reject("x"));
        assert_eq!(id, command_id(&head(1, "a"), "k", &reject("x")));
        let others = [
            command_id(&head(2, "a"), "k", &reject("x")),
            command_id(&head(1, "b"), "k", &reject("x")),
            command_id(&head(1, "a"), "l", &reject("x")),
            command_id(&head(1, "a"), "k", &reject("y")),
            command_id(&head(1, "a"), "k", &ClientCommand::Approve { plan: None }),
        ];
        for other in others {
            assert_ne!(id, other);
        }
    }
}
