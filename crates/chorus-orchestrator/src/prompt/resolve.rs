//! Prompt of a resolve task: the merger chooses between claims that contradict each other.

use chorus_core::id::TaskKey;
use chorus_core::llm::Request;
use chorus_core::merge::Conflict;
use chorus_core::sizes::TokenBudget;

use super::blocks::Turn;
use super::request::Draft;
use super::schema;

/// Conflicts that rules could not resolve.
#[derive(Debug, Clone, Copy)]
pub struct Resolve<'a> {
    /// Text of the brief.
    pub brief: &'a str,
    /// Open conflicts with their claims.
    pub conflicts: &'a [Conflict],
    /// Faults of the answer before; empty for a first attempt.
    pub refused: &'a [String],
    /// Tokens that the answer may have.
    pub budget: TokenBudget,
}

const RULES: &str = r#"
Your step: parts made from different places of the source claim different things of the same subject. For every conflict decide which
claim stands.
Weigh the quoted sentences: a direct statement over a passing mention, a record or document over memory or hearsay, a precise value over
a rounded one, a later correction over what it corrects. How many tasks claim a value counts little, for they may have read
the same sentence, and neither does the order of the claims. If the sentences really contradict each other and nothing decides between
them, or if they speak of different things after all, `keep` is null: both are then shown with a note, which is better than a guess.
`reason` says in one sentence, for the reader of the deliverable, why. Give exactly one resolution for each conflict, in the language of
the brief.

Form: {"resolutions":[{"conflict":"c1","keep":"a","reason":"…"}]}
"#;

/// Builds the request of a resolve task. Its answer is parsed by
/// [`read_resolutions`](chorus_core::merge::read_resolutions).
pub fn resolve(input: &Resolve<'_>) -> Request {
    let mut turn = Turn::of("resolve");
    turn.long("brief", &[], input.brief);
    for conflict in input.conflicts {
        let attributes = [("id", conflict.id.as_str()), ("subject", &conflict.subject)];
        turn.nest("conflict", &attributes, |turn| {
            for claim in &conflict.claims {
                let tasks = claim
                    .tasks
                    .iter()
                    .map(TaskKey::as_str)
                    .collect::<Vec<_>>()
                    .join(",");
                turn.short(
                    "claim",
                    &[
                        ("id", &claim.id),
                        ("value", &claim.value),
                        ("tasks", &tasks),
                    ],
                    &claim.quote,
                );
            }
        });
    }
    turn.refused(input.refused);
    let resolution = [
        ("conflict", schema::text()),
        ("keep", schema::text_or_null()),
        ("reason", schema::text()),
    ];
    let form = schema::object(&[("resolutions", schema::list(&schema::object(&resolution)))]);
    let answer = 300 + 120 * u32::try_from(input.conflicts.len()).unwrap_or(1_000);
    let draft = Draft {
        rules: RULES.into(),
        turn: turn.finish(),
        max_tokens: input.budget.max_tokens(answer),
        temperature: 0.0,
    };
    draft.for_json("resolutions", form, true)
}
