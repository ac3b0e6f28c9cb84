//! Checks the files of `deploy/` against the real binary: its commands and settings, not Docker.
//!
//! The compose file is read by lines, in the narrow form in which it is written: services with our
//! image merge `*chorus`, a command is on one line, and shared settings are below `&settings`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const KEY: &str = "CHORUS_DATA_KEY";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(name)
}

fn text(name: &str) -> String {
    let path = file(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Command of each service that runs our image.
fn commands() -> BTreeMap<String, Vec<String>> {
    let text = text("compose.yaml");
    let mut commands = BTreeMap::new();
    let (mut service, mut ours) = (String::new(), false);
    for line in text.lines().skip_while(|line| *line != "services:") {
        if let Some(name) = line
            .strip_prefix("  ")
            .and_then(|rest| rest.strip_suffix(':'))
            .filter(|name| !name.starts_with(' '))
        {
            (service, ours) = (name.to_owned(), false);
        } else if line == "    <<: *chorus" {
            ours = true;
        } else if let Some(list) = line.strip_prefix("    command: ").filter(|_| ours) {
            commands.insert(
                service.clone(),
                serde_json::from_str(list).expect("a command is a list of texts on one line"),
            );
        }
    }
    assert_eq!(
        text.matches("<<: *chorus").count(),
        commands.len(),
        "a service of ours has no command: {commands:?}"
    );
    commands
}

/// Shared settings, as compose makes them from an environment with these values.
fn settings(given: &[(&str, &str)]) -> BTreeMap<String, String> {
    let text = text("compose.yaml");
    let lines = text
        .lines()
        .skip_while(|line| *line != "  environment: &settings")
        .skip(1);
    let settings = lines.map_while(|line| line.strip_prefix("    ")?.split_once(": "));
    settings
        .map(|(name, value)| (name.to_owned(), substituted(value, given)))
        .collect()
}

/// Substitutes `${NAME:-default}` by the default and `${NAME:?message}` by the given value.
fn substituted(value: &str, given: &[(&str, &str)]) -> String {
    let Some((before, rest)) = value.split_once("${") else {
        return value.to_owned();
    };
    let (inner, after) = rest.split_once('}').expect("a substitution ends");
    let (name, otherwise) = inner
        .split_once(':')
        .expect("a substitution names its default");
    let put = match given.iter().find(|(known, _)| *known == name) {
        Some((_, value)) => value,
        None => otherwise
            .strip_prefix('-')
            .unwrap_or_else(|| panic!("{name} has to be given")),
    };
    format!("{before}{put}{}", substituted(after, given))
}

fn chorus<'a>(
    arguments: impl IntoIterator<Item = &'a str>,
    variables: &BTreeMap<String, String>,
) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chorus"));
    command
        .env_clear()
        .envs(variables)
        .args(arguments)
        .current_dir(std::env::temp_dir())
        .output()
        .expect("the binary starts")
}

fn output_text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn every_command_of_the_compose_file_is_one_of_the_binary() {
    let commands = commands();
    for (service, command) in &commands {
        let output = chorus(
            command.iter().map(String::as_str).chain(["--help"]),
            &BTreeMap::new(),
        );
        assert!(
            output.status.success(),
            "{service}: {}",
            output_text(&output)
        );
        let usage = format!("Usage: chorus {}", command[0]);
        assert!(
            command[0] == "--help" || output_text(&output).contains(&usage),
            "{service}: {}",
            output_text(&output)
        );
    }
    for role in ["gateway", "orchestrator", "dispatcher", "migrate"] {
        assert_eq!(
            commands.get(role).map(Vec::as_slice),
            Some([role.to_owned()].as_slice())
        );
    }
}

#[test]
fn the_compose_file_has_a_worker_for_each_pool_of_the_catalogue() {
    let commands = commands();
    let mut served: Vec<&str> = commands
        .values()
        .filter_map(|command| match command.as_slice() {
            [role, option, pool] if role == "worker" && option == "--pool" => Some(pool.as_str()),
            _ => None,
        })
        .collect();
    served.sort_unstable();
    let pools = chorus_upstream::catalog::load().pools();
    let mut pools: Vec<String> = pools.iter().map(ToString::to_string).collect();
    pools.sort_unstable();
    assert_eq!(served, pools);
}

#[test]
fn the_settings_of_the_compose_file_are_those_of_the_binary() {
    let made = chorus(["envelope-key"], &BTreeMap::new());
    let key = output_text(&made);
    let mut variables = settings(&[("POSTGRES_PASSWORD", "a-password"), (KEY, key.trim())]);
    assert_eq!(variables.get(KEY).map(String::as_str), Some(key.trim()));
    variables.insert(
        "CHORUS_CONFIG".to_owned(),
        file("chorus.toml").display().to_string(),
    );
    // Every command reads the whole configuration first; this one does nothing else.
    let output = chorus(["envelope-key"], &variables);
    if cfg!(feature = "distributed") {
        assert!(output.status.success(), "{}", output_text(&output));
    } else {
        assert!(
            !output.status.success() && output_text(&output).contains("distributed"),
            "{}",
            output_text(&output)
        );
    }
    assert!(!output_text(&output).contains("a-password"));
}

#[test]
fn the_image_is_built_with_a_feature_that_there_is() {
    let dockerfile = text("Dockerfile");
    let (_, feature) = dockerfile
        .split_once("--features ")
        .expect("the image has every adapter");
    let feature = feature
        .lines()
        .next()
        .expect("it is named on the same line");
    let manifest =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"))
            .expect("our own manifest");
    let manifest: toml::Table = manifest.parse().expect("a manifest is TOML");
    assert!(
        manifest["features"].get(feature).is_some(),
        "chorus has no feature {feature}"
    );
}
