//! Checks of keys: a free read at the provider shows if it accepts a credential, and if the address
//! is the one of its API.
//!
//! The first bytes of the reply decide, not its status and headers: a web page is no
//! provider. Where an account names its own address, the likely right one beside it is tried too.

use async_trait::async_trait;
use bytes::Bytes;
use chorus_core::failure::FailureClass;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Timestamp;
use chorus_dialect::{WEB_PAGE, WireError};
use chorus_vault::{KeyCheck, KeyChecker, LimitsQuery, Liveness, Opened, ReportedLimits};
use serde_json::Value;

use crate::call::{Http, key_check_headers, plain_prefix};
use crate::failure::Exchange;

/// Ends of addresses that people copy from examples, without the part that every call adds.
const CALL_PATHS: [&str; 2] = ["/chat/completions", "/messages"];

#[async_trait]
impl KeyChecker for Http {
    async fn check_key(&self, check: KeyCheck<'_>) -> Liveness {
        let asked = self.check_at(check, check.base_url);
        let answer = match self.parts.clock.deadline(check.deadline, asked).await {
            None => Answer::unknown("the provider did not answer in time"),
            Some(answer) => answer,
        };
        let blot = |reason: String| check.secret.blot(&reason);
        match answer {
            Answer::Known(Liveness::Dead { reason }) => Liveness::Dead {
                reason: blot(reason),
            },
            Answer::Known(Liveness::Unknown { reason }) => Liveness::Unknown {
                reason: blot(reason),
            },
            Answer::Known(known) => known,
            Answer::Elsewhere { reason, is_certain } => {
                let proposal = self.other_address(check).await;
                let reason = blot(reason);
                if is_certain || proposal.is_some() {
                    Liveness::WrongAddress { reason, proposal }
                } else {
                    Liveness::Unknown { reason }
                }
            }
        }
    }

    async fn read_limits(&self, query: LimitsQuery<'_>) -> Result<Vec<ReportedLimits>, String> {
        self.reported_limits(query).await
    }
}

/// Result of one read.
enum Answer {
    Known(Liveness),
    /// Another server answers, or the API has another address.
    Elsewhere {
        reason: String,
        /// True if calls to this address cannot succeed either.
        is_certain: bool,
    },
}

impl Answer {
    fn unknown(reason: impl Into<String>) -> Self {
        let reason = reason.into();
        Self::Known(Liveness::Unknown { reason })
    }
}

impl Http {
    /// Returns the address at which the API answers, if it is one of those beside the given one.
    async fn other_address(&self, check: KeyCheck<'_>) -> Option<String> {
        let base = check.base_url?.trim_end_matches('/');
        let copied = CALL_PATHS.iter().find_map(|path| base.strip_suffix(path));
        let candidate = match copied {
            Some(shorter) => shorter.to_owned(),
            None if base.ends_with("/v1") => return None,
            None => format!("{base}/v1"),
        };
        let asked = self.check_at(check, Some(&candidate));
        let answer = self.parts.clock.deadline(check.deadline, asked).await?;
        matches!(answer, Answer::Known(Liveness::Alive)).then_some(candidate)
    }

    async fn check_at(&self, check: KeyCheck<'_>, base_url: Option<&str>) -> Answer {
        match self.read_models(check, base_url).await {
            Err(reason) => Answer::unknown(reason),
            Ok((exchange, bytes)) => answer(&exchange, &bytes, self.parts.clock.now()),
        }
    }

    /// Reads the free route of a provider; an error says why nothing was read.
    async fn read_models(
        &self,
        check: KeyCheck<'_>,
        base_url: Option<&str>,
    ) -> Result<(Exchange, Vec<u8>), String> {
        let path = check
            .provider
            .probe_path
            .as_deref()
            .ok_or("the provider has no address to ask")?;
        let opened = Opened {
            secret: check.secret.clone(),
            base_url: base_url.map(str::to_owned),
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
        let exchange = Exchange {
            provider: std::sync::Arc::new(check.provider.clone()),
            secret: opened.secret,
            has_own_address: base_url.is_some(),
            wire_name: String::new(),
            sent_at: None,
            status: Some(head.status.as_u16()),
            headers: head.headers,
            levels: Vec::new(),
        };
        let bytes = plain_prefix(&exchange, body).await;
        Ok((exchange, bytes))
    }
}

/// Judges a reply by its first bytes, then by its status.
fn answer(exchange: &Exchange, bytes: &[u8], now: Timestamp) -> Answer {
    let status = exchange.status.unwrap_or_default();
    if (300..400).contains(&status) {
        return Answer::Elsewhere {
            reason: exchange.redirected().message,
            is_certain: true,
        };
    }
    let error = match reported(bytes, status) {
        None => return Answer::Known(Liveness::Alive),
        Some(error) => error,
    };
    let is_page = error.kind.as_deref() == Some(WEB_PAGE);
    let failure = exchange.refused(&error, now);
    let reason = failure.message.clone();
    match (status, failure.class) {
        (200..300, _) if is_page => Answer::Elsewhere {
            reason,
            is_certain: true,
        },
        (404 | 405, _) => Answer::Elsewhere {
            reason: with_status(&failure),
            is_certain: false,
        },
        (_, FailureClass::Auth) => Answer::Known(Liveness::Dead { reason }),
        (403, FailureClass::Forbidden) if !is_page => Answer::Known(Liveness::Dead { reason }),
        // A limit is kept for each key: a limited key is a known one.
        (_, FailureClass::RateWindow | FailureClass::QuotaDay | FailureClass::Concurrency)
            if !is_page =>
        {
            Answer::Known(Liveness::Alive)
        }
        (_, FailureClass::Spend) => {
            Answer::unknown(format!("the account has no money left: {reason}"))
        }
        _ => Answer::unknown(with_status(&failure)),
    }
}

/// Error of a reply; none for JSON with a status of success that reports none.
fn reported(bytes: &[u8], status: u16) -> Option<WireError> {
    let read = || chorus_dialect::openai_chat::read_error(bytes);
    if !(200..300).contains(&status) {
        return Some(read());
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(fields)) => WireError::in_list(&fields),
        Ok(Value::Array(_)) => None,
        Ok(_) | Err(_) => Some(read()),
    }
}

fn with_status(failure: &CallFailure) -> String {
    let status = failure.status.unwrap_or_default();
    format!("the provider answered {status}: {}", failure.message)
}
