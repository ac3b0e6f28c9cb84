//! Refusal of credentials of a consumer's login: only official API keys are accepted.

use chorus_core::catalog::{Auth, Provider};

use crate::secret::Secret;

/// Reason that [`refuse_consumer_token`] refuses a secret, without the secret, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {remedy}")]
pub struct Refusal {
    /// Kind of the secret, as a sentence.
    pub what: String,
    /// Advice, with the address where keys are created.
    pub remedy: String,
}

/// Refuses tokens of consumer sessions, plans and browsers, and texts that cannot be a key.
pub fn refuse_consumer_token(provider: &Provider, secret: &Secret) -> Result<(), Refusal> {
    match unfit(provider, secret.expose()) {
        None => Ok(()),
        Some(what) => Err(Refusal {
            what: what.to_owned(),
            remedy: remedy(provider),
        }),
    }
}

fn remedy(provider: &Provider) -> String {
    match &provider.keys_url {
        Some(url) => format!(
            "create an official API key of {} at {url} and use that",
            provider.title
        ),
        None => "use the server's own API key, or none".to_owned(),
    }
}

fn unfit(provider: &Provider, text: &str) -> Option<&'static str> {
    if text.is_empty() {
        return (provider.auth != Auth::None).then_some("the secret is empty");
    }
    let known = PREFIXES
        .iter()
        .find(|(prefix, _)| text.starts_with(prefix))
        .map(|(_, what)| *what);
    known.or_else(|| by_shape(provider, text))
}

const PREFIXES: &[(&str, &str)] = &[
    (
        "sk-ant-oat",
        "this is an OAuth token of a Claude plan, which is for Anthropic's own apps only",
    ),
    (
        "sk-ant-ort",
        "this is an OAuth refresh token of a Claude plan, which is for Anthropic's own apps only",
    ),
    ("sk-ant-sid", "this is a session cookie of claude.ai"),
    (
        "sk-ant-admin",
        "this is an admin key, which manages an organisation and cannot call models",
    ),
    (
        "sess-",
        "this is a browser session token of OpenAI's dashboard",
    ),
    (
        "ya29.",
        "this is a Google OAuth access token, which belongs to a person's login and dies within the hour",
    ),
    (
        "1//",
        "this is a Google OAuth refresh token, which belongs to a person's login",
    ),
];

fn by_shape(provider: &Provider, text: &str) -> Option<&'static str> {
    const COOKIES: &[&str] = &[
        "sessionkey=",
        "__secure-",
        "cf_clearance=",
        "session-token",
        "cookie:",
    ];
    let lower = text.to_lowercase();
    if text.starts_with(['{', '[']) {
        let service = lower.contains("service_account");
        return Some(if service {
            "this is a Google service account file, which this route does not take"
        } else {
            "this is a session or token file of an app"
        });
    }
    if COOKIES.iter().any(|mark| lower.contains(mark)) {
        return Some("this is a browser cookie");
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || !c.is_ascii())
    {
        return Some("the secret holds spaces or characters that no key has");
    }
    let is_jwt = text.starts_with("eyJ") && text.split('.').count() == 3;
    (is_jwt && provider.keys_url.is_some())
        .then_some("this is a session token (a JWT) of a browser login")
}
