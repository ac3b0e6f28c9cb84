//! The configuration that all processes of a stage share.

use super::services::Services;

/// What differs between stages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Name of the database on the server.
    pub database: String,
    /// Set before names of topics, groups and keys.
    pub namespace: String,
    /// `kafka` or `embedded`.
    pub bus: &'static str,
    /// `redis` or `memory`.
    pub limits: &'static str,
    /// Calls under way at once in each worker process.
    pub slots: u32,
    /// Models that do the work; the first one also plans and judges.
    pub models: &'static [&'static str],
    /// What is logged.
    pub log: &'static str,
}

impl Settings {
    /// The file that every process reads. Times are short, so that what a killed process held is soon taken back.
    pub fn file(&self, services: &Services) -> String {
        let Self {
            namespace,
            bus,
            limits,
            slots,
            log,
            ..
        } = self;
        let thinks = format!("[[{:?}]]", self.models[0]);
        let work = format!("[{:?}]", self.models);
        format!(
            "[data]\ndir = \"data\"\nkey_file = \"envelope.key\"\n\
             [database]\nurl = \"{}\"\n\
             [bus]\nkind = \"{bus}\"\nbrokers = \"{}\"\nnamespace = \"{namespace}\"\nsession_timeout_ms = 3000\n\
             [limits]\nkind = \"{limits}\"\nurl = \"{}\"\nnamespace = \"chorus{namespace}\"\n\
             [roles]\nplanner = {thinks}\nmerger = {thinks}\njudge = {thinks}\nwriter = {work}\n\
             [worker]\nslots = {slots}\ncall_timeout_seconds = 15\n\
             [delivery]\nbeat_ms = 300\nsilent_ms = 2500\nunclaimed_ms = 2500\n\
             [log]\nlevel = \"{log}\"\nformat = \"json\"\n",
            self.database_url(services),
            if *bus == "kafka" {
                services.kafka.as_str()
            } else {
                ""
            },
            if *limits == "redis" {
                services.redis.as_str()
            } else {
                ""
            },
        )
    }

    /// Where the stage's rows are.
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
