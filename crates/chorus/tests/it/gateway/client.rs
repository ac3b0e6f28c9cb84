//! `chorus run --server`: the real command against gateways that come and go.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use chorus_core::artifact::ArtifactHash;
use chorus_core::id::ProjectId;
use chorus_core::merge::{Conflict, Resolution};
use chorus_core::port::bus::{Incoming, Topic};
use chorus_core::project::{ClientCommand, HistoryEvent, State};
use chorus_core::record;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use super::fixture::{GatewayFixture, PLAN};
use crate::fixture::read;

/// The real command for these servers, with an empty environment.
fn chorus(folder: &Path, key: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chorus"));
    command
        .env_clear()
        .env("HOME", folder)
        .env("PATH", "/usr/bin:/bin")
        .env("CHORUS_API_KEY", key)
        .current_dir(folder);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The running command with its output.
struct Running {
    child: Child,
    stderr: tokio::io::Lines<BufReader<tokio::process::ChildStderr>>,
    lines: Vec<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the binary runs");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped")).lines();
        Self {
            child,
            stderr,
            lines: Vec::new(),
        }
    }

    /// Waits for a line with these words.
    async fn wait_for_line(&mut self, words: &str) {
        while let Some(line) = self.stderr.next_line().await.expect("readable") {
            let found = line.contains(words);
            self.lines.push(line);
            if found {
                return;
            }
        }
        panic!("it never printed {words:?}: {:#?}", self.lines);
    }

    /// Waits for the exit; returns exit code, standard output and all lines.
    async fn wait_for_exit(mut self) -> (i32, String, Vec<String>) {
        while let Some(line) = self.stderr.next_line().await.expect("readable") {
            self.lines.push(line);
        }
        let output = self.child.wait_with_output().await.expect("it exits");
        (
            output.status.code().expect("it was not killed"),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            self.lines,
        )
    }
}

fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(folder.path().join("docs")).expect("a folder");
    std::fs::write(folder.path().join("brief.md"), "# A guide\nWrite it.\n").expect("written");
    std::fs::write(folder.path().join("docs/a.md"), "What there is.\n").expect("written");
    let path = folder.path().to_owned();
    (folder, path)
}

/// Waits for the next command to any project, as an orchestrator receives it.
async fn command(
    orders: &mut Box<dyn chorus_core::port::bus::Subscription>,
) -> (ProjectId, ClientCommand) {
    loop {
        if let Incoming::Record { record, .. } = orders.next().await.expect("the bus is there") {
            return (
                record::project_of(&record).expect("a project"),
                record::read(&record, record::COMMAND).expect("a command"),
            );
        }
    }
}

/// Events of a conflict that was found and resolved.
fn conflict_events() -> Vec<HistoryEvent> {
    let conflict = Conflict {
        id: "c1".to_owned(),
        subject: "age".to_owned(),
        claims: vec![],
    };
    let resolution = Resolution {
        conflict: "c1".to_owned(),
        keep: None,
        reason: "both".to_owned(),
        by: chorus_core::merge::ResolvedBy::Undecided,
    };
    vec![
        HistoryEvent::ConflictFound { conflict },
        HistoryEvent::ConflictResolved { resolution },
    ]
}

/// Checks the files and the report that the command wrote.
fn check_files(folder: &Path, id: ProjectId) {
    assert_eq!(
        std::fs::read(folder.join("out/guide.md")).expect("written"),
        "# Über\n".as_bytes()
    );
    assert_eq!(
        std::fs::read(folder.join("out/part/b.bin")).expect("written"),
        b"\xff\x01"
    );
    let report: Value =
        serde_json::from_str(&read(folder, "out/chorus-report/report.json")).expect("a report");
    assert_eq!(
        (report["state"].as_str(), report["project"].as_str()),
        (Some("done"), Some(id.to_string().as_str()))
    );
    assert_eq!(
        report["files"][0]["sha256"],
        ArtifactHash::of("# Über\n".as_bytes()).to_string()
    );
    assert!(read(folder, "out/chorus-report/report.html").contains("<html"));
}

#[tokio::test]
async fn a_run_goes_on_while_gateways_are_killed_and_takes_every_file() {
    let fixture = GatewayFixture::sqlite().await;
    let mut orders = fixture
        .ports
        .bus
        .subscribe(vec![Topic::ProjectCmd], "orchestrator")
        .await
        .expect("the bus is there");
    let (one, other, key) = (
        fixture.gateway().await,
        fixture.gateway().await,
        fixture.key("home").await,
    );
    let (_folder, folder) = folder();
    let servers = format!("{},{}", one.base, other.base);
    let arguments = [
        "run", "brief.md", "--attach", "docs", "--out", "out", "--yes", "--assume", "--budget",
        "1.5", "--server", &servers,
    ];
    let mut run = Running::start(chorus(&folder, &key, &arguments));
    let (id, submit) = command(&mut orders).await;
    assert!(matches!(submit, ClientCommand::Submit { .. }));
    let options = fixture
        .ports
        .projects
        .load(id)
        .await
        .expect("it answers")
        .expect("it is there")
        .project
        .head
        .options;
    assert!(options.assume && !options.approve);

    fixture.add_events(id, 3, true).await;
    run.wait_for_line("assumption 2").await;
    one.kill().await;
    fixture.add_events(id, 2, true).await;
    run.wait_for_line("assumption 1").await;
    let (address, settings) = (other.address, GatewayFixture::settings());
    other.kill().await;
    run.wait_for_line("does not answer").await;
    fixture.add_events(id, 4, true).await;
    let back = fixture.gateway_with(settings, address).await;
    run.wait_for_line("assumption 3").await;

    fixture.decide(id, conflict_events(), true, |_| {}).await;
    let deliverable = fixture
        .deliverable(&[
            ("guide.md", "text/markdown", "# Über\n".as_bytes()),
            ("part/b.bin", "application/x", b"\xff\x01"),
        ])
        .await;
    fixture.done(id, deliverable).await;
    let (code, out, lines) = run.wait_for_exit().await;
    assert_eq!(code, 0, "{out}\n{lines:#?}");

    let happened: Vec<&String> = lines
        .iter()
        .filter(|line| line.contains("assum") || line.contains("conflict c1"))
        .collect();
    assert_eq!(
        happened.len(),
        3 + 2 + 4 + 2,
        "each thing once: {happened:#?}"
    );
    check_files(&folder, id);
    assert_eq!(fixture.commands(id).await.len(), 1, "it was submitted once");
    back.stop().await;
}

/// Ends the project with a defect.
async fn deliver_partially(fixture: &GatewayFixture, id: ProjectId, deliverable: ArtifactHash) {
    let defects = vec!["too short".to_owned()];
    let (events, state) = (
        vec![HistoryEvent::Partial {
            deliverable,
            defects: defects.clone(),
        }],
        State::Partial {
            deliverable,
            defects,
        },
    );
    fixture
        .decide(id, events, true, |head| head.state = state)
        .await;
}

#[tokio::test]
async fn a_client_without_a_terminal_leaves_what_waits_and_another_goes_on() {
    let fixture = GatewayFixture::sqlite().await;
    let mut orders = fixture
        .ports
        .bus
        .subscribe(vec![Topic::ProjectCmd], "orchestrator")
        .await
        .expect("the bus is there");
    let (gateway, key) = (fixture.gateway().await, fixture.key("home").await);
    let (_folder, folder) = folder();
    let run = Running::start(chorus(
        &folder,
        &key,
        &["run", "brief.md", "--out", "out", "--server", &gateway.base],
    ));
    let (id, _) = command(&mut orders).await;
    fixture
        .decide(id, vec![HistoryEvent::ApprovalAsked], true, |head| {
            head.state = State::WaitingApproval;
        })
        .await;
    let (code, _, lines) = run.wait_for_exit().await;
    let text = lines.join("\n");
    assert_eq!(code, 75, "{text}");
    assert!(
        text.contains("--yes")
            && text.contains(&format!("chorus resume {id} --server {}", gateway.base)),
        "{text}"
    );

    let id_text = id.to_string();
    let resume = Running::start(chorus(
        &folder,
        &key,
        &[
            "resume",
            &id_text,
            "--yes",
            "--out",
            "out",
            "--server",
            &gateway.base,
        ],
    ));
    let approved = ClientCommand::Approve {
        plan: Some(ArtifactHash::of(PLAN.as_bytes())),
    };
    assert_eq!(command(&mut orders).await, (id, approved));
    fixture
        .decide(id, vec![HistoryEvent::Approved], true, |head| {
            head.state = State::Running;
        })
        .await;
    let deliverable = fixture
        .deliverable(&[("guide.md", "text/markdown", b"x")])
        .await;
    deliver_partially(&fixture, id, deliverable).await;
    let (code, out, _) = resume.wait_for_exit().await;
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("defect: too short"), "{out}");

    let server = ["--server", &gateway.base];
    for (arguments, expected) in [
        (["project", "list"].as_slice(), id_text.as_str()),
        (&["project", "show", &id_text], "partial"),
        (&["project", "cancel", &id_text], "over already"),
    ] {
        let output = chorus(&folder, &key, &[arguments, &server].concat())
            .output()
            .await
            .expect("it runs");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains(expected),
            "{output:?}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_wrong_key_or_address_is_reported_at_once() {
    let fixture = GatewayFixture::sqlite().await;
    let gateway = fixture.gateway().await;
    let (_folder, folder) = folder();
    for (key, server, words) in [
        ("chorus-sk-nonsense", gateway.base.as_str(), "unknown_key"),
        ("", &gateway.base, "missing_key"),
        ("x", "127.0.0.1:1", "http://"),
    ] {
        let output = chorus(&folder, key, &["run", "brief.md", "--server", server])
            .output()
            .await
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && stderr.contains(words),
            "{server}: {stderr}"
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_first_ctrl_c_parks_the_project_at_the_server() {
    let fixture = GatewayFixture::sqlite().await;
    let mut orders = fixture
        .ports
        .bus
        .subscribe(vec![Topic::ProjectCmd], "orchestrator")
        .await
        .expect("the bus is there");
    let (gateway, key) = (fixture.gateway().await, fixture.key("home").await);
    let (_folder, folder) = folder();
    let arguments = ["run", "brief.md", "--out", "out", "--server", &gateway.base];
    let mut run = Running::start(chorus(&folder, &key, &arguments));
    let (id, _) = command(&mut orders).await;
    run.wait_for_line("is accepted").await;
    let process = run.child.id().expect("it runs").to_string();
    let sent = std::process::Command::new("sh")
        .args(["-c", &format!("kill -INT {process}")])
        .status();
    assert!(sent.expect("a shell").success());
    let (paused, pause) = command(&mut orders).await;
    assert!(paused == id && matches!(pause, ClientCommand::Pause { at: Some(_) }));
    fixture
        .decide(id, vec![HistoryEvent::Paused], true, |head| {
            head.state = State::Paused {
                was: Box::new(State::Running),
            }
        })
        .await;
    let (code, _, lines) = run.wait_for_exit().await;
    let text = lines.join("\n");
    assert_eq!(code, 75, "{text}");
    assert!(
        text.contains("is parked")
            && text.contains(&format!("chorus resume {id} --server {}", gateway.base)),
        "{text}"
    );
    gateway.stop().await;
}
