//! The one rule for texts that may repeat a secret: what looks like one is replaced before a person sees it.
//!
//! A secret is known by the beginning that providers give their keys, by its place before the `@` of an address, or by
//! being long and as mixed as chance. Ids and hashes of Chorus are no secrets. Where a place holds secrets by its
//! nature, as a cell of a file of accounts does, nothing of it is shown at all: this rule is for other texts.

/// Beginnings of keys and tokens.
const PREFIXES: [&str; 28] = [
    "sk-",
    "sk_",
    "pk-",
    "rk_",
    "pk_",
    "gsk_",
    "xai-",
    "AIza",
    "AQ.",
    "ya29.",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "hf_",
    "r8_",
    "nvapi-",
    "fw_",
    "tgp_",
    "pplx-",
    "csk-",
    "AKIA",
    "xoxb-",
    "xoxp-",
    "eyJ",
    "chs_",
];

/// Least number of characters after one of [`PREFIXES`].
const LEAST_AFTER_PREFIX: usize = 6;

/// Least number of characters of a secret without a known beginning.
const LEAST_MIXED: usize = 32;

/// Text in the place of a secret.
const HIDDEN: &str = "…";

/// Returns the text with `…` in the place of what looks like a secret.
pub fn redacted(text: &str) -> String {
    let text = without_users(text);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let word = rest
            .find(|letter| !is_of_word(letter))
            .unwrap_or(rest.len());
        let (token, after) = rest.split_at(word);
        shown.push_str(if is_secret(token) { HIDDEN } else { token });
        let next = after.find(is_of_word).unwrap_or(after.len());
        shown.push_str(&after[..next]);
        rest = &after[next..];
    }
    shown
}

/// Returns true if a text holds what looks like a secret.
pub fn has_secret(text: &str) -> bool {
    text.split(|letter| !is_of_word(letter)).any(is_secret)
}

const fn is_of_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | '+' | '~')
}

/// Hides users and passwords in addresses. A password may hold a slash, so all before the last `@` goes.
fn without_users(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let end = after
            .find(|letter: char| letter.is_whitespace() || "\"'`<>".contains(letter))
            .unwrap_or(after.len());
        let place = match after[..end].rfind('@') {
            Some(user) => {
                shown.push_str(HIDDEN);
                user
            }
            None => 0,
        };
        shown.push_str(&after[place..end]);
        rest = &after[end..];
    }
    shown.push_str(rest);
    shown
}

fn is_secret(token: &str) -> bool {
    let token = token.trim_matches(['-', '.', '_', '~', '+']);
    PREFIXES.iter().any(|prefix| begins(token, prefix)) || is_mixed(token)
}

/// Returns true for a known beginning with enough after it that is no word.
fn begins(token: &str, prefix: &str) -> bool {
    token.strip_prefix(prefix).is_some_and(|rest| {
        let has_digit = rest.bytes().any(|byte| byte.is_ascii_digit());
        rest.len() >= LEAST_AFTER_PREFIX && (has_digit || rest.len() >= 20)
    })
}

/// Returns true for a long text in which small letters, capitals and digits follow each other as by chance.
fn is_mixed(token: &str) -> bool {
    let kind = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    let kinds: Vec<u8> = token.bytes().map(kind).collect();
    let has = |kind: u8| kinds.contains(&kind);
    let changes = kinds.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let digits = kinds
        .chunk_by(|one, next| one == next)
        .filter(|run| run[0] == 2)
        .count();
    token.len() >= LEAST_MIXED && has(0) && has(1) && digits >= 3 && changes * 3 >= token.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_key_is_hidden_wherever_it_stands() {
        for (text, shown) in [
            (
                "unexpected argument 'sk-aaaa0001' found",
                "unexpected argument '…' found",
            ),
            ("--server=sk-proj-bbbb0002", "--server=…"),
            (
                "https://sk-aaaa0001@gw.example.com/v1",
                "https://…@gw.example.com/v1",
            ),
            (
                "postgres://me:pa/ss@db:5432/x and more",
                "postgres://…@db:5432/x and more",
            ),
            ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc", "Bearer …"),
            ("key AIzaSyD4x8q1b2c3", "key …"),
            ("aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY", "…"),
            ("/home/me/sk-abc123def", "/home/me/…"),
        ] {
            assert_eq!(redacted(text), shown);
            assert_eq!(redacted(&redacted(text)), shown);
        }
        assert!(has_secret("the key is sk-aaaa0001, use it"));
    }

    #[test]
    fn ids_hashes_names_and_words_stay() {
        for text in [
            "prj_0192f3a4b5c6d7e8f9a0b1c2d3e4f5a6 is paused",
            "5ec1f7e700f37c3d053b46c5a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9",
            "cannot write out/ChapterOneTheStoryOfAHouse2024.md; what was made is kept",
            "a task-based sk-learn guide",
            "cannot write out/key-figures-2024.md",
            "https://key-1.example.com/v1",
            "http://127.0.0.1:8780/v1",
            "the-very-long-name-of-a-file-with-many-words-version-2.md",
            "Grüße, 旅行",
        ] {
            assert_eq!(redacted(text), text);
            assert!(!has_secret(text));
        }
    }
}
