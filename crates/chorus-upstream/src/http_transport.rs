//! The transport with sockets: one pool of kept-alive connections over rustls.
//!
//! No proxies, no redirects, no timeout between two reads: a provider may send blank lines for minutes before it
//! replies, and only the call's wall-clock deadline ends that.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::StreamExt as _;
use rustls::{ClientConfig, RootCertStore};

use crate::transport::{BodyStream, Transport, TransportError};

/// [`Transport`] over sockets; clones share the connections.
#[derive(Debug, Clone)]
pub struct HttpTransport {
    client: reqwest::Client,
}

/// Failure to set up TLS or the client.
#[derive(Debug, thiserror::Error)]
#[error("set up the HTTP client")]
pub struct SetUpError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl HttpTransport {
    /// Creates a client with its own connections. Trusted roots are the machine's and Mozilla's.
    pub fn new() -> Result<Self, SetUpError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config().map_err(|error| SetUpError(error.into()))?)
            .user_agent(concat!("chorus/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(10))
            .pool_idle_timeout(Duration::from_secs(90))
            .tcp_keepalive(Duration::from_secs(30))
            .tcp_nodelay(true)
            .build()
            .map_err(|error| SetUpError(error.into()))?;
        Ok(Self { client })
    }

    /// Creates a client that sends every request to this Unix socket, for any host in its address.
    #[cfg(unix)]
    pub fn over_socket(path: &std::path::Path) -> Result<Self, SetUpError> {
        let client = reqwest::Client::builder()
            .unix_socket(path)
            .tls_backend_preconfigured(tls_config().map_err(|error| SetUpError(error.into()))?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .build()
            .map_err(|error| SetUpError(error.into()))?;
        Ok(Self { client })
    }

    /// Fails: this system has no Unix sockets.
    #[cfg(not(unix))]
    pub fn over_socket(_: &std::path::Path) -> Result<Self, SetUpError> {
        Err(SetUpError(
            std::io::Error::from(std::io::ErrorKind::Unsupported).into(),
        ))
    }
}

fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    let (_added, _unreadable) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<BodyStream>, TransportError> {
        let request = reqwest::Request::try_from(request).map_err(transport_error)?;
        let response = self
            .client
            .execute(request)
            .await
            .map_err(transport_error)?;
        let mut head = http::Response::new(());
        *head.status_mut() = response.status();
        *head.version_mut() = response.version();
        head.headers_mut().clone_from(response.headers());
        let body: BodyStream = response
            .bytes_stream()
            .map(|chunk| chunk.map_err(transport_error))
            .boxed();
        Ok(head.map(|()| body))
    }
}

/// Keeps the whole chain of causes without the address: a base URL may be secret.
fn transport_error(error: reqwest::Error) -> TransportError {
    let connect = error.is_connect() || error.is_builder();
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    if connect {
        TransportError::Connect(text)
    } else {
        TransportError::Broken(text)
    }
}
