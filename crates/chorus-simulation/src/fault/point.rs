//! The point before a port at which faults of one process are injected.

use std::fmt::Display;
use std::sync::Arc;

use chorus_core::port::StoreError;
use chorus_core::port::bus::BusError;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::Millis;

use super::{Fault, FaultInjector, Part};
use crate::executor::ProcessId;

/// Error of a port for an operation that may or may not have been applied.
pub trait PortFailure {
    /// Creates the error with this reason.
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

/// One process before its ports: every port call passes through [`FaultPoint::call`].
#[derive(Clone)]
pub struct FaultPoint {
    name: Arc<str>,
    process: ProcessId,
    may_crash: bool,
    injector: Arc<FaultInjector>,
}

impl FaultPoint {
    /// Creates the fault point of a process. Without `may_crash` the process never crashes or
    /// pauses.
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

    /// The injector that all fault points share.
    pub const fn injector(&self) -> &Arc<FaultInjector> {
        &self.injector
    }

    /// The process that calls.
    pub const fn process(&self) -> ProcessId {
        self.process
    }

    /// Adds a line to the event log under the name of the process.
    pub fn note(&self, what: std::fmt::Arguments<'_>) {
        self.injector.log.note(&self.name, what);
    }

    /// Makes a port call: waits for its latency, applies the operation or fails, then returns or
    /// loses the reply.
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

    /// Waits for this length of virtual time.
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
