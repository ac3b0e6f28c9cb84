//! Parts of a deliverable that judges read: the same for the prompt of a judge and for the reading of the answer.

use chorus_core::merge::{FileText, JudgeChunk, chunks_to_judge, overview_for_judge};
use chorus_core::plan::Plan;
use chorus_core::project::Subject;

/// Chunk that a judge task is about, with the requirements it is asked about.
pub(crate) fn chunk(plan: &Plan, files: &[FileText], about: &Subject, tokens: u64) -> JudgeChunk {
    match about {
        Subject::Undecided { requirements } => JudgeChunk {
            requirements: requirements
                .iter()
                .map(|open| open.requirement.clone())
                .collect(),
            ..overview_for_judge(plan, files, tokens)
        },
        Subject::Part { number, of } => {
            let chunks = chunks_for(*of, plan, files, tokens);
            let last = chunks.last().cloned();
            let chunk = chunks.into_iter().nth(*number as usize).or(last);
            chunk.unwrap_or_else(|| overview_for_judge(plan, files, tokens))
        }
        Subject::Itself | Subject::Question { .. } => overview_for_judge(plan, files, tokens),
    }
}

/// Chunks for at most `judges` judges, of at least `tokens` each: limits may have changed since the merge counted
/// the parts, and this many judges must see all of the deliverable.
fn chunks_for(judges: u32, plan: &Plan, files: &[FileText], mut tokens: u64) -> Vec<JudgeChunk> {
    let mut chunks = chunks_to_judge(plan, files, tokens);
    while chunks.len() > judges.max(1) as usize {
        tokens = tokens.saturating_mul(2).max(1);
        chunks = chunks_to_judge(plan, files, tokens);
    }
    chunks
}
