//! Properties of outlines, over texts of many shapes.

use proptest::prelude::*;

use super::*;

fn cut(text: &str, target: u64) -> Vec<Section> {
    let sections = outline(&[("book.txt".to_owned(), text)], target).sections;
    let mut at = 0;
    for section in &sections {
        assert_eq!(section.start, at, "sections tile the text");
        assert!(
            section.end > section.start
                && text.is_char_boundary(usize::try_from(section.end).unwrap())
        );
        assert!(section.opening.chars().count() <= OPENING && !section.opening.contains('\n'));
        at = section.end;
    }
    assert_eq!(at, text.len() as u64, "sections cover the text");
    sections
}

fn check(text: &str, expected: &[&str]) {
    let titles: Vec<String> = cut(text, 1_000)
        .into_iter()
        .map(|section| section.title)
        .collect();
    assert_eq!(
        titles,
        expected,
        "{}",
        &text.chars().take(200).collect::<String>()
    );
}

fn prose(words: usize) -> String {
    let sentence = "The ferry left late and nobody on the quay minded much about it. ";
    let mut text = String::new();
    for at in 0..words / 13 {
        text.push_str(sentence);
        if at % 6 == 5 {
            text.push_str("\n\n");
        }
    }
    text
}

#[test]
fn chapters_of_many_forms_are_found() {
    check(
        "# A book\n\nBy nobody.\n\n## The pier\nText.\n\n## The storm\n\nText.\n",
        &["The pier", "The storm"],
    );
    check(
        "Title\n=====\n\nOne\n---\nText.\n\nTwo\n---\nText.\n",
        &["One", "Two"],
    );
    check(
        "CHAPTER I.\n\nText.\n\nCHAPTER II.\n\nText.\n",
        &["CHAPTER I.", "CHAPTER II."],
    );
    check(
        "Chapter 1: Dawn\r\n\r\nText.\r\n\r\nChapter 2: Noon\r\n\r\nText.\r\n",
        &["Chapter 1: Dawn", "Chapter 2: Noon"],
    );
    check(
        "Chương 1\n\nNgọn đèn\n\nTrời tối.\n\nChương hai: Con tàu\n\nTrời sáng.\n",
        &["Chương 1: Ngọn đèn", "Chương hai: Con tàu"],
    );
    check(
        "1. Scope\n\nText of it.\n\n2. Method\n\nText of it.\n",
        &["1. Scope", "2. Method"],
    );
    check(
        "THE PIER\n\nText.\n\nTHE STORM\n\nText.\n",
        &["THE PIER", "THE STORM"],
    );
    check(
        "I\n\nText.\n\nII\n\nText.\n\nIII\n\nText.\n",
        &["I", "II", "III"],
    );
}

#[test]
fn parts_name_chapters_that_share_a_title() {
    let text =
        "BOOK ONE\n\nCHAPTER I\n\nText.\n\nCHAPTER II\n\nText.\n\nBOOK TWO\n\nCHAPTER I\n\nText.\n";
    check(
        text,
        &["BOOK ONE, CHAPTER I", "CHAPTER II", "BOOK TWO, CHAPTER I"],
    );
}

#[test]
fn a_table_of_contents_makes_no_sections() {
    let text = "A BOOK\n\nChapter 1\n\nChapter 2\n\nChapter 3\n\nChapter 4\n\nBy a friend.\n\n\
                Chapter 1\n\nText.\n\nChapter 2\n\nText.\n\nChapter 3\n\nText.\n\nChapter 4\n\nText.\n";
    check(text, &["Chapter 1", "Chapter 2", "Chapter 3", "Chapter 4"]);
}

#[test]
fn sentences_that_mention_chapters_are_text() {
    check(
        "Chapter 1\n\nText.\n\nChapter 5 was the one he liked best.\n\nChapter 2\n\nText.\n",
        &["Chapter 1", "Chapter 2"],
    );
    check(
        "## A\n\n```\n# no heading\n```\n\n## B\n\nText\n",
        &["A", "B"],
    );
}

#[test]
fn a_text_without_headings_is_one_section_or_equal_parts() {
    check("Just a note.", &["book.txt"]);
    check("   \n\n ", &["book.txt"]);
    let sections = cut(&prose(6_000), 1_000);
    assert!((6..=9).contains(&sections.len()), "{}", sections.len());
    assert_eq!(
        sections[0].title,
        format!("book.txt (part 1 of {})", sections.len())
    );
}

#[test]
fn one_giant_line_is_cut_at_sentences() {
    let text = prose(9_000).replace('\n', "");
    let sections = cut(&text, 1_000);
    assert!((9..=14).contains(&sections.len()), "{}", sections.len());
    for section in &sections {
        assert!(
            text[..usize::try_from(section.end).unwrap()]
                .trim_end()
                .ends_with('.')
        );
    }
    assert!(cut(&"x".repeat(300_000), 4_000).len() > 8);
}

#[test]
fn a_text_of_half_a_million_words_gets_a_few_hundred_sections() {
    let book: String = (1..=50)
        .map(|number| format!("CHAPTER {number}\n\n{}\n\n", prose(10_000)))
        .collect();
    let documents = [("book.txt".to_owned(), book.as_str())];
    let target = section_target(&documents);
    let sections = outline(&documents, target).sections;
    assert!((160..=300).contains(&sections.len()), "{}", sections.len());
    assert!(sections.iter().all(|section| section.tokens <= 2 * target));
}

/// Checks that sections and their stretches tile every document and fit a prompt.
fn bounded(documents: &[(String, String)]) -> Vec<Section> {
    let documents: Vec<(String, &str)> = documents
        .iter()
        .map(|(name, text)| (name.clone(), text.as_str()))
        .collect();
    let sections = outline(&documents, section_target(&documents)).sections;
    let mut ends: BTreeMap<String, u64> = BTreeMap::new();
    for stretch in sections.iter().flat_map(Section::stretches) {
        let end = ends.entry(stretch.document).or_default();
        assert_eq!(*end, stretch.start, "stretches tile the documents");
        *end = stretch.end;
    }
    for (name, text) in &documents {
        assert_eq!(
            ends.get(name).copied().unwrap_or(0),
            text.len() as u64,
            "{name}"
        );
    }
    let ids: std::collections::BTreeSet<_> = sections.iter().map(|section| &section.id).collect();
    assert_eq!(ids.len(), sections.len(), "ids are distinct");
    assert!(
        sections.len() <= MAX_SECTIONS,
        "{} sections",
        sections.len()
    );
    let line = |section: &Section| {
        count_tokens(&format!(
            "{} {} {} {}",
            section.id.0, section.document, section.title, section.opening
        ))
    };
    let tokens: u64 = sections.iter().map(line).sum();
    assert!(tokens <= MAX_OUTLINE_TOKENS, "{tokens} tokens");
    sections
}

#[test]
fn three_hundred_python_files_fit_a_planner() {
    let module = |at: usize| {
        let mut text = "# comment of the module\n# second comment\nimport os\n\n".to_owned();
        for number in 0..30 + at % 50 {
            text.push_str(&format!(
                "class Handler{number}(Base):\n    # a comment\n    def run(self):\n        # another\n        return {number}\n\n\n"
            ));
        }
        (format!("lib/package{}/module{at}.py", at / 20), text)
    };
    let sections = bounded(&(0..300).map(module).collect::<Vec<_>>());
    assert!(sections.len() >= 100, "{}", sections.len());
    assert!(
        sections[0].opening.contains("class Handler0"),
        "{}",
        sections[0].opening
    );
}

#[test]
fn a_thousand_short_notes_are_joined_folder_by_folder_and_all_named() {
    let note = |at: usize| {
        let text = format!("# Note {at}\n\nA thought about {at}.\n\n## More\n\nAnother.\n");
        (format!("notes/{}/note-{at}.md", at / 100), text)
    };
    let sections = bounded(&(0..1000).map(note).collect::<Vec<_>>());
    let shown: String = sections
        .iter()
        .map(|section| format!("{} {}\n", section.title, section.opening))
        .collect();
    let named = (0..1000)
        .filter(|at| shown.contains(&format!("note-{at}.md")))
        .count();
    let counted = shown.matches("more files").count();
    assert!(named == 1000 || counted > 0, "{named} named");
    for section in &sections {
        let folder = section.document.rsplit_once('/').expect("a folder").0;
        assert!(
            section
                .more
                .iter()
                .all(|more| more.document.starts_with(folder)),
            "{section:?}"
        );
    }
}

#[test]
fn a_document_of_a_thousand_headings_is_joined_and_long_names_are_cut() {
    let many: String = (0..5000)
        .map(|at| format!("## Heading {at}\n\nText.\n\n"))
        .collect();
    let name = format!("{}.md", "long/".repeat(40));
    let sections = bounded(&[(name, many)]);
    assert!(sections.len() > 50 && sections.iter().all(|section| section.more.is_empty()));
}

#[test]
fn one_line_of_nine_megabytes_is_within_the_bound() {
    for unit in ["a word and ", "[", "*a", "x"] {
        let text = unit.repeat((9 << 20) / unit.len() / 8);
        for name in ["line.md", "line.txt", "line.json", "line.html", "line.py"] {
            bounded(&[(name.to_owned(), text.clone())]);
        }
    }
}

#[test]
fn an_old_section_without_further_stretches_is_read() {
    let old =
        r#"{"id":"d1.1","document":"a.md","title":"A","start":0,"end":4,"tokens":1,"opening":"x"}"#;
    let section: Section = serde_json::from_str(old).expect("it is read");
    assert_eq!(section.stretches().count(), 1);
    assert_eq!(serde_json::to_string(&section).expect("it is written"), old);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn sections_tile_any_text(text in "([#=a-zA-Z0-9 .\r\né…漢-]{0,30}\n{0,3}){0,40}", target in 1u64..400) {
        cut(&text, target);
    }

    #[test]
    fn n_chapters_are_n_sections(lengths in prop::collection::vec(1usize..400, 2..30), form in 0usize..5, front in any::<bool>(), crlf in any::<bool>()) {
        let mut text = if front { "The Long Way\n\nby Somebody\n\n".to_owned() } else { String::new() };
        for (at, words) in lengths.iter().enumerate() {
            let number = at + 1;
            let heading = match form {
                0 => format!("# Chapter {number}"),
                1 => format!("## The day of wind {number}"),
                2 => format!("CHAPTER {number}"),
                3 => format!("Chương {number}: Gió"),
                _ => format!("{number}. The day of wind"),
            };
            text.push_str(&format!("{heading}\n\n{} and so on.\n\n", prose(words + 13).trim_end()));
        }
        let text = if crlf { text.replace('\n', "\r\n") } else { text };
        prop_assert_eq!(cut(&text, 1_500).len(), lengths.len());
    }
}
