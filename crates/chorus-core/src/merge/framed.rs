//! The merged files as a judge reads them: parts framed by the names of their tasks, cut into
//! chunks that fit a call. Neighbour: [`verdict`](crate::verdict) reads the judge's answer.

use std::collections::BTreeSet;

use super::FileText;
use crate::brief::count_tokens;
use crate::id::TaskKey;
use crate::plan::Plan;

/// Input of one call of the judge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JudgeChunk {
    /// Files or pieces of files, in order.
    pub files: Vec<FramedFile>,
    /// Ids of the requirements that can be judged on them.
    pub requirements: Vec<String>,
    /// True if this is the whole deliverable.
    pub whole: bool,
}

/// A file or a piece of one, its parts framed by `[[part t1]]` and `[[end t1]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FramedFile {
    /// Path of the file.
    pub path: String,
    /// Text with the frames.
    pub text: String,
}

/// Frames the files and cuts them into chunks of about `budget` tokens; at least one chunk, even of
/// nothing.
pub fn framed_for_judge(plan: &Plan, files: &[FileText], budget: u64) -> Vec<JudgeChunk> {
    let mut chunks: Vec<Chunk> = vec![Chunk::default()];
    for piece in files.iter().flat_map(|file| pieces(file, budget)) {
        let tokens = count_tokens(&piece.text);
        let last = chunks.last().expect("there is always a chunk");
        if last.tokens > 0 && last.tokens + tokens > budget {
            chunks.push(Chunk::default());
        }
        chunks
            .last_mut()
            .expect("there is always a chunk")
            .add(piece, tokens);
    }
    let count = chunks.len();
    let shown: BTreeSet<TaskKey> = chunks
        .iter()
        .flat_map(|chunk| chunk.tasks.clone())
        .collect();
    let of = |chunk: Chunk| chunk.finish(plan, &shown, count == 1);
    chunks.into_iter().map(of).collect()
}

/// Returns the chunks that a judge is asked about: those with requirements.
pub fn chunks_to_judge(plan: &Plan, files: &[FileText], budget: u64) -> Vec<JudgeChunk> {
    let mut chunks = framed_for_judge(plan, files, budget);
    chunks.retain(|chunk| !chunk.requirements.is_empty());
    chunks
}

/// Returns the deliverable as far as it fits into about `budget` tokens, for a judge who decides
/// what excerpts left undecided: whole, else the headings and the first and last lines of each part
/// with all text between the parts, else less of them.
pub fn overview_for_judge(plan: &Plan, files: &[FileText], budget: u64) -> JudgeChunk {
    let whole = framed_for_judge(plan, files, budget);
    if let [chunk] = whole.as_slice() {
        return chunk.clone();
    }
    let tokens = |files: &[FramedFile]| {
        files
            .iter()
            .map(|file| count_tokens(&file.text))
            .sum::<u64>()
    };
    let shortened = |lines: usize| -> Vec<FramedFile> {
        files.iter().map(|file| shortened(file, lines)).collect()
    };
    let files = [12, 4, 2, 1]
        .into_iter()
        .map(shortened)
        .find(|files| tokens(files) <= budget)
        .unwrap_or_else(|| clipped(shortened(1), budget));
    JudgeChunk {
        files,
        requirements: Vec::new(),
        whole: false,
    }
}

/// Returns a file with so many first and last lines of each part, and its headings.
fn shortened(file: &FileText, lines: usize) -> FramedFile {
    let mut text = String::new();
    let mut at = 0;
    for part in &file.parts {
        text.push_str(file.text[at..part.range.start].trim_matches('\n'));
        let inside: Vec<&str> = file.text[part.range.clone()].lines().collect();
        text.push_str(&format!("\n[[part {}]]\n", part.task));
        let mut is_left_out = false;
        for (number, line) in inside.iter().enumerate() {
            let is_edge = number < lines || number + lines >= inside.len();
            if is_edge || line.starts_with('#') {
                text.push_str(&without_frames(line));
                text.push('\n');
                is_left_out = false;
            } else if !is_left_out {
                text.push_str("[…]\n");
                is_left_out = true;
            }
        }
        text.push_str(&format!("[[end {}]]\n", part.task));
        at = part.range.end;
    }
    text.push_str(file.text[at..].trim_matches('\n'));
    FramedFile {
        path: file.path.clone(),
        text: text.trim_matches('\n').to_owned(),
    }
}

/// Cuts each file to an equal share of the budget.
fn clipped(files: Vec<FramedFile>, budget: u64) -> Vec<FramedFile> {
    let share = budget / files.len().max(1) as u64;
    let clip = |file: FramedFile| {
        let room = share.max(64) * 4 / 5;
        let first = crate::brief::pieces::cut(&file.text, room, &[])
            .into_iter()
            .next();
        let text = &file.text[first.unwrap_or_default()];
        FramedFile {
            text: format!("{text}\n[…]"),
            path: file.path,
        }
    };
    files.into_iter().map(clip).collect()
}

#[derive(Default)]
struct Chunk {
    files: Vec<FramedFile>,
    tasks: BTreeSet<TaskKey>,
    tokens: u64,
}

/// A stretch of a file that is not cut further.
struct Piece<'a> {
    path: &'a str,
    text: String,
    task: Option<&'a TaskKey>,
}

impl Chunk {
    fn add(&mut self, piece: Piece<'_>, tokens: u64) {
        self.tokens += tokens;
        self.tasks.extend(piece.task.cloned());
        match self.files.last_mut() {
            Some(file) if file.path == piece.path => {
                file.text.push('\n');
                file.text.push_str(&piece.text);
            }
            _ => self.files.push(FramedFile {
                path: piece.path.to_owned(),
                text: piece.text,
            }),
        }
    }

    /// Selects the requirements of tasks that are shown here; all chunks with parts get those of tasks
    /// that are shown nowhere. A chunk without parts, of a glossary alone, has none.
    fn finish(self, plan: &Plan, shown: &BTreeSet<TaskKey>, whole: bool) -> JudgeChunk {
        let takes_others = shown.is_empty() || !self.tasks.is_empty();
        let concerns = |id: &String| {
            let mut here = plan
                .tasks
                .iter()
                .filter(|task| task.covers.contains(id))
                .map(|task| &task.key);
            whole
                || here.clone().any(|key| self.tasks.contains(key))
                || (takes_others && !here.any(|key| shown.contains(key)))
        };
        let requirements = plan
            .requirements
            .iter()
            .map(|requirement| requirement.id.clone())
            .filter(concerns)
            .collect();
        JudgeChunk {
            files: self.files,
            requirements,
            whole,
        }
    }
}

/// Returns the framed parts of a file and the text between them.
fn pieces(file: &FileText, budget: u64) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for part in &file.parts {
        between(file, at..part.range.start, budget, &mut pieces);
        for text in sized(&file.text[part.range.clone()], budget) {
            let text = format!("[[part {task}]]\n{text}\n[[end {task}]]", task = part.task);
            pieces.push(Piece {
                path: &file.path,
                text,
                task: Some(&part.task),
            });
        }
        at = part.range.end;
    }
    between(file, at..file.text.len(), budget, &mut pieces);
    if pieces.is_empty() {
        pieces.push(Piece {
            path: &file.path,
            text: String::new(),
            task: None,
        });
    }
    pieces
}

fn between<'a>(
    file: &'a FileText,
    range: std::ops::Range<usize>,
    budget: u64,
    pieces: &mut Vec<Piece<'a>>,
) {
    let text = file.text[range].trim_matches('\n');
    if !text.is_empty() {
        pieces.extend(sized(text, budget).into_iter().map(|text| Piece {
            path: &file.path,
            text,
            task: None,
        }));
    }
}

/// Alters what looks like a frame.
fn without_frames(text: &str) -> String {
    text.replace("[[part ", "[ [part ")
        .replace("[[end ", "[ [end ")
}

/// Cuts the text into pieces that fit the budget. Lines that look like frames are altered.
fn sized(text: &str, budget: u64) -> Vec<String> {
    let text = without_frames(text);
    let room = budget.saturating_sub(32).max(64);
    crate::brief::pieces::cut(&text, room * 4 / 5, &[])
        .into_iter()
        .map(|range| text[range].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::merge::{WorkResult, files};
    use crate::plan::sketch;

    fn framed(plan: &Plan, texts: &[String], budget: u64) -> Vec<JudgeChunk> {
        let result = |(at, text): (usize, &String)| {
            let result = WorkResult {
                text: text.clone(),
                ..WorkResult::default()
            };
            (TaskKey::new(format!("t{at}")), result)
        };
        let results: BTreeMap<TaskKey, WorkResult> = texts.iter().enumerate().map(result).collect();
        framed_for_judge(plan, &files(plan, &results, &[], &[]), budget)
    }

    #[test]
    fn a_small_deliverable_is_one_chunk_with_every_requirement() {
        let plan = sketch::plan("t0 t1 | a.md: t0 glossary t1");
        let chunks = framed(&plan, &["One.".into(), "[[part t9]] Two.".into()], 1_000);
        assert_eq!(chunks.len(), 1);
        assert!(chunks[0].whole);
        assert_eq!(chunks[0].requirements, ["r1"]);
        assert_eq!(
            chunks[0].files[0].text,
            "[[part t0]]\nOne.\n[[end t0]]\n## Glossary\n\nNo terms were named.\n\
             [[part t1]]\n[ [part t9]] Two.\n[[end t1]]"
        );
        let nothing = framed_for_judge(&plan, &[], 1_000);
        assert_eq!((nothing.len(), nothing[0].whole), (1, true));
    }

    #[test]
    fn a_chunk_without_requirements_is_not_judged() {
        let plan = sketch::plan("t0 | a.md: t0 glossary");
        let words = "word ".repeat(180);
        let mut all = files(
            &plan,
            &BTreeMap::from([(
                TaskKey::new("t0"),
                WorkResult {
                    text: words.clone(),
                    ..WorkResult::default()
                },
            )]),
            &[],
            &[],
        );
        all[0].text.push_str(&words);
        let framed = framed_for_judge(&plan, &all, 250);
        let asked = chunks_to_judge(&plan, &all, 250);
        assert!(
            framed
                .last()
                .is_some_and(|chunk| chunk.requirements.is_empty())
        );
        assert!(asked.len() < framed.len() && !asked.is_empty());
        assert!(asked.iter().all(|chunk| chunk.requirements == ["r1"]));
    }

    #[test]
    fn an_overview_has_headings_and_edges_of_each_part_within_its_budget() {
        let plan = sketch::plan("t0 t1 | a.md: t0 t1 glossary");
        let chapter = |name: &str| {
            let lines: String = (0..300)
                .map(|at| format!("line {at} of {name}\n"))
                .collect();
            format!("## {name}\n{lines}### Middle of {name}\n{lines}end of {name}")
        };
        let result = |(key, text): (&str, String)| {
            (
                TaskKey::new(key),
                WorkResult {
                    text,
                    ..WorkResult::default()
                },
            )
        };
        let results = [("t0", chapter("One")), ("t1", chapter("Two"))]
            .map(result)
            .into();
        let all = files(&plan, &results, &[], &[]);
        let overview = overview_for_judge(&plan, &all, 400);
        let text = &overview.files[0].text;
        for words in [
            "[[part t1]]",
            "## One",
            "### Middle of Two",
            "end of Two",
            "## Glossary",
            "[…]",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(count_tokens(text) <= 500, "{}", count_tokens(text));
        assert!(overview_for_judge(&plan, &all, 100_000).whole);
    }

    proptest! {
        #[test]
        fn every_text_is_shown_and_every_requirement_is_judged(
            sizes in prop::collection::vec(0usize..400, 1..5), budget in 150u64..600,
        ) {
            let keys: Vec<String> = (0..sizes.len()).map(|at| format!("t{at}")).collect();
            let mut plan = sketch::plan(&format!("{} | a.md: {}", keys.join(" "), keys.join(" ")));
            plan.requirements.clear();
            for task in &mut plan.tasks {
                task.covers = vec![format!("r-{}", task.key)];
                plan.requirements.push(crate::plan::Requirement { id: task.covers[0].clone(), text: "It is there".into() });
            }
            let text = |(at, size): (usize, &usize)| (0..*size).map(|word| format!("w{at}x{word} ")).collect::<String>();
            let texts: Vec<String> = sizes.iter().enumerate().map(text).collect();
            let chunks = framed(&plan, &texts, budget);
            let shown: String = chunks.iter().flat_map(|chunk| &chunk.files).map(|file| format!("{}\n", file.text)).collect();
            for (at, size) in sizes.iter().enumerate() {
                for word in 0..*size {
                    prop_assert_eq!(shown.matches(&format!("w{at}x{word} ")).count() + shown.matches(&format!("w{at}x{word}\n")).count(), 1);
                }
            }
            for requirement in &plan.requirements {
                prop_assert!(chunks.iter().any(|chunk| chunk.requirements.contains(&requirement.id)), "{}", requirement.id);
            }
            for chunk in &chunks {
                let tokens: u64 = chunk.files.iter().map(|file| count_tokens(&file.text)).sum();
                prop_assert!(tokens <= budget * 5 / 4, "{tokens} of {budget}");
                prop_assert_eq!(chunk.whole, chunks.len() == 1);
            }
        }
    }
}
