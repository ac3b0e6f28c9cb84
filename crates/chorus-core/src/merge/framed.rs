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
    let of = |(at, chunk): (usize, Chunk)| chunk.finish(plan, &shown, at + 1 == count, count == 1);
    chunks.into_iter().enumerate().map(of).collect()
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

    /// Selects the requirements of tasks that are shown here; the last chunk also gets those of
    /// tasks that are shown nowhere.
    fn finish(self, plan: &Plan, shown: &BTreeSet<TaskKey>, last: bool, whole: bool) -> JudgeChunk {
        let concerns = |id: &String| {
            let mut here = plan
                .tasks
                .iter()
                .filter(|task| task.covers.contains(id))
                .map(|task| &task.key);
            whole
                || here.clone().any(|key| self.tasks.contains(key))
                || (last && !here.any(|key| shown.contains(key)))
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

/// Cuts the text into pieces that fit the budget. Lines that look like frames are altered.
fn sized(text: &str, budget: u64) -> Vec<String> {
    let text = text
        .replace("[[part ", "[ [part ")
        .replace("[[end ", "[ [end ");
    let room = budget.saturating_sub(32).max(64);
    crate::brief::pieces::cut(&text, room * 4 / 5, &[])
        .into_iter()
        .map(|range| text[range].to_owned())
        .collect()
}
