//! HTTP client for processes on this machine.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;

/// An HTTP client.
#[derive(Debug, Clone)]
pub struct Web {
    client: reqwest::Client,
}

impl Web {
    /// Creates a client without redirects and proxy.
    pub fn new() -> anyhow::Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?;
        let tls = tls
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .connect_timeout(Duration::from_secs(2));
        Ok(Self {
            client: client.build().context("make an HTTP client")?,
        })
    }

    /// The underlying client, for other requests.
    pub const fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Status and body of a GET; `None` while the server does not answer.
    pub async fn get(&self, address: SocketAddr, path: &str) -> Option<(u16, String)> {
        let request = self
            .client
            .get(format!("http://{address}{path}"))
            .timeout(Duration::from_secs(5));
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        Some((status, response.text().await.ok()?))
    }

    /// JSON of a GET that must succeed.
    pub async fn json(&self, address: SocketAddr, path: &str) -> anyhow::Result<Value> {
        let (status, body) = self
            .get(address, path)
            .await
            .with_context(|| format!("{path}: no answer"))?;
        anyhow::ensure!(status == 200, "{path}: {status} {body}");
        serde_json::from_str(&body).with_context(|| format!("{path}: not JSON"))
    }
}
