//! Progress of a project on standard error: [bars](bars::Bars) on a terminal, [lines](lines::Lines) elsewhere.
//!
//! A view shows what the API sends and keeps no facts of its own. Neighbour: [`session`](crate::session) feeds it.

mod bars;
mod lines;

use std::io::IsTerminal;

use chorus_api::ProjectResource;
use chorus_core::port::projects::StoredEvent;
use chorus_core::progress::Progress;

/// The [`View`] that suits standard error.
pub(crate) fn new() -> Box<dyn View> {
    if std::io::stderr().is_terminal() {
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

    /// Shows state, counts and money.
    fn state(&mut self, project: &ProjectResource);

    /// Shows a sentence that is no event of the project.
    fn note(&mut self, text: &str);

    /// Leaves the terminal free, for a question or for good.
    fn clear(&mut self);
}
