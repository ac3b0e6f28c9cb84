//! Columns of the failure table: each has a reader outside the table's own file and outside tests.
//!
//! A reader takes the column from `….rule()` or from a variable `rule`, or calls a function of the
//! table's file that does. A column without a reader is a reaction that never happens.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::{self, Visit};

use crate::sources::Source;

/// File of the table.
const TABLE_FILE: &str = "crates/chorus-core/src/failure.rs";
/// Struct that has a field for each column.
const ROW: &str = "FailureRule";
/// Column by which rows are found; it is no reaction.
const KEY: &str = "class";

type Columns = BTreeSet<String>;

/// Returns one fault for each column that nothing reads.
pub(super) fn faults(sources: &[Source]) -> Vec<String> {
    let Some(table) = sources.iter().find(|source| source.shown == TABLE_FILE) else {
        return vec![format!("{TABLE_FILE} is missing")];
    };
    let columns = columns_of(&table.tree);
    if columns.is_empty() {
        return vec![format!("{TABLE_FILE} has no struct {ROW}")];
    }
    let accessors = Accessors::of(&table.tree, &columns);
    let mut read = Columns::new();
    for source in sources.iter().filter(|source| is_product(source)) {
        let mut reads = Reads {
            columns: &columns,
            accessors: Some((&accessors, &source.test_lines)),
            found: Columns::new(),
        };
        reads.visit_file(&source.tree);
        read.extend(reads.found);
    }
    let unread = columns.difference(&read);
    unread
        .map(|column| format!("{TABLE_FILE}: nothing outside tests reads the column `{column}`"))
        .collect()
}

/// Returns true for sources of the program itself: no tests, no simulation, not the table.
fn is_product(source: &Source) -> bool {
    let other = ["xtask/", "bench/", "crates/chorus-simulation/", TABLE_FILE];
    !source.is_test() && !other.iter().any(|path| source.shown.starts_with(path))
}

fn columns_of(table: &syn::File) -> Columns {
    let rows = table.items.iter().filter_map(|item| match item {
        syn::Item::Struct(row) if row.ident == ROW => Some(row),
        _ => None,
    });
    let fields = rows.flat_map(|row| &row.fields);
    fields
        .filter_map(|field| field.ident.as_ref().map(ToString::to_string))
        .filter(|name| name != KEY)
        .collect()
}

/// Functions of the table's file, with the columns that each reads.
struct Accessors(BTreeMap<String, Columns>);

impl Accessors {
    fn of(table: &syn::File, columns: &Columns) -> Self {
        let mut accessors = BTreeMap::new();
        let mut add = |name: &syn::Ident, block: &syn::Block| {
            let mut reads = Reads {
                columns,
                accessors: None,
                found: Columns::new(),
            };
            reads.visit_block(block);
            accessors.insert(name.to_string(), reads.found);
        };
        for item in &table.items {
            match item {
                syn::Item::Fn(function) => add(&function.sig.ident, &function.block),
                syn::Item::Impl(block) => {
                    for item in &block.items {
                        if let syn::ImplItem::Fn(function) = item {
                            add(&function.sig.ident, &function.block);
                        }
                    }
                }
                _ => {}
            }
        }
        Self(accessors)
    }
}

/// Columns that some code reads, by itself or through an accessor.
struct Reads<'a> {
    columns: &'a Columns,
    /// Accessors and test lines of the file; none inside the table's own functions.
    accessors: Option<(&'a Accessors, &'a [bool])>,
    found: Columns,
}

impl Reads<'_> {
    fn calls(&mut self, name: &syn::Ident) {
        if let Some((accessors, test_lines)) = self.accessors
            && !test_lines[name.span().start().line - 1]
        {
            let read = accessors.0.get(&name.to_string());
            self.found.extend(read.into_iter().flatten().cloned());
        }
    }

    /// Returns true for `….rule()`, `rule` and, in the table's own functions, `self`.
    fn is_rule(&self, base: &syn::Expr) -> bool {
        match base {
            syn::Expr::MethodCall(call) => call.method == "rule",
            syn::Expr::Path(path) => {
                path.path.is_ident("rule")
                    || (self.accessors.is_none() && path.path.is_ident("self"))
            }
            _ => false,
        }
    }

    fn is_test(&self, span: proc_macro2::Span) -> bool {
        self.accessors
            .is_some_and(|(_, test_lines)| test_lines[span.start().line - 1])
    }
}

impl<'ast> Visit<'ast> for Reads<'_> {
    fn visit_expr_field(&mut self, field: &'ast syn::ExprField) {
        if let syn::Member::Named(name) = &field.member
            && self.columns.contains(&name.to_string())
            && self.is_rule(&field.base)
            && !self.is_test(name.span())
        {
            self.found.insert(name.to_string());
        }
        visit::visit_expr_field(self, field);
    }

    fn visit_expr_call(&mut self, call: &'ast syn::ExprCall) {
        if let syn::Expr::Path(function) = &*call.func
            && let Some(last) = function.path.segments.last()
        {
            self.calls(&last.ident);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'ast syn::ExprMethodCall) {
        self.calls(&call.method);
        visit::visit_expr_method_call(self, call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "pub struct FailureRule { class: u8, group: u8, delay: u8 }
        pub fn retry_at(rule: &FailureRule) -> u8 { rule.delay }";

    /// Returns the faults of a tree with the table and one other file.
    fn check(file: &str, text: &str) -> Vec<String> {
        let source = |shown: &str, text: &str| Source {
            shown: shown.to_owned(),
            text: text.to_owned(),
            tree: syn::parse_file(text).expect("the text is Rust"),
            test_lines: vec![false; text.lines().count()],
        };
        faults(&[source(TABLE_FILE, TABLE), source(file, text)])
    }

    #[test]
    fn a_column_needs_a_reader_outside_the_table_and_tests() {
        let reads = "fn f() { class.rule().group; retry_at(rule); }";
        assert_eq!(check("crates/a/src/b.rs", reads), Vec::<String>::new());
        assert_eq!(check("crates/a/src/tests/b.rs", reads).len(), 2);
        assert_eq!(
            check("crates/a/src/b.rs", "fn f() { self.group; other.delay; }").len(),
            2
        );
    }
}
