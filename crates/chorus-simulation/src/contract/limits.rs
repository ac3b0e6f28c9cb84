//! Contract of [`LimitState`](chorus_core::port::LimitState): leases and limits as any number of
//! processes see them.
//!
//! Cases use the port only. What is left of a limit is measured by reserving it, as a caller would.

mod bookings;
mod context;
mod headroom;
mod leases;
mod losses;
mod obstacles;
mod past;

use futures_util::future::BoxFuture;

pub use context::{Implementation, LimiterContext, ManualClock, SharedState};

/// A case; it panics if the contract is broken.
pub type Case = fn(LimiterContext) -> BoxFuture<'static, ()>;

macro_rules! cases {
    ($($module:ident: $($name:ident,)*;)*) => {
        /// All cases with their names.
        pub const CASES: &[(&str, Case)] = &[$($((stringify!($name), |context| Box::pin($module::$name(context))),)*)*];
    };
}

cases! {
    leases:
        asking_again_after_a_lost_reply_gives_the_same_grant_once,
        a_lease_is_sent_by_its_first_holder_who_may_repeat_it,
        a_lease_that_was_never_granted_is_gone,
        unused_acts_on_leases_that_were_never_sent,
        every_end_that_is_repeated_changes_nothing,
        a_reserved_lease_gives_everything_back_when_its_time_is_over,
        a_sent_lease_frees_its_slot_at_its_deadline_and_keeps_its_charge,
        a_late_usage_corrects_the_charge_and_never_the_slot,
        an_aborted_call_keeps_its_slot_for_its_grace,
        a_lease_without_its_holder_keeps_its_slot_for_its_grace_within_its_deadline,
        a_refused_call_charges_what_refusals_count,
        a_lease_that_ended_is_never_granted_again,;
    bookings:
        tasks_leave_what_an_interactive_call_has_booked,
        a_booking_goes_at_once_when_its_call_is_withdrawn,
        a_booking_ends_when_it_is_not_renewed,
        an_interactive_call_does_not_heed_the_booking_of_a_task,
        levels_show_what_is_left_held_and_booked,;
    headroom:
        the_lowest_rank_with_room_is_taken,
        all_groups_of_a_credential_are_charged_or_none,
        a_wait_names_the_instant_at_which_it_fits,
        a_call_larger_than_every_limit_is_never_granted,
        a_header_lowers_what_is_left,
        a_header_gives_nothing_back_of_a_call_that_it_overtook,
        signals_of_an_unknown_or_ended_lease_change_nothing,
        a_refusal_closes_the_group_until_the_named_time,
        freed_headroom_is_signalled_to_every_process,
        many_processes_at_once_never_pass_a_limit,;
    losses:
        restored_leases_hold_again_and_known_ones_stay,
        a_flushed_limiter_fails_every_operation_until_it_is_restored,
        calls_under_way_hold_their_slots_after_a_loss,
        a_restored_lease_goes_to_the_holder_that_asks_first,
        rates_do_not_start_full_after_a_loss,
        a_lease_that_was_not_restored_is_gone,
        a_process_that_restored_learns_of_another_restore_after_a_loss,;
    obstacles:
        a_wait_names_the_limit_that_is_used_up,
        a_wait_names_the_refusal_that_closed_the_group,
        a_call_accepted_after_a_refusal_opens_the_group,
        a_later_refusal_corrects_the_wait_of_an_earlier_one,
        a_refusal_for_a_rate_closes_no_money_limit,
        a_refusal_for_concurrency_counts_the_calls_that_were_sent,
        slots_of_a_process_that_ended_come_back_when_they_are_due,;
    past:
        rates_start_at_what_past_calls_left,
        a_day_is_counted_across_lives,
        what_a_lost_call_reserved_counts_as_used,
        groups_without_a_past_call_are_full,;
}

/// Runs every case and returns the number of cases.
pub async fn run(implementation: &dyn Implementation) -> usize {
    for (name, case) in CASES {
        println!("{}: limits: {name}", implementation.name());
        case(implementation.fresh().await).await;
    }
    crate::real::record_run(implementation.name(), "limits", CASES.len());
    CASES.len()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use chorus_core::port::LimitState;
    use chorus_limits::{Memory, Start};

    use super::*;

    struct InMemory;

    struct Flushable(Memory);

    #[async_trait]
    impl SharedState for Flushable {
        fn new_process(&self) -> Arc<dyn LimitState> {
            Arc::new(self.0.beside())
        }

        async fn flush(&self) {
            self.0.flush();
        }

        async fn deliver_signals(&self) {}
    }

    #[async_trait]
    impl Implementation for InMemory {
        fn name(&self) -> &'static str {
            "memory"
        }

        async fn fresh(&self) -> LimiterContext {
            let clock = Arc::new(ManualClock::default());
            let memory = Memory::new(Arc::clone(&clock) as _, Start::Full);
            LimiterContext::new(Box::new(Flushable(memory)), clock).await
        }
    }

    #[test]
    fn memory_keeps_the_contract_of_limits() {
        let ran =
            futures_util::FutureExt::now_or_never(run(&InMemory)).expect("memory answers at once");
        assert!(ran > 20);
    }
}
