//! Tests of the reply rules on generated documents: plans follow structure, work follows text,
//! verdicts follow content.

use chorus_provider_sim::config::Omission;
use chorus_provider_sim::engine::call::{CallRequest, Role, Turn};
use chorus_provider_sim::model;
use serde_json::Value;

const BRIEF: &str = "# Digest of a handbook\n\n## What to deliver\n\n1. **Summaries** – for each chapter a summary of 40 to 90 words and 2 to 4 key points.\n2. **Questions** – at the end of each chapter, 2 questions.\n3. **Translation of Chapter 2** into Vietnamese.\n4. **Glossary** – every term once.\n5. **Contradictions** – each place where two chapters disagree.\n6. **Digest** – all in one file, `digest.md`, with an introduction of at most 60 words.\n";

fn ask(turn: &str) -> CallRequest {
    CallRequest {
        model: "any".into(),
        turns: vec![Turn {
            role: Role::User,
            text: turn.to_owned(),
        }],
        ..CallRequest::default()
    }
}

fn reply(turn: &str) -> String {
    model::reply(&ask(turn), &[]).text
}

fn json(turn: &str) -> Value {
    let text = reply(turn);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A chapter with facts that no other chapter has.
fn chapter(number: usize) -> String {
    let names = [
        "ovens", "trays", "flues", "doors", "bricks", "vents", "tiles", "hinges", "grates",
    ];
    let name = names[number % names.len()];
    (0..12)
        .map(|at| format!("The {name} of workshop {number} were cleaned by {} people during week {at} of the season. Good {name} last long because {name} are kept dry and {name} are turned. ", number * 3 + at))
        .chain([format!("A **{name} rack** is a frame that holds {name} while they dry. ")])
        .collect()
}

fn outline(chapters: usize) -> String {
    let line = |at: usize| {
        format!(
            "<section id=\"d1.{at}\" document=\"handbook.md\" title=\"Chapter {at}: Part &quot;{at}&quot;\" tokens=\"400\">opening</section>\n"
        )
    };
    format!(
        "<outline>\n{}</outline>",
        (1..=chapters).map(line).collect::<String>()
    )
}

fn plan(brief: &str, chapters: usize) -> Value {
    let outline = if chapters > 0 {
        outline(chapters)
    } else {
        String::new()
    };
    json(&format!(
        "<task kind=\"plan\" />\n<brief>{brief}</brief>\n{outline}\n<limits max_tasks=\"200\" max_output_tokens=\"4000\" input_tokens=\"90000\" />"
    ))
}

fn list<'a>(plan: &'a Value, name: &str) -> &'a Vec<Value> {
    plan[name].as_array().expect("a list")
}

fn work(instructions: &str, inputs: &str, more: &str) -> String {
    format!(
        "<task kind=\"work\" />\n<project title=\"Digest\">{BRIEF}</project>\n<instructions>{instructions}</instructions>\n<output path=\"digest.md\" media_type=\"text/markdown\" tokens=\"2000\" />\n{inputs}{more}"
    )
}

fn notes(text: &str) -> Value {
    let (_, block) = text
        .split_once("```chorus\n")
        .unwrap_or_else(|| panic!("no notes in {text}"));
    serde_json::from_str(block.trim_end().trim_end_matches("```")).expect("JSON")
}

#[test]
fn every_chapter_more_is_a_summary_and_questions_more() {
    for chapters in [3, 4, 9] {
        let plan = plan(BRIEF, chapters);
        let tasks = list(&plan, "tasks");
        let of = |start: &str| {
            tasks
                .iter()
                .filter(|task| {
                    task["title"]
                        .as_str()
                        .is_some_and(|title| title.starts_with(start))
                })
                .count()
        };
        assert_eq!(
            (
                of("Summary of"),
                of("Questions on"),
                of("Translation into"),
                of("Introduction")
            ),
            (chapters, chapters, 1, 1),
            "{plan:#}"
        );
        let file = &list(&plan, "files")[0];
        assert_eq!(file["path"], "digest.md");
        assert_eq!(
            list(file, "parts").len(),
            2 * chapters + 1 + 1 + 2,
            "{file:#}"
        );
        assert_eq!(list(file, "parts")[0]["task"], "i1");
        let translation = tasks
            .iter()
            .find(|task| task["id"] == "x1")
            .expect("a translation");
        assert_eq!(
            (&translation["sections"][0], &translation["depends_on"][0]),
            (&"d1.2".into(), &"s2".into())
        );
    }
}

#[test]
fn plans_name_only_what_exists_and_cover_every_requirement() {
    let lists = "Write a kit.\n\n- `kit/model.py` — the class `Oven`.\n- `kit/store.py` — `load(path)`; imports only `kit.model`.\n- `tests/test_model.py` — at least 4 test methods for `kit/model.py`.\n- `README.md` — what it is.\n";
    for (brief, chapters) in [
        (BRIEF, 5),
        (lists, 0),
        ("Write me something warm about our shop.", 0),
        ("Summarise the attached handbook.", 3),
    ] {
        let plan = plan(brief, chapters);
        let tasks = list(&plan, "tasks");
        let ids: Vec<&Value> = tasks.iter().map(|task| &task["id"]).collect();
        for (place, task) in tasks.iter().enumerate() {
            for parent in list(task, "depends_on") {
                assert!(ids[..place].contains(&parent), "{parent} of {task:#}");
            }
        }
        let covered: Vec<&Value> = tasks.iter().flat_map(|task| list(task, "covers")).collect();
        assert!(!list(&plan, "requirements").is_empty());
        for requirement in list(&plan, "requirements") {
            assert!(
                covered.contains(&&requirement["id"]),
                "{requirement} in {plan:#}"
            );
        }
        let parts: Vec<&Value> = list(&plan, "files")
            .iter()
            .flat_map(|file| list(file, "parts"))
            .filter_map(|part| part.get("task"))
            .collect();
        assert!(parts.iter().all(|part| ids.contains(part)) && !parts.is_empty());
    }
}

#[test]
fn listed_files_become_tasks_that_build_upon_each_other() {
    let brief = "Write a kit.\n\n- `README.md` — what it is.\n- `kit/cli.py` — uses `kit.store`.\n- `kit/store.py` — imports only `kit.model`.\n- `kit/model.py` — the class `Oven`.\n- `tests/test_model.py` — tests.\n";
    let plan = plan(brief, 0);
    let task = |path: &str| {
        list(&plan, "tasks")
            .iter()
            .find(|task| task["title"] == format!("Write `{path}`"))
            .unwrap_or_else(|| panic!("{path}"))
    };
    let needs =
        |path: &str, other: &str| list(task(path), "depends_on").contains(&task(other)["id"]);
    assert!(needs("kit/store.py", "kit/model.py") && needs("kit/cli.py", "kit/store.py"));
    assert!(needs("tests/test_model.py", "kit/model.py") && needs("README.md", "kit/cli.py"));
    assert!(!needs("kit/model.py", "kit/store.py"));
    assert_eq!(list(&plan, "files").len(), 5);
}

#[test]
fn a_vague_brief_is_asked_about_in_its_language_and_a_clear_one_is_not() {
    let questions = |brief: &str, sections: usize| {
        list(
            &json(&format!(
                "<task kind=\"clarify\" />\n<brief>{brief}</brief>\n{}",
                outline(sections)
            )),
            "questions",
        )
        .clone()
    };
    let vague = questions(
        "Mình muốn viết một cái gì đó thật hay về khu vườn cũ, nhanh nhé!",
        0,
    );
    assert!((1..=5).contains(&vague.len()));
    assert!(
        vague[0]["text"]
            .as_str()
            .is_some_and(|text| text.contains("Kết quả")),
        "{vague:?}"
    );
    assert!(!questions("Make me something nice about gardens.", 0).is_empty());
    assert!(questions(BRIEF, 4).is_empty());
}

#[test]
fn a_planted_contradiction_has_one_subject_and_two_values() {
    let injected = |height: usize| {
        format!(
            "<input section=\"d1.1\" title=\"C\">{} The chimney of the Old Bakery is {height} metres high. {}</input>",
            chapter(1),
            chapter(height)
        )
    };
    let facts = |height: usize| {
        let text = reply(&work(
            "Summarise \"C\" in 40 to 90 words under the heading \"## C\".",
            &injected(height),
            "",
        ));
        let facts = notes(&text)["facts"].as_array().expect("facts").clone();
        facts
            .into_iter()
            .find(|fact| {
                fact["quote"]
                    .as_str()
                    .is_some_and(|quote| quote.contains("Old Bakery"))
            })
            .expect("the planted fact")
    };
    let (one, other) = (facts(38), facts(41));
    assert_eq!(one["subject"], other["subject"]);
    assert_ne!(one["value"], other["value"]);
}

#[test]
fn what_is_planned_and_worked_is_judged_met_and_what_lacks_a_part_is_not() {
    let plan = plan(BRIEF, 4);
    let omission = Omission {
        contains: "section=\"d1.3\"".into(),
    };
    let complete = deliverable(&plan, &[], "");
    let verdict = judged(&plan, &complete);
    assert!(
        list(&verdict, "items")
            .iter()
            .all(|item| item["finding"] == "met"),
        "{verdict:#}\n{complete}"
    );

    let lacking = deliverable(&plan, std::slice::from_ref(&omission), "");
    let verdict = judged(&plan, &lacking);
    let unmet: Vec<&Value> = list(&verdict, "items")
        .iter()
        .filter(|item| item["finding"] == "not_met")
        .collect();
    assert!(
        !unmet.is_empty()
            && unmet
                .iter()
                .all(|item| item["redo"] == serde_json::json!(["s3"])),
        "{verdict:#}"
    );
    assert!(
        unmet[0]["feedback"]
            .as_str()
            .is_some_and(|feedback| feedback.contains("key points"))
    );

    let mended = deliverable(&plan, &[omission], "<feedback>More key points.</feedback>");
    assert_eq!(mended, complete);
}

#[test]
fn an_empty_part_and_a_missing_file_are_seen() {
    let verdict = json(
        "<task kind=\"judge\" />\n<brief>b</brief>\n<requirement id=\"r1\" tasks=\"t1\">A report</requirement>\n<requirement id=\"r2\" tasks=\"t1\">`other.md` — more</requirement>\n<file path=\"a.md\">[[part t1]]\nstub\n[[end t1]]</file>",
    );
    let met: Vec<&Value> = list(&verdict, "items")
        .iter()
        .map(|item| &item["finding"])
        .collect();
    assert_eq!(met, ["not_met", "not_met"], "{verdict:#}");
}

#[test]
fn conflicts_are_resolved_by_count_then_by_order_and_left_open_when_the_brief_wants_both() {
    let turn = |brief: &str, second: &str| {
        format!(
            "<task kind=\"resolve\" />\n<brief>{brief}</brief>\n<conflict id=\"c1\" subject=\"s\"><claim id=\"a\" value=\"1\" tasks=\"t1\">One.</claim><claim id=\"b\" value=\"2\" tasks=\"{second}\">Two.</claim></conflict>"
        )
    };
    let keep = |turn: &str| json(turn)["resolutions"][0]["keep"].clone();
    assert_eq!(keep(&turn("x", "t2,t3")), "b");
    assert_eq!(keep(&turn("x", "t2")), "a");
    assert_eq!(keep(&turn("Quote both sentences.", "t2,t3")), Value::Null);
}

#[test]
fn questions_are_answered_from_the_brief_or_passed_on() {
    let turn = |question: &str| {
        format!(
            "<task kind=\"answer\" />\n<brief>The bakery opens at dawn on working days.</brief>\n<answers></answers>\n<question task=\"t1\" title=\"x\">{question}</question>"
        )
    };
    assert!(json(&turn("When does the bakery open on working days?"))["answer"].is_string());
    assert!(json(&turn("Which colour is wanted?"))["ask_client"]["text"].is_string());
    assert!(
        reply(&work(
            "Write a notice. The opening hours must be asked.",
            "",
            ""
        ))
        .starts_with("QUESTION: ")
    );
}

#[test]
fn a_cut_reply_is_gone_on_with() {
    let turn = work(
        "Summarise \"C\" in 40 to 90 words under the heading \"## C\".",
        &format!("<input section=\"d1.1\" title=\"C\">{}</input>", chapter(2)),
        "",
    );
    let whole = reply(&turn);
    let begun: String = whole.chars().take(100).collect();
    let mut rest = ask(&turn);
    rest.turns.push(Turn {
        role: Role::Assistant,
        text: begun.clone(),
    });
    rest.turns.push(Turn {
        role: Role::User,
        text: "Go on.".into(),
    });
    assert_eq!(begun + &model::reply(&rest, &[]).text, whole);
}

/// The file that a plan yields when every task is done, with markers around the parts.
fn deliverable(plan: &Value, omissions: &[Omission], more: &str) -> String {
    let part = |part: &Value| {
        if let Some(heading) = part.get("glossary").or_else(|| part.get("conflicts")) {
            return format!("## {}\n\n- one line", heading.as_str().expect("a heading"));
        }
        let task = list(plan, "tasks")
            .iter()
            .find(|task| task["id"] == part["task"])
            .expect("a task");
        let section = |id: &Value| {
            let id = id.as_str().expect("a section");
            let number: usize = id.trim_start_matches("d1.").parse().expect("a number");
            format!(
                "<input section=\"{id}\" title=\"Chapter {number}\">{}</input>\n",
                chapter(number)
            )
        };
        let inputs: String = list(task, "sections").iter().map(section).collect();
        let results = if inputs.is_empty() {
            format!(
                "<result task=\"s1\" title=\"Summary\">## One\n\n{}</result>",
                chapter(1)
            )
        } else {
            String::new()
        };
        let turn = work(
            task["instructions"].as_str().expect("instructions"),
            &inputs,
            &(results + more),
        );
        let text = model::reply(&ask(&turn), omissions).text;
        let id = task["id"].as_str().expect("an id");
        format!(
            "[[part {id}]]\n{}\n[[end {id}]]",
            text.split("\n\n```chorus").next().expect("a text")
        )
    };
    list(&list(plan, "files")[0], "parts")
        .iter()
        .map(part)
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn judged(plan: &Value, file: &str) -> Value {
    let tasks = |id: &Value| {
        list(plan, "tasks")
            .iter()
            .filter(|task| list(task, "covers").contains(id))
            .filter_map(|task| task["id"].as_str())
            .collect::<Vec<_>>()
            .join(",")
    };
    let requirements: String = list(plan, "requirements")
        .iter()
        .map(|requirement| {
            format!(
                "<requirement id={} tasks=\"{}\">{}</requirement>\n",
                requirement["id"],
                tasks(&requirement["id"]),
                requirement["text"].as_str().expect("a text")
            )
        })
        .collect();
    json(&format!(
        "<task kind=\"judge\" />\n<brief>{BRIEF}</brief>\n{requirements}<file path=\"digest.md\">{file}</file>"
    ))
}

#[test]
fn titles_in_quotes_do_not_change_what_is_done() {
    let input = format!(
        "<input section=\"d1.1\" title=\"Introduction\">{}</input>",
        chapter(3)
    );
    let questions = reply(&work(
        "Write 2 questions that can be answered from \"Introduction\", as a numbered list under the heading \"### Questions\".",
        &input,
        "",
    ));
    assert!(
        questions.starts_with("### Questions\n\n1. ") && questions.contains('?'),
        "{questions}"
    );
    let summary = reply(&work(
        "Summarise \"Introduction\" in 40 to 90 words under the heading \"## Introduction\".",
        &input,
        "",
    ));
    assert!(
        summary.starts_with("## Introduction\n\n") && summary.contains("```chorus"),
        "{summary}"
    );
}
