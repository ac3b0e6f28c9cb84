//! Kinds of files: the form that a file's text has, by the ending of its name and its media type.
//!
//! Merging joins parts by kind, reading takes fences off by kind, checks parse by kind.

/// Form of a file's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// Markdown, the form of a text without a file.
    Markdown,
    /// Prose without marks.
    Plain,
    /// One JSON value.
    Json,
    /// JSON that may hold comments, as some tools read their settings.
    JsonWithComments,
    /// One JSON value a line.
    JsonLines,
    /// Records separated by commas.
    Csv,
    /// Records separated by tabs.
    Tsv,
    /// TOML.
    Toml,
    /// YAML.
    Yaml,
    /// HTML.
    Html,
    /// CSS.
    Css,
    /// Python.
    Python,
    /// JavaScript, with or without JSX.
    JavaScript,
    /// TypeScript.
    TypeScript,
    /// TypeScript with JSX.
    Tsx,
    /// Rust.
    Rust,
    /// Go.
    Go,
    /// Java.
    Java,
    /// Another text that programs read.
    Code,
}

impl FileKind {
    /// Returns the kind of a file: by the ending of its name, else by its media type.
    pub fn of(path: &str, media_type: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
        if ending == "json" && has_comments(&path.to_lowercase(), &name) {
            return Self::JsonWithComments;
        }
        by_ending(ending)
            .or_else(|| by_name(&name))
            .or_else(|| by_media_type(media_type))
            .unwrap_or(if ending.is_empty() {
                Self::Plain
            } else {
                Self::Code
            })
    }

    /// Returns true for texts that people read, with parts separated by a blank line.
    pub fn is_prose(self) -> bool {
        matches!(self, Self::Markdown | Self::Plain)
    }

    /// Returns the words that mark a code fence of this kind.
    pub fn fence_words(self) -> &'static [&'static str] {
        match self {
            Self::Markdown => &["markdown", "md"],
            Self::Plain => &["text", "txt", "plaintext"],
            Self::Json => &["json"],
            Self::JsonWithComments => &["json", "jsonc", "json5"],
            Self::JsonLines => &["jsonl", "ndjson", "json"],
            Self::Csv => &["csv"],
            Self::Tsv => &["tsv"],
            Self::Toml => &["toml"],
            Self::Yaml => &["yaml", "yml"],
            Self::Html => &["html", "xml"],
            Self::Css => &["css"],
            Self::Python => &["python", "py", "python3"],
            Self::JavaScript => &["javascript", "js", "jsx", "mjs"],
            Self::TypeScript => &["typescript", "ts"],
            Self::Tsx => &["tsx", "typescript"],
            Self::Rust => &["rust", "rs"],
            Self::Go => &["go", "golang"],
            Self::Java => &["java"],
            Self::Code => &[],
        }
    }
}

/// Returns true for settings files that may hold comments.
fn has_comments(path: &str, name: &str) -> bool {
    name.starts_with("tsconfig")
        || name.starts_with("jsconfig")
        || path.contains(".vscode/")
        || path.contains(".devcontainer/")
}

fn by_ending(ending: &str) -> Option<FileKind> {
    Some(match ending {
        "md" | "markdown" | "mdx" | "qmd" | "rmd" => FileKind::Markdown,
        "txt" | "text" | "rst" | "adoc" | "asciidoc" | "org" => FileKind::Plain,
        "json" | "geojson" | "ipynb" | "webmanifest" => FileKind::Json,
        "jsonc" | "json5" => FileKind::JsonWithComments,
        "jsonl" | "ndjson" => FileKind::JsonLines,
        "csv" => FileKind::Csv,
        "tsv" | "tab" => FileKind::Tsv,
        "toml" => FileKind::Toml,
        "yaml" | "yml" => FileKind::Yaml,
        "html" | "htm" | "xhtml" => FileKind::Html,
        "css" => FileKind::Css,
        "py" | "pyi" => FileKind::Python,
        "js" | "mjs" | "cjs" | "jsx" => FileKind::JavaScript,
        "ts" | "mts" | "cts" => FileKind::TypeScript,
        "tsx" => FileKind::Tsx,
        "rs" => FileKind::Rust,
        "go" => FileKind::Go,
        "java" => FileKind::Java,
        _ => return None,
    })
}

fn by_name(name: &str) -> Option<FileKind> {
    let code = [
        "dockerfile",
        "makefile",
        "jenkinsfile",
        "procfile",
        "gemfile",
        "rakefile",
    ];
    let stem = name.split('.').next().unwrap_or(name);
    code.contains(&stem).then_some(FileKind::Code)
}

fn by_media_type(media_type: &str) -> Option<FileKind> {
    let bare = media_type.split(';').next().unwrap_or_default().trim();
    Some(match bare {
        "" | "text/markdown" => FileKind::Markdown,
        "application/x-ndjson" | "application/jsonl" | "application/json-lines" => {
            FileKind::JsonLines
        }
        "text/csv" => FileKind::Csv,
        "text/tab-separated-values" => FileKind::Tsv,
        "application/toml" | "text/toml" | "text/x-toml" => FileKind::Toml,
        "application/yaml" | "text/yaml" | "application/x-yaml" | "text/x-yaml" => FileKind::Yaml,
        "text/html" => FileKind::Html,
        "text/css" => FileKind::Css,
        "text/x-python" | "application/x-python" => FileKind::Python,
        "text/javascript" | "application/javascript" => FileKind::JavaScript,
        "text/typescript" | "text/x-typescript" | "application/typescript" => FileKind::TypeScript,
        "text/x-rust" | "text/rust" => FileKind::Rust,
        "text/x-go" => FileKind::Go,
        "text/x-java" | "text/x-java-source" => FileKind::Java,
        other if other.ends_with("/json") || other.ends_with("+json") => FileKind::Json,
        other if other.starts_with("text/x-") || other.starts_with("application/") => {
            FileKind::Code
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_counts_before_the_media_type() {
        let check = |path: &str, media_type: &str, kind: FileKind| {
            assert_eq!(FileKind::of(path, media_type), kind, "{path} {media_type}");
        };
        check("guide.md", "text/plain", FileKind::Markdown);
        check("a/b.PY", "text/plain", FileKind::Python);
        check("list.json", "application/json", FileKind::Json);
        check(
            "tsconfig.base.json",
            "application/json",
            FileKind::JsonWithComments,
        );
        check("rows.jsonl", "application/json", FileKind::JsonLines);
        check("rows", "application/x-ndjson", FileKind::JsonLines);
        check("Dockerfile", "text/markdown", FileKind::Code);
        check(".gitignore", "text/plain", FileKind::Code);
        check("main.kt", "text/plain", FileKind::Code);
        check("notes-v1.2", "text/markdown", FileKind::Markdown);
        check("LICENSE", "text/plain", FileKind::Plain);
        check("", "", FileKind::Markdown);
    }
}
