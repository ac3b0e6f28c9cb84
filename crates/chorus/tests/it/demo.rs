//! The demo: its examples, and other people's texts.

use std::process::{Command, Output};

use serde_json::Value;

use crate::fixture::{Fixture, output_text, quick, read};

/// Runs the binary in an empty folder, where nothing of the source tree is.
fn demo(folder: &std::path::Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_chorus"))
        .current_dir(folder)
        .arg("demo")
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .expect("the binary starts")
}

fn report(folder: &std::path::Path) -> Value {
    let path = folder.join("out/chorus-report/report.json");
    let text = std::fs::read_to_string(&path).expect("a report");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn an_attachment_without_a_brief_is_refused_and_not_ignored() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("own.md"), "# Own\n\nText.\n").expect("written");
    let output = demo(folder.path(), &["--attach", "own.md", "--out", "out"]);
    assert!(!output.status.success());
    assert!(
        output_text(&output).contains("--brief"),
        "{}",
        output_text(&output)
    );
    assert!(!folder.path().join("out").exists());
}

/// Output of a program of the deliverable; none where the machine has no Python.
fn python(folder: &std::path::Path, arguments: &[&str]) -> Option<Output> {
    let started = Command::new("python3")
        .current_dir(folder)
        .args(arguments)
        .env("TALLY_FILE", folder.join("ledger.json"))
        .output();
    started.ok()
}

#[test]
fn the_software_example_makes_a_package_whose_tests_pass_and_whose_command_runs() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = demo(
        folder.path(),
        &["--example", "software-project", "--out", "out"],
    );
    assert!(output.status.success(), "{}", output_text(&output));
    assert_eq!(report(folder.path())["state"], "done");
    assert!(
        output_text(&output).contains(" spent of a budget of "),
        "the summary has money"
    );
    let made = folder.path().join("out");
    let Some(tests) = python(&made, &["-m", "unittest", "tests.test_model"]) else {
        return;
    };
    assert!(tests.status.success(), "{}", output_text(&tests));
    let sample = [
        ["2500", "salary", "--date=2024-03-01", "--note=March"],
        ["-42.50", "food", "--date=2024-03-02", "--note=market"],
    ];
    for entry in sample {
        let added = python(
            &made,
            &[&["-m", "tally.cli", "add"][..], &entry[..]].concat(),
        );
        assert!(added.is_some_and(|added| added.status.success()));
    }
    let printed = python(&made, &["-m", "tally.cli", "report"]).expect("it ran before");
    let text = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert!(text.contains("  balance          2457.50\n"), "{text}");
}

#[test]
fn the_vague_example_shows_its_assumptions_where_no_one_can_be_asked() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = demo(folder.path(), &["--example", "vague-vi", "--out", "out"]);
    assert!(output.status.success(), "{}", output_text(&output));
    let text = output_text(&output);
    assert!(text.contains("assumed: Ai sẽ đọc kết quả?"), "{text}");
}

/// Runs a brief over a text with providers that answer at once.
async fn run(brief: &str, attached: &str) -> Value {
    let fixture = Fixture::new(quick()).await;
    fixture.write("brief.md", brief);
    let mut arguments = vec!["run", "brief.md", "--out", "out", "--yes", "--assume"];
    if !attached.is_empty() {
        fixture.write("own/text.md", attached);
        arguments.extend(["--attach", "own"]);
    }
    let output = fixture.chorus(&arguments);
    assert!(
        output
            .status
            .code()
            .is_some_and(|code| code == 0 || code == 3),
        "{}",
        output_text(&output)
    );
    let report = fixture.report("out");
    fixture.end().await;
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn texts_of_little_sense_in_any_language_end_as_done() {
    let line = "lorem ipsum dolor sit amet consectetur ".repeat(120);
    let cases = [
        (
            "Résumez ce texte en quelques phrases.",
            "le chat dort la souris passe et le chien aboie toute la nuit",
        ),
        (
            "Summarise the attached text and give 3 key points.",
            line.as_str(),
        ),
        (
            "请总结每一章。",
            "# 第一章\n\n春天来了，花开了。鸟在唱歌。\n\n# 第二章\n\n夏天很热，孩子们在河里游泳。",
        ),
        (
            "Write an essay about the contradictions, questions and glossaries of translators.",
            "",
        ),
        ("Make something of this.", "hi"),
        (
            "Summarise each file, with 2 questions for each.",
            "a;b;c\n1;2;3\n4;5;6\n",
        ),
        (
            "لخص النص المرفق.",
            "كان يا ما كان في قديم الزمان رجل يعيش في قرية صغيرة قرب البحر",
        ),
    ];
    for (brief, attached) in cases {
        let report = run(brief, attached).await;
        assert_eq!(
            report["state"], "done",
            "{brief}: {} {}",
            report["defects"], report["verdicts"]
        );
        let verdicts = report["verdicts"].to_string();
        assert!(!verdicts.contains("\"evidence\":\"0 "), "{verdicts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_for_and_is_not_there_is_said() {
    let brief = "# Guide\n\n## Deliver\n\n1. **Summary** – of each chapter, 20 to 60 words.\n2. **Glossary** – every term, with the chapter of its definition and its French equivalent.\n";
    let text =
        "# Chapter 1\n\nThe boat left the harbour at dawn. The crew of the boat was small.\n";
    let report = run(brief, text).await;
    assert_eq!(report["state"], "partial", "{}", report["verdicts"]);
    assert!(
        report["verdicts"]
            .to_string()
            .contains("the glossary has no terms"),
        "{}",
        report["verdicts"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn skeletons_of_code_are_not_accepted() {
    let brief = "# Kit\n\n## Deliver\n\n- `kit/oven.py` — `bake(tray)` returns the time.\n- `kit/tray.py` — the class `Tray`.\n";
    let interfaces = "# Interfaces\n\n## `kit/oven.py`\n\n```python\ndef bake(tray: str) -> int:\n    \"\"\"Bakes.\"\"\"\n```\n";
    let report = run(brief, interfaces).await;
    assert_eq!(report["state"], "partial", "{}", report["verdicts"]);
    assert!(
        report["verdicts"]
            .to_string()
            .contains("without a body: bake"),
        "{}",
        report["verdicts"]
    );
}

/// Text of the guide that the long example makes.
fn guide(folder: &std::path::Path) -> String {
    read(&folder.join("out"), "study-guide.md")
}

#[test]
fn the_long_example_has_the_columns_and_pointers_that_its_brief_asks_for() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let output = demo(folder.path(), &["--out", "out"]);
    assert!(output.status.success(), "{}", output_text(&output));
    let (report, guide) = (report(folder.path()), guide(folder.path()));
    assert_eq!(report["state"], "done");
    assert!(
        guide.contains("| Term | Meaning | Chapter | Vietnamese |"),
        "{guide}"
    );
    let row = guide
        .lines()
        .find(|line| line.to_lowercase().starts_with("| tide gate |"));
    assert!(
        row.is_some_and(|row| row.ends_with("| 1 | cửa triều |")),
        "{row:?}"
    );
    let (before, note) = guide.split_once("## Contradictions").expect("a note");
    for sentence in [
        "The tower of the Kettle Light is 38 metres high",
        "The Great Sluice was completed in 1877",
    ] {
        assert!(note.contains(sentence), "{note}");
        let bare: Vec<&str> = before
            .split(sentence)
            .skip(1)
            .filter(|rest| !rest.starts_with(" (see the note"))
            .collect();
        assert!(bare.is_empty(), "{sentence}: {bare:?}");
    }
    let items = report["verdicts"]
        .as_array()
        .and_then(|all| all.last())
        .expect("a verdict")["items"]
        .clone();
    for item in items.as_array().expect("items") {
        let evidence = item["evidence"].as_str().expect("text");
        assert!(
            !evidence.is_empty() && !evidence.starts_with("0 ") && !evidence.contains("; 0 "),
            "{item}"
        );
    }
    let peaks = report["accounts"]
        .as_array()
        .expect("accounts")
        .iter()
        .flat_map(|account| account["limits"].as_array().expect("limits"));
    for limit in peaks {
        let is_above = limit["peak_percent"].as_f64().expect("a number") > 100.0;
        assert_eq!(
            is_above,
            limit["note"] != "",
            "an excess is explained: {limit}"
        );
    }
}
