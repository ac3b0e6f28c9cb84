//! Extracts the weightiest sentences, the facts and the terms of a text. All results are parts of
//! the text.

use std::collections::{BTreeMap, BTreeSet};

use super::text::{Language, content_words, leans, pieces, sentences, word_count, words};

/// A sentence with a number. Equal sentences with different numbers have equal subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fact {
    pub subject: String,
    pub value: String,
    pub quote: String,
}

/// A term with its definition in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Term {
    pub term: String,
    pub meaning: String,
}

/// Maximum words of a sentence that states one fact.
const FACT_WORDS: usize = 26;

/// Weightiest sentences in their order, with about `low` to `high` words. A text without sentences gives its
/// first pieces.
pub(super) fn summary(text: &str, low: usize, high: usize) -> Vec<String> {
    let sentences = pieces(text);
    let mut taken = BTreeSet::new();
    let mut length = 0;
    for at in all_by_weight(&sentences) {
        let size = word_count(&sentences[at]);
        if length + size <= high || taken.is_empty() {
            taken.insert(at);
            length += size;
        }
        if length >= usize::midpoint(low, high) {
            break;
        }
    }
    let taken = taken.into_iter().map(|at| sentences[at].clone());
    taken.collect()
}

/// Weightiest sentences outside `without`, in their order. When all are used, the heaviest ones come again.
pub(super) fn key_points(text: &str, count: usize, without: &[String]) -> Vec<String> {
    let sentences = pieces(text);
    let order = all_by_weight(&sentences);
    let (fresh, used): (Vec<usize>, Vec<usize>) = order
        .into_iter()
        .partition(|at| !without.contains(&sentences[*at]));
    let mut taken: Vec<usize> = fresh.into_iter().chain(used).take(count).collect();
    taken.sort_unstable();
    taken.into_iter().map(|at| sentences[at].clone()).collect()
}

/// Indices of all sentences: those with a weight, heaviest first, then the others in their order.
fn all_by_weight(sentences: &[String]) -> Vec<usize> {
    let heavy = by_weight(sentences);
    let known: BTreeSet<usize> = heavy.iter().copied().collect();
    let light = (0..sentences.len()).filter(|at| !known.contains(at));
    heavy.into_iter().chain(light).collect()
}

/// Indices of sentences by weight, heaviest first; ties keep their order.
fn by_weight(sentences: &[String]) -> Vec<usize> {
    let bags: Vec<Vec<String>> = sentences
        .iter()
        .map(|sentence| content_words(sentence))
        .collect();
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for word in bags.iter().flatten() {
        *counts.entry(word).or_default() += 1;
    }
    let weight = |at: usize| {
        let bag = &bags[at];
        let length = sentences[at].split_whitespace().count();
        if leans(&sentences[at]) || sentences[at].ends_with('?') || !(6..=45).contains(&length) {
            return 0;
        }
        let common: u64 = bag
            .iter()
            .filter_map(|word| counts.get(word.as_str()))
            .filter(|count| **count > 1)
            .sum();
        let position = if at == 0 || at + 1 == sentences.len() {
            3
        } else {
            2
        };
        let numbers = u64::from(sentences[at].contains(|letter: char| letter.is_ascii_digit()));
        (common * 100 / (bag.len() as u64 + 4) + numbers * 40) * position
    };
    let mut places: Vec<(u64, usize)> = (0..sentences.len())
        .map(|at| (weight(at), at))
        .filter(|(weight, _)| *weight > 0)
        .collect();
    places.sort_by_key(|(weight, at)| (std::cmp::Reverse(*weight), *at));
    places.into_iter().map(|(_, at)| at).collect()
}

/// Sentences that state a number of a named thing, shortest first, without duplicates.
pub(super) fn facts(text: &str, most: usize) -> Vec<Fact> {
    let mut found: Vec<(usize, Fact)> = Vec::new();
    for (at, sentence) in sentences(text).iter().enumerate() {
        if let Some(fact) = fact(sentence)
            && found.iter().all(|(_, other)| other.subject != fact.subject)
        {
            found.push((at, fact));
        }
    }
    let size = |fact: &Fact| fact.quote.split_whitespace().count();
    found.sort_by_key(|(at, fact)| (size(fact), *at));
    found.truncate(most);
    found.sort_by_key(|(at, _)| *at);
    found.into_iter().map(|(_, fact)| fact).collect()
}

fn fact(sentence: &str) -> Option<Fact> {
    let plain = sentence.replace(['*', '_'], "");
    let parts: Vec<&str> = plain.split_whitespace().collect();
    if leans(&plain)
        || plain.ends_with('?')
        || plain.starts_with(['"', '“'])
        || parts.len() > FACT_WORDS
    {
        return None;
    }
    let numbers: Vec<&str> = parts.iter().filter_map(|part| number(part)).collect();
    let dated = numbers.iter().any(|number| is_year(number))
        && !numbers.iter().all(|number| is_year(number));
    let values: Vec<&str> = parts
        .iter()
        .filter_map(|part| varying(part, dated))
        .collect();
    let skeleton: Vec<String> = parts
        .iter()
        .map(|part| {
            varying(part, dated).map_or_else(
                || (*part).to_owned(),
                |number| part.replacen(number, "…", 1),
            )
        })
        .collect();
    let subject = skeleton.join(" ");
    let named = content_words(&subject)
        .iter()
        .filter(|word| !word.starts_with(|letter: char| letter.is_ascii_digit()))
        .count();
    let is_fact = !values.is_empty() && named >= 3;
    is_fact.then(|| Fact {
        subject: subject.trim_end_matches(['.', '!']).to_owned(),
        value: values.join("; "),
        quote: plain.clone(),
    })
}

/// Number in a token, unless it is a year to which the sentence dates another number.
fn varying(word: &str, dated: bool) -> Option<&str> {
    number(word).filter(|number| !(dated && is_year(number)))
}

/// Number in a token, without surrounding punctuation.
fn number(word: &str) -> Option<&str> {
    let bare = word.trim_matches(|letter: char| !letter.is_ascii_digit());
    let plain = bare
        .chars()
        .all(|letter| letter.is_ascii_digit() || matches!(letter, '.' | ',' | ':'));
    let alone = word.chars().filter(|letter| letter.is_alphabetic()).count() <= 2;
    (!bare.is_empty() && plain && alone).then_some(bare)
}

fn is_year(number: &str) -> bool {
    number.len() == 4
        && number
            .parse::<u32>()
            .is_ok_and(|year| (1000..=2199).contains(&year))
}

/// Terms set in bold and defined in the text, without duplicates.
pub(super) fn terms(text: &str, most: usize) -> Vec<Term> {
    let mut found: Vec<Term> = Vec::new();
    for sentence in sentences(text) {
        for term in sentence_terms(&sentence) {
            if found.len() < most
                && found
                    .iter()
                    .all(|other| other.term.to_lowercase() != term.term.to_lowercase())
            {
                found.push(term);
            }
        }
    }
    found
}

fn sentence_terms(sentence: &str) -> Vec<Term> {
    let even = sentence.matches("**").count() / 2;
    let bold = sentence
        .split("**")
        .skip(1)
        .step_by(2)
        .take(even)
        .map(str::trim);
    let marked: Vec<Term> = bold
        .filter_map(|term| defined(sentence, &format!("**{term}**"), term))
        .collect();
    if !marked.is_empty() {
        return marked;
    }
    let plain = sentence.split_once(" means ").and_then(|(term, _)| {
        let name = term
            .trim_start_matches(['"', '“'])
            .trim_end_matches(['"', '”']);
        let short = words(name).len() <= 4 && !leans(name);
        short.then(|| defined(sentence, term, bare(name)))?
    });
    plain.into_iter().collect()
}

/// Definition of a term in a sentence: the part after `is`, `are` or `means`, or the whole sentence
/// if it names something by the term.
fn defined(sentence: &str, marked: &str, term: &str) -> Option<Term> {
    let (before, after) = sentence.split_once(marked)?;
    let named = 1..=5;
    if !named.contains(&term.split_whitespace().count()) {
        return None;
    }
    let verb = [
        " is ", " are ", " means ", " mean ", " was ", " were ", " là ",
    ]
    .into_iter()
    .find(|verb| after.starts_with(verb));
    let called = ["called", "known as", "named", "gọi là"]
        .iter()
        .any(|word| before.to_lowercase().contains(word));
    let meaning = match verb {
        Some(verb) => after[verb.len()..].to_owned(),
        None if called => format!("{before}{term}{after}"),
        None => return None,
    };
    let meaning = meaning
        .replace("**", "")
        .trim()
        .trim_end_matches('.')
        .to_owned();
    (words(&meaning).len() >= 3).then(|| Term {
        term: term.to_owned(),
        meaning,
    })
}

fn bare(name: &str) -> &str {
    ["A ", "An ", "The "]
        .iter()
        .find_map(|article| name.strip_prefix(article))
        .unwrap_or(name)
}

/// Questions that the text answers: about its figures, terms and weightiest sentences.
pub(super) fn questions(text: &str, count: usize, language: Language) -> Vec<String> {
    let figures = facts(text, count).into_iter().map(|fact| {
        let gap = fact.subject.replace('…', "___");
        language
            .choose(
                "Which figure completes this statement: ",
                "Con số nào hoàn chỉnh câu sau: ",
            )
            .to_owned()
            + &format!("\"{gap}\"?")
    });
    let terms = terms(text, count).into_iter().map(|term| {
        language
            .choose("What is meant by ", "Thế nào là ")
            .to_owned()
            + &format!("\"{}\"?", term.term)
    });
    let points = key_points(text, count, &[]).into_iter().map(|point| {
        let opening = super::text::first_words(&point, 8);
        language
            .choose(
                "How does the text go on after ",
                "Văn bản viết tiếp thế nào sau ",
            )
            .to_owned()
            + &format!("\"{opening} …\", and why does it matter?")
    });
    let mut mixed = Vec::new();
    let (mut figures, mut terms, mut points) = (figures, terms, points);
    while mixed.len() < count {
        let round: Vec<String> = [figures.next(), terms.next(), points.next()]
            .into_iter()
            .flatten()
            .collect();
        if round.is_empty() {
            break;
        }
        mixed.extend(round);
    }
    let general =
        GENERAL.map(|(english, vietnamese)| language.choose(english, vietnamese).to_owned());
    mixed.extend(general);
    mixed.truncate(count);
    mixed
}

/// Questions about any text, for texts that give no other.
const GENERAL: [(&str, &str); 3] = [
    ("What is this text about?", "Văn bản này nói về điều gì?"),
    (
        "Which part of this text matters most, and why?",
        "Phần nào của văn bản quan trọng nhất, vì sao?",
    ),
    (
        "What does this text leave open?",
        "Văn bản này còn để ngỏ điều gì?",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(one: &str, other: &str, equal_subjects: bool) {
        let (one, other) = (fact(one).expect("a fact"), fact(other).expect("a fact"));
        assert_eq!(
            one.subject == other.subject,
            equal_subjects,
            "{one:?} {other:?}"
        );
        assert!(!equal_subjects || one.value != other.value);
    }

    #[test]
    fn one_sentence_with_two_numbers_has_one_subject_and_two_values() {
        check(
            "The mast of the Corvo is 38 metres high.",
            "The mast of the Corvo is 41 metres high.",
            true,
        );
        check(
            "The north pier was finished in 1877.",
            "The north pier was finished in 1,879.",
            true,
        );
        check(
            "The mast of the Corvo is 38 metres high.",
            "The mast of the Heron is 38 metres high.",
            false,
        );
        check(
            "In 1876 the upper pond held 8.7 megalitres.",
            "In 1902 the upper pond held 7.2 megalitres.",
            false,
        );
        check(
            "In 1876 the upper pond held 8.7 megalitres.",
            "In 1876 the upper pond held 7.2 megalitres.",
            true,
        );
    }

    #[test]
    fn sentences_that_lean_on_others_state_no_fact_by_themselves() {
        for sentence in [
            "It is 38 metres high above the rock.",
            "He was 36 when the work began there.",
            "Was the pier finished in 1877?",
            "It rained.",
        ] {
            assert_eq!(fact(sentence), None, "{sentence}");
        }
    }

    #[test]
    fn terms_are_bold_words_with_their_definition() {
        let text = "A **leaf spring** is a spring made of thin plates. Bold **words** alone say nothing. The crew called it the **drum**, after its noise.";
        let found = terms(text, 9);
        assert_eq!(
            found[0],
            Term {
                term: "leaf spring".into(),
                meaning: "a spring made of thin plates".into()
            }
        );
        assert_eq!(
            found
                .iter()
                .map(|term| term.term.as_str())
                .collect::<Vec<_>>(),
            ["leaf spring", "drum"]
        );
    }

    #[test]
    fn a_summary_keeps_to_its_length_and_to_the_text() {
        let text: String =
            (0..60).map(|at| format!("The furnace number {at} burned coal and iron in the northern valley every winter. ")).collect();
        let taken = summary(&text, 120, 200);
        let length: usize = taken
            .iter()
            .map(|sentence| sentence.split_whitespace().count())
            .sum();
        assert!((120..=200).contains(&length), "{length}");
        assert!(
            taken
                .iter()
                .all(|sentence| text.contains(sentence.as_str()))
        );
    }
}
