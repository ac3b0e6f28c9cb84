//! Places in an answer where JSON may stand: code fences, balanced braces, openings. Reads no
//! values.

/// Maximum number of places tried; an answer with more of them holds no object.
const MOST_PLACES: usize = 48;

/// Returns the insides of code fences, in order. A fence that never closes ends with the text.
pub(super) fn fences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find("```") {
        let after = &rest[start + 3..];
        let Some(line) = after.find('\n') else { break };
        let inside = &after[line + 1..];
        let end = inside.find("\n```").map_or(inside.len(), |end| end + 1);
        found.push(&inside[..end]);
        if found.len() == MOST_PLACES {
            break;
        }
        rest = inside.get(end + 3..).unwrap_or("");
    }
    found
}

/// Returns the outermost balanced `{…}` pieces, in order.
pub(super) fn balanced(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut from = 0;
    for _ in 0..MOST_PLACES {
        let Some(start) = text[from..].find('{').map(|at| from + at) else {
            break;
        };
        match closing(&text[start..]) {
            Some(length) => {
                found.push(&text[start..start + length]);
                from = start + length;
            }
            None => from = start + 1,
        }
    }
    found
}

/// Returns the text from each of the first places where an object or a list of objects may begin.
pub(super) fn openings(text: &str) -> impl Iterator<Item = &str> {
    let places = text.match_indices(['{', '[']).map(|(at, _)| at);
    places.take(MOST_PLACES / 4).map(|at| &text[at..])
}

/// Returns the number of bytes up to and including the brace that closes the first one.
fn closing(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' if !quoted => depth += 1,
            b'}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn fences_are_found_with_their_insides() {
        assert_eq!(fences("no fence"), Vec::<&str>::new());
        assert_eq!(fences("```json\n{}\n```"), ["{}\n"]);
        assert_eq!(fences("a\n```\n1\n```\nb\n```x\n2\n```\n"), ["1\n", "2\n"]);
        assert_eq!(fences("```json\n{\"a\":1"), ["{\"a\":1"]);
        assert_eq!(fences("``` inline"), Vec::<&str>::new());
    }

    #[test]
    fn braces_in_texts_do_not_count() {
        assert_eq!(balanced("a {b} c {d {e}} f"), ["{b}", "{d {e}}"]);
        assert_eq!(
            balanced(r#"{"a": "}"} {"b": "\"}"}"#),
            [r#"{"a": "}"}"#, r#"{"b": "\"}"}"#]
        );
        assert_eq!(balanced("{ {a}"), ["{a}"]);
        assert_eq!(balanced("}{"), Vec::<&str>::new());
    }

    #[test]
    fn only_so_many_places_are_tried() {
        assert_eq!(balanced(&"{}".repeat(500)).len(), MOST_PLACES);
        assert_eq!(fences(&"```\n1\n```\n".repeat(500)).len(), MOST_PLACES);
        assert_eq!(openings(&"[".repeat(500)).count(), MOST_PLACES / 4);
    }

    proptest! {
        #[test]
        fn every_place_is_a_piece_of_the_text(text in "[{}\\[\\]\"\\\\`\\na é]{0,80}") {
            for piece in balanced(&text) {
                let closed = piece.starts_with('{') && piece.ends_with('}');
                prop_assert!(closed && text.contains(piece));
            }
            for piece in openings(&text).chain(fences(&text)) {
                prop_assert!(text.contains(piece));
            }
        }
    }
}
