//! Files of accounts that are read, and messages about those that are not.

use super::*;

fn check(name: &str, text: &str) -> Vec<Result<(String, usize), String>> {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("the file is written");
    read(&path)
        .expect("the file as a whole is readable")
        .into_iter()
        .map(|row| {
            row.map(|row| (row.identity.email, row.credentials.len()))
                .map_err(|broken| format!("{}: {}", broken.place, broken.reason))
        })
        .collect()
}

#[test]
fn a_broken_line_of_csv_does_not_spoil_the_others() {
    let rows = check(
        "a.csv",
        "email,provider,key\na@x.org,anthropic,k1\nb@x.org,openai\nc@x.org,openai,k3\n",
    );
    assert_eq!(rows[0], Ok(("a@x.org".to_owned(), 1)));
    assert_eq!(
        rows[1],
        Err("line 3: 2 fields, expected 3 as in the first line".to_owned())
    );
    assert_eq!(rows[2], Ok(("c@x.org".to_owned(), 1)));
}

#[test]
fn a_broken_account_of_toml_names_the_key() {
    let text = "[[account]]\nemail = \"a@x.org\"\n[[account.credential]]\nprovider = \"openai\"\nkee = \"k\"\n\n[[account]]\nemail = 3\n\n\
                [[account]]\nemail = \"c@x.org\"\n[[account.credential]]\nprovider = \"openai\"\nkey = \"k\"\n";
    let rows = check("a.toml", text);
    let first = rows[0].as_ref().expect_err("kee is no key");
    assert!(
        first.starts_with("account 1: credential 1: a key is unknown, expected one of")
            && !first.contains("kee"),
        "{first}"
    );
    let second = rows[1].as_ref().expect_err("3 is no address");
    assert!(
        second.starts_with("account 2: `email`: found integer, expected a string"),
        "{second}"
    );
    assert_eq!(rows[2], Ok(("c@x.org".to_owned(), 1)));
}

/// Checks that neither messages nor `Debug` of a file repeat a key, a cell or a wrong name in it.
#[track_caller]
fn check_silence(name: &str, text: &str) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join(name);
    std::fs::write(&path, text).expect("the file is written");
    let (debug, shown) = match read(&path) {
        Err(error) => (format!("{error:?}"), error.to_string()),
        Ok(rows) => {
            let broken = rows.iter().filter_map(|row| row.as_ref().err());
            let texts: Vec<String> = broken
                .map(|broken| format!("{}: {}", broken.place, broken.reason))
                .collect();
            (format!("{rows:?}"), texts.join("\n"))
        }
    };
    for secret in ["aaaa", "bbbb", "cccc", "example.com"] {
        assert!(
            !debug.contains(secret) && !shown.contains(secret),
            "{debug}\n{shown}"
        );
    }
    shown
}

/// Files with a key in a wrong place: name, text, and what the message names instead.
const MISPLACED: &[(&str, &str, &str)] = &[
    (
        "a.csv",
        "sk-aaaa0001,deepseek,an@example.com\nsk-bbbb0002,deepseek,bo@example.com\n",
        "line 1: column 1 is none of email",
    ),
    (
        "a.csv",
        "an@example.com;deepseek;sk-aaaa0001\n bo@example.com;openai;sk-proj-bbbb0002\n",
        "line 1: column 1 is none of",
    ),
    (
        "a.csv",
        "email|provider|key\nan@example.com|deepseek|sk-aaaa0001\n",
        "column 1 is none of",
    ),
    (
        "a.csv",
        "email,provider\nan@example.com,sk-aaaa0001\n",
        "the column `key` is missing",
    ),
    (
        "a.csv",
        "email,provider,key\nan@example.com,sk-aaaa0001\n",
        "line 2: 2 fields, expected 3",
    ),
    (
        "a.csv",
        "email,provider,key\nan@example.com,deepseek,sk-aaaa0001,sk-bbbb0002\n",
        "line 2: 4 fields",
    ),
    (
        "a.csv",
        "email,email,provider,key\na,b,sk-aaaa0001,c\n",
        "`email` is there twice",
    ),
    (
        "a.csv",
        "email,provider,key\nan@example.com,sk-aaaa0001,deepseek\n",
        "",
    ),
    ("a.csv", "", "no accounts found"),
    (
        "a.toml",
        "[[account]]\nemail = \"an@example.com\"\n[[account.credential]]\nprovider = \"deepseek\"\n\"sk-aaaa0001\" = \"\"\n",
        "a key is unknown",
    ),
    (
        "a.toml",
        "[[account]]\nsk-aaaa0001 = \"an@example.com\"\n",
        "a key is unknown",
    ),
    (
        "a.toml",
        "[[account]]\nemail = \"an@example.com\"\ncredential = \"sk-aaaa0001\"\n",
        "`credential` is string",
    ),
    (
        "a.toml",
        "[[account]]\nemail = [\"sk-aaaa0001\"]\n",
        "`email`: found sequence",
    ),
    (
        "a.toml",
        "[[account]]\nemail = \"a@example.com\"\nsame_owner_spill = \"sk-aaaa0001\"\n",
        "`same_owner_spill`: found string",
    ),
    ("a.toml", "key = sk-aaaa0001\n", "line 1: not valid TOML"),
    (
        "a.toml",
        "sk-aaaa0001 = 1\nsk-aaaa0001 = 2\n",
        "line 2: not valid TOML",
    ),
    (
        "a.toml",
        "[[account]]\nemail = \"x@example.com\"\n[[account.credential]]\nprovider = \"x\"\n[[account.credential.limits]]\ndimension = \"sk-aaaa0001\"\n",
        "the value is unknown",
    ),
    (
        "a.toml",
        "[account]\n\"sk-aaaa0001\" = 1\n",
        "no accounts found",
    ),
];

#[test]
fn a_key_in_any_wrong_place_is_never_repeated() {
    for (name, text, expected) in MISPLACED {
        let shown = check_silence(name, text);
        assert!(shown.contains(expected), "{shown}");
    }
}

#[test]
fn what_is_no_regular_file_is_refused_without_reading_it() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let folder = dir.path().join("a.csv");
    std::fs::create_dir(&folder).expect("a folder");
    let device = dir.path().join("zero.toml");
    std::os::unix::fs::symlink("/dev/zero", &device).expect("a link");
    for path in [folder, device] {
        let error = read(&path).expect_err("refused").to_string();
        assert!(error.ends_with("it is no regular file"), "{error}");
    }
    let unknown = read(Path::new("/dev/zero")).expect_err("refused");
    assert!(matches!(unknown, FileError::UnknownKind { .. }));
}

#[test]
fn cells_may_be_separated_by_semicolons_or_tabs() {
    for separator in [";", "\t", ", "] {
        let text = "email,provider,key\na@x.org,openai,k1\n".replace(',', separator);
        assert_eq!(check("a.csv", &text), [Ok(("a@x.org".to_owned(), 1))]);
    }
}

#[test]
fn a_key_never_shows_in_debug_output() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("a.csv");
    std::fs::write(&path, "email,provider,key\na@x.org,anthropic,very-secret\n")
        .expect("the file is written");
    assert!(!format!("{:?}", read(&path).expect("readable")).contains("very-secret"));
}
