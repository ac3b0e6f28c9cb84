//! How large plans, prompts and answers may be, given the models that will really serve each role.

use chorus_core::delivery::Role;
use chorus_orchestrator::Settings;
use chorus_pool::Roster;

use super::House;

/// Share of a context that a task's input may fill, in per cent; the rest is for instructions and the answer.
const INPUT_PERCENT: u64 = 60;

/// The orchestrator's settings for the accounts that there are now. A role that nobody can serve keeps the usual
/// sizes: its tasks will say what is missing.
pub(super) async fn settings(house: &House) -> anyhow::Result<Settings> {
    let roster = house.roster().await?;
    let mut settings = Settings::default();
    settings.limits.max_tasks = house.config.project.max_tasks;
    if let Some(worker) = Least::of(house, &roster, Role::Worker) {
        let limits = &mut settings.limits;
        limits.input_tokens = limits.input_tokens.min(worker.context * INPUT_PERCENT / 100);
        limits.max_output_tokens = limits.max_output_tokens.min(worker.max_output);
    }
    let rooms = &mut settings.rooms;
    for (role, room) in [
        (Role::Planner, &mut rooms.planner),
        (Role::Worker, &mut rooms.worker),
        (Role::Merger, &mut rooms.merger),
        (Role::Judge, &mut rooms.judge),
    ] {
        if let Some(least) = Least::of(house, &roster, role) {
            room.ceiling = room.ceiling.min(least.max_output);
            room.thinking = if least.thinks { room.thinking.min(least.max_output / 2) } else { 0 };
        }
    }
    if let Some(judge) = Least::of(house, &roster, Role::Judge) {
        settings.judge_tokens = settings.judge_tokens.min(judge.context * INPUT_PERCENT / 100);
    }
    Ok(settings)
}

/// What the least of a role's models can do.
struct Least {
    context: u64,
    max_output: u32,
    /// Whether any of them thinks first.
    thinks: bool,
}

impl Least {
    fn of(house: &House, roster: &Roster, role: Role) -> Option<Self> {
        let choice = roster.choose(&house.tenant, role, &house.config.roles.lists(), house.clock.now()).ok()?;
        let models = choice.models.iter().filter_map(|slug| house.catalog.model(slug));
        models.fold(None, |least: Option<Self>, model| {
            let own = Self { context: u64::from(model.context), max_output: model.max_output, thinks: model.reasoning };
            Some(match least {
                None => own,
                Some(least) => Self {
                    context: least.context.min(own.context),
                    max_output: least.max_output.min(own.max_output),
                    thinks: least.thinks || own.thinks,
                },
            })
        })
    }
}
