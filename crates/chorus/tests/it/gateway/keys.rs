//! `chorus key`: creating and revoking keys of a store in use.

use chorus_core::id::Tenant;
use chorus_core::port::Keys;
use chorus_core::port::keys::KeyStatus;
use chorus_gateway::Secret;
use chorus_store::sql::{Pending, Place, Store};

use crate::stage::{Stage, quick, said};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_is_shown_once_kept_as_a_hash_and_revoked_while_the_folder_is_in_use() {
    let stage = Stage::new(quick()).await;
    let made = stage.chorus(&[
        "key",
        "create",
        "--name",
        "laptop",
        "--expires",
        "30d",
        "--scope",
        "projects:read",
    ]);
    assert!(made.status.success(), "{}", said(&made));
    let text = String::from_utf8(made.stdout.clone())
        .expect("letters")
        .trim()
        .to_owned();
    let secret = Secret::read(&text).expect("a key and nothing else on standard output");
    let file = stage.path("data").join("chorus.db");
    let store = Store::open(Place::Sqlite(file.clone()), Pending::Refuse)
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

    let held = chorus_store::DataDir::open(stage.path("data")).expect("nobody holds it");
    let listed = stage.chorus(&["key", "list"]);
    assert!(
        said(&listed).contains(&format!("{}  good", key.id)),
        "{}",
        said(&listed)
    );
    let stranger = stage.chorus(&[
        "key",
        "revoke",
        &key.id.to_string(),
        "--tenant",
        "elsewhere",
    ]);
    assert!(!stranger.status.success(), "{}", said(&stranger));
    let revoked = stage.chorus(&["key", "revoke", &key.id.to_string()]);
    assert!(revoked.status.success(), "{}", said(&revoked));
    let key = store
        .find(secret.hash())
        .await
        .expect("it answers")
        .expect("it is kept");
    assert_eq!(key.status(key.created_at), KeyStatus::Revoked);
    drop(held);
    store.close().await;
    for entry in std::fs::read_dir(stage.path("data"))
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
    stage.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_lifetime_or_scope_is_named() {
    let stage = Stage::new(quick()).await;
    for (flag, value, words) in [
        ("--expires", "soon", "12h or 30d"),
        ("--scope", "all", "projects:write"),
    ] {
        let refused = stage.chorus(&["key", "create", flag, value]);
        assert!(
            !refused.status.success() && said(&refused).contains(words),
            "{}",
            said(&refused)
        );
    }
    stage.end().await;
}
