//! Rust sources of the workspace, read once for [`tidy`](crate::tidy) and [`measures`](crate::measures).

use std::path::{Path, PathBuf};

use anyhow::Context;
use syn::spanned::Spanned;
use syn::visit::Visit;

/// One parsed source file; [`Source::read`] makes it.
pub(crate) struct Source {
    /// Path below the workspace root, with `/` between its parts.
    pub(crate) shown: String,
    /// Text of the file.
    pub(crate) text: String,
    /// Syntax tree of the file.
    pub(crate) tree: syn::File,
    /// One flag a line: true for lines of tests.
    pub(crate) test_lines: Vec<bool>,
}

/// Returns the root of the workspace.
pub(crate) fn root() -> anyhow::Result<PathBuf> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .no_deps()
        .exec()
        .context("cargo metadata")?;
    Ok(metadata.workspace_root.into_std_path_buf())
}

/// Returns the Rust files below `folders`, sorted, without build output.
pub(crate) fn rust_files(folders: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    files(folders, "rs")
}

/// Returns the files with this extension below `folders`, sorted, without build output.
pub(crate) fn files(folders: &[PathBuf], extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = folders.to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

impl Source {
    /// Reads and parses one file.
    pub(crate) fn read(root: &Path, path: &Path) -> anyhow::Result<Self> {
        let shown = path
            .strip_prefix(root)
            .unwrap_or(path)
            .display()
            .to_string();
        let text = std::fs::read_to_string(path).with_context(|| shown.clone())?;
        let tree = syn::parse_file(&text).with_context(|| shown.clone())?;
        let test_lines = test_lines(&shown, &text, &tree);
        Ok(Self {
            shown,
            text,
            tree,
            test_lines,
        })
    }

    /// True if the whole file is a test.
    pub(crate) fn is_test(&self) -> bool {
        is_test_file(&self.shown)
    }
}

fn is_test_file(shown: &str) -> bool {
    shown
        .split('/')
        .any(|part| part == "tests" || part == "tests.rs")
}

fn test_lines(shown: &str, text: &str, tree: &syn::File) -> Vec<bool> {
    let count = text.lines().count();
    if is_test_file(shown) {
        return vec![true; count];
    }
    let mut marked = TestModules {
        lines: vec![false; count],
    };
    marked.visit_file(tree);
    marked.lines
}

/// Marks the lines of modules for which [`is_cfg_test`] holds.
struct TestModules {
    lines: Vec<bool>,
}

impl<'ast> Visit<'ast> for TestModules {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.attrs.iter().any(is_cfg_test) {
            let from = item
                .attrs
                .first()
                .map_or_else(|| item.span(), Spanned::span);
            let range = from.start().line - 1..item.span().end().line;
            self.lines[range].fill(true);
        } else {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

/// True for the attribute `#[cfg(test)]`.
pub(crate) fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute
            .meta
            .require_list()
            .is_ok_and(|list| list.tokens.to_string() == "test")
}
