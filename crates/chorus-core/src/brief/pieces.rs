//! Cutter of a text that is too large into pieces of about equal size, at the gentlest places:
//! inner headings, paragraphs, lines, sentences, words, and at last anywhere.
//! [`outline`](super::outline()) and the judge's frames use it.

use std::ops::Range;

use super::count_tokens;

/// Returns pieces that tile the text, each about `target` tokens; `breaks` are places where a piece
/// had best begin.
pub(crate) fn cut(text: &str, target: u64, breaks: &[usize]) -> Vec<Range<usize>> {
    let total = count_tokens(text);
    let target = target.max(16);
    if total * 4 <= target * 5 {
        return std::iter::once(0..text.len()).collect();
    }
    let aim = total.div_ceil(total.div_ceil(target)).max(1);
    let mut atoms = Vec::new();
    split(text, 0..text.len(), aim.div_ceil(6), 0, &mut atoms);
    pack(&atoms, aim, breaks)
}

/// A stretch that is not cut further.
struct Atom {
    range: Range<usize>,
    tokens: u64,
}

/// Splits a range at the separators of a level, and stretches that are still too large at those of
/// the next.
fn split(text: &str, range: Range<usize>, most: u64, level: usize, atoms: &mut Vec<Atom>) {
    let tokens = count_tokens(&text[range.clone()]);
    if tokens <= most || range.len() <= 4 {
        atoms.push(Atom { range, tokens });
        return;
    }
    for part in parts(text, range, most, level) {
        if level < 4 {
            split(text, part, most, level + 1, atoms);
        } else {
            let tokens = count_tokens(&text[part.clone()]);
            atoms.push(Atom {
                range: part,
                tokens,
            });
        }
    }
}

fn parts(text: &str, range: Range<usize>, most: u64, level: usize) -> Vec<Range<usize>> {
    let inside = &text[range.clone()];
    let ends: Vec<usize> = match level {
        0 => paragraph_ends(inside),
        1 => inside.match_indices('\n').map(|(at, _)| at + 1).collect(),
        2 => sentence_ends(inside),
        3 => inside.match_indices(' ').map(|(at, _)| at + 1).collect(),
        _ => anywhere(inside, most),
    };
    let mut start = range.start;
    let mut parts = Vec::new();
    for end in ends
        .into_iter()
        .map(|end| range.start + end)
        .chain([range.end])
    {
        if end > start {
            parts.push(start..end);
            start = end;
        }
    }
    parts
}

/// Returns the places after blank lines.
fn paragraph_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let (mut at, mut blank) = (0, false);
    for line in text.split_inclusive('\n') {
        let empty = line.trim().is_empty();
        if blank && !empty {
            ends.push(at);
        }
        blank = empty;
        at += line.len();
    }
    ends
}

fn sentence_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut letters = text.char_indices().peekable();
    while let Some((_, letter)) = letters.next() {
        match (letter, letters.peek()) {
            ('.' | '!' | '?' | '…' | '”' | '"', Some((at, next))) if next.is_whitespace() => {
                ends.push(at + next.len_utf8());
            }
            ('。' | '！' | '？', Some((at, _))) => ends.push(*at),
            _ => {}
        }
    }
    ends
}

fn anywhere(text: &str, most: u64) -> Vec<usize> {
    let step = usize::try_from(most).unwrap_or(usize::MAX).max(4);
    text.char_indices()
        .map(|(at, _)| at)
        .step_by(step)
        .skip(1)
        .collect()
}

/// Joins neighbouring atoms into pieces of about `aim` tokens.
fn pack(atoms: &[Atom], aim: u64, breaks: &[usize]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut start, mut tokens) = (0, 0);
    for atom in atoms {
        let natural = breaks.binary_search(&atom.range.start).is_ok() && tokens * 3 >= aim * 2;
        if tokens > 0 && (natural || tokens + atom.tokens / 2 > aim) {
            pieces.push(start..atom.range.start);
            (start, tokens) = (atom.range.start, 0);
        }
        tokens += atom.tokens;
    }
    let end = atoms.last().map_or(0, |atom| atom.range.end);
    match pieces.last_mut() {
        Some(last) if tokens * 4 < aim => last.end = end,
        _ => pieces.push(start..end),
    }
    pieces
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Draws the pieces of a text with a bar between them.
    fn check(text: &str, target: u64, breaks: &[usize], expected: &str) {
        let pieces = cut(text, target, breaks);
        let drawn: Vec<&str> = pieces.into_iter().map(|range| &text[range]).collect();
        assert_eq!(drawn.join("|"), expected);
    }

    #[test]
    fn the_gentlest_place_is_taken() {
        let line = "one two three four five six seven eight nine ten";
        check(line, 100, &[], line);
        check("", 16, &[], "");
        let paragraphs = format!("{line} {line}.\n\n{line} {line}.");
        let expected = format!("{line} {line}.\n\n|{line} {line}.");
        check(&paragraphs, 24, &[], &expected);
        let sentences = "The lamp was lit. ".repeat(40);
        for piece in cut(&sentences, 40, &[]) {
            assert!(
                sentences[piece].ends_with("lit. "),
                "short sentences stay whole"
            );
        }
    }

    #[test]
    fn a_place_where_a_piece_had_best_begin_is_preferred() {
        let paragraph = "one two.\n\n";
        let text = paragraph.repeat(40);
        let inner = paragraph.len() * 7;
        let begins = |breaks: &[usize]| {
            cut(&text, 40, breaks)
                .iter()
                .any(|piece| piece.start == inner)
        };
        assert!(begins(&[inner]));
        assert!(!begins(&[]), "without a break the piece goes on");
    }

    #[test]
    fn ends_of_paragraphs_and_sentences_are_found() {
        assert_eq!(paragraph_ends("a\n\nb\n \n\nc\n"), [3, 8]);
        assert_eq!(paragraph_ends("\n\na"), [2]);
        assert_eq!(sentence_ends("A. B! C"), [3, 6]);
        assert_eq!(sentence_ends("v1.2 is out"), Vec::<usize>::new());
        assert_eq!(sentence_ends("灯。火"), ["灯。".len()]);
    }

    proptest! {
        #[test]
        fn pieces_tile_the_text_and_none_is_much_too_large(
            text in "([a-zé ]{0,12}|[.!\\n]|\\n\\n|灯|a{40}){0,120}", target in 1u64..120,
        ) {
            let pieces = cut(&text, target, &[]);
            let mut end = 0;
            for piece in &pieces {
                prop_assert_eq!(piece.start, end);
                prop_assert!(text.is_char_boundary(piece.end));
                prop_assert!(piece.end > piece.start || text.is_empty());
                end = piece.end;
            }
            prop_assert_eq!(end, text.len());
            let most = target.max(16) * 3 / 2 + 2;
            for piece in pieces {
                let tokens = count_tokens(&text[piece]);
                prop_assert!(tokens <= most, "{tokens} of {target}");
            }
        }
    }
}
