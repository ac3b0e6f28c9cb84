//! Is a credential alive? A read that costs nothing tells, before an account is taken in.

use bytes::Bytes;
use chorus_core::catalog::Provider;
use chorus_core::time::Timestamp;
use http::StatusCode;

use crate::call::{Http, probe_headers, read_prefix};
use crate::secrets::{Opened, Secret};

/// A question about one credential that is not in the directory yet.
#[derive(Debug, Clone, Copy)]
pub struct Probe<'a> {
    /// Its provider.
    pub provider: &'a Provider,
    /// Its secret.
    pub secret: &'a Secret,
    /// Another address than the provider's own.
    pub base_url: Option<&'a str>,
    /// When the answer is waited for no longer.
    pub deadline: Timestamp,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Liveness {
    /// The provider accepts it.
    Alive,
    /// The provider does not accept it.
    Dead {
        /// The provider's words.
        reason: String,
    },
    /// Nothing can be said now: no route to ask, no connection, or the provider is in trouble.
    Unknown {
        /// Why.
        reason: String,
    },
}

impl Http {
    /// Asks the provider whether it accepts a credential.
    pub async fn probe(&self, probe: Probe<'_>) -> Liveness {
        let asked = self.ask(probe);
        let unknown = |reason: String| Liveness::Unknown {
            reason: probe.secret.blot(&reason),
        };
        match self.parts.clock.deadline(probe.deadline, asked).await {
            None => unknown("the provider did not answer in time".to_owned()),
            Some(Err(reason)) => unknown(reason),
            Some(Ok((status, _))) if status.is_success() => Liveness::Alive,
            Some(Ok((StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, reason))) => {
                Liveness::Dead {
                    reason: probe.secret.blot(&reason),
                }
            }
            Some(Ok((status, reason))) => {
                unknown(format!("the provider answered {status}: {reason}"))
            }
        }
    }

    async fn ask(&self, probe: Probe<'_>) -> Result<(StatusCode, String), String> {
        let path = probe
            .provider
            .probe_path
            .as_deref()
            .ok_or("the provider has no address to ask")?;
        let opened = Opened {
            secret: probe.secret.clone(),
            base_url: probe.base_url.map(str::to_owned),
        };
        let url = self.endpoint(probe.provider, &opened, path)?;
        let mut request = http::Request::get(url)
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = probe_headers(probe.provider, probe.secret)?;
        let response = self
            .parts
            .transport
            .send(request)
            .await
            .map_err(|error| error.to_string())?;
        let (head, body) = response.into_parts();
        let words = if head.status.is_success() {
            String::new()
        } else {
            read_prefix(body).await
        };
        Ok((head.status, words))
    }
}
