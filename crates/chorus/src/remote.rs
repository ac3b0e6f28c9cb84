//! A person with a project on a server: hands it in, follows it, asks what it asks, and takes the deliverable.
//!
//! The gateway's first client. It knows the API only, never a store or a bus; whatever breaks on the way is tried
//! again, at the next server of the list where there is one, and nothing is handed in twice. Leaving it (Ctrl-C)
//! leaves the project running.

mod api;
mod feed;
mod fetch;
mod session;
mod standing;

pub(crate) use api::Api;
pub(crate) use session::{Remote, run};
pub(crate) use standing::{cancel, list, show};
