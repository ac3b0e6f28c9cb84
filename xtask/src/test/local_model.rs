//! The tests that want a real model: one is started for them and stopped after them.
//!
//! Installing, starting and stopping are the work of `scripts/local-model`; the tests themselves are in the
//! integration-test binary.

use std::process::{Command, Output};

use anyhow::{Context, bail};

use super::tally::Tally;
use super::{Tried, free_port, variable};

/// Tells the tests where the model is: `<base url>;<journal file>`, or `skip`.
pub(super) const VARIABLE: &str = "CHORUS_TEST_LOCAL_MODEL";

const SCRIPT: &str = "scripts/local-model";
const TEST: [&str; 7] = ["test", "--workspace", "--test", "it", "local_model", "--", "--nocapture"];

/// Tries the model that the environment names, else one of our own. Where none can be had, the end of the run says why.
pub(super) fn run(quick: bool, tally: &mut Tally) -> Tried {
    match variable(VARIABLE) {
        Some(given) if given == "skip" => return Tried::No(format!("{VARIABLE} says skip")),
        Some(given) => return test(&given, tally),
        None if quick => return Tried::No("left out by --quick".to_owned()),
        None => {}
    }
    match Model::start() {
        Ok(model) => test(&model.given, tally),
        Err(error) => Tried::No(format!("{error:#}")),
    }
}

fn test(given: &str, tally: &mut Tally) -> Tried {
    Tried::Yes(tally.cargo(&TEST, &[(VARIABLE, given)]).map(|()| given.to_owned()))
}

/// A model's server. One that was started here is stopped when it is dropped.
struct Model {
    given: String,
    ours: bool,
}

impl Model {
    fn start() -> anyhow::Result<Self> {
        let ours = !script(&["status"])?.status.success();
        println!("+ {SCRIPT} up (the first time it installs its engine, which takes some minutes)");
        let port = free_port()?.to_string();
        let base_url = said(&["up", "--port", &port])?;
        let mut model = Self { given: String::new(), ours };
        model.given = format!("{base_url};{}", said(&["journal"])?);
        Ok(model)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = said(&["down"])
        {
            eprintln!("the local model could not be stopped: {error:#}");
        }
    }
}

/// What the script prints; an error with what it complains of when it fails.
fn said(arguments: &[&str]) -> anyhow::Result<String> {
    let output = script(arguments)?;
    if !output.status.success() {
        bail!("{SCRIPT} {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn script(arguments: &[&str]) -> anyhow::Result<Output> {
    Command::new("bash").arg(SCRIPT).args(arguments).output().with_context(|| format!("start {SCRIPT}"))
}
