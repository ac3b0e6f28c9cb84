//! The HTTP status that an error means where no status line reports it: in an event of a stream,
//! in an envelope with 200.

use super::WireError;

/// Names of errors in lower case, each list with its status.
const NAMES: [(u16, &[&str]); 9] = [
    (
        429,
        &[
            "rate_limit_error",
            "rate_limit_exceeded",
            "rate_limit_reached_error",
            "rate_limited",
            "ratelimiterror",
            "too_many_requests",
            "toomanyrequests",
            "resource_exhausted",
            "throttlingexception",
            "requests",
            "tokens",
        ],
    ),
    (
        402,
        &[
            "insufficient_quota",
            "billing_error",
            "insufficient_balance",
            "insufficient_credits",
            "payment_required",
            "credit_balance_exhausted",
            "exceeded_current_quota_error",
            "budget_exceeded",
            "arrearage",
        ],
    ),
    (
        503,
        &[
            "overloaded_error",
            "overloaded",
            "server_is_overloaded",
            "service_unavailable",
            "service_unavailable_error",
            "serviceunavailableerror",
            "engine_overloaded_error",
            "unavailable",
            "modelnotreadyexception",
        ],
    ),
    (
        401,
        &[
            "authentication_error",
            "authenticationerror",
            "invalid_api_key",
            "invalid_authentication_error",
            "unauthorized",
            "unauthenticated",
            "token_expired",
            "invalid_token",
            "invalid_grant",
        ],
    ),
    (
        403,
        &[
            "permission_error",
            "permission_denied",
            "forbidden",
            "access_denied",
        ],
    ),
    (404, &["not_found_error", "model_not_found", "not_found"]),
    (
        504,
        &[
            "timeout_error",
            "timeout",
            "deadline_exceeded",
            "gateway_timeout",
        ],
    ),
    (
        500,
        &[
            "api_error",
            "server_error",
            "internal_error",
            "internal_server_error",
            "internalservererror",
            "internal",
        ],
    ),
    (413, &["request_too_large", "context_length_exceeded"]),
];

/// Parts of messages in lower case, each list with its status, the most certain first.
const WORDS: [(u16, &[&str]); 6] = [
    (
        402,
        &[
            "insufficient balance",
            "balance is insufficient",
            "insufficient credit",
            "insufficient fund",
            "credit balance",
            "out of credit",
            "exceeded your current quota",
            "spend limit",
            "spending limit",
            "payment required",
        ],
    ),
    (
        401,
        &[
            "invalid api key",
            "incorrect api key",
            "api key not valid",
            "invalid token",
            "token expired",
            "token has expired",
            "unauthorized",
            "authentication fail",
        ],
    ),
    (
        429,
        &[
            "rate limit",
            "rate-limit",
            "ratelimit",
            "too many requests",
            "quota exceeded",
            "limit reached",
            "throttl",
        ],
    ),
    (
        503,
        &[
            "overload",
            "too busy",
            "is busy",
            "no capacity",
            "at capacity",
            "temporarily unavailable",
            "service unavailable",
            "no healthy upstream",
        ],
    ),
    (504, &["timed out", "timeout"]),
    (500, &["internal server error", "internal error"]),
];

/// Names of a request that is wrong. They come last: some servers put one under every error.
const WRONG: [&str; 4] = [
    "invalid_request_error",
    "invalid_argument",
    "bad_request",
    "badrequesterror",
];

/// Returns the status that kind, code or message stand for.
pub(super) fn status(error: &WireError) -> Option<u16> {
    let names = [error.kind.as_ref(), error.code.as_ref()];
    let names: Vec<String> = names
        .into_iter()
        .flatten()
        .map(|name| name.to_lowercase().replace(['-', ' '], "_"))
        .collect();
    let named = names.iter().find_map(|name| {
        let row = NAMES
            .iter()
            .find(|(_, known)| known.contains(&name.as_str()));
        row.map(|(status, _)| *status)
    });
    let message = error.message.to_lowercase();
    let spoken = || {
        let is_spoken = |words: &[&str]| words.iter().any(|word| message.contains(word));
        let row = WORDS.iter().find(|(_, words)| is_spoken(words));
        row.map(|(status, _)| *status)
    };
    let wrong = || {
        names
            .iter()
            .any(|name| WRONG.contains(&name.as_str()))
            .then_some(400)
    };
    named.or_else(spoken).or_else(wrong)
}
