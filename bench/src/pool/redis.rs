//! Several processes over one real Redis server, on the virtual clock of a run.
//!
//! The server keeps no time of its own: scripts get the clock of the run. A run is one thread, so that each operation
//! is awaited in place. Hints of what was freed come from here at once, in the place of the server's channel, which
//! would bring them in real time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context;
use async_trait::async_trait;
use chorus_core::id::{GroupId, Holder, LeaseId};
use chorus_core::limit::{
    Demand, End, GroupChange, GroupLevel, Lease, LimitSignals, QuotaGroup, Reserved, Restoration,
    Sent,
};
use chorus_core::port::limit_state::LimitLevels;
use chorus_core::port::limit_state::LimiterError;
use chorus_core::port::{Clock, LimitState};
use chorus_core::time::Timestamp;
use chorus_limits::redis::{Redis, Settings, Time};
use futures_channel::mpsc;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;

use crate::time::stopwatch;

/// Seconds in which the server must answer.
const STARTS_IN: f64 = 10.0;
/// Hints that a listener has not read; more are dropped.
const HINTS: usize = 4_096;

/// A Redis server of its own, and the runtime that talks to it.
pub(crate) struct Server {
    process: Child,
    port: u16,
    runtime: tokio::runtime::Runtime,
    hints: Arc<Mutex<Hints>>,
}

/// Groups of live leases, and who listens for changes.
#[derive(Default)]
struct Hints {
    groups: BTreeMap<LeaseId, Vec<GroupId>>,
    listeners: Vec<mpsc::Sender<GroupChange>>,
}

impl Server {
    /// Starts `redis-server` on a free port of the loopback interface.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("start redis-server")?;
        let server = Self {
            process,
            port,
            runtime: tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?,
            hints: Arc::default(),
        };
        let took = stopwatch();
        while server.info("server").is_err() {
            anyhow::ensure!(took() < STARTS_IN, "redis-server does not answer");
            std::thread::yield_now();
        }
        Ok(server)
    }

    /// A limiter for one more process.
    pub(crate) fn handle(&self, clock: Arc<dyn Clock>) -> anyhow::Result<Arc<dyn LimitState>> {
        let settings = Settings {
            time: Time::Clock,
            ..Settings::new(format!("redis://127.0.0.1:{}", self.port), "bench")
        };
        Ok(Arc::new(Awaited {
            redis: Redis::open(&settings, clock)?,
            runtime: self.runtime.handle().clone(),
            hints: Arc::clone(&self.hints),
        }))
    }

    /// Microseconds that the server has spent in scripts so far.
    pub(crate) fn script_us(&self) -> anyhow::Result<f64> {
        let text = self.info("commandstats")?;
        let lines = text.lines().filter(|line| line.starts_with("cmdstat_eval"));
        let times = lines.filter_map(|line| {
            let (_, after) = line.split_once("usec=")?;
            after.split(',').next()?.parse::<f64>().ok()
        });
        Ok(times.sum())
    }

    fn info(&self, section: &str) -> anyhow::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.write_all(format!("INFO {section}\r\n").as_bytes())?;
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        reader.read_line(&mut head)?;
        let length: usize = head.trim().trim_start_matches('$').parse()?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The process is of no use to anyone any more, and it keeps no files.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Limiter of one process, which awaits the server in place.
struct Awaited {
    redis: Redis,
    runtime: tokio::runtime::Handle,
    hints: Arc<Mutex<Hints>>,
}

impl Awaited {
    fn hints(&self) -> MutexGuard<'_, Hints> {
        self.hints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends hints of the groups of a lease.
    fn changed_by(&self, lease: LeaseId, is_ended: bool) {
        let mut hints = self.hints();
        let groups = if is_ended {
            hints.groups.remove(&lease)
        } else {
            hints.groups.get(&lease).cloned()
        };
        for group in groups.into_iter().flatten() {
            let change = GroupChange { group, level: None };
            hints.listeners.retain_mut(|listener| {
                listener.try_send(change.clone()).is_ok() || !listener.is_closed()
            });
        }
    }
}

#[async_trait]
impl LimitState for Awaited {
    async fn reserve(&self, demand: Demand) -> Result<Reserved, LimiterError> {
        let answer = self.runtime.block_on(self.redis.reserve(demand))?;
        if let Reserved::Granted(lease) = &answer {
            let mut groups: Vec<GroupId> = lease
                .charges
                .iter()
                .map(|charge| charge.group.clone())
                .collect();
            groups.dedup();
            self.hints().groups.insert(lease.id, groups);
        }
        Ok(answer)
    }

    async fn withdraw(&self, lease: LeaseId) -> Result<(), LimiterError> {
        self.runtime.block_on(self.redis.withdraw(lease))
    }

    async fn send(
        &self,
        lease: &Lease,
        holder: &Holder,
        deadline: Timestamp,
    ) -> Result<Sent, LimiterError> {
        let sending = self.redis.send(lease, holder, deadline);
        self.runtime.block_on(sending)
    }

    async fn end(&self, lease: LeaseId, end: End) -> Result<(), LimiterError> {
        let ended = self.runtime.block_on(self.redis.end(lease, end));
        self.changed_by(lease, true);
        ended
    }

    async fn observe(&self, lease: LeaseId, signals: LimitSignals) -> Result<(), LimiterError> {
        let observed = self.runtime.block_on(self.redis.observe(lease, signals));
        self.changed_by(lease, false);
        observed
    }

    async fn restore(&self, restoration: Restoration) -> Result<(), LimiterError> {
        self.runtime.block_on(self.redis.restore(restoration))
    }

    async fn intact(&self) -> Result<(), LimiterError> {
        self.runtime.block_on(self.redis.intact())
    }
}

#[async_trait]
impl LimitLevels for Awaited {
    async fn levels(&self, groups: &[Arc<QuotaGroup>]) -> Result<Vec<GroupLevel>, LimiterError> {
        self.runtime.block_on(self.redis.levels(groups))
    }

    fn changed(&self) -> BoxStream<'static, GroupChange> {
        let (listener, hints) = mpsc::channel(HINTS);
        self.hints().listeners.push(listener);
        hints.boxed()
    }
}
