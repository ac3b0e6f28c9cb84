//! Facts about the server ([`Examined`]) for `chorus doctor`, read on a connection of their own.

use std::time::Duration;

use chorus_core::port::limit_state::LimiterError;
use chorus_core::time::Timestamp;
use redis::{AsyncConnectionConfig, Client, InfoDict};

use super::Settings;
use super::link::{unavailable, unreadable};

/// Facts about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// Release of the server.
    pub release: String,
    /// Policy when memory is full; any but `noeviction` forgets limits.
    pub eviction: String,
    /// Number of keys evicted since the server started.
    pub evicted: u64,
    /// Time of the server: the clock by which limits are kept.
    pub now: Timestamp,
}

/// Reads the facts of the server of these settings.
pub async fn examine(settings: &Settings) -> Result<Examined, LimiterError> {
    let client = Client::open(settings.url.as_str()).map_err(unavailable)?;
    let timeout = Duration::from_millis(settings.timeout.0);
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(timeout))
        .set_response_timeout(Some(timeout));
    let asked = async {
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let info: InfoDict = redis::cmd("INFO").query_async(&mut connection).await?;
        let time: (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await?;
        Ok((info, time))
    };
    let (info, (seconds, micros)) = asked
        .await
        .map_err(|problem: redis::RedisError| unavailable(problem))?;
    Ok(Examined {
        release: info
            .get("redis_version")
            .ok_or_else(|| unreadable("INFO"))?,
        eviction: info
            .get("maxmemory_policy")
            .ok_or_else(|| unreadable("INFO"))?,
        evicted: info.get("evicted_keys").ok_or_else(|| unreadable("INFO"))?,
        now: Timestamp(seconds * 1000 + micros / 1000),
    })
}
