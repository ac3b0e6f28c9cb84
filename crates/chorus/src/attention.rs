//! Text of what a project waits for that a person can put right. Neighbour: the session
//! [asks](crate::session) which way out to take.

use std::fmt::Write as _;

use chorus_api::AttentionResource;

/// Code, reason, condition and ways out with their commands, one a line. The flags, each with a space before it,
/// lead the commands to the project's data or server.
pub(crate) fn text(attention: &AttentionResource, flags: &str) -> String {
    let mut text = format!("needs attention [{}]: {}", attention.code, attention.why);
    if let Some(condition) = &attention.continues_when {
        let _ = write!(text, "\n  goes on by itself when {condition}");
    }
    for choice in &attention.choices {
        // Accounts are kept at the server's own machine.
        let is_elsewhere = choice.verb == "account" && flags.contains("--server");
        let flags = if is_elsewhere { "" } else { flags };
        let _ = write!(text, "\n  {}: {}{flags}", choice.label, choice.command);
    }
    text
}

#[cfg(test)]
mod tests {
    use chorus_api::ChoiceResource;
    use chorus_core::time::Timestamp;

    use super::*;

    #[test]
    fn every_way_out_is_shown_as_a_command() {
        let attention = AttentionResource {
            code: "provider_away".to_owned(),
            why: "calls kept failing: 503".to_owned(),
            since_ms: Timestamp(0),
            choices: vec![ChoiceResource {
                verb: "cancel".to_owned(),
                label: "end the project".to_owned(),
                command: "chorus project cancel prj_1".to_owned(),
            }],
            continues_when: Some("the provider answers again".to_owned()),
            until_ms: None,
            plan_offer: None,
        };
        assert_eq!(
            text(&attention, " --data d"),
            "needs attention [provider_away]: calls kept failing: 503\n  goes on by itself when the provider answers again\n  \
             end the project: chorus project cancel prj_1 --data d"
        );
    }
}
