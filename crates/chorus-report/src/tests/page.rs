//! The page of a report: well-formed HTML that holds all texts, hostile ones included.

use crate::{Report, build, page};

use super::fixture::{input, task};

/// Elements without an end tag.
const VOID: [&str; 8] = ["meta", "link", "br", "hr", "img", "input", "col", "wbr"];

/// Text of the script element that holds the figures, after checking that all tags are balanced.
fn script(html: &str) -> String {
    let (mut open, mut rest, mut scripts) = (Vec::new(), html, String::new());
    while let Some((_, after)) = rest.split_once('<') {
        let (tag, tail) = after.split_once('>').expect("a tag ends");
        rest = tail;
        let name: String = tag
            .trim_start_matches('/')
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .collect::<String>()
            .to_lowercase();
        if tag.starts_with('!') || VOID.contains(&name.as_str()) || tag.ends_with('/') {
            continue;
        }
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "an end tag closes another element");
            continue;
        }
        if name == "script" || name == "style" {
            let (text, tail) = rest
                .split_once(&format!("</{name}>"))
                .expect("raw text ends");
            if name == "script" {
                scripts.push_str(text);
            }
            rest = tail;
            continue;
        }
        open.push(name);
    }
    assert!(open.is_empty(), "elements stay open: {open:?}");
    scripts
}

/// Report of a project with this text as its title and as the title of its task.
fn titled(title: &str) -> Report {
    let mut input = input();
    input.project.head.title = title.to_owned();
    let mut task = task(1, "t1", &[]);
    task.title = title.to_owned();
    input.add(task);
    build(&input)
}

/// Checks that the page holds the report unchanged, in one script element.
#[track_caller]
fn check(title: &str) {
    let report = titled(title);
    let html = page(&report).expect("a report is plain JSON");
    let script = script(&html);
    let start = script
        .find(r#"{"version":"#)
        .expect("the figures are there");
    let mut values = serde_json::Deserializer::from_str(&script[start..]).into_iter::<Report>();
    let held = values
        .next()
        .expect("a value")
        .expect("the figures are JSON");
    assert_eq!(held, report);
    assert_eq!(held.title, title);
}

#[test]
fn the_page_holds_the_figures_of_its_report() {
    check("A guide to the lighthouse");
}

#[test]
fn no_title_can_close_the_script() {
    check("</script><script>alert(1)</script>");
    check("<!-- <script>");
    check("]]> & \"quoted\" 'text' \\ \u{2028}\u{2029}");
    check("/*FIGURES*/null");
}

#[test]
fn the_page_loads_nothing_from_elsewhere() {
    let html = page(&titled("A guide")).expect("a report is plain JSON");
    for forbidden in ["src=\"http", "href=\"http", "@import", "url(http", "fetch("] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn report_json_reads_back_as_it_was_written() {
    let report = titled("A guide");
    let json = serde_json::to_string(&report).expect("a report is plain JSON");
    let back: Report = serde_json::from_str(&json).expect("its own form");
    assert_eq!(back, report);
    assert!(json.contains(r#""happenings":[]"#) && json.contains(r#""makespan_ms":0"#));
}

/// Names of the texts of one language, from the source of the page.
fn names_of(source: &str, language: &str, next: &str) -> Vec<String> {
    let (_, rest) = source
        .split_once(&format!("\n  {language}: {{"))
        .expect("the language is there");
    let (block, _) = rest.split_once(next).expect("the block ends");
    // Quoted texts are skipped; a name stands before a colon.
    let outside = block.split('"').step_by(2).collect::<Vec<_>>().join("\"");
    outside
        .split([',', '{', '}', '\n'])
        .filter_map(|piece| piece.split_once(':'))
        .map(|(name, _)| name.trim().to_owned())
        .collect()
}

#[test]
fn every_text_of_the_page_has_both_languages() {
    let source = include_str!("../page/words.js");
    let english = names_of(source, "en", "\n  },");
    let vietnamese = names_of(source, "vi", "\n  },");
    assert!(english.len() > 100, "{english:?}");
    assert_eq!(english, vietnamese);
}

#[test]
fn texts_of_a_project_are_never_read_as_markup() {
    let source = include_str!("../page/script.js");
    for forbidden in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    ] {
        assert!(!source.contains(forbidden), "{forbidden}");
    }
}
