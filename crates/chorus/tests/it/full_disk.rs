//! The real binary on a full disk: it exits with the reason and advice, and with free space the
//! project resumes to the same end.
//!
//! The disk is a small file system in memory, mounted where only the test's own processes see it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::books::Book;
use crate::stage::{Stage, quick, said};

/// Size of the disk, more than the project needs.
const DISK: &str = "64m";

/// Returns true if a process may mount a file system for itself and its children.
fn can_mount() -> bool {
    let tried = Command::new("unshare")
        .args(["-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output();
    let can = tried.is_ok_and(|output| output.status.success());
    if !can {
        println!("full disks were not tried: nothing may be mounted here (unshare -rm)");
        assert!(std::env::var_os("CI").is_none(), "CI must try full disks");
    }
    can
}

/// A project on a small disk at `disk`, run by a script with the commands `fill` (leaves this many
/// KiB), `room` (frees the space again) and `chorus`.
async fn stage(disk: &str) -> Stage {
    let stage = Stage::new(quick()).await;
    stage.write("brief.md", &Book::brief());
    stage.write(
        "docs/chronicle.md",
        &Book {
            seed: 31,
            chapters: 4,
            contradiction: false,
        }
        .text(),
    );
    stage.write(&format!("{disk}/.keep"), "");
    stage
}

fn play(stage: &Stage, disk: &str, script: &str) -> Output {
    let config = stage.path("chorus.toml");
    let preface = format!(
        "set -u\n\
         chorus() {{ {binary} --data data --config {config} \"$@\"; }}\n\
         fill() {{ have=$(df -k --output=avail {disk} | tail -1); dd if=/dev/zero of={disk}/filler bs=1k count=$((have - $1)) status=none; }}\n\
         room() {{ rm {disk}/filler; }}\n\
         cp -r {disk} kept && mount -t tmpfs -o size={DISK} tmpfs {disk} && cp -r kept/. {disk} || exit 99\n",
        binary = env!("CARGO_BIN_EXE_chorus"),
        config = shown(&config),
    );
    let home = stage.path("");
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", &(preface + script)]);
    command
        .env_clear()
        .env("HOME", &home)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(&home);
    command.stdin(Stdio::null()).output().expect("a shell")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

#[track_caller]
fn check(output: &Output, words: &[&str]) {
    let said = said(output);
    assert!(output.status.success(), "{said}");
    for word in words {
        assert!(said.contains(word), "{word:?} is missing in: {said}");
    }
}

const RUN: &str = "chorus run brief.md --attach docs --out out --yes --assume";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    if !can_mount() {
        return;
    }
    // Nothing fits; the submission fits but not the work; some of the work fits.
    for (left, accepted) in [(0, false), (48, false), (120, true), (170, true)] {
        let stage = stage("data").await;
        let script = format!(
            "fill {left}\n{RUN} && exit 98\nroom\n\
             id=$(chorus project list | grep -o 'prj_[0-9a-f]*' | head -1)\n\
             if [ -n \"$id\" ]; then echo resumed; chorus resume $id --out out --yes --assume; else echo again; {RUN}; fi"
        );
        let output = play(&stage, "data", &script);
        check(
            &output,
            &["the disk is full", "free some space", "guide.md"],
        );
        let resumed = said(&output).contains("resumed");
        assert_eq!(resumed, accepted, "with {left} KiB: {}", said(&output));
        assert_eq!(
            said(&output).contains("go on with: chorus resume"),
            resumed,
            "{}",
            said(&output)
        );
        assert!(stage.report("out")["state"] == "done");
        stage.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deliverable_that_does_not_fit_is_kept_and_written_when_there_is_room() {
    if !can_mount() {
        return;
    }
    let stage = stage("out").await;
    let script = format!(
        "fill 8\n{RUN} && exit 98\nroom\n\
         id=$(chorus project list | grep -o 'prj_[0-9a-f]*' | head -1)\nchorus resume $id --out out --yes --assume && ls -l out/guide.md"
    );
    check(
        &play(&stage, "out", &script),
        &[
            "cannot write out/",
            "what was made is kept",
            "free some room",
            "chorus resume",
            "guide.md",
        ],
    );
    let made = stage.journal().len();
    assert!(made > 0, "the work was done once");
    stage.end().await;
}
