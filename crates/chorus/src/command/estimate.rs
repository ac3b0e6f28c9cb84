//! What a plan will take: calls, tokens, money and time, said before anything but planning is spent.

use std::fmt;

use anyhow::Context;
use chorus_core::brief::Outline;
use chorus_core::delivery::{CallSize, Role, TaskKind};
use chorus_core::id::ProjectId;
use chorus_core::llm::Usage;
use chorus_core::money::MicroUsd;
use chorus_core::plan::{Forecast, Plan, forecast};
use chorus_core::port::projects::Loaded;
use chorus_core::time::Millis;
use chorus_pool::estimate::Estimator;
use chorus_pool::order::{Rates, Work};
use chorus_pool::{RoleChoice, Roster};

use super::session::artifact;
use crate::house::House;

/// An estimate, ready to be shown.
pub(crate) struct Estimated {
    title: String,
    tasks: usize,
    forecast: Forecast,
    choices: Vec<RoleChoice>,
    /// Likely cost, and cost when a third of the work is done twice.
    cost: (MicroUsd, MicroUsd),
    /// No schedule is shorter, and time when a third of the work is done twice.
    time: (Millis, Millis),
    budget: MicroUsd,
    spent: MicroUsd,
}

/// The estimate of a plan that waits for approval.
pub(crate) async fn of(house: &House, id: ProjectId, loaded: &Loaded, plan: &Plan) -> anyhow::Result<Estimated> {
    let head = &loaded.project.head;
    let outline: Outline = artifact(house, head.outline.context("the outline is missing")?).await?;
    let brief: chorus_core::brief::Brief = artifact(house, head.brief).await?;
    let forecast = forecast(plan, &outline, &brief.text);
    let roster = house.roster().await?;
    let now = house.clock.now();
    let roles = house.config.roles.lists();
    let choose = |role| roster.choose(&house.tenant, role, &roles, now);
    let choices = [Role::Worker, Role::Merger, Role::Judge].into_iter().map(choose).collect::<Result<Vec<_>, _>>()?;
    let money = house.deliveries.money(id).await?.unwrap_or_default();
    let likely = cost(house, &choices[0], &forecast);
    let shortest = time(house, &roster, &choices[0], &forecast);
    Ok(Estimated {
        title: plan.title.clone(),
        tasks: plan.tasks.len(),
        cost: (likely, MicroUsd(likely.0 + likely.0 / 3)),
        time: (shortest, Millis(shortest.0 * 2)),
        budget: money.budget,
        spent: money.spent,
        forecast,
        choices,
    })
}

/// Cost on the dearest of the worker's models.
fn cost(house: &House, worker: &RoleChoice, forecast: &Forecast) -> MicroUsd {
    let usage = Usage { input: forecast.input_tokens, output: forecast.output_tokens, ..Usage::default() };
    let models = worker.models.iter().filter_map(|slug| house.catalog.model(slug));
    models.map(|model| model.price.cost(&usage)).max().unwrap_or_default()
}

/// The longest path at the usual pace, or what the limits of all accounts can bring, whichever is longer.
fn time(house: &House, roster: &Roster, worker: &RoleChoice, forecast: &Forecast) -> Millis {
    let estimator = Estimator::default();
    let seats: Vec<_> =
        worker.models.iter().flat_map(|slug| roster.serving(&house.tenant, slug).into_iter().map(move |seat| (slug, seat))).collect();
    let service = |output: u64| {
        let size = CallSize { input: 0, output, max_tokens: u32::MAX };
        let times = seats.iter().filter_map(|(slug, seat)| {
            let model = house.catalog.model(slug)?;
            Some(estimator.service(&seat.provider, model, TaskKind::Work, &size))
        });
        times.min().unwrap_or_default()
    };
    let rates = Rates::of(&seats.iter().map(|(slug, seat)| seat.groups_for(slug)).collect::<Vec<_>>());
    let work = Work {
        calls: u64::from(forecast.calls),
        input: forecast.input_tokens,
        output: forecast.output_tokens,
        service: service(forecast.output_tokens),
    };
    service(forecast.critical_output_tokens).max(rates.drain(&work))
}

impl fmt::Display for Estimated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let forecast = &self.forecast;
        writeln!(f, "Plan “{}”: {} tasks, at most {} at once", self.title, self.tasks, forecast.widest)?;
        writeln!(f, "  calls   about {}", forecast.calls)?;
        writeln!(f, "  tokens  about {} in, {} out", forecast.input_tokens, forecast.output_tokens)?;
        writeln!(f, "  money   about {} to {}; spent so far {}, budget {}", self.cost.0, self.cost.1, self.spent, self.budget)?;
        writeln!(f, "  time    at least {}, likely below {}", self.time.0, self.time.1)?;
        for choice in &self.choices {
            writeln!(f, "  {choice}")?;
        }
        if self.spent + self.cost.1 > self.budget {
            writeln!(f, "  The budget may not suffice: then the project stops cleanly and delivers what there is.")?;
        }
        Ok(())
    }
}
