//! `chorus key`: creating and revoking keys of a store in use.

use chorus_core::id::Tenant;
use chorus_core::port::Keys;
use chorus_core::port::keys::KeyStatus;
use chorus_gateway::Secret;
use chorus_store::sql::{DatabaseUrl, Pending, Store};

use crate::fixture::{Fixture, output_text, quick};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_once_kept_as_a_hash_and_revoked_while_the_folder_is_in_use() {
    let sandbox = Fixture::new(quick()).await;
    let made = sandbox.chorus(&[
        "key",
        "create",
        "--name",
        "laptop",
        "--expires",
        "30d",
        "--scope",
        "projects:read",
    ]);
    assert!(made.status.success(), "{}", output_text(&made));
    let text = String::from_utf8(made.stdout.clone())
        .expect("letters")
        .trim()
        .to_owned();
    let secret = Secret::read(&text).expect("a key and nothing else on standard output");
    let file = sandbox.path("data").join("chorus.db");
    let store = Store::open(DatabaseUrl::Sqlite(file.clone()), Pending::Refuse)
        .await
        .expect("the database opens");
    let key = store
        .find(secret.hash())
        .await
        .expect("it answers")
        .expect("it was made");
    assert_eq!(
        (key.name.as_str(), key.tenant, key.scopes.to_string()),
        ("laptop", Tenant::new("local"), "projects:read".to_owned())
    );
    let month = key.expires_at.expect("it expires").since(key.created_at).0;
    assert!((2_590_000_000..2_594_000_000).contains(&month), "{month}");

    let held = chorus_store::DataDir::open(sandbox.path("data")).expect("no process holds it");
    let listed = sandbox.chorus(&["key", "list"]);
    assert!(
        output_text(&listed).contains(&format!("{}  good", key.id)),
        "{}",
        output_text(&listed)
    );
    let stranger = sandbox.chorus(&[
        "key",
        "revoke",
        &key.id.to_string(),
        "--tenant",
        "elsewhere",
    ]);
    assert!(!stranger.status.success(), "{}", output_text(&stranger));
    let revoked = sandbox.chorus(&["key", "revoke", &key.id.to_string()]);
    assert!(revoked.status.success(), "{}", output_text(&revoked));
    let key = store
        .find(secret.hash())
        .await
        .expect("it answers")
        .expect("it is kept");
    assert_eq!(key.status(key.created_at), KeyStatus::Revoked);
    drop(held);
    store.close().await;
    for entry in std::fs::read_dir(sandbox.path("data"))
        .expect("the folder")
        .flatten()
        .filter(|entry| entry.path().is_file())
    {
        let bytes = std::fs::read(entry.path()).expect("readable");
        assert!(
            !bytes
                .windows(text.len())
                .any(|window| window == text.as_bytes()),
            "{} holds the key",
            entry.path().display()
        );
    }
    sandbox.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_lifetime_or_scope_is_named() {
    let sandbox = Fixture::new(quick()).await;
    for (flag, value, words) in [
        ("--expires", "soon", "12h or 30d"),
        ("--scope", "all", "projects:write"),
    ] {
        let refused = sandbox.chorus(&["key", "create", flag, value]);
        assert!(
            !refused.status.success() && output_text(&refused).contains(words),
            "{}",
            output_text(&refused)
        );
    }
    sandbox.end().await;
}
