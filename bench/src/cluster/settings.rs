//! Configuration that all processes of a cluster share.

use super::services::Services;

/// Settings that differ between [`Cluster`](super::installation::Cluster)s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the database on the server.
    pub database: String,
    /// Prefix of the names of topics, groups and keys.
    pub namespace: String,
    /// `kafka` or `embedded`.
    pub bus: &'static str,
    /// `redis` or `memory`.
    pub limits: &'static str,
    /// Maximum calls in flight in each worker process.
    pub slots: u32,
    /// Models in use; the first one also plans and judges.
    pub models: &'static [&'static str],
    /// Log filter.
    pub log: &'static str,
}

/// Returns the address if the server is in use, else nothing.
fn given(address: &str, is_used: bool) -> &str {
    if is_used { address } else { "" }
}

impl Settings {
    /// Configuration file of every process. Times are short, so that the work of a killed process
    /// is reclaimed soon.
    pub fn file(&self, services: &Services) -> String {
        let Self {
            namespace,
            bus,
            limits,
            slots,
            log,
            ..
        } = self;
        let planner = format!("[[{:?}]]", self.models[0]);
        let writer = format!("[{:?}]", self.models);
        format!(
            "[data]\ndir = \"data\"\nkey_file = \"envelope.key\"\n\
             [database]\nurl = \"{}\"\n\
             [bus]\nkind = \"{bus}\"\nbrokers = \"{}\"\nnamespace = \"{namespace}\"\nsession_timeout_ms = 3000\n\
             [limits]\nkind = \"{limits}\"\nurl = \"{}\"\nnamespace = \"chorus{namespace}\"\n\
             [roles]\nplanner = {planner}\nmerger = {planner}\njudge = {planner}\nwriter = {writer}\n\
             [worker]\nslots = {slots}\ncall_timeout_seconds = 15\n\
             [delivery]\nbeat_ms = 300\nsilent_ms = 2500\nunclaimed_ms = 2500\n\
             [log]\nlevel = \"{log}\"\nformat = \"json\"\n",
            self.database_url(services),
            given(&services.kafka, *bus == "kafka"),
            given(&services.redis, *limits == "redis"),
        )
    }

    /// URL of the database.
    pub fn database_url(&self, services: &Services) -> String {
        match services.postgres.rsplit_once('/') {
            Some((server, _)) if server.contains("//") && !server.ends_with('/') => {
                format!("{server}/{}", self.database)
            }
            _ => format!(
                "{}/{}",
                services.postgres.trim_end_matches('/'),
                self.database
            ),
        }
    }
}
