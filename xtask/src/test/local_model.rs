//! Tests with a real model, which is started for them and stopped afterwards.
//!
//! `scripts/local-model` installs, starts and stops the model; the tests themselves are in the
//! integration-test binary.

use super::script::Script;
use super::tally::Tally;
use super::{EVERYTHING, SKIP, Service, Tried, free_port, variable};

/// The service; its variable is `<base url>;<journal file>`.
pub(super) const SERVICE: Service = Service {
    name: "local model",
    key: "local model",
    variable: "CHORUS_TEST_LOCAL_MODEL",
};

const SCRIPT: Script = Script("scripts/local-model");
const TEST: [&str; 5] = ["--test", "it", "local_model", "--", "--nocapture"];

/// Uses the model that the environment names, or starts one; returns if its tests passed.
pub(super) fn run(
    quick: bool,
    tally: &mut Tally,
    report: (&str, &str),
) -> (Tried, anyhow::Result<()>) {
    let mut test = |given: &str| {
        let passed = tally.cargo(
            &[EVERYTHING.as_slice(), &TEST].concat(),
            &[(SERVICE.variable, given), report],
        );
        (Tried::Yes(given.to_owned()), passed)
    };
    match variable(SERVICE.variable) {
        Some(given) if given == SKIP => {
            return (
                Tried::LeftOut(format!("{} says {SKIP}", SERVICE.variable)),
                Ok(()),
            );
        }
        Some(given) => return test(&given),
        None if quick => return (Tried::LeftOut("--quick".to_owned()), Ok(())),
        None => {}
    }
    match Model::start() {
        Ok(model) => test(&model.given),
        Err(error) => (Tried::No(format!("{error:#}")), Ok(())),
    }
}

/// Server of a model. It is stopped on drop if it was started here.
struct Model {
    given: String,
    ours: bool,
}

impl Model {
    fn start() -> anyhow::Result<Self> {
        let ours = !SCRIPT.run(&["status"])?.status.success();
        println!(
            "+ {} up (the first time it installs its engine, which takes some minutes)",
            SCRIPT.0
        );
        let port = free_port()?.to_string();
        let base_url = SCRIPT.said(&["up", "--port", &port])?;
        let mut model = Self {
            given: String::new(),
            ours,
        };
        model.given = format!("{base_url};{}", SCRIPT.said(&["journal"])?);
        Ok(model)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = SCRIPT.said(&["down"])
        {
            eprintln!("the local model could not be stopped: {error:#}");
        }
    }
}
