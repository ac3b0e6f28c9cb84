//! Figures about the language of comments.

use super::shape::ratio;
use crate::sources::Source;

/// Openings after which a doc comment has to be decoded before its subject is known.
const OPENINGS: [&str; 9] = [
    "what", "whether", "how", "it", "its", "who", "when", "where", "why",
];

/// Pronouns in place of a component's name.
const PRONOUNS: [&str; 8] = [
    "somebody",
    "nobody",
    "whoever",
    "whose",
    "anybody",
    "everybody",
    "someone",
    "whatever",
];

/// Everyday words in place of the field's terms.
const OLD_WORDS: [&str; 22] = [
    "told",
    "tell",
    "tells",
    "says",
    "say",
    "said",
    "word",
    "deed",
    "hears",
    "heard",
    "house",
    "office",
    "desk",
    "shop",
    "shelf",
    "wish",
    "seat",
    "fate",
    "story",
    "judgement",
    "patience",
    "praise",
];

/// Maximum number of words of a doc block that counts as short.
const SHORT: usize = 3;

/// Counts over the comments of [`Source`] files, tests included.
#[derive(Default)]
pub(super) struct Comments {
    blocks: usize,
    openings: usize,
    short: usize,
    links: usize,
    words: usize,
    pronouns: usize,
    old_words: usize,
}

impl Comments {
    /// Adds the comments of one file.
    pub(super) fn add(&mut self, source: &Source) {
        let mut block = String::new();
        for line in source.text.lines() {
            let line = line.trim_start();
            match doc(line) {
                Some(text) => {
                    block.push_str(text);
                    block.push(' ');
                }
                None => {
                    self.end_block(&mut block);
                    if let Some(text) = line.strip_prefix("//") {
                        self.add_words(text);
                    }
                }
            }
        }
        self.end_block(&mut block);
    }

    fn end_block(&mut self, block: &mut String) {
        let words = self.add_words(block);
        if let Some(first) = words.first() {
            self.blocks += 1;
            self.openings += usize::from(OPENINGS.contains(&first.as_str()));
            self.short += usize::from(words.len() <= SHORT);
            self.links += links(block);
        }
        block.clear();
    }

    fn add_words(&mut self, text: &str) -> Vec<String> {
        let words: Vec<String> = text
            .split(|letter: char| !letter.is_alphanumeric() && letter != '_' && letter != '\'')
            .filter(|word| !word.is_empty())
            .map(str::to_lowercase)
            .collect();
        let count = |known: &[&str]| {
            words
                .iter()
                .filter(|word| known.contains(&word.as_str()))
                .count()
        };
        self.words += words.len();
        self.pronouns += count(&PRONOUNS);
        self.old_words += count(&OLD_WORDS);
        words
    }

    /// Share of doc blocks that open with a word of [`OPENINGS`], in per cent.
    pub(super) fn openings_percent(&self) -> f64 {
        ratio(self.openings * 100, self.blocks)
    }

    /// Words of [`PRONOUNS`] in 1,000 words of comment.
    pub(super) fn pronouns_in_1000(&self) -> f64 {
        ratio(self.pronouns * 1000, self.words)
    }

    /// Words of [`OLD_WORDS`] in 1,000 words of comment.
    pub(super) fn old_words_in_1000(&self) -> f64 {
        ratio(self.old_words * 1000, self.words)
    }

    /// Links in 100 doc blocks.
    pub(super) fn links_in_100(&self) -> f64 {
        ratio(self.links * 100, self.blocks)
    }

    /// Share of doc blocks of at most [`SHORT`] words, in per cent.
    pub(super) fn short_percent(&self) -> f64 {
        ratio(self.short * 100, self.blocks)
    }
}

/// The text of a doc comment's line.
fn doc(line: &str) -> Option<&str> {
    line.strip_prefix("///")
        .or_else(|| line.strip_prefix("//!"))
}

/// Number of links to items and pages: `[`Name`]`, `[text](target)`.
fn links(block: &str) -> usize {
    block.matches("[`").count() + block.matches("](").count() - block.matches("`](").count()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn check(text: &str) -> Comments {
        let mut comments = Comments::default();
        comments.add(&Source {
            shown: Path::new("a.rs").display().to_string(),
            text: text.to_owned(),
            tree: syn::parse_file("").expect("an empty file is a file"),
            test_lines: Vec::new(),
        });
        comments
    }

    #[test]
    fn lines_of_one_doc_comment_are_one_block() {
        let comments = check("/// What a [`Lease`]\n/// is [for](b).\nstruct A;\n/// Its id.\n");
        assert_eq!((comments.blocks, comments.openings), (2, 2));
        assert_eq!((comments.links, comments.short), (2, 1));
    }

    #[test]
    fn plain_comments_count_for_words_only() {
        let comments = check("// Nobody was told.\nfn a() {}\n");
        assert_eq!((comments.blocks, comments.words), (0, 3));
        assert_eq!((comments.pronouns, comments.old_words), (1, 1));
    }
}
