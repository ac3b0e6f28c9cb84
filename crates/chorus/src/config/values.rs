//! Checks that single values can work: each misfit names its key, what was found and what is expected.

use std::ops::RangeInclusive;

use chorus_core::task_kind::ModelRole;

use super::Config;

/// Seconds of a day, the maximum of every length of time in seconds.
const DAY: u64 = 86_400;

/// Names of log levels.
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// A key and why its value does not do.
pub(super) type Misfit = (&'static str, String);

/// The first value that cannot work.
pub(super) fn values(config: &Config) -> Result<(), Misfit> {
    let checks = [
        numbers(config),
        times(config),
        money(config),
        log_level(&config.log.level),
        models(config),
    ];
    checks.into_iter().collect()
}

fn within(key: &'static str, found: u64, range: &RangeInclusive<u64>) -> Result<(), Misfit> {
    if range.contains(&found) {
        return Ok(());
    }
    Err((
        key,
        format!(
            "found {found}, expected {} to {}",
            range.start(),
            range.end()
        ),
    ))
}

fn numbers(config: &Config) -> Result<(), Misfit> {
    let (project, worker) = (&config.project, &config.worker);
    let rows: [(&'static str, u64, RangeInclusive<u64>); 6] = [
        ("worker.slots", u64::from(worker.slots), 1..=100_000),
        (
            "worker.max_retries",
            u64::from(worker.max_retries),
            0..=1_000,
        ),
        (
            "project.max_tasks",
            u64::from(project.max_tasks),
            1..=10_000,
        ),
        (
            "project.max_brief_bytes",
            project.max_brief_bytes,
            1..=1 << 30,
        ),
        (
            "project.max_attachment_bytes",
            project.max_attachment_bytes,
            1..=1 << 40,
        ),
        (
            "gateway.max_body_bytes",
            config.gateway.max_body_bytes as u64,
            1..=1 << 40,
        ),
    ];
    rows.iter()
        .try_for_each(|(key, found, range)| within(key, *found, range))
}

fn times(config: &Config) -> Result<(), Misfit> {
    let delivery = &config.delivery;
    let day_ms = DAY * 1_000;
    let rows: [(&'static str, u64, RangeInclusive<u64>); 7] = [
        (
            "worker.call_timeout_seconds",
            config.worker.call_timeout().0 / 1_000,
            1..=DAY,
        ),
        ("drain.seconds", config.drain.grace().0 / 1_000, 0..=DAY),
        ("delivery.beat_ms", delivery.beat_ms.0, 10..=day_ms),
        ("delivery.silent_ms", delivery.silent_ms.0, 100..=day_ms),
        (
            "delivery.unclaimed_ms",
            delivery.unclaimed_ms.0,
            100..=day_ms,
        ),
        ("delivery.term_ms", delivery.term_ms.0, 100..=day_ms),
        (
            "bus.session_timeout_ms",
            config.bus.session_timeout_ms.0,
            1_000..=day_ms,
        ),
    ];
    rows.iter()
        .try_for_each(|(key, found, range)| within(key, *found, range))?;
    let (beat, silent) = (delivery.beat_ms.0, delivery.silent_ms.0);
    if beat * 2 > silent {
        return Err((
            "delivery.beat_ms",
            format!(
                "found {beat}, and delivery.silent_ms is {silent}: a healthy holder would be taken for lost between two \
                 beats; expected at most half of it, {}",
                silent / 2
            ),
        ));
    }
    Ok(())
}

fn money(config: &Config) -> Result<(), Misfit> {
    let (budget, most) = (config.project.budget(), config.gateway.most_budget());
    if budget.0 <= 0 {
        let reason = format!("found {budget}, expected more than 0: no call could be made");
        return Err(("project.budget_usd", reason));
    }
    if most < budget {
        let reason =
            format!("found {most}, expected at least project.budget_usd, which is {budget}");
        return Err(("gateway.max_budget_usd", reason));
    }
    Ok(())
}

/// A level, `auto`, or a filter of `target=level` with commas between them.
fn log_level(text: &str) -> Result<(), Misfit> {
    let is_level = |level: &str| LEVELS.contains(&level.to_lowercase().as_str());
    let fits = |part: &str| match part.rsplit_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level.trim()),
        None => is_level(part.trim()),
    };
    if text == "auto" || text.split(',').all(fits) {
        return Ok(());
    }
    Err((
        "log.level",
        format!(
            "found {text:?}, expected \"auto\", one of: {}, or a filter such as \"chorus_worker=debug,info\"",
            LEVELS.join(", ")
        ),
    ))
}

/// Every model of a role is one of the catalogue.
fn models(config: &Config) -> Result<(), Misfit> {
    let catalog = &config.catalog;
    for (role, tiers) in config.roles.lists() {
        let unknown = tiers
            .iter()
            .flatten()
            .find(|slug| catalog.model(slug).is_none());
        if let Some(slug) = unknown {
            let known: Vec<&str> = catalog
                .models
                .iter()
                .map(|model| model.slug.as_str())
                .collect();
            return Err((
                role_key(role),
                format!(
                    "found {:?}, which is no model of the catalogue; expected some of: {} (`chorus model list`)",
                    slug.as_str(),
                    known.join(", ")
                ),
            ));
        }
    }
    Ok(())
}

const fn role_key(role: ModelRole) -> &'static str {
    match role {
        ModelRole::Planner => "roles.planner",
        ModelRole::Writer => "roles.writer",
        ModelRole::Merger => "roles.merger",
        ModelRole::Judge => "roles.judge",
    }
}
