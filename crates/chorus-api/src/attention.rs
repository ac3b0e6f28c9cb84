//! Attention that a project needs of a person ([`AttentionResource`]), with the ways out as commands.

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;
use chorus_core::project::{Attention, Choice, Head};
use chorus_core::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::wait::AccountNames;

/// Reason of the state `needs_attention`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttentionResource {
    /// Stable code: `clarification_failed`, `no_plan`, `no_account`, `budget`, `judge_unread`,
    /// `provider_away`, `artifact_missing`, `no_result`, or the reason of a long wait.
    pub code: String,
    /// Sentence for people, with figures and the provider's own text.
    pub why: String,
    /// Time since which the reason holds.
    pub since_ms: Timestamp,
    /// Ways out, the most likely one first.
    pub choices: Vec<ChoiceResource>,
    /// Condition on which the project goes on without a command; `null` if it never does.
    #[serde(default)]
    pub continues_when: Option<String>,
    /// Time at which the wait ends by itself, if that is known.
    #[serde(default)]
    pub until_ms: Option<Timestamp>,
    /// Plan that stands in, which starts only when it is approved by its hash.
    #[serde(default)]
    pub plan_offer: Option<PlanOfferResource>,
}

/// One way out of an attention.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChoiceResource {
    /// Last part of the address `/v1/projects/{id}/{verb}`; `account` for what is done to accounts.
    pub verb: String,
    /// Sentence of the way out.
    pub label: String,
    /// Command line that takes it.
    pub command: String,
}

/// A plan that only the client can start: one made by rule, or what could be read of the planner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanOfferResource {
    /// Hash that an approval names.
    pub plan: ArtifactHash,
    /// Number of tasks.
    pub tasks: u32,
    /// True if it was read from a faulty reply of the planner; false if a rule made it.
    #[serde(default)]
    pub repaired: bool,
    /// Remarks on how it was made.
    pub warnings: Vec<String>,
}

impl AttentionResource {
    /// The attention of a stored project; none if it needs none. Shown inside of a pause too.
    ///
    /// `names` are those of accounts, for a reader who may see them.
    pub fn of(head: &Head, names: Option<&AccountNames>) -> Option<Self> {
        let (since_ms, why) = head.state.attention()?;
        let (plan_offer, until_ms) = match why {
            Attention::NoPlan {
                offer: Some(offer), ..
            } => {
                let offer = PlanOfferResource {
                    plan: offer.plan,
                    tasks: offer.tasks,
                    repaired: offer.repaired,
                    warnings: offer.warnings.clone(),
                };
                (Some(offer), None)
            }
            Attention::Waiting { wait } => (None, wait.until),
            _ => (None, None),
        };
        let offered = plan_offer.as_ref().map(|offer| offer.plan);
        let choice = |choice: &Choice| ChoiceResource {
            verb: choice.verb().to_owned(),
            label: choice.label().to_owned(),
            command: command(*choice, head.id, offered),
        };
        Some(Self {
            code: why.code().to_owned(),
            why: sentence(why, names),
            since_ms,
            choices: why.choices().iter().map(choice).collect(),
            continues_when: why.continues_when().map(str::to_owned),
            until_ms,
            plan_offer,
        })
    }
}

/// Sentence of an attention, with the names of accounts for a reader who may see them.
fn sentence(why: &Attention, names: Option<&AccountNames>) -> String {
    let Attention::Waiting { wait } = why else {
        return why.to_string();
    };
    match (&wait.detail, names) {
        (Some(detail), names) => detail.sentence(|account| {
            let name = names.and_then(|names| names.get(&account));
            name.map_or_else(|| account.to_string(), Clone::clone)
        }),
        // A row of an earlier release has names in its message.
        (None, Some(_)) => wait.message.clone(),
        (None, None) => format!("its calls wait ({})", wait.reason.replace('_', " ")),
    }
}

/// Command line of a way out.
fn command(choice: Choice, project: ProjectId, offered: Option<ArtifactHash>) -> String {
    match choice {
        Choice::Budget => format!("chorus project budget {project} USD"),
        Choice::ApproveOffer => {
            let plan = offered.map(|plan| format!(" --plan {plan}"));
            format!(
                "chorus project approve {project}{}",
                plan.unwrap_or_default()
            )
        }
        Choice::Reject => format!("chorus project reject {project} --reason TEXT"),
        Choice::Retry => format!("chorus project retry {project}"),
        Choice::Skip | Choice::Deliver => format!("chorus project skip {project}"),
        Choice::ImportAccount => "chorus account import FILE".to_owned(),
        Choice::EnableAccount => "chorus account enable EMAIL".to_owned(),
        Choice::Cancel => format!("chorus project cancel {project}"),
    }
}

#[cfg(test)]
mod tests {
    use chorus_core::attempt::WaitReason;
    use chorus_core::id::AccountId;
    use chorus_core::project::LongWait;

    use super::*;

    #[test]
    fn a_reader_without_the_right_to_accounts_sees_no_name_of_one() {
        let account = AccountId::new(7);
        let names = AccountNames::from([(account, "a@example.org".to_owned())]);
        let waiting = |detail| Attention::Waiting {
            wait: LongWait {
                reason: "limit".to_owned(),
                message: "a limit of a@example.org is reached".to_owned(),
                detail,
                since: Timestamp(0),
                until: None,
            },
        };
        let reason = WaitReason::SlotsOfEndedProcess {
            account,
            until: None,
        };
        for why in [waiting(None), waiting(Some(reason))] {
            let shown = sentence(&why, Some(&names));
            assert!(shown.contains("a@example.org"), "{shown}");
            let shown = sentence(&why, None);
            assert!(!shown.contains("a@example.org"), "{shown}");
        }
    }
}
