//! Databases that are locked, damaged, old or foreign: a clear error for each.

use chorus_core::port::{Attempts, Projects, StoreError};
use chorus_store::sql::{DatabaseUrl, Pending, Store, migrate, pending};
use sqlx::{ConnectOptions, Connection, Executor};

use super::*;

async fn raw(place: &DatabaseUrl) -> sqlx::AnyConnection {
    let DatabaseUrl::Sqlite(file) = place else {
        panic!("these tests use files")
    };
    let options: sqlx::any::AnyConnectOptions = format!("sqlite://{}", file.display())
        .parse()
        .expect("a valid URL");
    options.connect().await.expect("the file is there")
}

fn place(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.path().join("a % strange? name#.db"))
}

fn plain(folder: &TempDir) -> DatabaseUrl {
    DatabaseUrl::Sqlite(folder.path().join("chorus.db"))
}

#[tokio::test]
async fn a_file_that_is_no_database_is_reported_as_damaged() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    std::fs::write(folder.path().join("chorus.db"), [7_u8; 8192]).expect("the folder is ours");
    let refusal = Store::open(plain(&folder), Pending::Apply)
        .await
        .err()
        .expect("this is no database");
    assert!(
        matches!(&refusal, StoreError::Broken { message: text, .. } if text.contains("is damaged") && text.contains("chorus.db")),
        "{refusal}"
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named_by_table_row_and_column() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let store = opened(plain(&folder)).await;
    let new = fixtures::project(
        &Ids::default(),
        &Tenant::new("tenant"),
        Timestamp(0),
        MicroUsd(1),
    );
    let id = new.id;
    store.submit(new).await.expect("the database is ours");
    raw(&plain(&folder))
        .await
        .execute("UPDATE projects SET head = '{\"half\":'")
        .await
        .expect("the database is ours");
    let refusal = store
        .load(id)
        .await
        .expect_err("half a text is no head")
        .to_string();
    for word in ["table projects", &id.to_string(), "backup"] {
        assert!(refusal.contains(word), "{word:?} is missing in: {refusal}");
    }
}

#[tokio::test]
async fn a_database_locked_by_another_program_is_unavailable_and_then_well_again() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let store = opened(plain(&folder)).await;
    let mut other = raw(&plain(&folder)).await;
    other
        .execute("BEGIN IMMEDIATE")
        .await
        .expect("there is no other writer");
    let new = fixtures::project(
        &Ids::default(),
        &Tenant::new("tenant"),
        Timestamp(0),
        MicroUsd(1),
    );
    let refusal = store
        .submit(new.clone())
        .await
        .expect_err("there is another writer");
    assert!(
        matches!(&refusal, StoreError::Unavailable { message: text, .. } if text.contains("locked")),
        "{refusal}"
    );
    other.execute("ROLLBACK").await.expect("it was begun");
    other.close().await.expect("it is open");
    store.submit(new).await.expect("no other writer is left");
}

#[tokio::test]
async fn a_full_disk_is_reported_and_accepted_work_stays() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let store = opened(plain(&folder)).await;
    let ids = Ids::default();
    let first = fixtures::project(&ids, &Tenant::new("tenant"), Timestamp(0), MicroUsd(1));
    store.submit(first.clone()).await.expect("there is room");
    store.hold_size().await.expect("the database is ours");
    let mut large = fixtures::project(&ids, &Tenant::new("tenant"), Timestamp(0), MicroUsd(1));
    large.head.title = "long ".repeat(1_000_000);
    let refusal = store.submit(large).await.expect_err("there is no room");
    assert!(
        matches!(&refusal, StoreError::Broken { message: text, .. } if text.contains("the disk is full")),
        "{refusal}"
    );
    assert!(
        store
            .load(first.id)
            .await
            .expect("reading needs no room")
            .is_some()
    );
}

#[tokio::test]
async fn an_old_schema_is_refused_unless_it_may_be_brought_up_to_date() {
    let folder = tempfile::tempdir().expect("a folder for the test");
    let place = place(&folder);
    let lacking = pending(&place).await.expect("an empty database answers");
    assert!(
        lacking.starts_with(&["0001_begin"]) && lacking.is_sorted(),
        "{lacking:?}"
    );
    let refusal = Store::open(place.clone(), Pending::Refuse)
        .await
        .err()
        .expect("it lacks everything");
    assert!(
        matches!(&refusal, StoreError::Broken { message: text, .. } if text.contains("chorus migrate")),
        "{refusal}"
    );
    migrate(&place).await.expect("it can be brought up to date");
    migrate(&place).await.expect("doing it again does nothing");
    assert!(pending(&place).await.expect("it answers").is_empty());
    let store = Store::open(place, Pending::Refuse)
        .await
        .expect("nothing is pending");
    assert!(store.queued(1).await.expect("it answers").is_empty());
    assert!(store.examine().await.expect("it can be read").is_empty());
}
