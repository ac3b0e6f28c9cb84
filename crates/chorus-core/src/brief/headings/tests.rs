//! Headings of many kinds of documents and languages.

use proptest::prelude::*;

use super::*;

/// Checks the headings of a text, each drawn as `level title`.
#[track_caller]
fn check_as(kind: DocumentKind, text: &str, expected: &[&str]) {
    let found: Vec<String> = headings(kind, text)
        .iter()
        .map(|heading| format!("{} {}", heading.level, heading.title))
        .collect();
    assert_eq!(found, expected, "{text}");
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    check_as(DocumentKind::Plain, text, expected);
}

#[track_caller]
fn markdown(text: &str, expected: &[&str]) {
    check_as(DocumentKind::Markdown, text, expected);
}

#[test]
fn markdown_headings_are_found_outside_code() {
    for kind in [DocumentKind::Plain, DocumentKind::Markdown] {
        check_as(
            kind,
            "# One\nText.\n\n## Two ##\nText.\n",
            &["1 One", "2 Two"],
        );
        check_as(
            kind,
            "# One\nText.\n\n```\n# no heading\n```\n\n# Two\nText.\n",
            &["1 One", "1 Two"],
        );
        check_as(kind, "#hash\nText.\n\n####### seven\nText.\n", &[]);
    }
}

#[test]
fn fences_of_any_form_hide_only_what_is_in_them() {
    for kind in [DocumentKind::Plain, DocumentKind::Markdown] {
        let one_line = "# A\n\n```pip install kit```\n\n# B\n\nText.\n";
        check_as(kind, one_line, &["1 A", "1 B"]);
        let nested = "# A\n\n````md\n```sh\n# no\n```\n# no\n````\n\n# B\n\nText.\n";
        check_as(kind, nested, &["1 A", "1 B"]);
        let tildes = "# A\n\n~~~text\n```\n# no\n~~~\n\n# B\n\nText.\n";
        check_as(kind, tildes, &["1 A", "1 B"]);
        let indented = "# A\n\n   ```\n# no\n   ```\n\n# B\n\nText.\n";
        check_as(kind, indented, &["1 A", "1 B"]);
    }
    markdown("# A\n\n```\n# no\n\n# never closed\n", &["1 A"]);
    markdown("# A\n\n    # indented code\n\n# B\n", &["1 A", "1 B"]);
}

#[test]
fn html_blocks_quotations_and_front_matter_hold_no_headings_of_markdown() {
    markdown(
        "---\ntitle: x\n---\n# A\n\n<!--\n\n# no\n\n-->\n\n<pre>\n# no\n</pre>\n\n> # quoted\n\n- # listed\n\n# B\n",
        &["1 A", "1 B"],
    );
    markdown("---\n\n# A\n\n---\n\n# B\n", &["1 A", "1 B"]);
    markdown(
        "# *The* `kit` [here](x)\n\nText.\n\nB\n===\n",
        &["1 The kit here", "1 B"],
    );
}

#[test]
fn lines_may_end_in_any_way() {
    let text = "# One\n\nText.\n\n## Two\n\nText.\n";
    for end in ["\r", "\r\n", "\n"] {
        let text = text.replace('\n', end);
        check(&text, &["1 One", "2 Two"]);
        markdown(&text, &["1 One", "2 Two"]);
    }
    check("# One\r\rText.\r\n\n## Two\r\rText.\r", &["1 One", "2 Two"]);
}

#[test]
fn underlined_titles_are_headings_and_rules_are_not() {
    let titles = "Title\n=====\nText.\n\nPart\n----\nText.\n";
    check(titles, &["1 Title", "2 Part"]);
    markdown(titles, &["1 Title", "2 Part"]);
    check(
        "Text of a paragraph\nthat ends in a rule\n---\nText.\n",
        &[],
    );
}

#[test]
fn chapter_lines_of_plain_books_are_found_with_their_titles() {
    check(
        "CHAPTER I.\n\nThe Storm\n\nText.\n\nCHAPTER II.\n\nThe Calm\n\nText.\n",
        &["2 CHAPTER I.: The Storm", "2 CHAPTER II.: The Calm"],
    );
    check(
        "Chapter One: Dawn\nText.\n\nChapter Two: Dusk\nText.\n",
        &["2 Chapter One: Dawn", "2 Chapter Two: Dusk"],
    );
    check(
        "Prologue\n\nText.\n\nChapter 5 was dull to read.\n\nText.\n\nEpilogue\n\nText.\n",
        &["2 Prologue", "2 Epilogue"],
    );
}

#[test]
fn chapters_are_found_in_the_languages_that_books_are_written_in() {
    for (one, two) in [
        ("Chương 1: Ngọn đèn", "Chương hai"),
        ("HỒI THỨ NHẤT", "HỒI THỨ HAI"),
        ("Kapitel 1", "Kapitel Dreiundzwanzig"),
        ("Erstes Kapitel", "Zweites Kapitel: Der Turm"),
        ("1. Kapitel", "2. Kapitel"),
        ("Chapitre premier", "Chapitre XII"),
        ("Première partie", "Deuxième partie"),
        ("Capítulo primero", "CAPÍTULO II"),
        ("Capitolo primo", "Capitolo 2"),
        ("Parte primeira", "Parte segunda"),
        ("Hoofdstuk 1", "Hoofdstuk twee"),
        ("Rozdział pierwszy", "Rozdział II"),
        ("Kapitola první", "Kapitola 2"),
        ("Első fejezet", "2. fejezet"),
        ("Capitolul I", "Capitolul al doilea"),
        ("Birinci Bölüm", "2. Bölüm"),
        ("Bölüm 1", "BÖLÜM İKİ"),
        ("Глава первая", "Глава двадцать третья"),
        ("ГЛАВА I", "Глава 2. Буря"),
        ("Часть первая", "Часть вторая"),
        ("Розділ 1", "Розділ другий"),
        ("Κεφάλαιο Α΄", "Κεφάλαιο 2"),
        ("الفصل الأول", "الفصل 2"),
        ("פרק א", "פרק 2"),
        ("فصل اول", "فصل ۲"),
        ("अध्याय १", "अध्याय 2"),
        ("অধ্যায় ১", "অধ্যায় ২"),
        ("บทที่ ๑", "บทที่ 2 ทะเล"),
        ("บทที่หนึ่ง", "บทที่สอง"),
        ("BAB I", "Bab Dua"),
        ("Kabanata 1", "Kabanata 2"),
        ("第一章 灯台", "第二章 嵐"),
        ("第1章", "第２章"),
        ("第十二回", "第十三回"),
        ("第一节", "第二节"),
        ("제1장 등대", "제2장 바다"),
        ("1장", "2장"),
        ("序章", "終章"),
        ("Điều 1. Phạm vi", "Điều 2. Đối tượng"),
        ("§ 1 Geltungsbereich", "§ 2 Begriffe"),
    ] {
        let text = format!("{one}\n\nok.\n\nok, go on.\n\n{two}\n\nok.\n\nok, go on.\n");
        let found = headings(DocumentKind::Plain, &text);
        let titles: Vec<&str> = found.iter().map(|heading| heading.title.as_str()).collect();
        assert_eq!(titles, [one, two]);
        assert!(found.iter().all(|heading| heading.chapter), "{one}");
    }
}

#[test]
fn sentences_that_begin_with_a_word_for_a_chapter_are_text() {
    for line in [
        "Chapter 5 was the one he liked best.",
        "Part of the problem",
        "Book a flight",
        "A part",
        "Section heads met on Monday.",
        "Letter by letter he read it.",
        "Глава семьи молчал.",
        "第三章里写道，他走了。",
        "1장에서 말했다.",
        "Act now",
        "Del mar al cielo",
        "Tom was late",
    ] {
        let text = format!("Before it, text.\n\n{line}\n\nAfter it, text.\n");
        assert_eq!(headings(DocumentKind::Plain, &text), [], "{line}");
    }
}

#[test]
fn weak_signs_count_only_without_better_ones() {
    let weak = "1. Aims\n\nText.\n\n2. Means\n\nText.\n";
    check(weak, &["1 1. Aims", "1 2. Means"]);
    check(
        &format!("# One\n\nText.\n\n{weak}\n# Two\n\nText.\n"),
        &["1 One", "1 Two"],
    );
    check(
        "THE STORM\n\nText.\n\nTHE CALM\n\nText.\n",
        &["1 THE STORM", "1 THE CALM"],
    );
    check(
        "一、总则\n\n本文。\n\n二、范围\n\n本文。\n",
        &["1 一、总则", "1 二、范围"],
    );
}

#[test]
fn a_table_of_contents_is_skipped() {
    check(
        "Chapter 1: Dawn\n\nChapter 2: Dusk\n\nChapter 1: Dawn\n\nText.\n\nChapter 2: Dusk\n\nText.\n",
        &["2 Chapter 1: Dawn", "2 Chapter 2: Dusk"],
    );
}

#[test]
fn comments_of_code_and_data_are_no_headings() {
    let text = "# a comment\nimport os\n\n# another\nx = 1\n\nCHAPTER 1\n\nx\n\nCHAPTER 2\n";
    check_as(DocumentKind::Code, text, &[]);
    check_as(DocumentKind::Data, text, &[]);
}

#[test]
fn other_markup_is_read_by_its_own_marks() {
    check_as(
        DocumentKind::Html,
        "<html><script>'<h1>no</h1>'</script><!-- <h1>no</h1> --><H1 class=a>One &amp; <b>only</b></H1><p>x</p><h2>Two</h2>",
        &["1 One & only", "2 Two"],
    );
    check_as(
        DocumentKind::Latex,
        "\\chapter{One}\n% \\section{no}\n\\section*{Two}\nText \\section{no}\n",
        &["2 One", "3 Two"],
    );
    check_as(
        DocumentKind::Restructured,
        "=====\nTitle\n=====\n\nOne\n---\n\nText.\n\nTwo\n---\n\nDeep\n~~~~\n",
        &["1 Title", "2 One", "2 Two", "3 Deep"],
    );
    check_as(
        DocumentKind::AsciiDoc,
        "= Title\n\n== One\n\n----\n== no\n----\n\n== Two\n",
        &["1 Title", "2 One", "2 Two"],
    );
    check_as(
        DocumentKind::Org,
        "* One\n** Two\n * a list\n",
        &["1 One", "2 Two"],
    );
}

proptest! {
    #[test]
    fn headings_stand_in_order_on_lines_of_their_own(
        text in "(#{0,3} ?[A-Za-z]{0,6}|Chapter [1-4]|[0-9]\\. [A-Z]|=====|---|```|~~~|<b>|> |- |\\n|\\n\\n|\\r|é){0,60}",
    ) {
        for kind in [DocumentKind::Plain, DocumentKind::Markdown, DocumentKind::Restructured] {
            let mut end = 0;
            for heading in headings(kind, &text) {
                prop_assert!(heading.start >= end && heading.end > heading.start);
                prop_assert!(heading.start == 0 || text[..heading.start].ends_with(['\n', '\r']));
                prop_assert!(heading.end == text.len() || text[..heading.end].ends_with(['\n', '\r']));
                prop_assert!((1..=6).contains(&heading.level));
                end = heading.end;
            }
        }
    }
}
