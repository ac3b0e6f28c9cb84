//! Accounts, models and groups for the tests of this crate.

use std::collections::BTreeMap;

use chorus_core::catalog::{Model, Price};
use chorus_core::id::{AccountId, CredentialId, ProviderId, Tenant};
use chorus_core::limit::{Dimension, Limit, QuotaGroup, ReserveRule, Window};
use chorus_core::money::MicroUsd;
use chorus_core::port::directory::{Account, Credential, CredentialState, Entitlement, GroupOf};
use chorus_core::time::Timestamp;

pub(crate) fn model(slug: &str, providers: &[&str], strength: u8) -> Model {
    Model {
        slug: slug.into(),
        pool: slug.split('/').next().unwrap_or(slug).into(),
        routes: providers
            .iter()
            .map(|provider| (ProviderId::new(provider), slug.to_owned()))
            .collect(),
        context: 200_000,
        max_output: 8_000,
        price: Price {
            input: MicroUsd(3_000_000),
            output: MicroUsd(15_000_000),
            ..Price::default()
        },
        strength,
        reasoning: false,
        quirks: chorus_core::catalog::Quirks::default(),
    }
}

pub(crate) fn limit(dimension: Dimension, amount: u64, window: Window) -> Limit {
    Limit {
        dimension,
        amount,
        burst: None,
        window,
        reserve: ReserveRule::Estimate,
        cache_read_percent: 0,
        output_weight: 1,
    }
}

pub(crate) const MINUTE: Window = Window::Bucket { per_ms: 60_000 };

/// An account with one credential of one provider and one group of its own.
pub(crate) fn account(number: u128, owner: &str, provider: &str, limits: Vec<Limit>) -> Account {
    let group = QuotaGroup {
        id: format!("{provider}/{number}").as_str().into(),
        limits,
    };
    Account {
        id: AccountId::new(number),
        name: format!("{owner}{number}@example.org"),
        owner: owner.to_owned(),
        entitlement: Entitlement {
            kind: "own".to_owned(),
            attested_by: owner.to_owned(),
            attested_at: Timestamp(0),
        },
        same_owner_spill: false,
        credentials: vec![Credential {
            id: CredentialId::new(number),
            provider: provider.into(),
            base_url: None,
            groups: vec![GroupOf {
                group,
                models: Vec::new(),
            }],
            state: CredentialState::Active,
            mark: None,
            expires_at: None,
        }],
    }
}

pub(crate) fn home() -> Tenant {
    Tenant::new("home")
}

pub(crate) fn used(pairs: &[(Dimension, u64)]) -> BTreeMap<Dimension, u64> {
    pairs.iter().copied().collect()
}
