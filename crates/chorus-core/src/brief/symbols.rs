//! Symbols of source code, found cheaply: lines at the left margin that begin a declaration.
//!
//! A symbol is a good place to cut a long file, and its name tells a planner more than the first
//! words of the file do. Deliberately absent: parsing; a line that is missed costs nothing.

use super::headings::lines_of;

/// A declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Symbol {
    /// First byte of its line.
    pub start: usize,
    /// Keyword and name.
    pub name: String,
}

/// Words before a keyword that change nothing here.
const MODIFIERS: [&str; 27] = [
    "pub",
    "export",
    "default",
    "async",
    "static",
    "public",
    "private",
    "protected",
    "internal",
    "abstract",
    "final",
    "sealed",
    "unsafe",
    "extern",
    "override",
    "virtual",
    "inline",
    "local",
    "declare",
    "open",
    "data",
    "case",
    "partial",
    "create",
    "replace",
    "or",
    "const",
];

/// Words that begin a declaration.
const KEYWORDS: [&str; 33] = [
    "class",
    "def",
    "fn",
    "func",
    "fun",
    "function",
    "struct",
    "enum",
    "trait",
    "impl",
    "interface",
    "type",
    "module",
    "mod",
    "namespace",
    "object",
    "record",
    "union",
    "protocol",
    "extension",
    "sub",
    "proc",
    "procedure",
    "macro_rules!",
    "defmodule",
    "defn",
    "table",
    "view",
    "trigger",
    "message",
    "service",
    "template",
    "typedef",
];

/// Words that begin a statement, not a function of C.
const STATEMENTS: [&str; 9] = [
    "if", "for", "while", "switch", "return", "else", "do", "catch", "elif",
];

/// Maximum length of a name, in characters.
const LONGEST: usize = 60;

/// Returns the symbols of a source file, in order.
pub(super) fn symbols(text: &str) -> Vec<Symbol> {
    lines_of(text)
        .filter(|(start, line)| {
            let first = text[*start..].chars().next();
            line.len() <= 400 && first.is_some_and(|letter| letter.is_alphabetic() || letter == '_')
        })
        .filter_map(|(start, line)| {
            let name = declared(line).or_else(|| function_of_c(line))?;
            Some(Symbol { start, name })
        })
        .collect()
}

fn declared(line: &str) -> Option<String> {
    let mut words = line.split_whitespace().peekable();
    loop {
        let word = *words.peek()?;
        let bare = word
            .split(['(', '<'])
            .next()
            .unwrap_or(word)
            .to_ascii_lowercase();
        if KEYWORDS.contains(&bare.as_str()) {
            break;
        }
        if !MODIFIERS.contains(&bare.as_str()) {
            return assigned(line);
        }
        words.next();
    }
    let keyword = words.next()?;
    let rest: Vec<&str> = words.collect();
    let name: String = rest
        .join(" ")
        .chars()
        .take_while(|letter| !"({:;=".contains(*letter))
        .take(LONGEST)
        .collect();
    let name = name.trim();
    (!name.is_empty()).then(|| format!("{keyword} {name}"))
}

/// Reads `const name = (…) =>` of JavaScript and `name = function` of others.
fn assigned(line: &str) -> Option<String> {
    let (left, right) = line.split_once('=')?;
    let is_function = right.contains("=>") || right.contains("function");
    let name = left.trim().rsplit(' ').next()?.split(':').next()?;
    (is_function && !name.is_empty()).then(|| name.chars().take(LONGEST).collect())
}

fn function_of_c(line: &str) -> Option<String> {
    let (head, rest) = line.split_once('(')?;
    let first = head.split_whitespace().next()?;
    let name = head.trim_end().rsplit([' ', '*', '&']).next()?;
    let is_definition = (rest.ends_with('{') || rest.ends_with(')') || rest.ends_with(','))
        && head.split_whitespace().count() >= 2
        && !head.contains(['=', '"', '.', '#', ','])
        && !STATEMENTS.contains(&first);
    let is_shell = rest.trim_start() == ") {" || rest.trim_start() == "){";
    ((is_definition || is_shell) && !name.is_empty()).then(|| name.chars().take(LONGEST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_at_the_margin_are_found_in_many_languages() {
        for (text, expected) in [
            (
                "# a comment\nimport os\n\nclass Foo(Base):\n    def inner(self):\n        pass\n\nasync def bar(x):\n    pass\n",
                vec!["class Foo", "def bar"],
            ),
            (
                "//! doc\nuse a;\npub(crate) struct A {\n}\nimpl<T> A for B {\n    fn x() {}\n}\nfn main() {\n}\n",
                vec!["struct A", "impl<T> A for B", "fn main"],
            ),
            (
                "export default function App() {\n}\nconst add = (a, b) => a + b;\nlet x = 1;\n",
                vec!["function App", "add"],
            ),
            (
                "#include <a.h>\nstatic int main(int argc, char **argv) {\n  if (x) {\n  }\n}\n",
                vec!["main"],
            ),
            ("deploy() {\n  echo\n}\n", vec!["deploy"]),
            ("CREATE TABLE users (\n id int\n);\n", vec!["TABLE users"]),
        ] {
            let names: Vec<String> = symbols(text)
                .into_iter()
                .map(|symbol| symbol.name)
                .collect();
            assert_eq!(names, expected, "{text}");
        }
    }
}
