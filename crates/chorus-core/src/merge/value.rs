//! Comparison of subjects and values: two subjects that mean the same thing, and two values of it
//! that do not contradict each other.

use std::collections::BTreeSet;

use crate::numerals::{SMALL, TENS};

const ARTICLES: [&str; 3] = ["the", "a", "an"];
const NEGATIONS: [&str; 9] = [
    "not", "no", "never", "without", "nor", "không", "chẳng", "chưa", "isn't",
];
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Short and long names of units; a short one counts only after a number.
const UNITS: [(&str, &str); 12] = [
    ("m", "metre"),
    ("meter", "metre"),
    ("km", "kilometre"),
    ("kilometer", "kilometre"),
    ("cm", "centimetre"),
    ("kg", "kilogram"),
    ("g", "gram"),
    ("h", "hour"),
    ("hr", "hour"),
    ("min", "minute"),
    ("%", "percent"),
    ("ft", "foot"),
];

/// Returns a form that is equal for equal subjects: lower case, no punctuation, no articles; `x of
/// y` is `y x`.
pub(super) fn subject(text: &str) -> String {
    let words = words(text);
    let sides: Vec<&[String]> = words.split(|word| word == "of").collect();
    sides
        .into_iter()
        .rev()
        .flat_map(|side| side.iter())
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Returns the words of a text in lower case, without punctuation, possessives and articles;
/// numbers become digits.
pub(super) fn words(text: &str) -> Vec<String> {
    let lower = text.to_lowercase().replace('’', "'");
    let pieces =
        lower.split(|letter: char| letter.is_whitespace() || "/()[]\"“”;:!?*_".contains(letter));
    let words = pieces.filter_map(|piece| {
        let bare = piece
            .trim_matches(|letter: char| !letter.is_alphanumeric() && letter != '-')
            .trim_end_matches(['-', '.', ',']);
        let bare = bare
            .strip_suffix("'s")
            .or_else(|| bare.strip_suffix("s'").map(|_| &bare[..bare.len() - 1]))
            .unwrap_or(bare);
        let known = !bare.is_empty() && bare != "-" && !ARTICLES.contains(&bare);
        known.then(|| number(bare).map_or_else(|| singular(bare).to_owned(), plain))
    });
    joined(words.collect())
}

/// Returns the numbers in a text.
pub(super) fn numbers(text: &str) -> BTreeSet<String> {
    words(text)
        .into_iter()
        .filter(|word| number(word).is_some())
        .collect()
}

/// Returns true if two values of one subject do not contradict each other.
pub(super) fn agree(left: &str, right: &str) -> bool {
    let (left, right) = (words(left), words(right));
    if left == right {
        return true;
    }
    let (left, right): (BTreeSet<&str>, BTreeSet<&str>) = (set(&left), set(&right));
    if left == right {
        return left.iter().any(|word| MONTHS.contains(word))
            || !left.iter().any(|word| number(word).is_some());
    }
    let (small, large) = if left.len() <= right.len() {
        (&left, &right)
    } else {
        (&right, &left)
    };
    let more = large
        .difference(small)
        .all(|word| number(word).is_none() && !NEGATIONS.contains(word));
    !small.is_empty() && small.is_subset(large) && more
}

fn set(words: &[String]) -> BTreeSet<&str> {
    words.iter().map(String::as_str).collect()
}

/// Parses a number written in digits or as an English word below one hundred.
fn number(word: &str) -> Option<f64> {
    let digits: String = word.chars().filter(|letter| *letter != ',').collect();
    if digits.starts_with(|letter: char| letter.is_ascii_digit() || letter == '-') {
        return digits
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite());
    }
    let small = |word: &str| SMALL.iter().position(|name| *name == word);
    let tens = |word: &str| {
        TENS.iter()
            .position(|name| *name == word)
            .map(|at| (at + 2) * 10)
    };
    let whole = small(word).or_else(|| tens(word)).or_else(|| {
        let (ten, one) = word.split_once('-')?;
        Some(tens(ten)? + small(one).filter(|one| (1..10).contains(one))?)
    });
    whole
        .and_then(|number| u32::try_from(number).ok())
        .map(f64::from)
}

/// Returns a word without the `s` of a plural; it only has to treat equal words equally.
fn singular(word: &str) -> &str {
    word.strip_suffix('s')
        .filter(|stem| stem.len() > 2 && !stem.ends_with('s'))
        .unwrap_or(word)
}

fn plain(number: f64) -> String {
    number.to_string()
}

/// Joins a number and the hundreds, thousands or millions that follow it, and writes the unit after
/// a number in full.
fn joined(words: Vec<String>) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    for word in words {
        let factor = match word.as_str() {
            "hundred" => Some(100.0),
            "thousand" => Some(1_000.0),
            "million" => Some(1_000_000.0),
            _ => None,
        };
        let before = joined.last().and_then(|last| number(last));
        match (factor, before) {
            (Some(factor), Some(before)) => {
                joined.pop();
                joined.push(plain(before * factor));
            }
            (None, Some(_)) => joined.push(
                UNITS
                    .iter()
                    .find(|(short, _)| *short == word)
                    .map_or(word, |(_, long)| (*long).to_owned()),
            ),
            _ => joined.push(word),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(left: &str, right: &str, same: bool) {
        assert_eq!(agree(left, right), same, "{left} against {right}");
        assert_eq!(agree(right, left), same, "{right} against {left}");
    }

    #[test]
    fn values_agree_unless_they_contradict_each_other() {
        check("1,200", "1200.0", true);
        check("42 metres", "42", true);
        check("42 m", "forty-two metres", true);
        check("12 hours", "12 h", true);
        check("m", "metre", false);
        check("forty-two", "42", true);
        check("two hundred ships", "200 ships", true);
        check("12 May 1903", "May 12, 1903", true);
        check("Maria Hale", "Dr. Maria Hale", true);
        check("The north pier.", "north pier", true);
        check("1873", "1875", false);
        check("3 to 5", "5 to 3", false);
        check("guilty", "not guilty", false);
        check("42 metres", "42 metres 10", false);
        check("Anna", "Jonas", false);
        check("đỏ", "Đỏ", true);
    }

    #[test]
    fn subjects_are_compared_without_articles_case_and_order() {
        for other in [
            "Height of the tower",
            "tower height",
            "The tower's height",
            "  the  TOWER height: ",
        ] {
            assert_eq!(subject(other), "tower height", "{other}");
        }
        assert_ne!(
            subject("height of the tower"),
            subject("height of the mast")
        );
    }

    #[test]
    fn numbers_are_found_in_digits_and_in_words() {
        let check = |text: &str, expected: &[&str]| {
            let found = numbers(text);
            assert_eq!(
                found.iter().map(String::as_str).collect::<Vec<_>>(),
                expected,
                "{text}"
            );
        };
        check("no number", &[]);
        check("1,200 ships", &["1200"]);
        check("two hundred and five", &["200", "5"]);
        check("ninety-nine", &["99"]);
        check("3 million", &["3000000"]);
        check("-4.50 degrees", &["-4.5"]);
        check("ten-year plan", &[]);
        check("12-5", &[]);
    }

    proptest! {
        #[test]
        fn agreement_is_mutual_and_every_text_agrees_with_itself(
            left in "([a-c]|of|the|not|[0-9,.-]|two|hundred| |m|%){0,10}", right in "([a-c]|of|not|[0-9]|two| |metres){0,10}",
        ) {
            prop_assert!(agree(&left, &left));
            prop_assert_eq!(agree(&left, &right), agree(&right, &left));
        }

        #[test]
        fn subjects_are_equal_in_every_order_and_case(name in "[a-z]{3,8}", owner in "[a-z]{3,8}") {
            prop_assume!(name != "the" && owner != "the");
            let plain = subject(&format!("{owner} {name}"));
            for dressed in [format!("{name} of the {owner}"), format!("The {owner} {name}."), format!("  {owner}’s {}", name.to_uppercase())] {
                prop_assert_eq!(subject(&dressed), plain.clone(), "{}", dressed);
            }
        }
    }
}
