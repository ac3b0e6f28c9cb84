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
