//! Replies of planners, good and bad, and the plans read from them.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::brief::{Outline, Section};
use crate::plan::{Limits, Part, estimate, fallback};

fn outline(tokens: &[u64]) -> Outline {
    let section = |(at, tokens): (usize, &u64)| Section {
        id: SectionId(format!("d1.{}", at + 1)),
        document: "book.md".into(),
        title: format!("Chapter {}", at + 1),
        start: 0,
        end: 1,
        tokens: *tokens,
        opening: String::new(),
        more: Vec::new(),
    };
    Outline {
        sections: tokens.iter().enumerate().map(section).collect(),
    }
}

fn scope(outline: &Outline) -> Scope<'_> {
    Scope {
        outline,
        limits: Limits {
            max_tasks: 20,
            max_output_tokens: 500,
            input_tokens: 1_000,
        },
    }
}

/// A plan in one line a task and a file: `t1(t0) d1.1 r1 | a.md: t1 glossary`.
fn drawn(plan: &Plan) -> String {
    let task = |task: &PlannedTask| {
        let parents = task
            .parents
            .iter()
            .map(TaskKey::as_str)
            .collect::<Vec<_>>()
            .join(" ");
        let parents = if parents.is_empty() {
            String::new()
        } else {
            format!("({parents})")
        };
        let sections = task
            .sections
            .iter()
            .map(|id| format!(" {}", id.0))
            .collect::<String>();
        format!("{}{parents}{sections}", task.key)
    };
    let part = |part: &Part| match part {
        Part::Task { task } => format!(" {task}"),
        Part::Glossary { heading } | Part::Conflicts { heading } => format!(" “{heading}”"),
    };
    let tasks = plan.tasks.iter().map(task).collect::<Vec<_>>().join(", ");
    let files = plan
        .files
        .iter()
        .map(|file| {
            format!(
                "{}:{}",
                file.path,
                file.parts.iter().map(part).collect::<String>()
            )
        })
        .collect::<Vec<_>>()
        .join(", ");
    format!("{tasks} | {files}")
}

/// `expected` begins with `refused` for a reply that is asked again; then the error must contain what follows.
fn check(tokens: &[u64], reply: &Value, expected: &str) -> Vec<String> {
    check_text(tokens, &reply.to_string(), expected)
}

fn check_text(tokens: &[u64], reply: &str, expected: &str) -> Vec<String> {
    let outline = outline(tokens);
    match (
        read(reply, &scope(&outline)),
        expected.strip_prefix("refused: "),
    ) {
        (Ok(reading), None) => {
            assert_eq!(drawn(&reading.plan), expected);
            assert_eq!(reading.plan.check_in(&scope(&outline)), []);
            reading.warnings
        }
        (Err(refused), Some(part)) => {
            assert!(refused.to_string().contains(part), "{refused}");
            refused.errors
        }
        (seen, _) => panic!("expected {expected}, got {seen:?}"),
    }
}

#[test]
fn a_good_plan_is_read_without_warnings() {
    let reply = json!({"title": "Guide", "requirements": [{"id": "r1", "text": "A summary of each chapter"}],
        "tasks": [
            {"id": "t1", "title": "Summary of {section}", "instructions": "Summarise {section}.", "for_each": "section", "sections": ["d1.*"], "covers": ["r1"], "acceptance": ["80 words"]},
            {"id": "t2", "title": "Introduction", "instructions": "Introduce the guide.", "depends_on": ["t1"], "covers": ["r1"], "acceptance": ["One paragraph"]}],
        "files": [{"path": "guide.md", "media_type": "text/markdown", "parts": [{"task": "t2"}, {"task": "t1"}, {"glossary": "Glossary"}, {"conflicts": ""}]}]});
    let warnings = check(
        &[100, 100],
        &reply,
        "t1.1 d1.1, t1.2 d1.2, t2(t1.1 t1.2) | guide.md: t2 t1.1 t1.2 “Glossary” “Contradictions”",
    );
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn copies_fill_in_their_section_and_number() {
    let reply = json!({"tasks": [
        {"id": "a", "title": "Sum", "instructions": "Summarise {section}", "for_each": "section", "sections": ["*"]},
        {"id": "b", "title": "Turn {section}", "instructions": "Translate number {n}", "for_each": "section", "sections": ["*"], "depends_on": ["a.{n}"]}],
        "files": [{"path": "vi/{n}.md", "parts": [{"task": "b"}]}]});
    check(
        &[10, 10],
        &reply,
        "a.1 d1.1, a.2 d1.2, b.1(a.1) d1.1, b.2(a.2) d1.2 | vi/1.md: b.1, vi/2.md: b.2",
    );
}

#[test]
fn adding_a_chapter_adds_a_task() {
    let reply =
        json!({"tasks": [{"id": "t", "instructions": "Summarise {section}", "for_each": "section", "sections": ["*"]}]}).to_string();
    for chapters in 1..=20 {
        let outline = outline(&vec![50; chapters]);
        assert_eq!(
            read(&reply, &scope(&outline))
                .expect("a plan")
                .plan
                .tasks
                .len(),
            chapters
        );
    }
    let outline = outline(&vec![50; 70]);
    let reading = read(&reply, &scope(&outline)).expect("a plan");
    assert_eq!(
        (
            reading.plan.tasks.len(),
            reading.plan.tasks[0].sections.len()
        ),
        (18, 4)
    );
}

#[test]
fn forgotten_sections_are_requested_or_given() {
    let reply = json!({"tasks": [{"id": "t", "instructions": "Summarise {section}", "for_each": "section"}]});
    check(
        &[10, 10],
        &reply,
        "t.1 d1.1, t.2 d1.2 | deliverable.md: t.1 t.2",
    );
    let reply = json!({"tasks": [{"id": "t", "instructions": "Summarise the book"}, {"id": "u", "instructions": "Join", "depends_on": ["t"]}]});
    check(&[600, 600], &reply, "refused: no task reads any section");
    check(&[], &reply, "t, u(t) | deliverable.md: u");
    let outline = outline(&[600, 600]);
    let lenient = read_leniently(&reply.to_string(), &scope(&outline))
        .expect("a plan")
        .plan;
    assert_eq!(
        drawn(&lenient),
        "t.in1 d1.1, t.in2 d1.2, t(t.in1 t.in2), u(t) | deliverable.md: u"
    );
}

#[test]
fn forms_that_models_like_are_coerced() {
    let reply = json!({"steps": [
        {"id": 1, "name": "First", "description": "Do it", "sections": "d1.1", "output_tokens": "~1,200"},
        {"id": "2", "instructions": "Join", "dependencies": [1], "policy": {"at_least": 9}}],
        "files": "out.md"});
    check(&[10], &reply, "1 d1.1, 2(1) | deliverable.md: 2");
}

#[test]
fn edges_are_mended_or_refused() {
    let task = |id: &str, parents: &[&str]| json!({"id": id, "title": format!("Task {id}"), "instructions": format!("Do {id}1"), "depends_on": parents});
    let warnings = check(
        &[],
        &json!({"tasks": [task("a", &["a", "x9"]), task("b", &["Task a"])]}),
        "a, b(a) | deliverable.md: b",
    );
    assert!(
        warnings.iter().any(|text| text.contains("itself"))
            && warnings.iter().any(|text| text.contains("x9")),
        "{warnings:?}"
    );
    let cyclic = json!({"tasks": [task("a", &["c"]), task("b", &["a"]), task("c", &["b"])]});
    check(&[], &cyclic, "refused: a -> b -> c -> a");
    let lenient = read_leniently(&cyclic.to_string(), &scope(&outline(&[])))
        .expect("the backward edge is broken");
    assert_eq!(drawn(&lenient.plan), "a, b(a), c(b) | deliverable.md: c");
    check(
        &[],
        &json!({"tasks": [task("late", &["early"]), task("early", &[])]}),
        "early, late(early) | deliverable.md: late",
    );
    check(
        &[],
        &json!({"tasks": [task("a", &[]), task("a", &[])]}),
        "refused: two tasks have the id a",
    );
    let chain: Vec<Value> = (0..14)
        .map(|at| task(&format!("t{at}"), &[&format!("t{}", at - 1)]))
        .collect();
    check(
        &[],
        &json!({ "tasks": chain }),
        "refused: longest chain has 14 tasks",
    );
}

#[test]
fn plans_that_are_none_are_refused_with_a_reason() {
    check_text(
        &[],
        "I would begin with the first chapter.",
        "refused: no JSON object",
    );
    check_text(&[], r#"{"title":"x","tasks":[]}"#, "refused: no task");
    check_text(&[], r#"{"hello": [1,2,"#, "refused: no JSON object");
    check_text(&[], r#"{"tasks": [1, 2]}"#, "refused: no task");
    for text in [
        r#"{"hello": [1,2,"#,
        r#"{"tasks": [1, 2"#,
        r#"{"a": [{"b": 1},"#,
    ] {
        let lenient = read_leniently(text, &scope(&outline(&[])));
        assert!(lenient.is_err(), "{text}");
    }
    check_text(
        &[],
        r#"{"tasks":[{"id":"t1","instructions":"Write"},{"id":"t2","instr"#,
        "refused: cut off",
    );
    let many: Vec<Value> = (0..500)
        .map(|at| json!({"id": format!("t{at}"), "instructions": format!("Do {at}")}))
        .collect();
    check(
        &[],
        &json!({ "tasks": many }),
        "refused: 500 tasks; at most 20",
    );
}

#[test]
fn repeated_tasks_are_joined_and_similar_ones_are_not() {
    let task = |id: &str, instructions: &str| json!({"id": id, "title": "Check", "instructions": instructions});
    let words =
        "read the whole text once more and list every claim about dates that seems wrong to you";
    let warnings = check(
        &[],
        &json!({"tasks": [task("a", words), task("b", words)]}),
        "a | deliverable.md: a",
    );
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("b asks for the same as a")),
        "{warnings:?}"
    );
    for (one, other) in [
        ("the opening scene", "the closing scene"),
        ("the argument for", "the argument against"),
        (
            "写下港口的开场，写明灯塔的高度",
            "写下港口的结尾，写明灯塔的高度",
        ),
        ("about C", "about C++"),
    ] {
        check(
            &[],
            &json!({"tasks": [task("a", &format!("{words}: {one}")), task("b", &format!("{words}: {other}"))]}),
            "a, b | deliverable.md: a b",
        );
    }
    let titled = |id: &str, title: &str| json!({"id": id, "title": title, "instructions": words});
    check(
        &[],
        &json!({"tasks": [titled("a", "Opening"), titled("b", "Closing")]}),
        "a, b | deliverable.md: a b",
    );
    let named = |name: &str| format!("{words} in the file {name}");
    check(
        &[],
        &json!({"tasks": [task("a", &named("one.py")), task("b", &named("two.py"))]}),
        "a, b | deliverable.md: a b",
    );
}

#[test]
fn what_a_task_reads_fits_its_model() {
    let whole = json!({"tasks": [{"id": "t", "instructions": "Summarise", "sections": ["*"]}, {"id": "u", "instructions": "Join", "depends_on": ["t"]}]});
    check(
        &[600, 300, 600, 700],
        &whole,
        "t.in1 d1.1 d1.2, t.in2 d1.3, t.in3 d1.4, t(t.in1 t.in2 t.in3), u(t) | deliverable.md: u",
    );
    let wide = json!({"tasks": [{"id": "t", "instructions": "Summarise {section}", "for_each": "section", "sections": ["*"], "output_tokens": 400},
        {"id": "u", "instructions": "Join", "depends_on": ["t"]}]});
    check(
        &[10; 4],
        &wide,
        "t.1 d1.1, t.2 d1.2, t.3 d1.3, t.4 d1.4, u.in1(t.1 t.2), u.in2(t.3 t.4), u(u.in1 u.in2) | deliverable.md: u",
    );
}

#[test]
fn files_are_safe_and_every_task_serves_one() {
    let task = |id: &str, covers: &[&str]| json!({"id": id, "instructions": format!("Write {id}1"), "covers": covers});
    let plan = |tasks: Vec<Value>, files: Value| json!({"requirements": ["Is there"], "tasks": tasks, "files": files});
    let files = json!([{"path": "../../etc/passwd", "parts": ["a"]}, {"path": "C:\\x\\y.md", "parts": ["b", "b", "zz"]}, {"path": "empty.md", "parts": []}]);
    check(
        &[],
        &plan(vec![task("a", &["r1"]), task("b", &[])], files),
        "a, b | etc/passwd: a, C/x/y.md: b",
    );
    let twice = json!([{"path": "A.md", "parts": ["a"]}, {"path": "a.md", "parts": ["b"]}, {"path": "a.md/x", "parts": ["b"]}]);
    check(
        &[],
        &plan(vec![task("a", &[]), task("b", &[])], twice),
        "a, b | A.md: a, a-2.md: b, a.md-x-2: b",
    );
    let lost = json!([{"path": "a.md", "parts": ["a", {"glossary": "Words"}]}]);
    let warnings = check(
        &[],
        &plan(
            vec![
                task("a", &[]),
                task("b", &["r1"]),
                task("c", &["r1"]),
                task("d", &[]),
            ],
            lost,
        ),
        "a, c | a.md: a c “Words”",
    );
    assert!(
        warnings.iter().any(|text| text.contains("d gives no part")),
        "{warnings:?}"
    );
}

#[test]
fn a_rubric_is_made_where_there_is_none() {
    let outline = outline(&[10, 10]);
    let reply = json!({"tasks": [{"id": "t", "instructions": "Sum {section}", "for_each": "section", "sections": ["*"], "acceptance": "80 words"}, {"id": "u", "title": "End", "instructions": "End"}]});
    let plan = read(&reply.to_string(), &scope(&outline))
        .expect("a plan")
        .plan;
    let texts: Vec<&str> = plan
        .requirements
        .iter()
        .map(|requirement| requirement.text.as_str())
        .collect();
    assert_eq!(
        texts,
        [
            "80 words",
            "The part does all that its instructions ask: End"
        ]
    );
    assert_eq!(
        plan.tasks
            .iter()
            .map(|task| task.covers.join(","))
            .collect::<Vec<_>>(),
        ["r1", "r1", "r2"]
    );
    let reply = json!({"requirements": ["An index of harbours", "A preface"], "tasks": [{"id": "t", "instructions": "Write the preface"}, {"id": "u", "instructions": "List the harbours"}]});
    let plan = read_leniently(&reply.to_string(), &scope(&outline))
        .expect("a plan")
        .plan;
    assert_eq!(
        plan.tasks
            .iter()
            .map(|task| task.covers.join(","))
            .collect::<Vec<_>>(),
        ["r2", "r1"]
    );
}

fn some_id() -> impl Strategy<Value = Value> {
    let ids = [
        json!("t1"),
        json!("t2"),
        json!("t3"),
        json!(4),
        json!("t1.1"),
        json!("ü/x"),
        json!("Title t2"),
        json!(""),
        json!(null),
    ];
    prop::sample::select(ids.to_vec())
}

fn some_task() -> impl Strategy<Value = Value> {
    let sections = prop::sample::subsequence(vec!["d1.1", "d1.*", "*", "d9.9", "d1.2-d1.4"], 0..3);
    let policy = prop::sample::select(vec![
        json!("all"),
        json!("any"),
        json!({"at_least": 3}),
        json!("settled"),
        json!(7),
        json!([]),
    ]);
    let tokens = prop::sample::select(vec![
        json!(300),
        json!("90"),
        json!(-4),
        json!(1e12),
        json!("many"),
    ]);
    let words = prop::sample::select(vec![
        "Summarise {section}",
        "Write the whole of it",
        "",
        "Translate {n}",
    ]);
    let lists = (
        sections,
        prop::collection::vec(some_id(), 0..3),
        prop::sample::subsequence(vec!["r1", "r2", "rx"], 0..3),
    );
    (some_id(), words, lists, policy, tokens, any::<bool>(), any::<bool>()).prop_map(|(id, words, (sections, parents, covers), policy, tokens, each, titled)| {
        let mut task = json!({"id": id, "instructions": words, "sections": sections, "depends_on": parents, "covers": covers, "policy": policy, "output_tokens": tokens});
        if each {
            task["for_each"] = json!("section");
        }
        if titled {
            task["title"] = json!(format!("Title {}", task["id"].as_str().unwrap_or("none")));
        }
        task
    })
}

fn some_plan() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec![
        "a.md",
        "A.md",
        "a.md/b",
        "../b",
        "/etc/x",
        "",
        "n/{n}.md",
        "deliverable.md",
        "b\u{7}.json",
    ]);
    let part = prop_oneof![
        some_id(),
        some_id().prop_map(|id| json!({"task": id})),
        Just(json!({"glossary": "G"})),
        Just(json!({"conflicts": null}))
    ];
    let file = (path, prop::collection::vec(part, 0..4))
        .prop_map(|(path, parts)| json!({"path": path, "parts": parts}));
    let tasks = prop::collection::vec(some_task(), 1..7);
    let requirements = prop::sample::subsequence(
        vec![
            json!({"id": "r1", "text": "One"}),
            json!("Two"),
            json!({"id": "r1", "text": "Three"}),
            json!(5),
        ],
        0..4,
    );
    (tasks, prop::collection::vec(file, 0..4), requirements)
        .prop_map(|(tasks, files, requirements)| json!({"tasks": tasks, "files": files, "requirements": requirements}))
}

proptest! {
    #[test]
    fn whatever_a_planner_writes_leniently_read_is_a_plan_or_too_large(reply in some_plan(), tokens in prop::collection::vec(50u64..900, 0..6)) {
        let outline = outline(&tokens);
        let scope = scope(&outline);
        match read_leniently(&reply.to_string(), &scope) {
            Ok(reading) => {
                prop_assert_eq!(reading.plan.check_in(&scope), []);
                let estimate = estimate(&reading.plan, &outline, "brief");
                prop_assert!(estimate.critical_output_tokens > 0 && estimate.critical_output_tokens <= estimate.output_tokens);
            }
            Err(refused) => prop_assert!(refused.to_string().contains("tasks; at most") || refused.to_string().contains("no task with"), "{refused}"),
        }
        if let Ok(reading) = read(&reply.to_string(), &scope) {
            prop_assert_eq!(reading.plan.check_in(&scope), []);
        }
    }

    #[test]
    fn a_mutated_reply_is_never_a_panic_nor_a_broken_plan(reply in some_plan(), cuts in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:'a ]{0,2}"), 1..4)) {
        let mut text: Vec<char> = reply.to_string().chars().collect();
        for (at, by) in cuts {
            let at = at.index(text.len());
            text.splice(at..(at + 1).min(text.len()), by.chars());
        }
        let outline = outline(&[300, 300]);
        let text: String = text.into_iter().collect();
        for reading in [read(&text, &scope(&outline)), read_leniently(&text, &scope(&outline))].into_iter().flatten() {
            prop_assert_eq!(reading.plan.check_in(&scope(&outline)), []);
        }
    }

    #[test]
    fn the_fallback_is_a_plan_for_any_outline(tokens in prop::collection::vec(1u64..5_000, 0..120), max_tasks in 2u32..30) {
        let outline = outline(&tokens);
        let scope = Scope { outline: &outline, limits: Limits { max_tasks, max_output_tokens: 500, input_tokens: 1_000 } };
        let plan = fallback("Title", "Do it", &scope);
        prop_assert_eq!(plan.check_in(&scope), []);
        let read: Vec<&SectionId> = plan.tasks.iter().flat_map(|task| &task.sections).collect();
        prop_assert_eq!(read, outline.sections.iter().map(|section| &section.id).collect::<Vec<_>>());
    }
}

#[test]
fn an_estimate_follows_the_longest_path() {
    let outline = outline(&[100, 200]);
    let reply = json!({"tasks": [
        {"id": "a", "instructions": "One 1", "sections": ["d1.1"], "output_tokens": 100}, {"id": "b", "instructions": "Two 2", "sections": ["d1.2"], "output_tokens": 300},
        {"id": "c", "instructions": "Join", "depends_on": ["a", "b"], "output_tokens": 50}]});
    let plan = read(&reply.to_string(), &scope(&outline))
        .expect("a plan")
        .plan;
    let estimate = estimate(&plan, &outline, "brief");
    assert_eq!(
        (
            estimate.critical_output_tokens,
            estimate.calls,
            estimate.widest
        ),
        (350, 4, 2)
    );
    // Sections of 300 tokens, results of 400 for the last task, and a frame for each of four calls.
    assert!(estimate.input_tokens >= 700 + 4 * 450);
}

#[test]
fn a_marker_without_parts_is_planned_empty_and_other_files_are_left_out() {
    let warnings = check(
        &[],
        &json!({"tasks": [{"id": "a", "instructions": "Write the code"}],
            "files": [{"path": "pkg/a.py", "parts": ["a"]}, {"path": "pkg/__init__.py", "parts": []}, {"path": "pkg/b.py", "parts": []}]}),
        "a | pkg/a.py: a, pkg/__init__.py:",
    );
    assert!(
        warnings
            .iter()
            .any(|text| text.contains("pkg/b.py has no part"))
    );
}
