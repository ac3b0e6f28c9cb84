//! Failed calls of a project as they come, page by page from the API's history of deliveries.

use chorus_api::DeliveryResource;
use chorus_client::{Client, ClientError};
use chorus_core::id::ProjectId;

/// Position in the history of one project.
pub(super) struct History {
    after: Option<String>,
    /// False until the history before the session was passed over.
    is_at_present: bool,
    /// True if the server is of a release without the history.
    is_absent: bool,
}

impl History {
    /// History of a project from its beginning, or from the present if the project is older than the session.
    pub(super) const fn new(is_from_beginning: bool) -> Self {
        Self {
            after: None,
            is_at_present: is_from_beginning,
            is_absent: false,
        }
    }

    /// Calls that failed since the last read.
    pub(super) async fn failures(
        &mut self,
        client: &Client,
        project: ProjectId,
    ) -> Result<Vec<DeliveryResource>, ClientError> {
        let mut failed = Vec::new();
        while !self.is_absent {
            let page = match client.deliveries(project, self.after.as_deref()).await {
                Ok(page) => page,
                Err(error) if error.code() == Some("no_such_route") => {
                    self.is_absent = true;
                    break;
                }
                Err(error) => return Err(error),
            };
            if self.is_at_present {
                let failures = page.deliveries.into_iter();
                failed.extend(failures.filter(|delivery| delivery.is_failure));
            }
            self.after = page.next.or_else(|| self.after.take());
            if !page.has_more {
                self.is_at_present = true;
                break;
            }
        }
        Ok(failed)
    }
}
