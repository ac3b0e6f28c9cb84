//! Rules about prose: sentences, words, headings, language. They cover English and Vietnamese.

use std::collections::BTreeSet;

/// Languages that the rules distinguish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    English,
    Vietnamese,
}

const STOP_WORDS: &str = "a about after all also an and any are as at be been before being but by can could did do does each for from had has \
     have he her him his how i if in into is it its may more most must no nor not of on one only or other our out over shall she should so \
     some such than that the their them then there these they this those to two up upon us was we were what when where which while who will \
     with would you your và là của các một những được trong cho với có không này đó khi từ đến như thì mà ở ra vào bị cũng";
const VIETNAMESE: &str = "ăâđêôơưàáảãạằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ";
const PRONOUNS: [&str; 16] = [
    "he", "she", "it", "they", "we", "i", "you", "this", "that", "these", "those", "there", "his",
    "her", "its", "their",
];
const ABBREVIATIONS: [&str; 10] = [
    "mr", "mrs", "dr", "st", "e.g", "i.e", "no", "vs", "etc", "fig",
];

/// Number of words above which a sentence is cut into [`pieces`].
const LONGEST_SENTENCE: usize = 45;

/// Number of words of a chunk of text without marks.
const CHUNK: usize = 16;

impl Language {
    /// Detects the language of a text.
    pub(super) fn of(text: &str) -> Self {
        let letters = text
            .chars()
            .filter(|letter| letter.is_alphabetic())
            .take(4_000);
        let (all, marked) = letters.fold((0_usize, 0_usize), |(all, marked), letter| {
            let lower = letter.to_lowercase().next().unwrap_or(letter);
            (all + 1, marked + usize::from(VIETNAMESE.contains(lower)))
        });
        if marked * 12 > all {
            Self::Vietnamese
        } else {
            Self::English
        }
    }

    /// Returns the text in this language.
    pub(super) const fn choose<'a>(self, english: &'a str, vietnamese: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::Vietnamese => vietnamese,
        }
    }
}

/// Words in lower case.
pub(super) fn words(text: &str) -> Vec<String> {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '\'' || letter == '’'))
        .map(|word| word.trim_matches(['\'', '’']).to_lowercase())
        .filter(|word| !word.is_empty())
        .collect()
}

/// Words that carry meaning, in lower case.
pub(super) fn content_words(text: &str) -> Vec<String> {
    let stop: BTreeSet<&str> = STOP_WORDS.split_whitespace().collect();
    words(text)
        .into_iter()
        .filter(|word| word.chars().count() > 2 && !stop.contains(word.as_str()))
        .collect()
}

/// Returns true if a sentence depends on the one before it.
pub(super) fn leans(sentence: &str) -> bool {
    words(sentence)
        .first()
        .is_none_or(|word| PRONOUNS.contains(&word.as_str()))
}

/// Paragraphs of prose, without headings, lists, tables and code.
pub(super) fn paragraphs(text: &str) -> Vec<String> {
    let mut code = false;
    let mut found = vec![String::new()];
    for line in text.lines().map(str::trim) {
        let fence = line.starts_with("```") || line.starts_with("~~~");
        code ^= fence;
        let prose = !(code
            || fence
            || line.is_empty()
            || line.starts_with(['#', '|', '>', '-', '+'])
            || line.starts_with("* ")
            || is_numbered(line));
        match found.last_mut() {
            Some(last) if prose => {
                if !last.is_empty() {
                    last.push(' ');
                }
                last.push_str(line);
            }
            _ => found.push(String::new()),
        }
    }
    found.retain(|paragraph| !paragraph.is_empty());
    found
}

/// Sentences of the prose of a text, in order.
pub(super) fn sentences(text: &str) -> Vec<String> {
    paragraphs(text)
        .iter()
        .flat_map(|paragraph| split(paragraph))
        .collect()
}

/// Sentences of a text; where it has none of a readable length, its clauses and lines, whatever its marks.
pub(super) fn pieces(text: &str) -> Vec<String> {
    let found = sentences(text);
    let readable = |sentence: &String| word_count(sentence) <= LONGEST_SENTENCE;
    let is_prose = found.len() > 2 && found.iter().any(readable);
    if is_prose || !found.is_empty() && found.iter().all(readable) {
        return found;
    }
    let marks =
        |letter: char| matches!(letter, '\n' | ';' | '；' | '，' | '、' | '|') || letter == '\t';
    let bare = |line: &str| {
        let line = line
            .trim()
            .trim_start_matches(['#', '>', '-', '*', '+', '|', '`']);
        line.trim().to_owned()
    };
    let clauses = text
        .split(marks)
        .map(bare)
        .filter(|line| line.chars().any(char::is_alphanumeric));
    clauses.flat_map(|clause| chunks(&clause)).collect()
}

/// A clause in chunks of a readable length.
fn chunks(clause: &str) -> Vec<String> {
    let words: Vec<&str> = clause.split_whitespace().collect();
    let rows = words.chunks(CHUNK).map(|row| row.join(" "));
    rows.flat_map(|row| {
        let letters: Vec<char> = row.chars().collect();
        let size = if is_unspaced(&row) {
            CHUNK * 2
        } else {
            letters.len().max(1)
        };
        letters
            .chunks(size)
            .map(|part| part.iter().collect::<String>())
            .collect::<Vec<_>>()
    })
    .collect()
}

/// Returns true if a text has long runs of letters without a blank, as in Chinese or Japanese.
fn is_unspaced(text: &str) -> bool {
    text.split_whitespace()
        .any(|word| word.chars().count() > CHUNK * 4)
}

/// Number of words; each letter of scripts without blanks counts as half a word.
pub(super) fn word_count(text: &str) -> usize {
    let wide = |letter: &char| matches!(u32::from(*letter), 0x3040..=0x30ff | 0x3400..=0x9fff | 0xac00..=0xd7af | 0x0e00..=0x0e7f);
    text.split_whitespace().count() + text.chars().filter(wide).count() / 2
}

fn split(paragraph: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut start = 0;
    let letters: Vec<(usize, char)> = paragraph.char_indices().collect();
    for (place, (at, letter)) in letters.iter().enumerate() {
        if !matches!(letter, '.' | '?' | '!' | '。' | '？' | '！') || *at < start {
            continue;
        }
        let closing = letters[place + 1..]
            .iter()
            .take_while(|(_, next)| matches!(next, '"' | '”' | '’' | ')' | '*' | '_'))
            .count();
        let after = place + 1 + closing;
        let begins = letters.get(after + 1).is_none_or(|(_, next)| {
            next.is_uppercase() || next.is_numeric() || "\"“‘(*_".contains(*next)
        });
        let blank = letters
            .get(after)
            .is_none_or(|(_, next)| next.is_whitespace());
        let last = paragraph[start..*at]
            .rsplit([' ', '('])
            .next()
            .unwrap_or_default()
            .to_lowercase();
        let short =
            *letter == '.' && (ABBREVIATIONS.contains(&last.as_str()) || last.chars().count() == 1);
        let wide = matches!(letter, '。' | '？' | '！');
        if (blank && begins || wide) && !short {
            let end = letters.get(after).map_or(paragraph.len(), |(end, _)| *end);
            found.push(paragraph[start..end].trim().to_owned());
            start = end;
        }
    }
    found.push(paragraph[start..].trim().to_owned());
    found.retain(|sentence| !sentence.is_empty());
    found
}

/// Text of a list item without its marker.
pub(super) fn item(line: &str) -> Option<&str> {
    let line = line.trim_start();
    let bullet = ["- ", "* ", "+ ", "• "]
        .iter()
        .find_map(|marker| line.strip_prefix(marker));
    bullet
        .or_else(|| {
            is_numbered(line)
                .then(|| line.trim_start_matches(|letter: char| letter.is_ascii_digit()))?
                .get(1..)
        })
        .map(str::trim)
}

fn is_numbered(line: &str) -> bool {
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    (1..=3).contains(&digits)
        && line[digits..].starts_with(['.', ')'])
        && line[digits + 1..].starts_with(' ')
}

/// Level and text of a heading.
pub(super) fn heading(line: &str) -> Option<(usize, &str)> {
    let level = line.chars().take_while(|letter| *letter == '#').count();
    let words = line.get(level..)?.strip_prefix(' ')?;
    (1..=6).contains(&level).then(|| (level, words.trim()))
}

/// Texts between backticks.
pub(super) fn backticked(text: &str) -> Vec<&str> {
    let even = text.matches('`').count() / 2;
    text.split('`')
        .skip(1)
        .step_by(2)
        .take(even)
        .filter(|inside| !inside.is_empty())
        .collect()
}

/// Texts between double quotes, straight or curly.
pub(super) fn quoted(text: &str) -> Vec<String> {
    let straight = text.replace(['“', '”'], "\"");
    let even = straight.matches('"').count() / 2;
    straight
        .split('"')
        .skip(1)
        .step_by(2)
        .take(even)
        .map(|inside| inside.trim().to_owned())
        .filter(|inside| !inside.is_empty())
        .collect()
}

/// Returns true if a text contains one of these strings, ignoring case.
pub(super) fn mentions(text: &str, wanted: &[&str]) -> bool {
    let lower = text.to_lowercase();
    wanted.iter().any(|word| lower.contains(word))
}

/// Number or range before a noun: `120 to 200 words` gives 120 and 200, `3 questions` gives 3 and
/// 3.
pub(super) fn range_before(text: &str, nouns: &[&str]) -> Option<(usize, usize)> {
    let words = words(text);
    let at = words.iter().enumerate().position(|(at, word)| {
        nouns.iter().any(|noun| word.starts_with(noun))
            && (1..=3).any(|back| at >= back && number(&words[at - back]).is_some())
    })?;
    let near = (1..=3).find(|back| at >= *back && number(&words[at - back]).is_some())?;
    let high = number(&words[at - near])?;
    let low = (at >= near + 2)
        .then(|| number(&words[at - near - 2]))
        .flatten()
        .filter(|low| *low < high);
    Some((low.unwrap_or(high), high))
}

/// Small number in digits or in letters.
pub(super) fn number(word: &str) -> Option<usize> {
    const NAMES: [&str; 13] = [
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
        "eleven", "twelve",
    ];
    word.parse()
        .ok()
        .or_else(|| NAMES.iter().position(|name| *name == word))
}

/// Truncates a text after a number of words.
pub(super) fn first_words(text: &str, most: usize) -> String {
    text.split_whitespace()
        .take(most)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_they_end_and_not_at_decimals_or_abbreviations() {
        let text = "# Title\n\nIt stood 4.3 kilometres off. Dr. Moss said \"No.\" Then she left!\n- a list\n\nNext one";
        assert_eq!(
            sentences(text),
            [
                "It stood 4.3 kilometres off.",
                "Dr. Moss said \"No.\"",
                "Then she left!",
                "Next one"
            ]
        );
    }

    #[test]
    fn ranges_are_read_before_their_noun() {
        assert_eq!(
            range_before(
                "a summary of 120 to 200 words and 4 to 6 key points",
                &["word"]
            ),
            Some((120, 200))
        );
        assert_eq!(
            range_before(
                "a summary of 120 to 200 words and 4 to 6 key points",
                &["point"]
            ),
            Some((4, 6))
        );
        assert_eq!(
            range_before("end with three questions", &["question"]),
            Some((3, 3))
        );
        assert_eq!(range_before("no number of words", &["word"]), None);
    }

    #[test]
    fn items_and_languages_are_recognised() {
        assert_eq!(item("12. The twelfth"), Some("The twelfth"));
        assert_eq!(item("  - a"), Some("a"));
        assert_eq!(item("1.5 metres"), None);
        assert_eq!(
            Language::of("Viết giúp mình một bài ngắn về ngôi nhà cũ"),
            Language::Vietnamese
        );
        assert_eq!(Language::of("Write about the café"), Language::English);
    }
}
