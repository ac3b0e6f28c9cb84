//! Checks of keys: a free read at the provider shows if it accepts a credential.

use async_trait::async_trait;
use bytes::Bytes;
use chorus_vault::{KeyCheck, KeyChecker, Liveness, Opened};
use http::StatusCode;

use crate::call::{Http, key_check_headers, read_prefix};

#[async_trait]
impl KeyChecker for Http {
    async fn check_key(&self, check: KeyCheck<'_>) -> Liveness {
        let asked = self.ask(check);
        let unknown = |reason: String| Liveness::Unknown {
            reason: check.secret.blot(&reason),
        };
        match self.parts.clock.deadline(check.deadline, asked).await {
            None => unknown("the provider did not answer in time".to_owned()),
            Some(Err(reason)) => unknown(reason),
            Some(Ok((status, _))) if status.is_success() => Liveness::Alive,
            Some(Ok((StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, reason))) => {
                Liveness::Dead {
                    reason: check.secret.blot(&reason),
                }
            }
            Some(Ok((status, reason))) => {
                unknown(format!("the provider answered {status}: {reason}"))
            }
        }
    }
}

impl Http {
    async fn ask(&self, check: KeyCheck<'_>) -> Result<(StatusCode, String), String> {
        let path = check
            .provider
            .probe_path
            .as_deref()
            .ok_or("the provider has no address to ask")?;
        let opened = Opened {
            secret: check.secret.clone(),
            base_url: check.base_url.map(str::to_owned),
        };
        let url = self.endpoint(check.provider, &opened, path)?;
        let mut request = http::Request::get(url)
            .body(Bytes::new())
            .map_err(|error| error.to_string())?;
        *request.headers_mut() = key_check_headers(check.provider, check.secret)?;
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
