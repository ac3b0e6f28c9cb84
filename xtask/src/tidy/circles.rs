//! Circles between modules: A needs B and B needs A, directly or through others.
//!
//! A child may use its parent's types and the parent uses its children; every other circle makes files that cannot
//! be read alone. Paths are resolved through `pub use`, so that an item counts for the module that defines it.

use std::collections::{BTreeMap, BTreeSet};

use syn::visit::Visit;

use crate::sources::{Source, is_cfg_test};

/// Path of a module below the root of its crate.
type Module = Vec<String>;

/// Modules of one crate or binary, each with its [`Imports`].
#[derive(Default)]
struct Crate {
    modules: BTreeMap<Module, Imports>,
}

/// Paths that one module names.
#[derive(Default)]
struct Imports {
    /// All paths, absolute or relative, as they are written.
    paths: Vec<Vec<String>>,
    /// Names made public from elsewhere, with the path of each.
    exported: BTreeMap<String, Vec<String>>,
}

/// Returns one line for each circle.
pub(super) fn faults(sources: &[Source]) -> Vec<String> {
    let roots = roots(sources);
    let mut crates: BTreeMap<&str, Crate> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.is_test()) {
        let Some(root) = roots
            .iter()
            .filter(|root| source.shown.starts_with(**root))
            .max_by_key(|root| root.len())
        else {
            continue;
        };
        let module = module_of(&source.shown[root.len()..]);
        let mut imports = Imports::default();
        imports.visit_file(&source.tree);
        crates
            .entry(root)
            .or_default()
            .modules
            .insert(module, imports);
    }
    crates
        .iter()
        .flat_map(|(root, found)| found.circles(root))
        .collect()
}

/// Folders that hold the root file of a [`Crate`], each with a final `/`.
fn roots(sources: &[Source]) -> BTreeSet<&str> {
    sources
        .iter()
        .filter_map(|source| {
            let shown = source.shown.as_str();
            shown
                .strip_suffix("lib.rs")
                .or_else(|| shown.strip_suffix("main.rs"))
        })
        .filter(|folder| folder.ends_with('/'))
        .collect()
}

fn module_of(below_root: &str) -> Module {
    let stem = below_root.strip_suffix(".rs").unwrap_or(below_root);
    if stem == "lib" || stem == "main" {
        return Module::new();
    }
    stem.split('/').map(str::to_owned).collect()
}

impl Crate {
    fn circles(&self, root: &str) -> Vec<String> {
        let graph: BTreeMap<&Module, BTreeSet<Module>> = self
            .modules
            .iter()
            .map(|(module, imports)| (module, self.targets(module, imports)))
            .collect();
        let mut seen = BTreeSet::new();
        let mut faults = Vec::new();
        for module in self.modules.keys() {
            if let Some(circle) = shortest_circle(&graph, module) {
                let members: BTreeSet<&Module> = circle.iter().collect();
                if seen.insert(members.into_iter().cloned().collect::<Vec<_>>()) {
                    let shown: Vec<String> = circle.iter().map(shown).collect();
                    faults.push(format!(
                        "{root}: circle {} -> {}",
                        shown.join(" -> "),
                        shown[0]
                    ));
                }
            }
        }
        faults
    }

    /// Modules that `module` needs by its [`Imports`], its ancestors left out.
    fn targets(&self, module: &Module, imports: &Imports) -> BTreeSet<Module> {
        imports
            .paths
            .iter()
            .filter_map(|path| self.resolve(module, path, 0))
            .filter(|target| !module.starts_with(target))
            .collect()
    }

    /// The module that defines the last name of `path`, seen from `module`.
    fn resolve(&self, module: &Module, path: &[String], depth: usize) -> Option<Module> {
        let mut at = module.clone();
        let mut rest = path;
        match path.first().map(String::as_str)? {
            "crate" => {
                at = Module::new();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|name| name == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            name => {
                let mut child = module.clone();
                child.push(name.to_owned());
                if !self.modules.contains_key(&child) {
                    return None;
                }
            }
        }
        while let Some((name, after)) = rest.split_first() {
            let mut child = at.clone();
            child.push(name.clone());
            if self.modules.contains_key(&child) {
                at = child;
                rest = after;
                continue;
            }
            let exported = self.modules.get(&at).and_then(|it| it.exported.get(name));
            return match exported {
                Some(path) if depth < 8 => self.resolve(&at, path, depth + 1).or(Some(at)),
                _ => Some(at),
            };
        }
        Some(at)
    }
}

/// The shortest way from `start` back to itself.
fn shortest_circle(
    graph: &BTreeMap<&Module, BTreeSet<Module>>,
    start: &Module,
) -> Option<Vec<Module>> {
    let mut from: BTreeMap<Module, Module> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start.clone()]);
    while let Some(at) = queue.pop_front() {
        for next in graph.get(&at).into_iter().flatten() {
            if next == start {
                let mut circle = vec![at.clone()];
                while circle.last() != Some(start) {
                    let before = from.get(circle.last()?)?;
                    circle.push(before.clone());
                }
                circle.reverse();
                return Some(circle);
            }
            if next != start && !from.contains_key(next) {
                from.insert(next.clone(), at.clone());
                queue.push_back(next.clone());
            }
        }
    }
    None
}

fn shown(module: &Module) -> String {
    if module.is_empty() {
        "the root".to_owned()
    } else {
        module.join("::")
    }
}

impl<'ast> Visit<'ast> for Imports {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if !item.attrs.iter().any(is_cfg_test) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if item.attrs.iter().any(is_cfg_test) {
            return;
        }
        let mut found = Vec::new();
        flatten(&item.tree, &mut Vec::new(), &mut found);
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        for (path, name) in found {
            if public && let Some(name) = name {
                self.exported.insert(name, path);
            } else {
                self.paths.push(path);
            }
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path
            .segments
            .iter()
            .map(|segment| segment.ident.to_string())
            .collect();
        if segments.len() > 1 && matches!(segments[0].as_str(), "crate" | "super" | "self") {
            self.paths.push(segments);
        }
        syn::visit::visit_path(self, path);
    }
}

/// Writes a [`syn::UseTree`] out as paths, each with the name that it binds.
fn flatten(
    tree: &syn::UseTree,
    path: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, Option<String>)>,
) {
    match tree {
        syn::UseTree::Path(step) => {
            path.push(step.ident.to_string());
            flatten(&step.tree, path, found);
            path.pop();
        }
        syn::UseTree::Name(name) if name.ident == "self" => {
            found.push((path.clone(), path.last().cloned()));
        }
        syn::UseTree::Name(name) => {
            let name = name.ident.to_string();
            found.push(([path.clone(), vec![name.clone()]].concat(), Some(name)));
        }
        syn::UseTree::Rename(rename) => {
            let target = [path.clone(), vec![rename.ident.to_string()]].concat();
            found.push((target, Some(rename.rename.to_string())));
        }
        syn::UseTree::Glob(_) => found.push((path.clone(), None)),
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, found);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let sources: Vec<Source> = files
            .iter()
            .map(|(shown, text)| Source {
                shown: format!("src/{shown}"),
                text: (*text).to_owned(),
                tree: syn::parse_file(text).expect("the test's source is valid"),
                test_lines: Vec::new(),
            })
            .collect();
        faults(&sources)
    }

    #[test]
    fn siblings_that_need_each_other_are_a_circle() {
        let found = check(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "fn f(_: super::a::A) {} pub struct B;"),
        ]);
        assert_eq!(found, ["src/: circle a -> b -> a"]);
    }

    #[test]
    fn a_child_may_use_its_parent() {
        let found = check(&[
            ("lib.rs", "mod a; pub struct Root;"),
            ("a.rs", "mod c; use c::C; pub struct A(crate::Root);"),
            ("a/c.rs", "pub struct C(Box<super::A>);"),
        ]);
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_circle_through_a_public_name_of_the_parent_is_found() {
        let found = check(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "mod c; pub use c::C;"),
            ("a/c.rs", "use crate::b::B; pub struct C;"),
            ("b.rs", "use crate::a::C; pub struct B;"),
        ]);
        assert_eq!(found, ["src/: circle a::c -> b -> a::c"]);
    }

    #[test]
    fn tests_may_use_what_they_test() {
        let found = check(&[
            ("lib.rs", "mod a; mod b;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ]);
        assert_eq!(found, [""; 0]);
    }
}
