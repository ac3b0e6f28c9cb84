//! Cases of [`Keys`](chorus_core::port::Keys): API keys.

use chorus_core::id::{KeyId, Tenant};
use chorus_core::port::keys::{ApiKey, KeyHash, NewKey, Scope, Scopes};
use chorus_core::time::{Millis, Timestamp};

use super::{Case, CaseContext, Outcome, cases, fixtures, with_lost_reply};

pub(super) fn cases() -> Vec<Case> {
    cases![
        a_key_is_found_by_the_hash_of_its_text_only,
        a_creation_with_a_lost_reply_is_one_key,
        keys_are_listed_within_their_tenant_newest_first,
        a_revoked_key_has_its_time_of_revocation,
        a_stranger_cannot_revoke,
    ]
}

fn tenant() -> Tenant {
    Tenant::new("tenant")
}

/// The key as [`list`](chorus_core::port::Keys) returns it.
fn shown(new: &NewKey, created_at: Timestamp) -> ApiKey {
    let NewKey {
        id,
        tenant,
        name,
        scopes,
        expires_at,
        ..
    } = new.clone();
    ApiKey {
        id,
        tenant,
        name,
        scopes,
        created_at,
        expires_at,
        revoked_at: None,
    }
}

async fn a_key_is_found_by_the_hash_of_its_text_only(context: CaseContext) -> Outcome {
    context.pass(Millis(7)).await;
    let scopes: Scopes = [Scope::ProjectsRead].into_iter().collect();
    let new = NewKey {
        scopes,
        expires_at: Some(Timestamp(99)),
        ..fixtures::key(&context.ids, &tenant(), "text")
    };
    context.ports.keys.create(new.clone()).await?;
    assert_eq!(
        context.ports.keys.find(KeyHash::of("text")).await?,
        Some(shown(&new, Timestamp(7)))
    );
    assert_eq!(context.ports.keys.find(KeyHash::of("Text")).await?, None);
    assert_eq!(
        context
            .ports
            .keys
            .find(KeyHash::of(&new.id.to_string()))
            .await?,
        None
    );
    Ok(())
}

async fn a_creation_with_a_lost_reply_is_one_key(context: CaseContext) -> Outcome {
    let new = fixtures::key(&context.ids, &tenant(), "text");
    with_lost_reply(async || context.ports.keys.create(new.clone()).await).await?;
    assert_eq!(
        context.ports.keys.list(&tenant()).await?,
        [shown(&new, Timestamp(0))]
    );
    assert!(context.ports.keys.revoke(&tenant(), new.id).await?);
    context.ports.keys.create(new.clone()).await?;
    let found = context
        .ports
        .keys
        .find(new.hash)
        .await?
        .expect("it was made");
    assert_eq!(
        found.revoked_at,
        Some(Timestamp(0)),
        "a late repetition does not bring a revoked key back"
    );
    Ok(())
}

async fn keys_are_listed_within_their_tenant_newest_first(context: CaseContext) -> Outcome {
    let mut mine = Vec::new();
    for text in ["one", "two", "three"] {
        context.pass(Millis(10)).await;
        let new = fixtures::key(&context.ids, &tenant(), text);
        context.ports.keys.create(new.clone()).await?;
        mine.insert(0, shown(&new, context.now()));
    }
    context
        .ports
        .keys
        .create(fixtures::key(
            &context.ids,
            &Tenant::new("stranger"),
            "theirs",
        ))
        .await?;
    assert_eq!(context.ports.keys.list(&tenant()).await?, mine);
    assert_eq!(context.ports.keys.list(&Tenant::new("unknown")).await?, []);
    Ok(())
}

async fn a_revoked_key_has_its_time_of_revocation(context: CaseContext) -> Outcome {
    let new = fixtures::key(&context.ids, &tenant(), "text");
    context.ports.keys.create(new.clone()).await?;
    for (at, revoked_at) in [(5, 5), (4, 5)] {
        context.pass(Millis(at)).await;
        assert!(
            with_lost_reply(async || context.ports.keys.revoke(&tenant(), new.id).await).await?
        );
        let found = context
            .ports
            .keys
            .find(new.hash)
            .await?
            .expect("it is kept");
        assert_eq!(found.revoked_at, Some(Timestamp(revoked_at)));
        assert_eq!(context.ports.keys.list(&tenant()).await?, [found]);
    }
    Ok(())
}

async fn a_stranger_cannot_revoke(context: CaseContext) -> Outcome {
    let new = fixtures::key(&context.ids, &tenant(), "text");
    context.ports.keys.create(new.clone()).await?;
    assert!(
        !context
            .ports
            .keys
            .revoke(&Tenant::new("stranger"), new.id)
            .await?
    );
    assert!(
        !context
            .ports
            .keys
            .revoke(&tenant(), KeyId::new(999))
            .await?
    );
    assert_eq!(
        context
            .ports
            .keys
            .find(new.hash)
            .await?
            .expect("it is kept")
            .revoked_at,
        None
    );
    Ok(())
}
