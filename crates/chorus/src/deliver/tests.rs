//! Effects of a deliverable on a folder of the client.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

const PROJECT: ProjectId = ProjectId::new(1);

fn deliver(root: &Path, files: &[(&str, &str)], forced: &[&str]) -> Vec<String> {
    deliver_as(PROJECT, root, files, forced)
}

/// Writes the files; returns their places below the root.
fn deliver_as(
    project: ProjectId,
    root: &Path,
    files: &[(&str, &str)],
    forced: &[&str],
) -> Vec<String> {
    let forced: Vec<String> = forced.iter().map(|path| (*path).to_owned()).collect();
    let mut delivery = Delivery::open(root, project, &forced).expect("it opens");
    let mut places = Vec::new();
    for (path, text) in files {
        let place = delivery.file(path, text.as_bytes()).expect("it is written");
        assert_eq!(fs::read_to_string(&place).expect("it is there"), *text);
        places.push(
            place
                .strip_prefix(root)
                .expect("below")
                .display()
                .to_string(),
        );
    }
    let renamed = files
        .iter()
        .zip(&places)
        .filter(|((path, _), place)| path != place);
    assert_eq!(
        delivery.renamed().len(),
        renamed.count(),
        "each new name is reported"
    );
    places
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary directory")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("it is there")
}

#[test]
fn a_path_never_leaves_its_folder_nor_becomes_a_hidden_file() {
    let dir = folder();
    let out = dir.path().join("out");
    fs::create_dir_all(out.join(".git")).expect("a repository");
    fs::write(out.join(".git/config"), "client").expect("written");
    let places = deliver(
        &out,
        &[
            ("../x.md", "1"),
            ("/etc/x.md", "2"),
            (".git/config", "3"),
            (".GIT/hooks/post-checkout", "4"),
            (".github/workflows/ci.yml", "5"),
            ("a/.env", "6"),
            (".bashrc", "7"),
            ("C:\\x.md", "8"),
            ("nul", "9"),
            ("x\0.md", "10"),
        ],
        &[],
    );
    assert_eq!(
        places,
        [
            "x.md",
            "etc/x.md",
            "dot-git/config",
            "dot-GIT/hooks/post-checkout",
            "dot-github/workflows/ci.yml",
            "a/dot-env",
            "dot-bashrc",
            "C/x.md",
            "file-nul",
            "x-2.md"
        ]
    );
    assert_eq!(read(&out.join(".git/config")), "client");
    assert!(!dir.path().join("x.md").exists());
}

#[test]
fn files_of_the_client_stay_and_forced_ones_are_replaced() {
    let dir = folder();
    fs::write(dir.path().join("README.md"), "client").expect("written");
    fs::write(dir.path().join("docs"), "a file, no folder").expect("written");
    let files = [
        ("README.md", "new"),
        ("docs/a.md", "a"),
        (".gitignore", "target"),
    ];
    assert_eq!(
        deliver(dir.path(), &files, &[]),
        ["README-2.md", "docs-2/a.md", "dot-gitignore"]
    );
    assert_eq!(read(&dir.path().join("README.md")), "client");
    let forced = ["README.md", ".gitignore", "../y"];
    assert_eq!(
        deliver(dir.path(), &files, &forced),
        ["README.md", "docs-2/a.md", ".gitignore"]
    );
    assert_eq!(deliver(dir.path(), &[("../y", "y")], &forced), ["y"]);
}

#[test]
fn a_second_run_replaces_its_own_files_but_not_those_that_the_client_changed() {
    let dir = folder();
    deliver(dir.path(), &[("a.md", "1"), ("b.md", "1")], &[]);
    fs::write(dir.path().join("b.md"), "edited").expect("written");
    let second = [("a.md", "2"), ("b.md", "2")];
    assert_eq!(deliver(dir.path(), &second, &[]), ["a.md", "b-2.md"]);
    assert_eq!(read(&dir.path().join("b.md")), "edited");
    let other = deliver_as(ProjectId::new(2), dir.path(), &[("a.md", "3")], &[]);
    assert_eq!(other, ["a-2.md"]);
    assert!(dir.path().join("chorus-report-2/files.json").is_file());
}

#[test]
fn links_are_not_followed_on_the_way_nor_at_the_end() {
    let dir = folder();
    let (out, outside) = (dir.path().join("out"), dir.path().join("outside"));
    fs::create_dir_all(out.join(".git")).expect("a folder");
    fs::create_dir(&outside).expect("a folder");
    symlink(&outside, out.join("away")).expect("a link");
    symlink(".git", out.join("docs")).expect("a link");
    symlink(outside.join("new.md"), out.join("new.md")).expect("a dangling link");
    symlink(&outside, out.join("chorus-report")).expect("a link");
    let files = [("away/a.md", "a"), ("docs/config", "b"), ("new.md", "c")];
    assert_eq!(
        deliver(&out, &files, &[]),
        ["away-2/a.md", "docs-2/config", "new-2.md"]
    );
    assert_eq!(deliver(&out, &[("new.md", "d")], &["new.md"]), ["new.md"]);
    assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 0);
    assert_eq!(fs::read_dir(out.join(".git")).expect("a folder").count(), 0);
}

#[test]
fn paths_that_some_system_takes_for_one_are_kept_apart() {
    let dir = folder();
    let files = [
        ("Guide.md", "1"),
        ("guide.md", "2"),
        ("caf\u{e9}.md", "3"),
        ("cafe\u{301}.md", "4"),
        ("part", "5"),
        ("part/a.md", "6"),
    ];
    assert_eq!(
        deliver(dir.path(), &files, &[]),
        [
            "Guide.md",
            "guide-2.md",
            "caf\u{e9}.md",
            "cafe\u{301}-2.md",
            "part",
            "part-2/a.md"
        ]
    );
}

#[test]
fn the_report_has_a_folder_that_no_plan_can_name() {
    let dir = folder();
    let files = [
        ("report.html", "client's"),
        ("chorus-report/report.html", "planted"),
        ("chorus-report/files.json", "planted"),
    ];
    assert_eq!(
        deliver(dir.path(), &files, &[]),
        [
            "report.html",
            "deliverable-chorus-report/report.html",
            "deliverable-chorus-report/files.json"
        ]
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_refused_at_once() {
    let dir = folder();
    let file = dir.path().join("file");
    fs::write(&file, "").expect("written");
    for path in [Path::new("/proc/x"), &file, &file.join("below")] {
        let error = try_folder(path).expect_err("it cannot be written");
        assert!(
            error
                .to_string()
                .starts_with("cannot write into the folder"),
            "{error}"
        );
    }
    let fresh = dir.path().join("a/b");
    try_folder(&fresh).expect("it is made");
    assert_eq!(
        fs::read_dir(&fresh).expect("made").count(),
        0,
        "the trial leaves nothing"
    );
}
