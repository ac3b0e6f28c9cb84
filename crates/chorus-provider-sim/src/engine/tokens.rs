//! Token counts of the simulated providers: a text is split into pieces of at most six letters with
//! their leading space, and each piece is a token.
//!
//! Streams are split at the same places, so counts and streams agree.

const LETTERS: usize = 6;

/// Tokens of a text, in order; their concatenation is the text.
pub fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let length = first_piece(rest)?;
        let (piece, tail) = rest.split_at(length);
        rest = tail;
        Some(piece)
    })
}

/// Number of tokens of a text.
pub fn count(text: &str) -> u64 {
    pieces(text).count() as u64
}

/// Longest prefix of a text with at most `tokens` tokens.
pub fn first(text: &str, tokens: u64) -> &str {
    let bytes = pieces(text)
        .take(usize::try_from(tokens).unwrap_or(usize::MAX))
        .map(str::len)
        .sum();
    &text[..bytes]
}

/// Bytes of the first piece: white space, then letters and digits, or one other character.
fn first_piece(text: &str) -> Option<usize> {
    let first = text.chars().next()?;
    let blank: usize = text
        .chars()
        .take_while(|letter| letter.is_whitespace())
        .map(char::len_utf8)
        .sum();
    let word = &text[blank..];
    let Some(head) = word.chars().next() else {
        return Some(text.len());
    };
    if !head.is_alphanumeric() {
        return Some(
            blank
                + if first.is_whitespace() {
                    0
                } else {
                    head.len_utf8()
                },
        )
        .filter(|length| *length > 0);
    }
    let letters = if head.is_ascii() {
        LETTERS
    } else {
        LETTERS / 2
    };
    Some(
        blank
            + word
                .chars()
                .take_while(|letter| letter.is_alphanumeric())
                .take(letters)
                .map(char::len_utf8)
                .sum::<usize>(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn pieces_make_the_text_again_and_none_is_empty(text in "\\PC{0,80}[ \n]{0,3}\\PC{0,40}") {
            let parts: Vec<_> = pieces(&text).collect();
            prop_assert!(parts.iter().all(|part| !part.is_empty()));
            prop_assert_eq!(parts.concat(), text);
        }

        #[test]
        fn a_beginning_has_at_most_the_tokens_asked_for(text in "\\PC{0,80}", tokens in 0_u64..20) {
            prop_assert!(count(first(&text, tokens)) <= tokens);
            prop_assert!(text.starts_with(first(&text, tokens)));
        }
    }

    #[test]
    fn plain_english_has_about_four_characters_a_token() {
        let text =
            "The keeper lit the lamp at sunset and wrote the hour of every ship in a ledger.";
        assert!((17..=24).contains(&count(text)), "{}", count(text));
    }
}
