//! Progress of a project on standard error: [bars](bars::Bars) on a terminal, [lines](lines::Lines) elsewhere.
//!
//! A view shows what the API sends and keeps no facts of its own. Neighbours: [`session`](crate::session) feeds it,
//! [`sentence`] has the text of each event, [`status`] what a project does and waits for, [`failures`] the
//! distances at which a failure that repeats is shown again.

mod bars;
mod calls;
mod failures;
mod lines;
mod sentence;
mod status;

use std::io::IsTerminal;

use chorus_api::{DeliveryResource, ProjectResource};
use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;
use chorus_core::time::Timestamp;

use crate::config::Environment;

pub(crate) use failures::failure_text;
pub(crate) use status::{reasons, summary};

/// The [`View`] that suits standard error: bars need a terminal that can move its cursor.
pub(crate) fn new(environment: &dyn Environment) -> Box<dyn View> {
    let is_dumb = environment
        .variable("TERM")
        .is_none_or(|terminal| terminal == "dumb");
    if std::io::stderr().is_terminal() && !is_dumb {
        Box::new(bars::Bars::new())
    } else {
        Box::new(lines::Lines::new())
    }
}

/// Shows one project.
pub(crate) trait View: Send {
    /// Shows an event of the project.
    fn event(&mut self, event: &StoredEvent);

    /// Shows progress of a call that this account serves.
    fn progress(&mut self, progress: &Progress, account: &str);

    /// Shows state, counts, money and reasons of waiting, as they are at this time.
    fn state(&mut self, project: &ProjectResource, now: Timestamp);

    /// Shows a call that failed.
    fn failure(&mut self, delivery: &DeliveryResource, now: Timestamp);

    /// Shows a sentence that is no event of the project.
    fn note(&mut self, text: &str);

    /// Leaves the terminal free, for a question or for good.
    fn clear(&mut self);
}
