//! Where a process stands before a port: every call of it passes here and meets its injector.

use std::fmt::Display;
use std::sync::Arc;

use chorus_core::port::StoreError;
use chorus_core::port::bus::BusError;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::Millis;

use super::{Fault, FaultInjector, Part};
use crate::executor::ProcessId;

/// The error by which a port says that it does not know whether the operation was done.
pub trait PortFailure {
    /// The error with these reason.
    fn unavailable(reason: &str) -> Self;
}

impl PortFailure for StoreError {
    fn unavailable(reason: &str) -> Self {
        Self::unavailable(reason)
    }
}

impl PortFailure for BusError {
    fn unavailable(reason: &str) -> Self {
        Self::new(reason)
    }
}

impl PortFailure for LimiterError {
    fn unavailable(reason: &str) -> Self {
        Self::unavailable(reason)
    }
}

/// One process before its ports.
#[derive(Clone)]
pub struct FaultPoint {
    name: Arc<str>,
    process: ProcessId,
    may_crash: bool,
    injector: Arc<FaultInjector>,
}

impl FaultPoint {
    /// The place of a process; one that is not `may_crash` never crashes or freezes by injector.
    pub fn new(
        name: &str,
        process: ProcessId,
        may_crash: bool,
        injector: &Arc<FaultInjector>,
    ) -> Self {
        Self {
            name: Arc::from(name),
            process,
            may_crash,
            injector: Arc::clone(injector),
        }
    }

    /// The injector that all sites share.
    pub const fn injector(&self) -> &Arc<FaultInjector> {
        &self.injector
    }

    /// The process.
    pub const fn process(&self) -> ProcessId {
        self.process
    }

    /// Adds a line to the log.
    pub fn note(&self, what: std::fmt::Arguments<'_>) {
        self.injector.log.note(&self.name, what);
    }

    /// Makes a port call: it takes its time, is done or not, and its reply arrives or not.
    pub async fn call<T, E: PortFailure + Display>(
        &self,
        part: Part,
        what: &str,
        show: impl Fn(&T) -> String,
        operation: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let call = self.injector.draw_call(self.process, self.may_crash);
        self.wait(call.takes).await;
        self.meet(call.before, what, "before").await;
        if self.injector.is_out(part) {
            self.note(format_args!("{what}: no answer"));
            return Err(E::unavailable("outage"));
        }
        if call.fails {
            self.note(format_args!("{what}: failed"));
            return Err(E::unavailable("failed before it was done"));
        }
        let reply = operation.await;
        match &reply {
            Ok(value) => self.note(format_args!("{what}: {}", show(value))),
            Err(error) => self.note(format_args!("{what}: error: {error}")),
        }
        self.meet(call.after, what, "after").await;
        self.wait(call.answers).await;
        if call.loses_reply && reply.is_ok() {
            self.note(format_args!("{what}: its reply is lost"));
            return Err(E::unavailable("its reply was lost"));
        }
        reply
    }

    /// Lets time pass.
    pub async fn wait(&self, length: Millis) {
        let timeline = &self.injector.timeline;
        timeline.sleep_until(timeline.now() + length).await;
    }

    async fn meet(&self, fault: Option<Fault>, what: &str, when: &str) {
        match fault {
            None => {}
            Some(Fault::Crash(down)) => {
                self.note(format_args!("dies {when} {what}, down for {down}"));
                self.injector.inject(self.process, Fault::Crash(down));
                futures_util::future::pending::<()>().await;
            }
            Some(Fault::Pause(length)) => {
                self.note(format_args!("freezes {when} {what} for {length}"));
                self.injector.inject(self.process, Fault::Pause(length));
                // One more millisecond, so that the pause begins at this await.
                self.wait(Millis(1)).await;
            }
        }
    }
}
