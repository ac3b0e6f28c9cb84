//! Files and folders that are taken, and messages about the rest.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const LIMITS: Limits = Limits {
    brief_bytes: 40,
    attachment_bytes: 40,
    attachments: 3,
    total_bytes: 100,
};

fn check(name: &str, content: &[u8], read: impl Fn(&Path) -> Result<String, InputError>) -> String {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join(name);
    std::fs::write(&path, content).expect("the file is written");
    read(&path)
        .unwrap_or_else(|error| format!("{error}: {}", error.advice()))
        .replace(&format!("{}/", dir.path().display()), "")
}

#[test]
fn a_brief_that_cannot_be_taken_is_named_with_what_to_do() {
    let read = |path: &Path| brief(path, &LIMITS);
    let cases: [(&[u8], &str); 7] = [
        (b"Write a poem.", "Write a poem."),
        (b"\xef\xbb\xbfWith a mark.", "With a mark."),
        (
            b" \n\t\n",
            "the brief b.md is empty: write what is to be made, then run again",
        ),
        (
            b"caf\xe9",
            "the brief b.md is not UTF-8 text (byte 3 is not); it looks like windows-1252: save it as UTF-8",
        ),
        (b"W\0r\0i\0t\0e\0", "Write"),
        (
            b"%PDF-1.7",
            "the brief b.md is a PDF document: save its text as .md or .txt first, for instance with pdftotext",
        ),
        (
            &[b'x'; 41],
            "the brief b.md has 41 bytes, at most 40 are taken: move long texts into files and attach them with --attach, or raise project.max_brief_bytes",
        ),
    ];
    for (content, expected) in cases {
        assert_eq!(check("b.md", content, read), expected);
    }
}

#[test]
fn an_attachment_that_is_binary_or_missing_is_named() {
    let read = |path: &Path| {
        documents(&[path.to_owned()], &[], &LIMITS).map(|taken| taken.documents[0].text.clone())
    };
    assert_eq!(check("a.txt", b"text", read), "text");
    assert_eq!(
        check("a.png", b"\x89PNG\0\0", read),
        "the attachment a.png is binary: only text can be attached; convert it to .md or .txt first"
    );
    let missing = documents(&["/no/such/folder".into()], &[], &LIMITS)
        .expect_err("it is not there")
        .to_string();
    assert!(
        missing.starts_with("the attachment /no/such/folder cannot be read:"),
        "{missing}"
    );
}

#[test]
fn a_folder_is_read_in_order_of_names_without_hidden_files() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    std::fs::create_dir(dir.path().join("part")).expect("a folder");
    for name in ["z.md", "part/a.md", ".hidden"] {
        std::fs::write(dir.path().join(name), "text").expect("the file is written");
    }
    let names: Vec<String> = documents(&[dir.path().to_owned()], &[], &LIMITS)
        .expect("readable")
        .documents
        .into_iter()
        .map(|document| document.name)
        .collect();
    assert_eq!(names, ["part/a.md", "z.md"]);
}

#[test]
fn files_of_one_name_or_too_many_are_named_with_what_to_do() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for folder in ["one", "two", "many"] {
        std::fs::create_dir(dir.path().join(folder)).expect("a folder");
    }
    for name in [
        "one/a.md", "two/a.md", "many/1", "many/2", "many/3", "many/4",
    ] {
        std::fs::write(dir.path().join(name), "text").expect("the file is written");
    }
    let read = |paths: &[&str]| {
        let paths: Vec<PathBuf> = paths.iter().map(|path| dir.path().join(path)).collect();
        documents(&paths, &[], &LIMITS)
            .map(|taken| taken.documents.len())
            .map_err(|error| {
                format!("{error}: {}", error.advice())
                    .replace(&format!("{}/", dir.path().display()), "")
            })
    };
    assert_eq!(
        read(&["one", "two"]),
        Err("the attachment two/a.md has the name of another attachment: rename one, or attach the folder that holds both".to_owned())
    );
    assert_eq!(
        read(&["many"]),
        Err(
            "the attachment many/4 is one too many, at most 3 are taken: join some of them, or leave files out with --exclude"
                .to_owned()
        )
    );
    assert_eq!(read(&["one", "many/1", "many/2"]), Ok(3));
}

/// A folder with files, and a way to read it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for (name, content) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, content).expect("written");
        }
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn take(&self, name: &str, excludes: &[&str]) -> Result<Taken, String> {
        let excludes: Vec<String> = excludes.iter().map(|glob| (*glob).to_owned()).collect();
        documents(&[self.path(name)], &excludes, &LIMITS).map_err(|error| {
            format!("{error}: {}", error.advice())
                .replace(&format!("{}/", self.0.path().display()), "")
        })
    }

    fn names(&self, name: &str, excludes: &[&str]) -> Vec<String> {
        let taken = self.take(name, excludes).expect("it is taken");
        taken
            .documents
            .into_iter()
            .map(|document| document.name)
            .collect()
    }
}

fn pipe(path: &Path) {
    let made = std::process::Command::new("mkfifo")
        .arg(path)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
}

#[test]
fn links_pipes_and_what_is_no_text_are_left_out_of_a_folder_and_named() {
    let folder = Folder::with(&[
        ("a/text.md", b"text"),
        ("a/logo.png", b"\x89PNG\r\n\x1a\n"),
        ("a/paper.pdf", b"%PDF-1.7"),
        ("a/large.txt", &[b'x'; 41]),
        ("a/odd.txt", b"caf\xe9"),
        ("secret", b"secret"),
    ]);
    symlink(folder.path("secret"), folder.path("a/link.md")).expect("a link");
    symlink("/etc", folder.path("a/etc")).expect("a link");
    pipe(&folder.path("a/pipe"));
    let taken = folder.take("a", &[]).expect("it is taken");
    assert_eq!(taken.documents.len(), 1);
    assert_eq!(
        taken.left_out,
        [
            "etc is a link, which is not followed",
            "link.md is a link, which is not followed",
            "pipe is a named pipe",
            "\"large.txt\" has 41 bytes, at most 40 are taken: split it, or raise project.max_attachment_bytes",
            "\"logo.png\" is a PNG image: images are not read: describe in words what matters",
            "\"odd.txt\" is not UTF-8 text (byte 3 is not); it looks like windows-1252: save it as UTF-8",
            "\"paper.pdf\" is a PDF document: save its text as .md or .txt first, for instance with pdftotext",
        ]
    );
    let shown = taken.to_string();
    assert!(
        shown.starts_with("attached 1 files, 1 kB; 7 more left out:\n  etc is a link"),
        "{shown}"
    );
}

#[test]
fn what_is_named_itself_is_refused_at_once_if_it_cannot_be_read() {
    let folder = Folder::with(&[("a.png", b"\x89PNG\r\n\x1a\n"), ("text.md", b"text")]);
    symlink("/etc/passwd", folder.path("link")).expect("a link");
    symlink(folder.0.path(), folder.path("folder")).expect("a link");
    pipe(&folder.path("pipe"));
    for (name, refusal) in [
        (
            "link",
            "the attachment link is a link, which is not followed: name a regular file, or the folder that holds it",
        ),
        (
            "folder",
            "the attachment folder is a link, which is not followed: name a regular file, or the folder that holds it",
        ),
        (
            "pipe",
            "the attachment pipe is a named pipe: name a regular file, or the folder that holds it",
        ),
        (
            "a.png",
            "the attachment a.png is a PNG image: images are not read: describe in words what matters",
        ),
    ] {
        assert_eq!(folder.take(name, &[]).expect_err("refused"), refusal);
    }
    for device in ["/dev/zero", "/dev/null"] {
        let error = documents(&[device.into()], &[], &LIMITS).expect_err("refused");
        assert_eq!(
            error.to_string(),
            format!("the attachment {device} is a device")
        );
        let error = brief(Path::new(device), &LIMITS).expect_err("refused");
        assert_eq!(error.to_string(), format!("the brief {device} is a device"));
    }
    let error = brief(&folder.path("pipe"), &LIMITS).expect_err("refused");
    assert!(error.to_string().ends_with("is a named pipe"), "{error}");
    symlink("text.md", folder.path("brief.md")).expect("a link");
    assert_eq!(
        brief(&folder.path("brief.md"), &LIMITS).expect("a brief may be a link"),
        "text"
    );
}

#[test]
fn rules_for_ignoring_hidden_files_and_excludes_are_respected_and_counted() {
    let folder = Folder::with(&[
        ("r/.gitignore", b"target/\n*.log\n!keep.log\n"),
        ("r/.ignore", b"private.md\n"),
        ("r/.git/config", b"x"),
        ("r/.env", b"KEY=x"),
        ("r/CVS/Root", b"x"),
        ("r/target/a.md", b"x"),
        ("r/a.log", b"x"),
        ("r/keep.log", b"x"),
        ("r/private.md", b"x"),
        ("r/src/main.rs", b"x"),
        ("r/src/gen/made.rs", b"x"),
    ]);
    assert_eq!(
        folder.names("r", &[]),
        ["keep.log", "src/gen/made.rs", "src/main.rs"]
    );
    assert_eq!(folder.names("r", &["gen/", "*.log"]), ["src/main.rs"]);
    assert_eq!(
        folder.names("r", &["src/**/made.rs"]),
        ["keep.log", "src/main.rs"]
    );
    let taken = folder.take("r", &[]).expect("it is taken");
    assert_eq!((taken.hidden, taken.ignored), (4, 4));
    let shown = taken.to_string();
    assert!(
        shown.contains("4 hidden left out; 4 named by .gitignore"),
        "{shown}"
    );
    let refusal = folder.take("r", &["["]).expect_err("no pattern");
    assert!(refusal.contains("--exclude"), "{refusal}");
}

#[test]
fn all_attachments_together_are_bounded_before_they_are_read() {
    let folder = Folder::with(&[
        ("a/1", &[b'x'; 40]),
        ("a/2", &[b'x'; 40]),
        ("a/3", &[b'x'; 40]),
    ]);
    assert_eq!(
        folder.take("a", &[]).expect_err("too much"),
        "the attachments have more than 100 bytes together: attach less, or leave files out with --exclude"
    );
    assert_eq!(folder.names("a", &["2"]), ["1", "3"]);
}

#[test]
fn a_folder_without_a_text_says_what_is_in_it() {
    let folder = Folder::with(&[("a/logo.png", b"\x89PNG\r\n\x1a\n")]);
    let refusal = folder.take("a", &[]).expect_err("nothing to read");
    assert!(
        refusal.contains("holds no text file (\"logo.png\" is a PNG image"),
        "{refusal}"
    );
}
