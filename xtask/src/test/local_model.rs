//! Tests with a real model, which is started for them and stopped afterwards.
//!
//! `scripts/local-model` installs, starts and stops the model; the tests themselves are in the
//! integration-test binary.

use super::script::Script;
use super::tally::Tally;
use super::{Availability, EVERYTHING, SKIP, Service, free_port, variable};

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
) -> (Availability, anyhow::Result<()>) {
    let mut test = |value: &str| {
        let passed = tally.cargo(
            &[EVERYTHING.as_slice(), &TEST].concat(),
            &[(SERVICE.variable, value), report],
        );
        (Availability::Available(value.to_owned()), passed)
    };
    match variable(SERVICE.variable) {
        Some(value) if value == SKIP => {
            return (
                Availability::Skipped(format!("{} is {SKIP}", SERVICE.variable)),
                Ok(()),
            );
        }
        Some(value) => return test(&value),
        None if quick => return (Availability::Skipped("--quick".to_owned()), Ok(())),
        None => {}
    }
    match Model::start() {
        Ok(model) => test(&model.value),
        Err(error) => (Availability::Unavailable(format!("{error:#}")), Ok(())),
    }
}

/// Server of a model. It is stopped on drop if it was started here.
struct Model {
    value: String,
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
        let base_url = SCRIPT.stdout(&["up", "--port", &port])?;
        let mut model = Self {
            value: String::new(),
            ours,
        };
        model.value = format!("{base_url};{}", SCRIPT.stdout(&["journal"])?);
        Ok(model)
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        if self.ours
            && let Err(error) = SCRIPT.stdout(&["down"])
        {
            eprintln!("the local model could not be stopped: {error:#}");
        }
    }
}
