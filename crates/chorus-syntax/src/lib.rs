//! Syntax of the files that models write, by kind: [`Parsers`] finds the first fault of a text.
//!
//! JSON, TOML, YAML and tables are read by parsers of their own with certain findings. Program
//! texts are read by tree-sitter's grammars; they name a place, not a rule. Deliberately absent: types,
//! names, imports, style. Who made the fault and what follows is decided in
//! [`chorus_core::verdict::check`].

mod grammar;
mod structured;

use chorus_core::file_kind::FileKind;
use chorus_core::verdict::{SyntaxCheck, SyntaxFault};

/// Maximum length in bytes of a text that is parsed; longer ones are taken as they are.
const LONGEST: usize = 4 << 20;

/// Parsers of all kinds of files that can be parsed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Parsers;

impl SyntaxCheck for Parsers {
    fn fault(&self, kind: FileKind, text: &str) -> Option<SyntaxFault> {
        if text.len() > LONGEST || is_template(kind, text) {
            return None;
        }
        match kind {
            FileKind::Json => structured::json(text),
            FileKind::JsonLines => structured::json_lines(text),
            FileKind::Toml => structured::toml(text),
            FileKind::Yaml => structured::yaml(text),
            FileKind::Csv => structured::records(text, b','),
            FileKind::Tsv => structured::records(text, b'\t'),
            FileKind::Python
            | FileKind::JavaScript
            | FileKind::TypeScript
            | FileKind::Tsx
            | FileKind::Rust
            | FileKind::Go
            | FileKind::Java
            | FileKind::Html
            | FileKind::Css => grammar::fault(kind, text),
            FileKind::Markdown | FileKind::Plain | FileKind::JsonWithComments | FileKind::Code => {
                None
            }
        }
    }
}

/// Returns true if a text is made into its kind by a template language.
fn is_template(kind: FileKind, text: &str) -> bool {
    let can_be = matches!(
        kind,
        FileKind::Html | FileKind::Yaml | FileKind::Toml | FileKind::Json | FileKind::Css
    );
    can_be && (text.contains("{%") || (text.contains("{{") && text.contains("}}")))
}

/// Makes a fault at a byte of a text.
fn fault_at(text: &str, offset: usize, what: &str, is_certain: bool) -> SyntaxFault {
    let offset = (0..=offset.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0);
    let before = &text[..offset];
    let number = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line: String = text[start..]
        .lines()
        .next()
        .unwrap_or_default()
        .trim()
        .chars()
        .take(80)
        .collect();
    SyntaxFault {
        offset,
        message: format!("line {number}: {what}, in `{line}`"),
        is_certain,
    }
}

#[cfg(test)]
mod tests;
