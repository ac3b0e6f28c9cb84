//! Files of code and configuration, taken from the blocks of the inputs that stand under a file's name.
//!
//! Bodies that no input gives stay open and state that; nothing pretends to work. [`open_functions`] finds
//! them again.

use super::prompt::SourceText;
use super::text::{backticked, heading, item, number, words};

const CODE: [&str; 12] = [
    "py", "toml", "json", "yaml", "yml", "rs", "ts", "js", "sh", "ini", "cfg", "sql",
];

/// Returns true if the path is a file of code or configuration.
pub(super) fn is_code(path: &str) -> bool {
    path.rsplit_once('.')
        .is_some_and(|(_, extension)| CODE.contains(&extension))
}

/// Text of a file.
pub(super) fn file(
    path: &str,
    instructions: &str,
    inputs: &[SourceText],
    results: &[SourceText],
) -> String {
    let blocks = inputs
        .iter()
        .filter_map(|input| block_for(&input.text, path));
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("py") => blocks
            .map(|block| completed(&block))
            .min_by_key(|block| open_functions(block).len())
            .unwrap_or_else(|| {
                if is_test(path) {
                    tests(path, instructions, results)
                } else {
                    python(path, instructions)
                }
            }),
        kind => other(path, kind, blocks.collect(), instructions, results),
    }
}

/// Text of a file that is no Python.
fn other(
    path: &str,
    kind: Option<&str>,
    blocks: Vec<String>,
    instructions: &str,
    results: &[SourceText],
) -> String {
    let given = blocks.into_iter().max_by_key(String::len);
    match kind {
        Some("toml") => given.unwrap_or_else(|| project(instructions)),
        Some("json") => given
            .filter(|text| serde_json::from_str::<serde_json::Value>(text).is_ok())
            .unwrap_or_else(|| json(path)),
        Some("md") => given.unwrap_or_else(|| readme(instructions, results)),
        _ => given.unwrap_or_else(|| comment(instructions)),
    }
}

fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.starts_with("test_") || name.ends_with("_test.py")
}

/// Fenced blocks under the heading that names a path.
fn block_for(text: &str, path: &str) -> Option<String> {
    let (mut found, mut level) = (Vec::new(), None);
    let mut fence: Option<(usize, bool)> = None;
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
    for line in text.lines() {
        let (ticks, name) = fence_of(line);
        match fence {
            Some((open, _)) if ticks >= open && name.is_empty() => {
                fence = None;
                found.push("");
            }
            Some((_, true)) => found.push(line),
            Some((_, false)) => {}
            None if ticks >= 3 => {
                fence = Some((ticks, level.is_some() && is_language(name, extension)));
            }
            None => {
                let found = heading(line);
                if found.is_some_and(|(depth, _)| level.is_some_and(|own| depth <= own)) {
                    break;
                }
                let own = found.filter(|(_, title)| backticked(title).contains(&path));
                level = level.or_else(|| own.map(|(depth, _)| depth));
            }
        }
    }
    let text = found.join("\n").trim().to_owned();
    (level.is_some() && !text.is_empty()).then_some(text)
}

/// Number of backticks that begin a line, and the text after them.
fn fence_of(line: &str) -> (usize, &str) {
    let rest = line.trim_start();
    let name = rest.trim_start_matches('`');
    (rest.len() - name.len(), name.trim())
}

fn is_language(name: &str, extension: &str) -> bool {
    match extension {
        "py" => matches!(name, "python" | "py"),
        "md" => matches!(name, "markdown" | "md"),
        _ => name == extension,
    }
}

/// Python with a body for every function and class that the interfaces leave open.
fn completed(block: &str) -> String {
    let lines: Vec<&str> = block.lines().collect();
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        let line = lines[at];
        text.push_str(line);
        text.push('\n');
        at += 1;
        let opens = ["def ", "async def ", "class "]
            .iter()
            .find(|word| line.trim_start().starts_with(**word));
        let Some(word) = opens else { continue };
        while !lines[at - 1].trim_end().ends_with(':') && at < lines.len() {
            text.push_str(lines[at]);
            text.push('\n');
            at += 1;
        }
        let indent = indent_of(line);
        let end = at
            + lines[at..]
                .iter()
                .take_while(|next| next.trim().is_empty() || indent_of(next) > indent)
                .count();
        let docstring = docstring_length(&lines[at..end]);
        let rest_is_empty = lines[at + docstring..end]
            .iter()
            .all(|next| next.trim().is_empty());
        for next in &lines[at..at + docstring] {
            text.push_str(next);
            text.push('\n');
        }
        at += docstring;
        if rest_is_empty {
            let body = if *word == "class " {
                "pass"
            } else {
                "raise NotImplementedError(\"written by a simulated model: skeleton only\")"
            };
            let needed = *word != "class " || docstring == 0;
            if needed {
                text.push_str(&format!("{}{body}\n", " ".repeat(indent + 4)));
            }
        }
    }
    text.trim_end().to_owned()
}

/// A function of a Python text.
pub(super) struct Function {
    pub(super) name: String,
    /// True if it does nothing: a docstring, `pass`, `...` or `NotImplementedError`.
    pub(super) is_open: bool,
    pub(super) has_docstring: bool,
    /// True if its head names the type of its result.
    pub(super) has_hints: bool,
}

/// Functions of a Python text, in order.
pub(super) fn functions(text: &str) -> Vec<Function> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = (0..lines.len()).filter_map(|at| function(&lines[at..]));
    starts.collect()
}

/// Names of the functions of a Python text that do nothing.
pub(super) fn open_functions(text: &str) -> Vec<String> {
    let open = functions(text)
        .into_iter()
        .filter(|function| function.is_open);
    open.map(|function| function.name).collect()
}

/// Function with a head that begins in the first of these lines.
fn function(lines: &[&str]) -> Option<Function> {
    let head = lines.first()?.trim_start().trim_start_matches("async ");
    let name = head.strip_prefix("def ")?.split('(').next()?.trim();
    // A head may stand on several lines.
    let end = lines
        .iter()
        .position(|line| line.trim_end().ends_with(':'))?;
    let indent = indent_of(lines[0]);
    let body: Vec<&str> = lines[end + 1..]
        .iter()
        .take_while(|next| next.trim().is_empty() || indent_of(next) > indent)
        .copied()
        .collect();
    let docstring = docstring_length(&body);
    let mut rest = body[docstring..].iter().map(|line| line.trim());
    Some(Function {
        name: name.to_owned(),
        is_open: rest.all(|line| {
            matches!(line, "" | "pass" | "...") || line.starts_with("raise NotImplementedError")
        }),
        has_docstring: docstring > 0,
        has_hints: lines[..=end].iter().any(|line| line.contains("->")),
    })
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Number of lines of a docstring at the start of a body.
fn docstring_length(body: &[&str]) -> usize {
    let Some(first) = body.first().map(|line| line.trim()) else {
        return 0;
    };
    let Some(rest) = first.strip_prefix("\"\"\"") else {
        return 0;
    };
    if rest.ends_with("\"\"\"") {
        return 1;
    }
    body.iter()
        .skip(1)
        .position(|line| line.trim_end().ends_with("\"\"\""))
        .map_or(0, |at| at + 2)
}

/// Python without an interface: defines the names that the instructions put in backticks.
fn python(path: &str, instructions: &str) -> String {
    let mut text = format!("\"\"\"{}\"\"\"\n", summary(instructions, path));
    let named = backticked(instructions);
    for module in named
        .iter()
        .filter(|name| is_module(name) && module_of(path) != **name)
    {
        text.push_str(&format!("\nimport {module}\n"));
    }
    for name in named {
        if let Some((function, rest)) = name.split_once('(')
            && is_name(function)
            && let Some((arguments, _)) = rest.rsplit_once(')')
        {
            text.push_str(&format!(
                "\n\ndef {function}({arguments}):\n    \"\"\"Skeleton of `{function}`.\"\"\"\n    raise NotImplementedError(\"written by a simulated model: skeleton only\")\n"
            ));
        } else if is_name(name) && name.starts_with(char::is_uppercase) {
            text.push_str(&format!(
                "\n\nclass {name}:\n    \"\"\"Skeleton of `{name}`.\"\"\"\n"
            ));
        }
    }
    text.trim_end().to_owned()
}

/// Tests that import the names which sibling files define.
fn tests(path: &str, instructions: &str, results: &[SourceText]) -> String {
    let wanted = words(instructions)
        .windows(3)
        .find_map(|three| {
            (three[1].starts_with("test") && three[2].starts_with("method"))
                .then(|| number(&three[0]))?
        })
        .unwrap_or(3);
    let tested = backticked(instructions)
        .into_iter()
        .find(|name| name.ends_with(".py") && *name != path)
        .map(module_of);
    let module = tested.unwrap_or_else(|| "builtins".to_owned());
    let source = results
        .iter()
        .find(|result| result.title.contains(&module.replace('.', "/")))
        .map_or("", |result| result.text.as_str());
    let mut names: Vec<&str> = source.lines().filter_map(defined).collect();
    if names.is_empty() {
        names.push("__name__");
    }
    let mut text = format!(
        "\"\"\"{}\"\"\"\n\nimport unittest\n\nimport {module}\n\n\nclass Names(unittest.TestCase):\n",
        summary(instructions, path)
    );
    for at in 0..wanted.max(names.len()) {
        let name = names[at % names.len()];
        text.push_str(&format!(
            "    def test_{}_{name}(self) -> None:\n        self.assertTrue(hasattr({module}, \"{name}\"))\n\n",
            at + 1
        ));
    }
    text.push_str("\nif __name__ == \"__main__\":\n    unittest.main()");
    text
}

/// Name that a line of Python defines at the top of a module.
fn defined(line: &str) -> Option<&str> {
    let rest = line
        .strip_prefix("def ")
        .or_else(|| line.strip_prefix("class "))?;
    rest.split(['(', ':'])
        .next()
        .map(str::trim)
        .filter(|name| is_name(name))
}

fn project(instructions: &str) -> String {
    let after = |word: &str| {
        let rest = instructions.split_once(word).map(|(_, rest)| rest)?;
        backticked(rest).first().map(|value| (*value).to_owned())
    };
    let name = after("name ")
        .filter(|name| !name.contains(' '))
        .unwrap_or_else(|| "package".to_owned());
    let version = after("version ")
        .filter(|version| version.starts_with(|first: char| first.is_ascii_digit()))
        .unwrap_or_else(|| "0.1.0".to_owned());
    let script = backticked(instructions)
        .into_iter()
        .find(|value| value.contains(" = \"") && value.contains(':'));
    let scripts = script
        .map(|script| format!("\n[project.scripts]\n{script}\n"))
        .unwrap_or_default();
    format!(
        "[build-system]\nrequires = [\"setuptools>=68\"]\nbuild-backend = \"setuptools.build_meta\"\n\n[project]\nname = \"{name}\"\nversion = \"{version}\"\nrequires-python = \">=3.10\"\ndependencies = []\n{scripts}"
    )
    .trim_end()
    .to_owned()
}

fn json(path: &str) -> String {
    if path.contains("schema") {
        "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"type\": \"object\"\n}".to_owned()
    } else {
        "{}".to_owned()
    }
}

fn readme(instructions: &str, results: &[SourceText]) -> String {
    let sentences: Vec<&str> = description(instructions)
        .lines()
        .filter(|line| item(line).is_none())
        .collect();
    let files = results.iter().filter_map(|result| {
        backticked(&result.title)
            .first()
            .map(|path| format!("- `{path}`"))
    });
    let commands: Vec<&str> = backticked(instructions)
        .into_iter()
        .filter(|name| name.contains(' '))
        .collect();
    let items = instructions
        .lines()
        .filter_map(item)
        .map(|line| format!("- {line}"));
    let mut text = format!(
        "# README\n\nThis file was written by a simulated model from the instructions.\n\n## What it is\n\n{}\n",
        sentences.join(" ")
    );
    text.push_str(&format!(
        "\n## Files\n\n{}\n",
        files.collect::<Vec<_>>().join("\n")
    ));
    if !commands.is_empty() {
        text.push_str(&format!(
            "\n## Commands\n\n```sh\n{}\n```\n",
            commands.join("\n")
        ));
    }
    let items: Vec<String> = items.collect();
    if !items.is_empty() {
        text.push_str(&format!("\n## What holds\n\n{}\n", items.join("\n")));
    }
    text.trim_end().to_owned()
}

fn comment(instructions: &str) -> String {
    instructions
        .lines()
        .map(|line| format!("# {line}"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Instructions of a file on one line, fit for a docstring.
fn summary(instructions: &str, path: &str) -> String {
    let sentences = description(instructions)
        .lines()
        .next()
        .map(|line| super::text::first_words(line, 20).replace(['`', '"', '\\'], ""));
    sentences
        .filter(|sentences| !sentences.is_empty())
        .unwrap_or_else(|| path.to_owned())
}

/// Instructions without the sentence that names the file.
fn description(instructions: &str) -> &str {
    let named = instructions.starts_with("Write the file `");
    instructions
        .split_once("`. ")
        .filter(|_| named)
        .map_or(instructions, |(_, rest)| rest)
        .trim()
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

fn is_module(name: &str) -> bool {
    name.contains('.')
        && name
            .split('.')
            .all(|part| is_name(part) && part.chars().all(|letter| !letter.is_uppercase()))
        && !is_code(name)
        && !name.ends_with(".md")
}

/// Python module of a path: `a/b.py` is `a.b`.
pub(super) fn module_of(path: &str) -> String {
    path.trim_end_matches(".py")
        .trim_end_matches("/__init__")
        .replace('/', ".")
}

#[cfg(test)]
mod tests_of_skeletons {
    use super::*;

    #[test]
    fn functions_that_interfaces_leave_open_get_a_body_and_others_keep_theirs() {
        let block = "import os\n\n\nclass Oven(Exception):\n    \"\"\"Hot.\"\"\"\n\n\nclass Bare:\n\n\nclass Tray:\n    size: int = 3\n\n    def slide(\n        self,\n        far: int,\n    ) -> None:\n        \"\"\"Slides it.\n\n        Slowly.\n        \"\"\"\n\n    def known(self) -> int:\n        return 3\n\n\ndef bake(tray: Tray) -> str:\n";
        let text = completed(block);
        let open = "raise NotImplementedError(\"written by a simulated model: skeleton only\")";
        assert_eq!(text.matches(open).count(), 2, "{text}");
        assert!(
            text.contains(&format!(
                "        Slowly.\n        \"\"\"\n        {open}\n"
            )),
            "{text}"
        );
        assert!(
            text.contains("class Bare:\n    pass\n")
                && text.ends_with(&format!("def bake(tray: Tray) -> str:\n    {open}")),
            "{text}"
        );
        assert!(text.contains("        return 3\n"), "{text}");
    }

    #[test]
    fn functions_without_a_body_are_found() {
        let text = "def a():\n    \"\"\"Doc.\"\"\"\n\n\nclass C:\n    def b(\n        self,\n    ) -> int:\n        ...\n\n    def c(self):\n        return 1\n\n\ndef d():\n    raise NotImplementedError(\"x\")\n";
        assert_eq!(open_functions(text), ["a", "b", "d"]);
        assert!(open_functions("def c():\n    \"\"\"Doc.\"\"\"\n    return 1\n").is_empty());
    }

    #[test]
    fn of_several_blocks_for_a_file_the_one_with_bodies_is_taken() {
        let given = |text: &str| SourceText {
            title: String::new(),
            text: text.to_owned(),
        };
        let signature = given(
            "## `kit/oven.py`\n\n```python\ndef bake() -> int:\n    \"\"\"Bakes.\"\"\"\n```\n",
        );
        let body = given(
            "## `kit/oven.py`\n\n```python\ndef bake() -> int:\n    \"\"\"Bakes.\"\"\"\n    return 3\n```\n",
        );
        let text = file("kit/oven.py", "", &[signature, body], &[]);
        assert!(text.ends_with("return 3"), "{text}");
        let nested = given(
            "## `README.md`\n\n````markdown\n# Kit\n\n## Use\n\n```sh\nkit\n```\n````\n\n## Next\n",
        );
        assert_eq!(
            file("README.md", "", &[nested], &[]),
            "# Kit\n\n## Use\n\n```sh\nkit\n```"
        );
    }

    #[test]
    fn the_block_under_the_heading_of_a_path_is_found() {
        let text = "# Notes\n\n## `kit/oven.py`\n\nWords.\n\n```text\nno\n```\n\n```python\nX = 1\n```\n\n### More\n\n```python\nY = 2\n```\n\n## `kit/tray.py`\n\n```python\nZ = 3\n```\n";
        assert_eq!(
            block_for(text, "kit/oven.py").as_deref(),
            Some("X = 1\n\nY = 2")
        );
        assert_eq!(block_for(text, "kit/none.py"), None);
    }
}
