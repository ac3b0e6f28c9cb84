//! Values of command-line options that need more than the standard parsers.

use std::str::FromStr;

use chorus_core::port::keys::Scope;
use chorus_core::project::ProjectStateKind;
use chorus_core::time::Millis;

/// Time until an API key expires, from text such as `45m`, `12h` or `30d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifetime(pub(crate) Millis);

impl FromStr for Lifetime {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refusal = || format!("{text:?} is no length of time such as 45m, 12h or 30d");
        let unit = text.chars().last().ok_or_else(refusal)?;
        let seconds = match unit {
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(refusal()),
        };
        let count: u64 = text[..text.len() - 1].parse().map_err(|_| refusal())?;
        if !(1..=10_000_000).contains(&count) {
            return Err(refusal());
        }
        Ok(Self(Millis::from_secs(count * seconds)))
    }
}

/// Scope that a new API key gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GrantedScope(pub(crate) Scope);

impl FromStr for GrantedScope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
        let known = || Scope::ALL.map(Scope::as_str).join(", ");
        found
            .map(Self)
            .ok_or_else(|| format!("{text:?} is no scope, expected one of: {}", known()))
    }
}

/// Parses the name of a state of projects, with underscores or blanks.
pub(super) fn project_state(name: &str) -> Result<String, String> {
    let wanted = name.replace(' ', "_");
    let names = ProjectStateKind::ALL.map(ProjectStateKind::as_str);
    if names.contains(&wanted.as_str()) {
        Ok(wanted)
    } else {
        Err(format!(
            "there is no such state; expected one of: {}",
            names.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_and_scopes_are_parsed_or_refused_with_the_known_ones() {
        for (text, expected) in [
            ("45m", Some(2_700)),
            ("12h", Some(43_200)),
            ("30d", Some(2_592_000)),
            ("0d", None),
            ("30", None),
            ("d", None),
            ("", None),
            ("é", None),
        ] {
            let parsed = text
                .parse::<Lifetime>()
                .ok()
                .map(|Lifetime(length)| length.0 / 1000);
            assert_eq!(parsed, expected, "{text}");
        }
        assert_eq!(
            "projects:read".parse::<GrantedScope>(),
            Ok(GrantedScope(Scope::ProjectsRead))
        );
        assert!(
            "projects"
                .parse::<GrantedScope>()
                .expect_err("no scope")
                .contains("projects:write")
        );
    }
}
