//! Dependencies of a process and checks of their availability, for [`Health`](crate::health::Health).

use std::fmt::Display;

use chorus_store::sql::Store;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// One thing without which the process cannot do its work.
pub(crate) struct Dependency {
    pub(crate) name: &'static str,
    /// Description for people; holds no secret.
    pub(crate) what: String,
    ask: Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

impl Dependency {
    /// A dependency that is asked in this way.
    pub(crate) fn new<F, E>(
        name: &'static str,
        what: String,
        ask: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        let ask = Box::new(move || {
            ask()
                .map(|answer| answer.map_err(|error| error.to_string()))
                .boxed()
        });
        Self { name, what, ask }
    }

    /// The database; one that lacks migrations is not usable.
    pub(super) fn database(store: &Store, what: String) -> Self {
        let store = store.clone();
        Self::new("database", what, move || {
            let store = store.clone();
            async move {
                let missing = store.ping().await.map_err(|error| error.to_string())?;
                if missing.is_empty() {
                    Ok(())
                } else {
                    Err(format!(
                        "it lacks {}; run `chorus migrate`",
                        missing.join(", ")
                    ))
                }
            }
        })
    }

    /// Returns the reason if the dependency is unavailable. Has no deadline.
    pub(crate) async fn ask(&self) -> Result<(), String> {
        (self.ask)().await
    }
}
