//! The connection to the server ([`Link`]): opened when it is needed, dropped at the first error, with
//! every wait bounded.
//!
//! A connection knows the run id of its server. A restarted server may hold an earlier state, so the
//! script compares that run with the one in which leases were last restored.

use std::sync::Arc;
use std::time::Duration;

use chorus_core::port::Clock;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::{Millis, Timestamp};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, InfoDict, Script, Value};
use tokio::sync::Mutex;

use super::reply::Reply;

/// Whole script, in the order in which its parts need each other.
const SCRIPT: &str = concat!(
    include_str!("lua/frame.lua"),
    include_str!("lua/tally.lua"),
    include_str!("lua/meter.lua"),
    include_str!("lua/group.lua"),
    include_str!("lua/lease.lua"),
    include_str!("lua/operations.lua"),
);
/// Time for which a failed connection attempt answers for the next ones.
const FAIL_FAST: Millis = Millis(200);

/// Clock by which limits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Time {
    /// Clock of the server: all processes agree on it.
    #[default]
    Server,
    /// Clock port of the process, for tests.
    Clock,
}

/// Connection to the server.
pub(super) struct Link {
    client: Client,
    config: AsyncConnectionConfig,
    script: Script,
    prefix: String,
    time: Time,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    line: Option<Line>,
    failed: Option<(Timestamp, LimiterError)>,
    opened: u64,
}

/// An open connection of a [`Link`].
#[derive(Clone)]
struct Line {
    connection: MultiplexedConnection,
    server: Arc<str>,
    number: u64,
}

impl Link {
    pub(super) fn new(
        client: Client,
        prefix: String,
        time: Time,
        clock: Arc<dyn Clock>,
        timeout: Duration,
    ) -> Self {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(timeout))
            .set_response_timeout(Some(timeout));
        Self {
            client,
            config,
            script: Script::new(SCRIPT),
            prefix,
            time,
            clock,
            state: Mutex::default(),
        }
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    /// Returns the channel of hints about freed or corrected groups.
    pub(super) fn channel(&self) -> String {
        format!("{}:changed", self.prefix)
    }

    /// Runs an operation, in as many runs of the script as its overdue leases need.
    pub(super) async fn run(
        &self,
        operation: &str,
        arguments: &serde_json::Value,
    ) -> Result<Reply, LimiterError> {
        let arguments = arguments.to_string();
        loop {
            let reply = self.run_once(operation, &arguments).await?;
            match reply.tag.as_str() {
                "more" => {}
                "lost" => return Err(LimiterError::StateLost),
                _ => return Ok(reply),
            }
        }
    }

    async fn run_once(&self, operation: &str, arguments: &str) -> Result<Reply, LimiterError> {
        let mut line = self.line().await?;
        let now = match self.time {
            Time::Server => String::new(),
            Time::Clock => self.clock.now().0.to_string(),
        };
        let mut invocation = self.script.key(&self.prefix);
        invocation
            .arg(operation)
            .arg(arguments)
            .arg(now)
            .arg(&*line.server);
        let answer: Result<Value, _> = invocation.invoke_async(&mut line.connection).await;
        match answer {
            Ok(value) => Reply::new(value).ok_or_else(|| unreadable(operation)),
            Err(problem) => {
                self.give_up(line.number).await;
                Err(unavailable(problem))
            }
        }
    }

    /// Returns an error if the server does not answer.
    pub(super) async fn ping(&self) -> Result<(), LimiterError> {
        let mut line = self.line().await?;
        let answer: Result<String, _> = redis::cmd("PING").query_async(&mut line.connection).await;
        match answer {
            Ok(_) => Ok(()),
            Err(problem) => {
                self.give_up(line.number).await;
                Err(unavailable(problem))
            }
        }
    }

    async fn line(&self) -> Result<Line, LimiterError> {
        let mut state = self.state.lock().await;
        if let Some(line) = &state.line {
            return Ok(line.clone());
        }
        if let Some((at, problem)) = &state.failed
            && self.clock.now().since(*at) < FAIL_FAST
        {
            return Err(problem.clone());
        }
        match self.open(state.opened + 1).await {
            Ok(line) => {
                (state.opened, state.failed) = (line.number, None);
                Ok(state.line.insert(line).clone())
            }
            Err(problem) => {
                let problem = unavailable(problem);
                state.failed = Some((self.clock.now(), problem.clone()));
                Err(problem)
            }
        }
    }

    async fn open(&self, number: u64) -> Result<Line, redis::RedisError> {
        let mut connection = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config)
            .await?;
        let info: InfoDict = redis::cmd("INFO")
            .arg("server")
            .query_async(&mut connection)
            .await?;
        let server: Option<String> = info.get("run_id");
        let server = server.ok_or_else(|| {
            redis::RedisError::from((
                redis::ErrorKind::Client,
                "the server does not report its run_id",
            ))
        })?;
        Ok(Line {
            connection,
            server: Arc::from(server),
            number,
        })
    }

    async fn give_up(&self, number: u64) {
        let mut state = self.state.lock().await;
        if state
            .line
            .as_ref()
            .is_some_and(|line| line.number == number)
        {
            state.line = None;
        }
    }
}

pub(super) fn unreadable(operation: &str) -> LimiterError {
    LimiterError::unavailable(format!("the answer to {operation} cannot be read"))
}

/// Errors of the client name addresses at most, never a password.
pub(super) fn unavailable(problem: redis::RedisError) -> LimiterError {
    LimiterError::unavailable(problem.to_string()).caused_by(problem)
}

#[cfg(test)]
mod tests {
    use chorus_core::failure::{GroupReaction, TABLE};

    use super::SCRIPT;

    #[test]
    fn the_script_knows_every_reaction_of_the_failure_table() {
        for rule in TABLE.iter().filter(|rule| rule.is_limit()) {
            let branch = format!("signals.reaction == '{}'", rule.group.as_str());
            assert!(SCRIPT.contains(&branch), "{branch}");
        }
        assert_eq!(GroupReaction::Nothing.as_str(), "nothing");
    }
}
