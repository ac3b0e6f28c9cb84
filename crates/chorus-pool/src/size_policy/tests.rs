//! Tests of the sizes that a tenant's models allow.

use std::sync::Arc;

use chorus_core::catalog::{Catalog, Model};
use chorus_core::port::directory::CredentialState;
use chorus_core::sizes::TokenBudget;

use super::*;
use crate::tests::{account, home, model};

fn small(slug: &str, context: u32, max_output: u32, reasoning: bool) -> Model {
    Model {
        context,
        max_output,
        reasoning,
        ..model(slug, &["p"], 50)
    }
}

/// Limits of a tenant with one account of provider `p`, all roles served by the given models.
fn check(models: Vec<Model>, state: CredentialState) -> SizeLimits {
    let slugs: Vec<_> = models.iter().map(|model| model.slug.clone()).collect();
    let roles = [
        ModelRole::Planner,
        ModelRole::Writer,
        ModelRole::Merger,
        ModelRole::Judge,
    ]
    .map(|role| (role, vec![slugs.clone()]))
    .into();
    let mut index = EndpointIndex::new(Arc::new(Catalog {
        providers: Vec::new(),
        models,
    }));
    let mut owned = account(1, "a", "p", Vec::new());
    owned.credentials[0].state = state;
    index.set(&home(), vec![owned]);
    fitted(SizeLimits::default(), &index, &home(), &roles, Timestamp(0))
}

#[test]
fn large_models_change_nothing_but_thinking() {
    let fitted = check(
        vec![small("p/large", 1_000_000, 100_000, true)],
        CredentialState::Active,
    );
    let mut expected = SizeLimits::default();
    expected.answers.writer.thinking = 0;
    expected.answers.merger.thinking = 0;
    assert_eq!(fitted, expected);
}

#[test]
fn the_weakest_model_of_a_role_sets_its_limits() {
    let fitted = check(
        vec![
            small("p/short", 20_000, 9_000, false),
            small("p/curt", 100_000, 3_000, true),
        ],
        CredentialState::Active,
    );
    assert_eq!(fitted.plan.input_tokens, 12_000);
    assert_eq!(fitted.plan.max_output_tokens, 3_000);
    assert_eq!(fitted.judge_tokens, 12_000);
    let thinking = TokenBudget {
        ceiling: 3_000,
        thinking: 1_500,
    };
    assert_eq!(fitted.answers.planner, thinking);
    assert_eq!(fitted.answers.judge, thinking);
    assert_eq!(fitted.answers.writer.ceiling, 3_000);
}

#[test]
fn models_that_do_not_think_get_no_tokens_for_it() {
    let fitted = check(
        vec![small("p/plain", 200_000, 40_000, false)],
        CredentialState::Active,
    );
    assert_eq!(fitted.answers.planner.thinking, 0);
    assert_eq!(fitted.answers.planner.ceiling, 32_000);
}

#[test]
fn a_role_without_a_usable_model_keeps_its_limits() {
    let parked = CredentialState::Parked {
        until: Timestamp(1_000),
        reason: "the key was refused".to_owned(),
    };
    let fitted = check(vec![small("p/short", 20_000, 1_000, false)], parked);
    assert_eq!(fitted, SizeLimits::default());
}
