//! The real binary on a full disk: it exits with the reason and advice, and with free space the
//! project resumes to the same end.
//!
//! The disk is a small file system in memory, mounted where only the test's own processes see it.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::chronicle::Chronicle;
use crate::fixture::{Fixture, output_text, quick};

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
async fn fixture(disk: &str) -> Fixture {
    let fixture = Fixture::new(quick()).await;
    fixture.write("brief.md", &Chronicle::brief());
    fixture.write(
        "docs/chronicle.md",
        &Chronicle {
            seed: 31,
            chapters: 4,
            contradiction: false,
        }
        .text(),
    );
    fixture.write(&format!("{disk}/.keep"), "");
    fixture
}

fn play(fixture: &Fixture, disk: &str, script: &str) -> Output {
    let config = fixture.path("chorus.toml");
    let preface = format!(
        "set -u\n\
         chorus() {{ {binary} --data data --config {config} \"$@\"; }}\n\
         fill() {{ have=$(df -k --output=avail {disk} | tail -1); dd if=/dev/zero of={disk}/filler bs=1k count=$((have - $1)) status=none; }}\n\
         room() {{ rm {disk}/filler; }}\n\
         cp -r {disk} kept && mount -t tmpfs -o size={DISK} tmpfs {disk} && cp -r kept/. {disk} || exit 99\n",
        binary = env!("CARGO_BIN_EXE_chorus"),
        config = shown(&config),
    );
    let home = fixture.path("");
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
    let output_text = output_text(output);
    assert!(output.status.success(), "{output_text}");
    for word in words {
        assert!(
            output_text.contains(word),
            "{word:?} is missing in: {output_text}"
        );
    }
}

const RUN: &str = "chorus run brief.md --attach docs --out out --yes --assume";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_on_a_full_disk_reports_it_and_resumes_with_free_space() {
    if !can_mount() {
        return;
    }
    // Nothing fits; the submission fits but not the work; some of the work fits.
    for (left, accepted) in [(0, false), (48, false), (180, true), (240, true)] {
        let fixture = fixture("data").await;
        let script = format!(
            "fill {left}\n{RUN} && exit 98\nroom\n\
             id=$(chorus project list | grep -o 'prj_[0-9a-f]*' | head -1)\n\
             if [ -n \"$id\" ]; then echo resumed; chorus resume $id --out out --yes --assume; else echo again; {RUN}; fi"
        );
        let output = play(&fixture, "data", &script);
        check(
            &output,
            &["the disk is full", "free some space", "guide.md"],
        );
        let resumed = output_text(&output).contains("resumed");
        assert_eq!(
            resumed,
            accepted,
            "with {left} KiB: {}",
            output_text(&output)
        );
        assert_eq!(
            output_text(&output).contains("go on with: chorus resume"),
            resumed,
            "{}",
            output_text(&output)
        );
        assert!(fixture.report("out")["state"] == "done");
        fixture.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deliverable_that_does_not_fit_is_kept_and_written_when_there_is_room() {
    if !can_mount() {
        return;
    }
    let fixture = fixture("out").await;
    let script = format!(
        "fill 8\n{RUN} && exit 98\nroom\n\
         id=$(chorus project list | grep -o 'prj_[0-9a-f]*' | head -1)\nchorus resume $id --out out --yes --assume && ls -l out/guide.md"
    );
    check(
        &play(&fixture, "out", &script),
        &[
            "cannot write out/",
            "what was made is kept",
            "free some room",
            "chorus resume",
            "guide.md",
        ],
    );
    let made = fixture.journal().len();
    assert!(made > 0, "the work was done once");
    fixture.end().await;
}
