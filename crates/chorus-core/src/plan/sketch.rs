//! Plans from one line of text, for tests: `t1[d1.1]=100 t2(t1)=50 | a.md: t1 t2 glossary`.

use super::{ParentPolicy, Part, Plan, PlannedFile, PlannedTask, Requirement};
use crate::brief::{Outline, Section, SectionId};
use crate::id::TaskKey;

/// Makes a plan. A task is `key(parents)[sections]=tokens`, everything but the key may be missing; a
/// part is a key, `glossary` or `conflicts`. Every task covers the one requirement `r1`.
pub(crate) fn plan(line: &str) -> Plan {
    let (tasks, files) = line.split_once('|').expect("tasks, a bar and files");
    Plan {
        version: 1,
        title: "Sketch".into(),
        assumptions: Vec::new(),
        requirements: vec![Requirement {
            id: "r1".into(),
            text: "It is there".into(),
        }],
        tasks: tasks.split_whitespace().map(task).collect(),
        files: files.split(';').map(file).collect(),
    }
}

/// Makes an outline of one document with sections of these sizes, `d1.1` and so on.
pub(crate) fn outline(tokens: &[u64]) -> Outline {
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

fn task(text: &str) -> PlannedTask {
    let inside = |open: char, close: char| -> Vec<&str> {
        let list = text
            .split_once(open)
            .and_then(|(_, rest)| rest.split_once(close));
        list.map(|(list, _)| list.split(',').collect())
            .unwrap_or_default()
    };
    let key = text.split(['(', '[', '=']).next().unwrap_or(text);
    let tokens = text
        .split_once('=')
        .map(|(_, tokens)| tokens.parse().expect("a number"));
    PlannedTask {
        key: TaskKey::new(key),
        title: format!("Part {key}"),
        instructions: format!("Write part {key}"),
        sections: inside('[', ']')
            .into_iter()
            .map(|id| SectionId(id.into()))
            .collect(),
        parents: inside('(', ')').into_iter().map(TaskKey::new).collect(),
        policy: ParentPolicy::All,
        covers: vec!["r1".into()],
        acceptance: vec!["It is there".into()],
        output_tokens: tokens.unwrap_or(100),
    }
}

fn file(text: &str) -> PlannedFile {
    let (path, parts) = text.split_once(':').expect("a path, a colon and parts");
    let part = |name: &str| match name {
        "glossary" => Part::Glossary {
            heading: "Glossary".into(),
        },
        "conflicts" => Part::Conflicts {
            heading: "Contradictions".into(),
        },
        key => Part::Task {
            task: TaskKey::new(key),
        },
    };
    PlannedFile {
        path: path.trim().into(),
        media_type: super::files::media_type(path.trim()).into(),
        parts: parts.split_whitespace().map(part).collect(),
    }
}
