//! Where a process stands before a port: every call of it passes here and meets its fate.

use std::fmt::Display;
use std::sync::Arc;

use chorus_core::port::StoreError;
use chorus_core::port::bus::BusError;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::Millis;

use super::{Blow, Fate, Part};
use crate::executor::ProcessId;

/// The error by which a port says that it does not know whether the deed was done.
pub trait Lost {
    /// The error with these words.
    fn lost(words: &str) -> Self;
}

impl Lost for StoreError {
    fn lost(words: &str) -> Self {
        Self::Unavailable(words.to_owned())
    }
}

impl Lost for BusError {
    fn lost(words: &str) -> Self {
        Self(words.to_owned())
    }
}

impl Lost for LimiterError {
    fn lost(words: &str) -> Self {
        Self::Unavailable(words.to_owned())
    }
}

/// One process before its ports.
#[derive(Clone)]
pub struct Site {
    name: Arc<str>,
    process: ProcessId,
    mortal: bool,
    fate: Arc<Fate>,
}

impl Site {
    /// The place of a process; one that is not `mortal` never crashes or freezes by fate.
    pub fn new(name: &str, process: ProcessId, mortal: bool, fate: &Arc<Fate>) -> Self {
        Self {
            name: Arc::from(name),
            process,
            mortal,
            fate: Arc::clone(fate),
        }
    }

    /// The fate that all sites share.
    pub const fn fate(&self) -> &Arc<Fate> {
        &self.fate
    }

    /// The process.
    pub const fn process(&self) -> ProcessId {
        self.process
    }

    /// Adds a line to the log.
    pub fn note(&self, what: std::fmt::Arguments<'_>) {
        self.fate.log.note(&self.name, what);
    }

    /// Makes a port call: it takes its time, is done or not, and its reply arrives or not.
    pub async fn call<T, E: Lost + Display>(
        &self,
        part: Part,
        what: &str,
        show: impl Fn(&T) -> String,
        deed: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let lot = self.fate.lot(self.process, self.mortal);
        self.wait(lot.takes).await;
        self.meet(lot.before, what, "before").await;
        if self.fate.is_out(part) {
            self.note(format_args!("{what}: no answer"));
            return Err(E::lost("outage"));
        }
        if lot.fails {
            self.note(format_args!("{what}: failed"));
            return Err(E::lost("failed before it was done"));
        }
        let reply = deed.await;
        match &reply {
            Ok(value) => self.note(format_args!("{what}: {}", show(value))),
            Err(error) => self.note(format_args!("{what}: error: {error}")),
        }
        self.meet(lot.after, what, "after").await;
        self.wait(lot.answers).await;
        if lot.loses_reply && reply.is_ok() {
            self.note(format_args!("{what}: its reply is lost"));
            return Err(E::lost("its reply was lost"));
        }
        reply
    }

    /// Lets time pass.
    pub async fn wait(&self, length: Millis) {
        let timeline = &self.fate.timeline;
        timeline.sleep_until(timeline.now() + length).await;
    }

    async fn meet(&self, blow: Option<Blow>, what: &str, when: &str) {
        match blow {
            None => {}
            Some(Blow::Crash(down)) => {
                self.note(format_args!("dies {when} {what}, down for {down}"));
                self.fate.strike(self.process, Blow::Crash(down));
                futures_util::future::pending::<()>().await;
            }
            Some(Blow::Pause(length)) => {
                self.note(format_args!("freezes {when} {what} for {length}"));
                self.fate.strike(self.process, Blow::Pause(length));
                // One more millisecond, so that the pause begins at this await.
                self.wait(Millis(1)).await;
            }
        }
    }
}
