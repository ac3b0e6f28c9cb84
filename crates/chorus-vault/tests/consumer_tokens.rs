//! Tokens of consumer logins at the providers of the catalogue.

use chorus_core::id::ProviderId;
use chorus_vault::{Secret, refuse_consumer_token};

fn check(provider: &str, secret: &str, expected: Option<&str>) {
    let catalog = chorus_upstream::catalog::load();
    let row = catalog.provider(&ProviderId::new(provider)).expect("a row");
    let refusal = refuse_consumer_token(row, &Secret::new(secret)).err();
    match (refusal, expected) {
        (None, None) => {}
        (Some(refusal), Some(words)) => {
            let text = refusal.to_string();
            assert!(text.contains(words), "{text}");
            assert!(secret.is_empty() || !text.contains(secret), "{text}");
        }
        (refusal, expected) => {
            panic!("{provider} {secret:?}: {refusal:?} instead of {expected:?}")
        }
    }
}

#[test]
fn consumer_tokens_are_refused_with_the_way_to_a_key() {
    check(
        "anthropic",
        "sk-ant-oat01-abc",
        Some("https://console.anthropic.com/settings/keys"),
    );
    check("anthropic", "sk-ant-sid01-abc", Some("session cookie"));
    check("anthropic", "sk-ant-admin01-abc", Some("admin key"));
    check(
        "anthropic",
        r#"{"claudeAiOauth":{"accessToken":"x"}}"#,
        Some("token file"),
    );
    check(
        "openai",
        "sess-abcdef",
        Some("https://platform.openai.com/api-keys"),
    );
    check(
        "openai",
        "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl",
        Some("browser login"),
    );
    check(
        "openai",
        "__Secure-next-auth.session-token=abc",
        Some("cookie"),
    );
    check("gemini", "ya29.a0AfH6SMB", Some("OAuth access token"));
    check(
        "gemini",
        r#"{"type":"service_account"}"#,
        Some("service account"),
    );
    check("deepseek", "", Some("empty"));
    check("deepseek", "sk-abc def", Some("spaces"));
}

#[test]
fn official_keys_and_keyless_servers_are_taken() {
    check("anthropic", "sk-ant-api03-abc", None);
    check("openai", "sk-proj-abc_def-123", None);
    check("deepseek", "sk-0123456789abcdef", None);
    check("gemini", "AIzaSyExample", None);
    check("compatible", "", None);
    check("compatible", "eyJhbGciOi.eyJzdWIiOi.c2lnbmF0dXJl", None);
}
