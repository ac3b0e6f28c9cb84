//! Lengths of files and functions: the tails are printed, the hard stops are faults.

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::sources::Source;

/// No file is longer.
const LONGEST_FILE: usize = 600;

/// No function is longer.
const LONGEST_FUNCTION: usize = 80;

/// How many of the longest are printed.
const SHOWN: usize = 5;

/// Prints the tails and returns the files and functions over the hard limits.
pub(super) fn report(sources: &[Source]) -> Vec<String> {
    let mut files = Vec::new();
    let mut functions = Vec::new();
    for source in sources {
        files.push((source.text.lines().count(), source.shown.clone()));
        let mut found = Functions {
            file: source.shown.clone(),
            lengths: Vec::new(),
        };
        found.visit_file(&source.tree);
        functions.extend(found.lengths);
    }
    print("files", &mut files);
    print("functions", &mut functions);
    let over = |lengths: &[(usize, String)], most: usize| {
        lengths
            .iter()
            .filter(|(length, _)| *length > most)
            .map(|(length, name)| format!("{name}: {length} lines, at most {most}"))
            .collect::<Vec<_>>()
    };
    [
        over(&files, LONGEST_FILE),
        over(&functions, LONGEST_FUNCTION),
    ]
    .concat()
}

fn print(what: &str, lengths: &mut [(usize, String)]) {
    lengths.sort_by(|one, other| other.cmp(one));
    let at = |percent: usize| {
        lengths
            .get(lengths.len() * (100 - percent) / 100)
            .map_or(0, |(length, _)| *length)
    };
    println!(
        "{what}: {} in all, median {} lines, p90 {}, longest:",
        lengths.len(),
        at(50),
        at(90)
    );
    for (length, name) in lengths.iter().take(SHOWN) {
        println!("  {length:>5}  {name}");
    }
}

/// Collects the length of each function body in one file.
struct Functions {
    file: String,
    lengths: Vec<(usize, String)>,
}

impl Functions {
    fn add(&mut self, name: &syn::Ident, span: proc_macro2::Span) {
        let length = span.end().line - span.start().line + 1;
        self.lengths.push((
            length,
            format!("{}:{} {name}", self.file, span.start().line),
        ));
    }
}

impl<'ast> Visit<'ast> for Functions {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.add(&item.sig.ident, item.block.span());
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.add(&item.sig.ident, item.block.span());
        syn::visit::visit_impl_item_fn(self, item);
    }
}
