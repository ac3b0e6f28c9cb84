//! Classes of failed calls by the error rows of a provider: the first match wins.
//!
//! Reactions to a class are in [`chorus_core::failure`].

use std::sync::Arc;

use chorus_core::catalog::{Dialect, ErrorRule, Provider};
use chorus_core::failure::{FailureClass, GroupReaction};
use chorus_core::limit::ObservedLevel;
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Timestamp;
use chorus_dialect::WireError;
use chorus_vault::Secret;
use http::HeaderMap;

use crate::retry_after::{reset_after, retry_after, should_retry};

/// One exchange, with the facts that a failure reports.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    pub(crate) provider: Arc<Provider>,
    pub(crate) secret: Secret,
    /// True if the account names the address, which may then be wrong.
    pub(crate) has_own_address: bool,
    /// Name of the model at the provider; empty for a call without one.
    pub(crate) wire_name: String,
    pub(crate) sent_at: Option<Timestamp>,
    pub(crate) status: Option<u16>,
    /// Headers of the reply; empty before it.
    pub(crate) headers: HeaderMap,
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

    /// Reads an error body in the provider's dialect.
    pub(crate) fn read_error(&self, bytes: &[u8]) -> WireError {
        let mut error = match self.provider.dialect {
            Dialect::OpenaiChat => chorus_dialect::openai_chat::read_error(bytes),
            Dialect::AnthropicMessages => chorus_dialect::anthropic_messages::read_error(bytes),
        };
        // Amazon names the error in a header, with a namespace behind a colon.
        let named = self.headers.get("x-amzn-errortype");
        if let Some(name) = named.and_then(|value| value.to_str().ok()) {
            error.kind = name.split(':').next().map(str::to_owned);
        }
        error
    }

    /// Levels of the headers, and those that the error's text names where the headers name none.
    fn all_levels(&self, error: &WireError) -> Vec<ObservedLevel> {
        let mut levels = self.levels.clone();
        for named in &error.levels {
            let is_same = |level: &ObservedLevel| {
                level.dimension == named.dimension
                    && (level.window.is_none() || level.window == named.window)
            };
            match levels.iter_mut().find(|level| is_same(level)) {
                Some(level) => level.remaining = level.remaining.or(named.remaining),
                None => levels.push(*named),
            }
        }
        levels
    }

    /// A [`CallFailure`] for a call that the provider refused, by status or in the body of a 200,
    /// classified by [`classify`]; `Transient` where no row matches.
    pub(crate) fn refused(&self, error: &WireError, now: Timestamp) -> CallFailure {
        let class = self.class(error).unwrap_or(FailureClass::Transient);
        let class = match (class, should_retry(&self.headers)) {
            (FailureClass::Transient, Some(false)) => FailureClass::Request,
            (FailureClass::Request, Some(true)) => FailureClass::Transient,
            (class, _) => class,
        };
        let kind = error
            .code
            .as_ref()
            .filter(|code| code.parse::<i64>().is_err())
            .or(error.kind.as_ref())
            .or(error.code.as_ref());
        let reported =
            retry_after(&self.headers, now).or_else(|| error.wait.map(|wait| wait.from(now)));
        let is_limit = matches!(
            class.rule().group,
            GroupReaction::CloseBucket | GroupReaction::HalveRamp
        );
        let reset = || reset_after(&self.headers, now).filter(|_| is_limit);
        CallFailure {
            kind: kind.cloned(),
            retry_after: reported.or_else(reset),
            levels: self.all_levels(error),
            status: self.shown_status(error),
            sent_at: self.sent_at,
            ..CallFailure::local(class, &self.provider.id, self.message(class, error))
        }
    }

    /// Text of a refusal, without the secret; names the model that the account may not use.
    fn message(&self, class: FailureClass, error: &WireError) -> String {
        let message = self.secret.blot(&error.message);
        let is_page = error.kind.as_deref() == Some(chorus_dialect::WEB_PAGE);
        let is_named = self.wire_name.is_empty() || message.contains(&self.wire_name);
        if class != FailureClass::Forbidden || is_page || is_named {
            return message;
        }
        format!("the model {} was asked for: {message}", self.wire_name)
    }

    /// A [`CallFailure`] for an event that reports an error, or is unreadable; `MidStream` where
    /// no row matches the error.
    pub(crate) fn in_stream(
        &self,
        error: Option<&WireError>,
        (kind, message): (&str, &str),
        now: Timestamp,
    ) -> CallFailure {
        match error.filter(|error| self.class(error).is_some()) {
            Some(error) => self.refused(error, now),
            None => self.failure(FailureClass::MidStream, kind, message),
        }
    }

    /// A redirect, which is never followed: the key would go with it.
    pub(crate) fn redirected(&self) -> CallFailure {
        let status = self.status.unwrap_or_default();
        let location = self.headers.get(http::header::LOCATION);
        let location = location.and_then(|value| value.to_str().ok());
        let message = format!(
            "{}, and none is followed with a key",
            redirect(status, location)
        );
        let hint = if self.has_own_address {
            "; if the new address is right, it belongs into base_url"
        } else {
            ""
        };
        self.failure(FailureClass::Transient, "redirect", &(message + hint))
    }

    /// Class of an error by the provider's rows. An error in a body with status 200 counts under
    /// the status that it means.
    fn class(&self, error: &WireError) -> Option<FailureClass> {
        let status = self.status.unwrap_or_default();
        let meant = if status < 400 {
            error.meant_status().unwrap_or(status)
        } else {
            status
        };
        classify(&self.provider.errors, meant, error)
    }

    fn shown_status(&self, error: &WireError) -> Option<u16> {
        let status = self.status?;
        Some(error.status.filter(|_| status < 400).unwrap_or(status))
    }
}

/// Sentence about a redirect, without query, user and fragment of its address.
pub(crate) fn redirect(status: u16, location: Option<&str>) -> String {
    const MOST_LETTERS: usize = 200;
    let shown = location.map(|location| {
        let plain = location.split(['?', '#']).next().unwrap_or_default();
        let plain = match (plain.split_once("://"), plain.split_once('@')) {
            (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
            _ => plain.to_owned(),
        };
        let visible = plain.chars().filter(|letter| !letter.is_control());
        visible.take(MOST_LETTERS).collect::<String>()
    });
    match shown.filter(|shown| !shown.is_empty()) {
        Some(shown) => format!("status {status} redirects to {shown}"),
        None => format!("status {status} redirects without an address"),
    }
}

/// Class of the first row of which all conditions hold; none when there is none.
pub(crate) fn classify(
    rules: &[ErrorRule],
    status: u16,
    error: &WireError,
) -> Option<FailureClass> {
    let text = format!("{} {}", error.message, error.details).to_lowercase();
    let same =
        |expected: &Option<String>, found: &Option<String>| expected.is_none() || expected == found;
    let holds = |rule: &&ErrorRule| {
        rule.status.is_none_or(|expected| expected == status)
            && same(&rule.kind, &error.kind)
            && same(&rule.code, &error.code)
            && rule
                .message
                .as_ref()
                .is_none_or(|expected| text.contains(expected.as_str()))
    };
    rules.iter().find(holds).map(|rule| rule.class)
}

#[cfg(test)]
pub(crate) mod tests;
