//! Classes of failed calls by the error rows of a provider: the first match wins.
//!
//! Reactions to a class are in [`chorus_core::failure`].

use chorus_core::catalog::{ErrorRule, Provider};
use chorus_core::failure::FailureClass;
use chorus_core::limit::ObservedLevel;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Timestamp;
use chorus_dialect::WireError;
use chorus_vault::Secret;
use http::HeaderMap;

use crate::limit_headers::observed;
use crate::retry_after::{retry_after, should_retry};

/// One exchange, with the facts that a failure reports.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) provider: std::sync::Arc<Provider>,
    pub(crate) secret: Secret,
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) status: Option<u16>,
    pub(crate) levels: Vec<ObservedLevel>,
}

impl Exchange {
    /// A [`CallFailure`] that this side found.
    pub(crate) fn failure(&self, class: FailureClass, kind: &str, message: &str) -> CallFailure {
        CallFailure {
            status: self.status,
            kind: Some(kind.to_owned()),
            sent_at: self.sent_at,
            levels: self.levels.clone(),
            ..CallFailure::local(class, &self.provider.id, self.secret.blot(message))
        }
    }

    /// A call cut at its wall-clock deadline.
    pub(crate) fn past_deadline(&self) -> CallFailure {
        self.failure(
            FailureClass::Transient,
            "deadline",
            "the call was cut at its deadline",
        )
    }

    /// A [`CallFailure`] for a call that the provider refused, classified by [`classify`].
    pub(crate) fn refused(
        &self,
        error: &WireError,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> CallFailure {
        let status = true_status(self.status.unwrap_or_default(), error);
        let class = match (
            classify(&self.provider.errors, status, error),
            should_retry(headers),
        ) {
            (FailureClass::Transient, Some(false)) => FailureClass::Request,
            (FailureClass::Request, Some(true)) => FailureClass::Transient,
            (class, _) => class,
        };
        let kind = error
            .code
            .as_ref()
            .filter(|code| code.parse::<u16>().is_err())
            .or(error.kind.as_ref())
            .or(error.code.as_ref());
        CallFailure {
            kind: kind.cloned(),
            retry_after: retry_after(headers, now).or(error.retry_after),
            levels: observed(&self.provider.limit_headers, headers, now),
            status: Some(status),
            sent_at: self.sent_at,
            ..CallFailure::local(class, &self.provider.id, self.secret.blot(&error.message))
        }
    }
}

/// The status of the body where a server replies 200 and reports the error there.
fn true_status(status: u16, error: &WireError) -> u16 {
    let in_body = error
        .code
        .as_ref()
        .and_then(|code| code.parse().ok())
        .filter(|code| (400..600).contains(code));
    if status < 400 {
        in_body.unwrap_or(status)
    } else {
        status
    }
}

/// Class of the first row of which all conditions hold; `Transient` when there is none.
pub(crate) fn classify(rules: &[ErrorRule], status: u16, error: &WireError) -> FailureClass {
    let text = format!("{} {}", error.message, error.details).to_lowercase();
    let holds = |rule: &&ErrorRule| {
        rule.status.is_none_or(|expected| expected == status)
            && rule
                .kind
                .as_ref()
                .is_none_or(|expected| error.kind.as_ref() == Some(expected))
            && rule
                .code
                .as_ref()
                .is_none_or(|expected| error.code.as_ref() == Some(expected))
            && rule
                .message
                .as_ref()
                .is_none_or(|expected| text.contains(expected.as_str()))
    };
    rules
        .iter()
        .find(holds)
        .map_or(FailureClass::Transient, |rule| rule.class)
}
