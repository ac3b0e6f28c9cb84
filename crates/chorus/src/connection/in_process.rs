//! [`Transport`] to the gateway inside this process, without a socket.

use async_trait::async_trait;
use axum::Router;
use bytes::Bytes;
use chorus_client::{Body, Transport, TransportError};
use futures_util::StreamExt as _;
use tower::ServiceExt as _;

/// Calls the gateway's router directly.
pub(super) struct InProcess(pub(super) Router);

#[async_trait]
impl Transport for InProcess {
    async fn send(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Body>, TransportError> {
        let request = request.map(axum::body::Body::from);
        let Ok(response) = self.0.clone().oneshot(request).await;
        Ok(response.map(|body| {
            body.into_data_stream()
                .map(|chunk| chunk.map_err(TransportError::new))
                .boxed()
        }))
    }
}
