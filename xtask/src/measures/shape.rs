//! Sizes of files and functions, and the share of tests and comments.

use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::sources::{Source, is_cfg_test};

/// Figures about the shape of [`Source`] files. Lengths are in lines.
#[derive(Default)]
pub(super) struct Shape {
    /// Lengths of files that are not tests.
    pub(super) files: Vec<usize>,
    /// Functions outside tests with more than five parameters, the receiver not counted.
    pub(super) many_parameters: usize,
    functions: Vec<usize>,
    lines: Vec<usize>,
    code: usize,
    tests: usize,
    comments: usize,
    product: usize,
    unwraps: usize,
    public: usize,
    documented: usize,
}

impl Shape {
    /// Adds one file.
    pub(super) fn add(&mut self, source: &Source) {
        if !source.is_test() {
            self.files.push(source.text.lines().count());
        }
        for (line, is_test) in source.text.lines().zip(&source.test_lines) {
            self.add_line(line, *is_test);
        }
        if !source.is_test() {
            Items { shape: self }.visit_file(&source.tree);
        }
    }

    fn add_line(&mut self, line: &str, is_test: bool) {
        let trimmed = line.trim();
        if trimmed.is_empty() {
            return;
        }
        let is_comment = trimmed.starts_with("//");
        self.lines.push(line.chars().count());
        if is_test {
            self.tests += usize::from(!is_comment);
            return;
        }
        self.product += 1;
        if is_comment {
            self.comments += 1;
        } else {
            self.code += 1;
            self.unwraps += trimmed.matches(".unwrap()").count();
        }
    }

    /// Median, ninth decile and maximum of file lengths.
    pub(super) fn file_tail(&self) -> String {
        let at = |percent| percentile(&self.files, percent);
        format!("{}/{}/{}", at(50), at(90), at(100))
    }

    /// Median, ninth decile, 99th percentile and maximum of function lengths.
    pub(super) fn function_tail(&self) -> String {
        let at = |percent| percentile(&self.functions, percent);
        format!("{}/{}/{}/{}", at(50), at(90), at(99), at(100))
    }

    /// Ninth decile of function lengths.
    pub(super) fn function_p90(&self) -> usize {
        percentile(&self.functions, 90)
    }

    /// Share of functions longer than `lines`, in per cent.
    pub(super) fn functions_over(&self, lines: usize) -> f64 {
        let over = self.functions.iter().filter(|length| **length > lines);
        ratio(over.count() * 100, self.functions.len())
    }

    /// Lines of tests for each line of code, comments and blanks left out.
    pub(super) fn tests_to_code(&self) -> f64 {
        ratio(self.tests, self.code)
    }

    /// Share of comment lines outside tests, in per cent.
    pub(super) fn comment_percent(&self) -> f64 {
        ratio(self.comments * 100, self.product)
    }

    /// Share of public functions, types, traits and constants with a doc comment, in per cent.
    pub(super) fn documented_percent(&self) -> f64 {
        ratio(self.documented * 100, self.public)
    }

    /// Calls of `unwrap` outside tests in 1,000 lines of code.
    pub(super) fn unwraps_in_1000(&self) -> f64 {
        ratio(self.unwraps * 1000, self.code)
    }

    /// 95th percentile of line widths, in characters.
    pub(super) fn line_p95(&self) -> usize {
        percentile(&self.lines, 95)
    }
}

fn percentile(lengths: &[usize], percent: usize) -> usize {
    let mut sorted = lengths.to_vec();
    sorted.sort_unstable();
    let at = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(at).copied().unwrap_or(0)
}

pub(super) fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

/// Collects functions and public items outside test modules into a [`Shape`].
struct Items<'a> {
    shape: &'a mut Shape,
}

impl Items<'_> {
    fn function(&mut self, signature: &syn::Signature, block: &syn::Block) {
        let span = block.span();
        self.shape
            .functions
            .push(span.end().line - span.start().line + 1);
        let typed = signature
            .inputs
            .iter()
            .filter(|input| matches!(input, syn::FnArg::Typed(_)));
        self.shape.many_parameters += usize::from(typed.count() > 5);
    }

    fn public(&mut self, visibility: &syn::Visibility, attributes: &[syn::Attribute]) {
        if matches!(visibility, syn::Visibility::Public(_)) {
            self.shape.public += 1;
            let documented = attributes.iter().any(|one| one.path().is_ident("doc"));
            self.shape.documented += usize::from(documented);
        }
    }
}

impl<'ast> Visit<'ast> for Items<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(is_cfg_test) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, &item.block);
        self.public(&item.vis, &item.attrs);
        syn::visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, &item.block);
        self.public(&item.vis, &item.attrs);
        syn::visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.public(&item.vis, &item.attrs);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.public(&item.vis, &item.attrs);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.public(&item.vis, &item.attrs);
        syn::visit::visit_item_trait(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.public(&item.vis, &item.attrs);
    }
}
