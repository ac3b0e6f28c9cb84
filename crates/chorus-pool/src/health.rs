//! Health of accounts: recent failures that speak about one account lower its rank for a while.
//!
//! [`AccountHealth`] is pure. It never makes an account inadmissible: that is the business of
//! credential states, limits and [`Breakers`](crate::breaker::Breakers). It only lets a healthy
//! account go first, because an account that answers 401, 404 or 500 is charged nothing and would
//! otherwise have the most headroom and attract every call.

use std::collections::BTreeMap;

use chorus_core::failure::{FailureClass, HealthReaction};
use chorus_core::id::AccountId;
use chorus_core::time::Timestamp;

/// Time in which a failure loses half of its weight.
const HALF_LIFE_MS: f64 = 60_000.0;
/// Rank that one fresh failure adds: as much as an account twice as slow as the fastest has.
const RANK_A_FAILURE: f64 = 4.0;
/// Highest rank added, so that a sick account stays comparable with a slow one.
const HIGHEST_RANK: f64 = 64.0;
/// Weight that a reply leaves of the failures before it.
const KEPT_AFTER_REPLY: f64 = 0.5;

/// Decayed failures of each account.
#[derive(Debug, Clone, Default)]
pub struct AccountHealth {
    accounts: BTreeMap<AccountId, Failures>,
}

/// Failures of one account, weighted by their age at `at`.
#[derive(Debug, Clone, Copy)]
struct Failures {
    weight: f64,
    at: Timestamp,
}

impl AccountHealth {
    /// Records the end of a call on an account: a reply, or a failure of this class.
    pub fn record(&mut self, account: AccountId, failure: Option<FailureClass>, now: Timestamp) {
        match failure.map(|class| class.rule().account_health) {
            Some(HealthReaction::Neutral) => {}
            Some(HealthReaction::CountsAgainst) => {
                let weight = self.weight(account, now) + 1.0;
                self.accounts.insert(account, Failures { weight, at: now });
            }
            None => {
                let weight = self.weight(account, now) * KEPT_AFTER_REPLY;
                if let Some(failures) = self.accounts.get_mut(&account) {
                    *failures = Failures { weight, at: now };
                }
            }
        }
    }

    /// Returns the rank to be added to the account's candidates; 0 for a healthy account.
    pub fn rank(&self, account: AccountId, now: Timestamp) -> u32 {
        (self.weight(account, now) * RANK_A_FAILURE).min(HIGHEST_RANK) as u32
    }

    fn weight(&self, account: AccountId, now: Timestamp) -> f64 {
        self.accounts.get(&account).map_or(0.0, |failures| {
            let age = now.since(failures.at).0 as f64;
            failures.weight * 0.5_f64.powf(age / HALF_LIFE_MS)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SICK: AccountId = AccountId::new(1);

    /// Records one end of a call each millisecond and returns the account's rank after them.
    fn check(ends: &[Option<FailureClass>], after: i64) -> u32 {
        let mut health = AccountHealth::default();
        for (at, end) in (0..).zip(ends) {
            health.record(SICK, *end, Timestamp(at));
        }
        assert_eq!(health.rank(AccountId::new(2), Timestamp(after)), 0);
        health.rank(SICK, Timestamp(after))
    }

    #[test]
    fn failures_of_the_account_lower_its_rank_and_limits_do_not() {
        use FailureClass::{Auth, Forbidden, QuotaDay, RateWindow, Request, Transient};
        for class in [RateWindow, QuotaDay, Request] {
            assert_eq!(check(&[Some(class); 9], 9), 0, "{class:?}");
        }
        for class in [Auth, Forbidden, Transient] {
            assert!(check(&[Some(class)], 1) >= 3, "{class:?}");
        }
        assert_eq!(check(&[Some(Transient); 1_000], 1_000), 64);
    }

    #[test]
    fn an_account_recovers_with_time_and_with_replies() {
        let failed = [Some(FailureClass::Transient); 4];
        assert!(check(&failed, 4) > check(&failed, 60_000));
        assert_eq!(check(&failed, 600_000), 0);
        let answered = [failed.as_slice(), &[None; 5]].concat();
        assert_eq!(check(&answered, 9), 0);
    }
}
