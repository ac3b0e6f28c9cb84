//! Rules of lines and waits: the share of each line in one reading, and the wait of an attempt without a recorded one.

use chorus_core::attempt::{AttemptWait, DeliveryEnd, DeliveryRow, WaitReason};
use chorus_core::time::Timestamp;

use super::AttemptRow;

/// Maximum number of rows of one line in one reading.
const LONGEST: u32 = 2_048;
/// Minimum number of rows of one line in one reading.
const LEAST: u32 = 8;

/// Number of rows that one of so many lines gets in a reading of at most `limit` rows.
pub fn share(limit: u32, lines: usize) -> u32 {
    let lines = u32::try_from(lines).unwrap_or(u32::MAX).max(1);
    (limit / lines).clamp(LEAST.min(limit), LONGEST)
}

/// The wait of a queued attempt: the recorded one at its epoch, else the delay after its last delivery, else its
/// place in the queue. A delay that has not ended comes before a recorded reason.
pub fn wait_of(
    row: &AttemptRow,
    recorded: Option<AttemptWait>,
    last: Option<&DeliveryRow>,
    ahead: u32,
    now: Timestamp,
) -> AttemptWait {
    let derived = |reason| AttemptWait {
        attempt: row.attempt.id,
        epoch: row.epoch,
        since: row.queued_at,
        reason,
    };
    if row.attempt.not_before > now
        && let Some(retry) = last.and_then(|last| retry(row, last))
    {
        return derived(retry);
    }
    recorded
        .filter(|wait| wait.epoch == row.epoch)
        .unwrap_or_else(|| derived(WaitReason::Queue { ahead }))
}

/// The delay after a failed delivery.
fn retry(row: &AttemptRow, last: &DeliveryRow) -> Option<WaitReason> {
    let Some(DeliveryEnd::Finished { outcome }) = &last.end else {
        return None;
    };
    Some(WaitReason::Retry {
        account: Some(last.assignment.account),
        class: Some(outcome.failure_class()?),
        message: None,
        until: Some(row.attempt.not_before),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_share_a_reading_and_none_is_left_out() {
        assert_eq!(share(2_000, 1), 2_000);
        assert_eq!(share(10_000, 1), 2_048);
        assert_eq!(share(2_000, 10), 200);
        assert_eq!(share(2_000, 100_000), 8);
        assert_eq!(share(3, 1), 3);
        assert_eq!(share(2_000, 0), 2_000);
    }
}
