//! `cargo xtask test`: all tests, through cargo alone. `.ci/run` calls this too.
//!
//! Tests against real services run if the service is available. At the end it prints which suites
//! ran on what, and what was skipped and why. With `CI` set, an unavailable service is a failure.

mod account;
mod local_model;
mod script;
mod services;
mod tally;

use std::net::TcpListener;

use account::Account;
use anyhow::{Context, anyhow, bail};
use services::{Instance, SERVICES};
use tally::Tally;

/// Value of a service's variable that skips it on purpose.
const SKIP: &str = "skip";

/// Features that include every adapter. The lints of `.ci/run` use the same.
const EVERYTHING: [&str; 4] = [
    "test",
    "--workspace",
    "--features",
    "chorus/distributed,chorus-bench/distributed",
];

/// A server outside the test processes.
struct Service {
    /// Name for output.
    name: &'static str,
    /// Name in the report of the tests.
    key: &'static str,
    /// Variable with the address, for the tests.
    variable: &'static str,
}

/// Availability of a service.
#[derive(Debug)]
enum Availability {
    /// Available, with a description.
    Available(String),
    /// Skipped on purpose.
    Skipped(String),
    /// Unavailable, with the reason.
    Unavailable(String),
}

/// Runs tidy and all tests, in the order in which a fault shows soonest.
pub(crate) fn run(arguments: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = arguments.iter().find(|argument| *argument != "--quick") {
        bail!("unknown argument {unknown}; there is only --quick");
    }
    let quick = !arguments.is_empty();
    crate::tidy::run(&[])?;
    let report = account::File::new()?;
    let mut tally = Tally::default();
    let mut instance = Instance::new();
    let mut tried: Vec<(&Service, Availability)> = SERVICES
        .iter()
        .map(|service| (service, instance.find(service)))
        .collect();
    // The model needs all cores, so its test runs separately.
    let mut variables = vec![
        (account::VARIABLE, report.path()?),
        (local_model::SERVICE.variable, SKIP),
    ];
    variables.extend(
        instance
            .variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let all = tally.cargo(
        &[EVERYTHING.as_slice(), &["--no-fail-fast"]].concat(),
        &variables,
    );
    drop(instance);
    let (model, its_test) =
        local_model::run(quick, &mut tally, (account::VARIABLE, report.path()?));
    tried.push((&local_model::SERVICE, model));
    let account = report.read()?;
    print(&tried, &account);
    println!("\n{tally}");
    all.and(its_test)
        .and_then(|()| check(&tried, &account, variable("CI").is_some()))
}

/// Prints which suites ran on what.
fn print(tried: &[(&Service, Availability)], account: &Account) {
    println!("\nsuites without a server, and how many cases of each:");
    for implementation in account
        .implementations()
        .filter(|name| tried.iter().all(|(service, _)| service.key != *name))
    {
        println!(
            "  {implementation:<15} {}",
            account.of(implementation).unwrap_or_default()
        );
    }
    println!("against real services:");
    for (service, tried) in tried {
        let shown = match tried {
            Availability::Available(which) => format!(
                "tried ({which}): {}",
                account
                    .of(service.key)
                    .unwrap_or_else(|| "NOTHING ran on it".to_owned())
            ),
            Availability::Skipped(why) => format!("left out: {why}"),
            Availability::Unavailable(why) => format!("NOT tried: {why}"),
        };
        println!("  {:<15} {shown}", service.name);
    }
}

/// Checks that every required service was used.
fn check(tried: &[(&Service, Availability)], account: &Account, ci: bool) -> anyhow::Result<()> {
    let wrong = tried.iter().filter_map(|(service, tried)| match tried {
        Availability::Available(_) if account.of(service.key).is_none() => Some(format!(
            "{} was there, and no suite ran on it",
            service.name
        )),
        Availability::Unavailable(_) if ci => Some(format!(
            "{} was not tried, and CI must (set {}={SKIP} to leave it out)",
            service.name, service.variable
        )),
        Availability::Available(_) | Availability::Skipped(_) | Availability::Unavailable(_) => {
            None
        }
    });
    let wrong: Vec<String> = wrong.collect();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(anyhow!(wrong.join("; ")))
    }
}

/// A port on which no process listened a moment ago.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("find a free port")?;
    Ok(listener.local_addr().context("find a free port")?.port())
}

/// Value of an environment variable; `None` if it is empty.
#[expect(
    clippy::disallowed_methods,
    reason = "the caller of a test run chooses services by variables"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(tried: Availability, ran: &str, ci: bool) -> Result<(), String> {
        let account = Account::parse(ran).expect("lines of the account");
        check(&[(&SERVICES[2], tried)], &account, ci).map_err(|error| error.to_string())
    }

    #[test]
    fn a_service_that_is_not_there_fails_only_in_ci() {
        let gone = || Availability::Unavailable("no java".to_owned());
        assert_eq!(outcome(gone(), "", false), Ok(()));
        assert_eq!(
            outcome(gone(), "", true),
            Err(
                "Kafka was not tried, and CI must (set CHORUS_TEST_KAFKA=skip to leave it out)"
                    .to_owned()
            )
        );
        assert_eq!(
            outcome(Availability::Skipped("on purpose".to_owned()), "", true),
            Ok(())
        );
    }

    #[test]
    fn a_service_on_which_nothing_ran_fails_everywhere() {
        let there = || Availability::Available("4.4.0".to_owned());
        assert_eq!(
            outcome(there(), "kafka\tcontract of the bus\t13\n", true),
            Ok(())
        );
        assert_eq!(
            outcome(there(), "redis\tcontract of limits\t20\n", false),
            Err("Kafka was there, and no suite ran on it".to_owned())
        );
    }
}
