//! Finds the [`ErrorCode`] of an error and prints the error with it.

use std::fmt;

use chorus_client::ClientError;
use chorus_core::port::StoreError;
use chorus_vault::redacted;

use super::{Advice, ErrorCode, Failure};
use crate::config::ConfigError;
use crate::exit::Exit;
use crate::input::InputError;

/// Advice for the gateway's refusal `no_such_project`.
const NO_SUCH_PROJECT: &str =
    "see `chorus project list`, and --data if you keep several data folders";

/// An error as a person sees it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    code: String,
    pub(crate) exit: Exit,
    message: String,
    advice: Vec<String>,
}

impl Report {
    /// The report of an error from anywhere in the program.
    pub(crate) fn of(error: &anyhow::Error) -> Self {
        let advice = error.downcast_ref::<Advice>();
        let message = error
            .chain()
            .map(ToString::to_string)
            .filter(|text| advice.is_none_or(|advice| advice.0 != *text));
        let mut texts: Vec<String> = Vec::new();
        for text in message {
            // Many errors repeat the text of their source.
            if texts.last().is_none_or(|last| !last.contains(&text)) {
                texts.push(text);
            }
        }
        let (code, exit, general) = classify(error);
        let advice = advice
            .map(|advice| advice.0.clone())
            .into_iter()
            .chain(general.map(str::to_owned));
        Self {
            code,
            exit,
            message: redacted(&texts.join(": ")),
            advice: advice.map(|advice| redacted(&advice)).collect(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error[{}]: {}", self.code, self.message)?;
        for advice in &self.advice {
            writeln!(f, "  {advice}")?;
        }
        write!(f, "  see docs/errors/{}.md", self.code)
    }
}

/// Code, exit code and advice of an error.
fn classify(error: &anyhow::Error) -> (String, Exit, Option<&'static str>) {
    let refusal = find::<ClientError>(error).and_then(|error| match error {
        ClientError::Refused { status, problem } => Some((status, problem)),
        _ => None,
    });
    if let Some((status, problem)) = refusal
        && find::<Failure>(error).is_none()
    {
        let exit = match status.as_u16() {
            409 => Exit::Failed,
            400..=499 => Exit::Input,
            _ => Exit::Failed,
        };
        let advice = (problem.code == "no_such_project").then_some(NO_SUCH_PROJECT);
        return (problem.code.clone(), exit, advice);
    }
    let entry = code(error).entry();
    let advice = find::<InputError>(error).map_or(entry.advice, InputError::advice);
    (entry.name.to_owned(), entry.exit, Some(advice))
}

fn code(error: &anyhow::Error) -> ErrorCode {
    if let Some(failure) = find::<Failure>(error) {
        return failure.code;
    }
    if let Some(error) = find::<InputError>(error) {
        return error.code();
    }
    if let Some(error) = find::<ConfigError>(error) {
        return match error {
            ConfigError::Alone { .. } => ErrorCode::ServicesNotShared,
            _ => ErrorCode::ConfigurationInvalid,
        };
    }
    if let Some(error) = find::<ClientError>(error) {
        return match error {
            ClientError::Unreachable { .. } => ErrorCode::ServerUnavailable,
            ClientError::Corrupt { .. } => ErrorCode::FileCorrupt,
            ClientError::Refused { .. } | ClientError::Unreadable { .. } => ErrorCode::NoGateway,
        };
    }
    match find::<StoreError>(error) {
        Some(StoreError::Unavailable { .. }) => ErrorCode::DatabaseUnavailable,
        Some(StoreError::Broken { .. }) => ErrorCode::StoreFailed,
        None => ErrorCode::CommandFailed,
    }
}

/// The outermost error of this type, as context or as cause.
fn find<E: std::error::Error + Send + Sync + 'static>(error: &anyhow::Error) -> Option<&E> {
    error
        .downcast_ref::<E>()
        .or_else(|| error.chain().find_map(|cause| cause.downcast_ref::<E>()))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use anyhow::Context as _;

    use super::*;

    #[test]
    fn an_error_is_printed_with_code_cause_advice_and_page() {
        let error = Err::<(), _>(std::io::Error::other("no space"))
            .context(Failure::new(
                ErrorCode::OutputUnwritable,
                "cannot write out/a.md",
            ))
            .context(Advice("go on with: chorus resume prj_1".to_owned()))
            .expect_err("it is an error");
        let report = Report::of(&error);
        assert_eq!(report.exit, Exit::Failed);
        assert_eq!(
            report.to_string(),
            "error[output_unwritable]: cannot write out/a.md: no space\n  \
             go on with: chorus resume prj_1\n  \
             free some room or choose another --out, then resume\n  \
             see docs/errors/output_unwritable.md"
        );
    }

    #[test]
    fn an_error_never_repeats_what_looks_like_a_key() {
        let error = anyhow::anyhow!("cannot read sk-aaaa0001")
            .context(Advice("try postgres://me:secret@db/x".to_owned()));
        let shown = Report::of(&error).to_string();
        assert!(
            !shown.contains("aaaa") && !shown.contains("secret"),
            "{shown}"
        );
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_told_from_input_that_cannot() {
        let configuration = ConfigError::Unreadable {
            file: "c.toml".into(),
            reason: "gone".to_owned(),
        };
        assert_eq!(Report::of(&configuration.into()).exit, Exit::Configuration);
        let input = Failure::new(ErrorCode::InvalidId, "prj_1 is no id");
        assert_eq!(Report::of(&input.into()).exit, Exit::Input);
        let other = anyhow::anyhow!("something else");
        assert_eq!(Report::of(&other).code, "command_failed");
    }

    #[test]
    fn the_exit_codes_differ() {
        let codes: BTreeSet<u8> = [
            Exit::Done,
            Exit::Failed,
            Exit::Usage,
            Exit::Partial,
            Exit::Input,
            Exit::Unavailable,
            Exit::Parked,
            Exit::Configuration,
            Exit::Interrupted,
        ]
        .map(|exit| exit as u8)
        .into();
        assert_eq!(codes.len(), 9);
    }

    #[test]
    fn every_code_of_the_command_line_has_a_page_and_a_line_in_the_index() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/errors");
        let index = std::fs::read_to_string(folder.join("README.md")).expect("the index");
        for code in ErrorCode::ALL {
            let name = code.entry().name;
            let page = std::fs::read_to_string(folder.join(format!("{name}.md")))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(page.starts_with(&format!("# {name}\n")), "{name}");
            assert!(index.contains(&format!("({name}.md)")), "{name}");
        }
    }
}
