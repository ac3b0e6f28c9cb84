//! Defects that rules find in files without a model, and readings of judges' answers.

use std::collections::BTreeMap;

use super::*;
use crate::file_kind::FileKind;
use crate::merge::{WorkResult, files};
use crate::plan::{ParentPolicy, Part, Plan, PlannedFile, PlannedTask, Requirement};

fn plan(path: &str, media_type: &str, acceptance: &str) -> Plan {
    let task = |key: &str, covers: &[&str]| PlannedTask {
        key: TaskKey::new(key),
        title: format!("Part {key}"),
        instructions: "Write".into(),
        sections: Vec::new(),
        parents: Vec::new(),
        policy: ParentPolicy::All,
        covers: covers.iter().map(|id| (*id).to_owned()).collect(),
        acceptance: vec![acceptance.into()],
        output_tokens: 100,
    };
    let part = |key: &str| Part::Task {
        task: TaskKey::new(key),
    };
    Plan {
        version: 1,
        title: "P".into(),
        assumptions: Vec::new(),
        requirements: ["r1", "r2"]
            .map(|id| Requirement {
                id: id.into(),
                text: id.into(),
            })
            .into(),
        tasks: vec![task("t1", &["r1"]), task("t2", &["r1", "r2"])],
        files: vec![PlannedFile {
            path: path.into(),
            media_type: media_type.into(),
            parts: vec![part("t1"), part("t2")],
        }],
    }
}

/// A parser to which one word is a fault.
struct Plain;

impl SyntaxCheck for Plain {
    fn fault(&self, kind: FileKind, text: &str) -> Option<SyntaxFault> {
        let offset = text.find("broken").filter(|_| kind == FileKind::Python)?;
        let line = text[..offset].matches('\n').count() + 1;
        Some(SyntaxFault {
            offset,
            message: format!("line {line}: broken"),
            is_certain: true,
        })
    }
}

/// Checks the defects, drawn as `requirement task: evidence`, of the texts of two parts; none for a
/// missing result.
fn check_parts(
    media_type: &str,
    acceptance: &str,
    texts: [Option<&str>; 2],
    expected: &[(&str, &str, &str)],
) {
    let plan = plan("guide", media_type, acceptance);
    let result = |(key, text): (&str, Option<&str>)| {
        text.map(|text| {
            (
                TaskKey::new(key),
                WorkResult {
                    text: text.into(),
                    ..WorkResult::default()
                },
            )
        })
    };
    let results: BTreeMap<TaskKey, WorkResult> = ["t1", "t2"]
        .into_iter()
        .zip(texts)
        .filter_map(result)
        .collect();
    let found = check(&plan, &files(&plan, &results, &[], &[]), &Plain);
    let doubts = found.undecided.into_iter().map(|open| VerdictItem {
        requirement: open.requirement,
        met: false,
        evidence: open.note,
        redo: Vec::new(),
        feedback: String::new(),
    });
    let defects: Vec<VerdictItem> = found.items.into_iter().chain(doubts).collect();
    assert_eq!(defects.len(), expected.len(), "{defects:?}");
    for (defect, (requirement, tasks, words)) in defects.iter().zip(expected) {
        let redo = defect
            .redo
            .iter()
            .map(TaskKey::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        assert_eq!(
            (defect.requirement.as_str(), redo.as_str(), defect.met),
            (*requirement, *tasks, false)
        );
        assert!(defect.evidence.contains(words), "{}", defect.evidence);
    }
}

#[test]
fn a_complete_file_has_no_defects() {
    check_parts(
        "text/markdown",
        "It is there",
        [Some("# One\n\nText."), Some("## Two\n\n```\ncode\n```\n")],
        &[],
    );
    check_parts(
        "text/markdown",
        "Has the heading `Aims`",
        [Some("## The aims\nText."), Some("## Aims\nTo do it.")],
        &[],
    );
    check_parts(
        "application/json",
        "It is there",
        [Some("[1,"), Some("2]")],
        &[],
    );
}

#[test]
fn planted_defects_are_found_with_the_task_that_made_them() {
    check_parts(
        "text/markdown",
        "x",
        [None, Some("Text")],
        &[("r1", "t1", "missing")],
    );
    check_parts(
        "text/markdown",
        "x",
        [Some("Text"), Some(" \n")],
        &[("r1", "t2", "missing")],
    );
    check_parts(
        "text/markdown",
        "x",
        [Some("# One\n\nTODO: write this"), Some("[placeholder]")],
        &[("r1", "t1", "placeholder"), ("r1", "t2", "placeholder")],
    );
    check_parts(
        "text/markdown",
        "x",
        [Some("Text"), Some("```rust\nfn f() {}")],
        &[("r1", "t2", "never closes")],
    );
    check_parts(
        "text/markdown",
        "Has the headings “Aims” and \"Means\"",
        [Some("## Aims\n\n## Means\n"), Some("## Aims")],
        &[("r1", "", "Means")],
    );
    check_parts(
        "application/json",
        "x",
        [Some("{"), Some("\"a\":}")],
        &[("r1", "t1", "no JSON"), ("r1", "t2", "no JSON")],
    );
    check_parts(
        "application/json",
        "x",
        [Some("{\"a\": 1}"), Some("{\"a\": 2}")],
        &[("r1", "t2", "in the key `a`")],
    );
    check_parts(
        "text/x-python",
        "x",
        [Some("x = 1"), Some("broken here")],
        &[("r1", "t2", "line 2: broken")],
    );
    let plan = plan("guide.md", "text/markdown", "x");
    assert!(
        check(&plan, &[], &Plain).items[0]
            .evidence
            .contains("file guide.md: it is missing")
    );
}

#[test]
fn names_of_many_headings_are_left_to_the_judge() {
    for acceptance in [
        "Has the heading `## {chapter title}`",
        "Headings are `## Chapter N`",
        "Does not have the heading `Glossary`",
        "Headings: `# ` and `## `",
    ] {
        check_parts(
            "text/markdown",
            acceptance,
            [Some("## One\n\nText."), Some("Text.")],
            &[],
        );
    }
}

#[test]
fn texts_about_todos_are_no_placeholders() {
    check_parts(
        "text/markdown",
        "x",
        [
            Some(
                "Todo lists were invented by tired people; this chapter tells how they came to rule our days.",
            ),
            Some("The end …"),
        ],
        &[],
    );
}

fn asked() -> Vec<String> {
    vec!["r1".into(), "r2".into()]
}

/// Checks the items, drawn as `requirement met tasks` or `requirement open`.
fn check_answer(answer: &str, expected: &[&str]) {
    let verdict =
        read(answer, &plan("guide.md", "text/markdown", "x"), &asked()).expect("it is a verdict");
    let undecided = verdict
        .undecided
        .iter()
        .map(|open| format!("{} open", open.requirement));
    let drawn = |item: &VerdictItem| {
        format!(
            "{} {} {}",
            item.requirement,
            item.met,
            item.redo
                .iter()
                .map(TaskKey::as_str)
                .collect::<Vec<_>>()
                .join(",")
        )
    };
    assert_eq!(
        verdict
            .items
            .iter()
            .map(drawn)
            .chain(undecided)
            .collect::<Vec<_>>(),
        expected,
        "{answer}"
    );
}

#[test]
fn a_judges_answer_is_mended_and_mapped() {
    check_answer(
        r#"{"items":[{"requirement":"r1","met":true,"evidence":"“Text”","redo":["t1"],"feedback":""}]}"#,
        &["r1 true ", "r2 open"],
    );
    check_answer(
        r#"{"items":[{"requirement":"r2","met":false,"evidence":"nothing"}]}"#,
        &["r2 false t2", "r1 open"],
    );
    check_answer(
        r#"{"items":[{"requirement":"r1","met":"no","redo":["t9"]},{"requirement":"r9","met":true}]}"#,
        &["r1 false t1,t2", "r2 open"],
    );
    check_answer(
        "```json\n[{\"requirement\":\"r1\",\"met\":false,\"redo\":\"t2\",},]\n```",
        &["r1 false t2", "r2 open"],
    );
    check_answer(
        r#"{"items":[{"requirement":"r1","met":true,"evidence":"x"},{"requirement":"r1","met":false,"redo":["t1"]}]}"#,
        &["r1 false t1", "r2 open"],
    );
    check_answer(
        r#"{"items":[{"requirement":"r1","finding":"cannot_tell","evidence":"chapters 1 to 4"},{"requirement":"r2","finding":"met","evidence":"“Text”"}]}"#,
        &["r2 true ", "r1 open"],
    );
    check_answer(
        r#"{"items":[{"requirement":"r1","finding":"met","evidence":""},{"requirement":"r2","finding":"met","evidence":"0 translations are there"}]}"#,
        &["r2 false t2", "r1 open"],
    );
    let errors = read(
        "All good!",
        &plan("guide.md", "text/markdown", "x"),
        &asked(),
    )
    .expect_err("it is no verdict");
    assert!(errors[0].contains("no JSON object"));
    let errors = read(
        r#"{"items":[{"requirement":"r9","met":true}]}"#,
        &plan("guide.md", "text/markdown", "x"),
        &asked(),
    )
    .expect_err("it is about nothing");
    assert!(errors[0].contains("r1, r2"));
}

#[test]
fn silence_about_a_requirement_is_no_consent() {
    let plan = plan("guide.md", "text/markdown", "x");
    let about = |met: bool, ids: &[&str]| {
        let items = ids
            .iter()
            .map(|id| format!(r#"{{"requirement":"{id}","met":{met},"evidence":"seen"}}"#))
            .collect::<Vec<_>>()
            .join(",");
        read_final(&format!(r#"{{"items":[{items}]}}"#), &plan, &asked())
    };
    assert_eq!(
        about(true, &["r1"]).expect_err("r2 was passed over"),
        ["there is no item about r2"]
    );
    assert!(about(true, &["r2", "r1"]).is_ok());
    assert!(about(false, &["r1"]).is_err());
    let answer = r#"{"items":[{"requirement":"r1","finding":"cannot_tell","evidence":"half"},{"requirement":"r2","finding":"met","evidence":"x"}]}"#;
    let last = read_final(answer, &plan, &asked()).expect("both are named");
    let open = last
        .items
        .iter()
        .find(|item| !item.met)
        .expect("r1 is not met");
    assert_eq!((open.requirement.as_str(), open.redo.len()), ("r1", 0));
}

#[test]
fn what_no_excerpt_decides_is_undecided_and_never_accepted() {
    let excerpt = |item: &str| {
        let answer = format!(r#"{{"items":[{item}]}}"#);
        read(
            &answer,
            &plan("guide.md", "text/markdown", "x"),
            &["r1".to_owned()],
        )
        .expect("it is a verdict")
    };
    let met = r#"{"requirement":"r1","finding":"met","evidence":"chapter 1"}"#;
    let open = r#"{"requirement":"r1","finding":"cannot_tell","evidence":"no chapter here"}"#;
    let unmet = r#"{"requirement":"r1","finding":"not_met","evidence":"chapter 2 is cut"}"#;
    let united = unite(vec![excerpt(met), excerpt(open)]);
    assert!(
        united.items.is_empty() && united.undecided.len() == 1,
        "{united:?}"
    );
    assert!(united.undecided[0].note.contains("chapter 1"), "{united:?}");
    let both = unite(vec![excerpt(met), excerpt(open), excerpt(unmet)]);
    assert!(both.undecided.is_empty() && !both.items[0].met, "{both:?}");
    let history = ReworkHistory {
        rounds: 0,
        limit: 3,
        best: None,
        defects: &[],
        reworks: &BTreeMap::new(),
    };
    assert!(matches!(
        rule(&history, &closed(united.clone())),
        Ruling::Stop { .. }
    ));
    let last = decided(united, excerpt(met));
    assert_eq!(rule(&history, &last), Ruling::Accept);
}

#[test]
fn a_file_that_the_plan_wants_empty_has_no_defect() {
    let checked = |path: &str, acceptance: &str| {
        let mut plan = plan(path, "text/x-python", acceptance);
        plan.files[0].parts.truncate(1);
        let empty = BTreeMap::from([(TaskKey::new("t1"), WorkResult::default())]);
        check(&plan, &files(&plan, &empty, &[], &[]), &Plain)
            .items
            .len()
    };
    assert_eq!(checked("pkg/__init__.py", "It is there"), 0);
    assert_eq!(checked("pkg/mark.py", "The file is empty"), 0);
    assert_eq!(checked("pkg/code.py", "It is there"), 1);
}

#[test]
fn a_united_verdict_is_as_strict_as_its_strictest() {
    let item = |met: bool, redo: &str| VerdictItem {
        requirement: "r1".into(),
        met,
        evidence: format!("seen {redo}"),
        redo: if met {
            Vec::new()
        } else {
            vec![TaskKey::new(redo)]
        },
        feedback: if met {
            String::new()
        } else {
            format!("mend {redo}")
        },
    };
    let verdict = |item: VerdictItem| Verdict {
        items: vec![item],
        ..Verdict::default()
    };
    let united = unite(vec![
        verdict(item(true, "t0")),
        verdict(item(false, "t1")),
        verdict(item(true, "t0")),
        verdict(item(false, "t2")),
    ]);
    assert_eq!(united.items.len(), 1);
    assert_eq!(
        (
            united.items[0].met,
            united.items[0].feedback.as_str(),
            united.items[0].redo.len()
        ),
        (false, "mend t1\nmend t2", 2)
    );
    assert_eq!(
        (
            score(&united),
            score(&verdict(item(true, "t0"))),
            score(&Verdict::default())
        ),
        (0, 1_000, 0)
    );
}
