//! One request without its server and key.

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, header};
use serde::Serialize;

/// Header that makes a repeated request the same request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Header with the tenant for which the operator acts.
const TENANT: HeaderName = HeaderName::from_static("chorus-tenant");

/// A request without its server and key. Cheap to clone, because the body is shared.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    method: Method,
    /// Path and query.
    pub(crate) path: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
}

impl Call {
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A JSON request; repetitions with the same key have no further effect.
    pub(crate) fn post(path: impl Into<String>, body: &impl Serialize, key: &str) -> Self {
        let body = serde_json::to_vec(body).expect("request bodies are structs with text keys");
        Self::post_bytes(path, body.into(), "application/json", key)
    }

    /// A request with a body of this media type.
    pub(crate) fn post_bytes(
        path: impl Into<String>,
        body: Bytes,
        media_type: impl Into<String>,
        key: &str,
    ) -> Self {
        Self {
            method: Method::POST,
            path: path.into(),
            headers: vec![
                (header::CONTENT_TYPE, media_type.into()),
                (IDEMPOTENCY_KEY, key.to_owned()),
            ],
            body,
        }
    }

    pub(crate) fn with_header(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(crate) fn delete(path: impl Into<String>) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::get(path)
        }
    }

    /// The request to this server, with the key or the tenant of its sender.
    pub(crate) fn to_request(
        &self,
        server: &str,
        (key, tenant): (Option<&str>, Option<&str>),
    ) -> Result<Request<Bytes>, http::Error> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(format!("{server}{}", self.path));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(&format!("Bearer {key}"))?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some(tenant) = tenant {
            request = request.header(TENANT, tenant);
        }
        request.body(self.body.clone())
    }
}
