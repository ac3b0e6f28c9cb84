//! Faults of program texts, by tree-sitter's grammars.
//!
//! A grammar that takes less than its language would call sound texts broken, so HTML and CSS, which
//! browsers read however they are written, are only suspected.

use chorus_core::file_kind::FileKind;
use chorus_core::verdict::SyntaxFault;
use tree_sitter::{Language, Node, Parser};

use crate::fault_at;

/// Returns the first fault of a text.
pub(crate) fn fault(kind: FileKind, text: &str) -> Option<SyntaxFault> {
    let mut parser = Parser::new();
    parser.set_language(&language(kind)?).ok()?;
    let tree = parser.parse(text, None)?;
    let root = tree.root_node();
    let node = if root.has_error() {
        first_error(root)
    } else {
        None
    };
    let node = node?;
    let what = if node.is_missing() {
        format!("{} is missing", node.kind())
    } else {
        "the text cannot be parsed".to_owned()
    };
    let is_certain = !matches!(kind, FileKind::Html | FileKind::Css);
    Some(fault_at(text, place(node, text), &what, is_certain))
}

fn language(kind: FileKind) -> Option<Language> {
    Some(match kind {
        FileKind::Python => tree_sitter_python::LANGUAGE.into(),
        FileKind::JavaScript => tree_sitter_javascript::LANGUAGE.into(),
        FileKind::TypeScript => tree_sitter_typescript::LANGUAGE_TYPESCRIPT.into(),
        FileKind::Tsx => tree_sitter_typescript::LANGUAGE_TSX.into(),
        FileKind::Rust => tree_sitter_rust::LANGUAGE.into(),
        FileKind::Go => tree_sitter_go::LANGUAGE.into(),
        FileKind::Java => tree_sitter_java::LANGUAGE.into(),
        FileKind::Html => tree_sitter_html::LANGUAGE.into(),
        FileKind::Css => tree_sitter_css::LANGUAGE.into(),
        FileKind::Markdown
        | FileKind::Plain
        | FileKind::Json
        | FileKind::JsonWithComments
        | FileKind::JsonLines
        | FileKind::Csv
        | FileKind::Tsv
        | FileKind::Toml
        | FileKind::Yaml
        | FileKind::Code => return None,
    })
}

/// Returns the first node that is an error or stands for something missing.
fn first_error(root: Node<'_>) -> Option<Node<'_>> {
    let mut cursor = root.walk();
    let mut node = root;
    loop {
        if node.is_error() || node.is_missing() {
            return Some(node);
        }
        let next = node
            .children(&mut cursor)
            .find(|child| child.has_error() || child.is_missing());
        node = next?;
    }
}

/// Returns the byte to name for an error: errors that hold much of a text begin far before the fault,
/// so the first error inside it counts, else its beginning.
fn place(node: Node<'_>, text: &str) -> usize {
    let mut cursor = node.walk();
    let inner = node
        .children(&mut cursor)
        .find(|child| child.is_error() || child.is_missing())
        .map(|child| child.start_byte());
    let start = inner.unwrap_or_else(|| node.start_byte());
    let rest = text.get(start..).unwrap_or_default();
    start + (rest.len() - rest.trim_start().len())
}
