//! Acts of operators over a store in memory and a scripted provider.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use chorus_bus::Embedded;
use chorus_core::catalog::Provider;
use chorus_core::limit::{Dimension, ObservedLevel};
use chorus_core::port::audit::AuditFilter;
use chorus_core::time::{Millis, Timestamp};
use chorus_store::memory::Store;
use chorus_vault::{LimitsQuery, ReportedLimits, Secret};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::*;
use crate::{CredentialRow, Identity};

/// A clock that goes on by a millisecond at each question.
#[derive(Default)]
struct Steps(AtomicU64);

impl Clock for Steps {
    fn now(&self) -> Timestamp {
        let steps = self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp(1_790_000_000_000 + i64::try_from(steps).expect("a test is short"))
    }

    fn sleep_until(&self, _: Timestamp) -> BoxFuture<'static, ()> {
        futures_util::future::pending().boxed()
    }

    fn random_u128(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed)) + 1
    }

    fn random_below(&self, _: u64) -> u64 {
        0
    }
}

/// A provider that gives this answer to every check, and these limits to an admin key.
struct Scripted(Mutex<Liveness>, Mutex<Result<Vec<ReportedLimits>, String>>);

#[async_trait]
impl KeyChecker for Scripted {
    async fn check_key(&self, _: KeyCheck<'_>) -> Liveness {
        self.0.lock().expect("no panic before").clone()
    }

    async fn read_limits(&self, query: LimitsQuery<'_>) -> Result<Vec<ReportedLimits>, String> {
        let reported = self.1.lock().expect("no panic before").clone();
        assert_eq!(query.secret.expose(), "admin-of-one");
        reported
    }
}

struct Case {
    operator: AccountOperator,
    provider: Arc<Scripted>,
    author: Author,
}

impl Case {
    fn new() -> Self {
        let row = serde_json::json!({
            "id": "p", "title": "P", "base_url": "https://p.example", "path": "/x",
            "dialect": "openai_chat", "auth": "bearer", "limits_api": "anthropic",
        });
        let row: Provider = serde_json::from_value(row).expect("a row");
        let model = serde_json::json!({
            "slug": "p/m", "pool": "other", "routes": {"p": "m"}, "context": 8_192,
            "max_output": 8_192, "price": {"input": 0, "output": 0}, "strength": 1,
        });
        let model = serde_json::from_value(model).expect("a model");
        let clock: Arc<dyn Clock> = Arc::new(Steps::default());
        let store = Arc::new(Store::new(Arc::clone(&clock)));
        let provider = Arc::new(Scripted(
            Mutex::new(Liveness::Alive),
            Mutex::new(Ok(Vec::new())),
        ));
        let operator = AccountOperator {
            directory: Arc::<Store>::clone(&store),
            audit: store,
            bus: Arc::new(Embedded::new()),
            clock,
            catalog: Arc::new(Catalog {
                providers: vec![row],
                models: vec![model],
            }),
            key: EnvelopeKey::generate(),
            addresses: AddressPolicy::default(),
            checker: Arc::<Scripted>::clone(&provider),
        };
        let author = Author {
            tenant: Tenant::new("home"),
            caller: "operator".to_owned(),
        };
        Self {
            operator,
            provider,
            author,
        }
    }

    fn answer(&self, liveness: Liveness) {
        *self.provider.0.lock().expect("no panic before") = liveness;
    }

    /// Imports an account of this owner with one key.
    fn import(&self, email: &str, owner: &str, key: &str) -> Report {
        let row = Row {
            place: "account 1".to_owned(),
            identity: Identity {
                email: email.to_owned(),
                owner: Some(owner.to_owned()),
                entitlement: "own".to_owned(),
                attested_by: None,
                same_owner_spill: false,
            },
            credentials: vec![CredentialRow {
                provider: "p".to_owned(),
                key: key.to_owned(),
                organization: None,
                base_url: None,
                expires: None,
                models: Vec::new(),
                limits: Vec::new(),
                tier: None,
                project: None,
                admin_key: None,
                project_limits: Vec::new(),
            }],
        };
        done(self.operator.import(&self.author, vec![Ok(row)], true)).expect("the store answers")
    }

    fn rotate(&self, email: &str, key: &str, is_unchecked: bool) -> Result<Rotated, OperatorError> {
        let rotation = Rotation {
            key: Secret::new(key),
            provider: None,
            credential: None,
            expires_at: None,
            is_unchecked,
        };
        done(self.operator.rotate(&self.author, email, rotation))
    }

    fn states(&self, email: &str) -> Vec<&'static str> {
        let account = done(self.operator.account(&self.author, email)).expect("it is there");
        let mut states: Vec<_> = account
            .credentials
            .iter()
            .map(|credential| credential.state.as_str())
            .collect();
        states.sort_unstable();
        states
    }

    fn acts(&self) -> Vec<AuditAction> {
        let audit = &self.operator.audit;
        let entries = done(audit.entries(&self.author.tenant, AuditFilter::default(), 100));
        let mut entries = entries.expect("the store answers");
        entries.reverse();
        entries.into_iter().map(|entry| entry.action).collect()
    }
}

fn done<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing here waits")
}

#[test]
fn a_rotation_drains_the_old_key_beside_the_new_one() {
    let case = Case::new();
    case.import("a@example.org", "an", "sk-old-key");
    let rotated = case.rotate("a@example.org", "sk-new-key", false);
    let rotated = rotated.expect("the provider accepts the key");
    assert!(rotated.is_checked);
    assert_eq!(case.states("a@example.org"), ["active", "draining"]);
    let account = done(case.operator.account(&case.author, "a@example.org")).expect("it is there");
    let groups = |id| {
        let mut credentials = account.credentials.iter();
        let found = credentials.find(|credential| credential.id == id);
        found.expect("it is stored").groups.clone()
    };
    assert_eq!(
        groups(rotated.replaced),
        groups(rotated.credential),
        "both keys share the limits of their organisation"
    );
}

#[test]
fn a_dead_new_key_changes_nothing() {
    let case = Case::new();
    case.import("a@example.org", "an", "sk-old-key");
    for answer in [
        Liveness::Dead {
            reason: "sk-new-key is wrong".to_owned(),
        },
        Liveness::Unknown {
            reason: "no answer".to_owned(),
        },
    ] {
        case.answer(answer);
        let refused = case.rotate("a@example.org", "sk-new-key", false);
        let refused = refused.expect_err("it is refused").to_string();
        assert!(!refused.contains("sk-new-key"), "{refused}");
        assert_eq!(case.states("a@example.org"), ["active"]);
    }
    let rotated = case.rotate("a@example.org", "sk-new-key", true);
    assert!(!rotated.expect("it was asked for").is_checked);
}

#[test]
fn an_interrupted_rotation_is_repeated_and_the_same_key_again_is_refused() {
    let case = Case::new();
    case.import("a@example.org", "an", "sk-old-key");
    let again = case.rotate("a@example.org", "sk-old-key", false);
    assert!(
        matches!(again, Err(OperatorError::Duplicate(_))),
        "{again:?}"
    );
    let first = case.rotate("a@example.org", "sk-new-key", false);
    let first = first.expect("the provider accepts the key");
    let lost_reply = case.rotate("a@example.org", "sk-new-key", false);
    assert_eq!(lost_reply.expect("it was done before"), first);
    let old = case
        .operator
        .directory
        .set_state(first.replaced, CredentialState::Active);
    done(old).expect("the store answers");
    let several = case.rotate("a@example.org", "sk-new-key", false);
    assert!(
        matches!(several, Err(OperatorError::Unclear(_))),
        "{several:?}"
    );
    let rotation = Rotation {
        key: Secret::new("sk-new-key"),
        provider: None,
        credential: Some(first.replaced),
        expires_at: None,
        is_unchecked: false,
    };
    let repeated = done(
        case.operator
            .rotate(&case.author, "a@example.org", rotation),
    );
    assert_eq!(repeated.expect("the new key is found"), first);
    assert_eq!(case.states("a@example.org"), ["active", "draining"]);
}

#[test]
fn the_pause_of_an_owner_covers_every_account_and_no_probe_or_import_ends_it() {
    let case = Case::new();
    case.import("a@example.org", "an", "sk-key-a");
    case.import("b@example.org", "an", "sk-key-b");
    case.import("c@example.org", "binh", "sk-key-c");
    let owner = Selection::Owner("an".to_owned());
    let pause = Pause {
        reason: "left the company".to_owned(),
        is_cut: true,
    };
    let paused = done(case.operator.pause(&case.author, &owner, pause));
    assert_eq!(
        paused.expect("they are there"),
        ["a@example.org", "b@example.org"]
    );
    let checkups = done(case.operator.probe(&case.author, "a@example.org"));
    let checkups = checkups.expect("it is there");
    assert_eq!(checkups[0].answer, Liveness::Alive);
    assert!(checkups[0].credential.state.is_held());
    case.import("a@example.org", "an", "sk-key-a");
    case.import("b@example.org", "an", "sk-key-b2");
    assert_eq!(case.states("a@example.org"), ["paused"]);
    assert_eq!(
        case.states("b@example.org"),
        ["paused", "paused"],
        "a new key of a paused account"
    );
    assert_eq!(case.states("c@example.org"), ["active"]);
    let rotated = case.rotate("a@example.org", "sk-key-a2", false);
    rotated.expect("the provider accepts the key");
    assert_eq!(case.states("a@example.org"), ["draining", "paused"]);
    done(case.operator.enable(&case.author, &owner)).expect("they are there");
    assert_eq!(case.states("a@example.org"), ["active", "draining"]);
    let unknown = Selection::Owner("x' OR 1=1 --".to_owned());
    let refused = done(
        case.operator
            .pause(&case.author, &unknown, Pause::default()),
    );
    assert!(matches!(refused, Err(OperatorError::NoSuchOwner(_))));
}

#[test]
fn every_act_is_in_the_audit_with_its_author() {
    let case = Case::new();
    case.import("a@example.org", "an", "sk-key-a");
    let account = Selection::Account("a@example.org".to_owned());
    done(
        case.operator
            .pause(&case.author, &account, Pause::default()),
    )
    .expect("it is there");
    done(case.operator.enable(&case.author, &account)).expect("it is there");
    done(case.operator.probe(&case.author, "a@example.org")).expect("it is there");
    case.rotate("a@example.org", "sk-key-a2", false)
        .expect("accepted");
    done(case.operator.remove(&case.author, "a@example.org")).expect("it is there");
    assert_eq!(
        case.acts(),
        [
            AuditAction::Import,
            AuditAction::Pause,
            AuditAction::Enable,
            AuditAction::Probe,
            AuditAction::Rotate,
            AuditAction::Remove,
        ]
    );
    let gone = done(case.operator.probe(&case.author, "a@example.org"));
    assert!(matches!(gone, Err(OperatorError::NoSuchAccount(_))));
}

#[test]
fn a_key_in_the_place_of_a_name_is_not_written_to_the_audit() {
    let case = Case::new();
    let report = case.import("sk-proj-0123456789abcdef0123456789", "an", "sk-key-a");
    assert_eq!(report.refused.len(), 1);
    let audit = &case.operator.audit;
    let entries = done(audit.entries(&case.author.tenant, AuditFilter::default(), 10));
    let entries = entries.expect("the store answers");
    assert!(!format!("{entries:?}").contains("sk-"), "{entries:?}");
}

/// Imports an account with an admin key when the provider tells this amount of requests a minute, or fails.
fn import_with_limits(case: &Case, reported: Result<u64, &str>) -> (Report, Vec<u64>) {
    let level = |amount| ObservedLevel {
        dimension: Dimension::Requests,
        limit: Some(amount),
        remaining: None,
        full_at: None,
        rounded_to: 1,
        window: Some(Millis(60_000)),
    };
    let reported = reported.map_err(str::to_owned).map(|amount| {
        vec![ReportedLimits {
            models: vec!["m".to_owned()],
            levels: vec![level(amount)],
        }]
    });
    *case.provider.1.lock().expect("no panic before") = reported;
    let row = Row {
        place: "account 1".to_owned(),
        identity: Identity {
            email: "one@example.com".to_owned(),
            owner: None,
            entitlement: "own".to_owned(),
            attested_by: None,
            same_owner_spill: false,
        },
        credentials: vec![CredentialRow {
            provider: "p".to_owned(),
            key: "key-of-one".to_owned(),
            organization: None,
            base_url: None,
            expires: None,
            models: Vec::new(),
            limits: Vec::new(),
            tier: None,
            project: None,
            admin_key: Some("admin-of-one".to_owned()),
            project_limits: Vec::new(),
        }],
    };
    let report = done(case.operator.import(&case.author, vec![Ok(row)], true));
    let accounts = done(case.operator.directory.accounts(&case.author.tenant));
    let accounts = accounts.expect("the store answers");
    let credentials = accounts.iter().flat_map(|account| &account.credentials);
    let groups = credentials.flat_map(|credential| &credential.groups);
    let amounts = groups.flat_map(|of| of.group.limits.iter().map(|limit| limit.amount));
    (report.expect("the store answers"), amounts.collect())
}

#[test]
fn limits_that_a_provider_told_stay_when_its_api_fails_and_follow_it_when_it_answers() {
    let case = Case::new();
    let (report, amounts) = import_with_limits(&case, Ok(77));
    assert_eq!((report.added.len(), amounts), (1, vec![77]));
    let (report, amounts) = import_with_limits(&case, Err("it is away"));
    assert!(report.notes[0].contains("limits of P are not read: it is away"));
    assert_eq!((report.unchanged.len(), amounts), (1, vec![77]));
    let (report, amounts) = import_with_limits(&case, Ok(90));
    assert_eq!((report.updated.len(), amounts), (1, vec![90]));
}
