//! Sound and broken texts of every kind.

use proptest::prelude::*;

use super::*;

fn sound(kind: FileKind, text: &str) {
    assert_eq!(Parsers.fault(kind, text), None, "{kind:?}: {text}");
}

fn broken(kind: FileKind, text: &str, line: usize) {
    let fault = Parsers
        .fault(kind, text)
        .unwrap_or_else(|| panic!("{kind:?} is broken: {text}"));
    let place = format!("line {line}: ");
    assert!(fault.message.starts_with(&place), "{kind:?}: {fault:?}");
    assert!(fault.offset <= text.len());
}

#[test]
fn sound_texts_have_no_fault() {
    use FileKind as K;
    sound(
        K::Python,
        "import re\n\n\nasync def f(x: int = 1, /, *a, **k) -> str:\n    match x:\n        case 1:\n            return f\"{x!r:>{10}}\"\n    return ''\n",
    );
    sound(K::Python, "");
    sound(
        K::JavaScript,
        "const re = /<\\/b>/g;\nexport default async () => { await import('x'); };\n",
    );
    sound(
        K::TypeScript,
        "type A<T> = { [K in keyof T]?: T[K] };\nconst a = <T,>(x: T): T => x;\nenum B { C = 1 }\n",
    );
    sound(
        K::Tsx,
        "export const A = ({ b }: { b: string }) => <p className=\"x\">{b}</p>;\n",
    );
    sound(
        K::Rust,
        "#[derive(Debug)]\nstruct A<'a>(&'a str);\nfn main() { let Some(_x) = Some(1) else { return; }; }\n",
    );
    sound(
        K::Go,
        "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"a\") }\n",
    );
    sound(
        K::Java,
        "record A(int b) { static <T> T c(T d) { return d; } }\n",
    );
    sound(
        K::Html,
        "<!doctype html>\n<html><body><p>a<br>b</p><script>\"<\\/script>\"</script></body></html>\n",
    );
    sound(
        K::Css,
        "@media (min-width: 10px) { a > b::after { color: #fff; } }\n",
    );
    sound(K::Json, "{\"a\": [1, 2.50, null]}\n");
    sound(K::JsonLines, "{\"a\": 1}\n\n{\"a\": 2}\n");
    sound(K::Toml, "[a]\nb = \"c\"\n[[d]]\ne = 2026-01-01\n");
    sound(
        K::Yaml,
        "a: &x\n  - b: |\n      text\n  - *y\n---\nc: {d: 1}\n"
            .replace("*y", "d")
            .as_str(),
    );
    sound(K::Csv, "a,b\n\"x, y\",\"z\n2\"\n");
    sound(K::Csv, "a;b\n1,5;2\n");
    sound(K::Yaml, "name: {{ .Values.name }}\n");
    sound(K::Code, "@#$ anything");
}

#[test]
fn broken_texts_have_a_fault_in_its_line() {
    use FileKind as K;
    broken(K::Python, "x = 1\n\ndef f(:\n    return 1\n", 3);
    broken(
        K::Python,
        "Here is the module:\n\n```python\nprint(1)\n```\n",
        3,
    );
    broken(K::JavaScript, "const a = 1;\nfunction (b {\n}\n", 2);
    broken(K::TypeScript, "const a: = 1;\n", 1);
    broken(K::Rust, "fn main() {\n    let x = ;\n}\n", 2);
    broken(K::Go, "package main\n\nfunc main( {\n}\n", 3);
    broken(K::Json, "{\n  \"a\": 1,\n}\n", 3);
    broken(K::JsonLines, "{\"a\": 1}\n{\"a\": }\n", 2);
    broken(K::Toml, "a = 1\nb = = 2\n", 2);
    broken(K::Toml, "[a]\nb = 1\n[a]\nc = 2\n", 3);
    broken(K::Yaml, "a: 1\nb: [1, 2\nc: 3\n", 3);
    broken(K::Csv, "a,b\n1,2\n1,2,3\n", 3);
}

#[test]
fn what_browsers_read_anyway_is_only_suspected() {
    let html = Parsers.fault(FileKind::Html, "<p>a</div></p>");
    assert!(html.is_none_or(|fault| !fault.is_certain));
    let python = Parsers.fault(FileKind::Python, "def f(:\n");
    assert!(python.is_some_and(|fault| fault.is_certain));
}

proptest! {
    #[test]
    fn any_text_is_parsed(text in "[ -~\né\t]{0,80}") {
        for kind in [FileKind::Python, FileKind::JavaScript, FileKind::Rust, FileKind::Html, FileKind::Yaml, FileKind::Toml, FileKind::Csv] {
            if let Some(fault) = Parsers.fault(kind, &text) {
                prop_assert!(fault.offset <= text.len() && fault.message.starts_with("line "));
            }
        }
    }
}
