//! Bodies that are complete, in any form: one completion, events, an error in an
//! envelope, a web page, prose.

use chorus_core::catalog::Quirks;
use chorus_core::failure::FailureClass;
use chorus_core::llm::{FinishReason, Reply};
use chorus_core::port::upstream::CallFailure;
use chorus_core::time::Timestamp;
use chorus_dialect::WEB_PAGE;
use chorus_dialect::sniff::{Shape, Sniffer};

use super::aborted;
use super::decoded::Decoder;
use crate::codec::{Unread, read_events, read_json};
use crate::failure::Exchange;

/// Reads a body from its first byte to its last.
pub(super) fn read(
    exchange: &Exchange,
    quirks: &Quirks,
    bytes: &[u8],
    now: Timestamp,
) -> Result<Reply, CallFailure> {
    let plain = Decoder::whole(&exchange.headers, bytes);
    let plain = plain.map_err(|error| undecodable(exchange, &error.to_string()))?;
    let mut sniffer = Sniffer::new();
    let (shape, plain) = sniffer.push(&plain).unwrap_or_else(|| sniffer.close());
    read_shape(exchange, quirks, (shape, &plain), now)
}

/// Reads a decoded body of which the kind is known.
pub(super) fn read_shape(
    exchange: &Exchange,
    quirks: &Quirks,
    (shape, bytes): (Shape, &[u8]),
    now: Timestamp,
) -> Result<Reply, CallFailure> {
    let dialect = exchange.provider.dialect;
    let read = match shape {
        Shape::Json => read_json(dialect, bytes, quirks),
        Shape::Events => read_events(dialect, bytes, quirks),
        Shape::Page | Shape::Text => return Err(no_reply(exchange, shape, bytes, now)),
        Shape::Empty => return Err(empty(exchange)),
    };
    match read {
        Ok(reply) if reply.finish == Some(FinishReason::Aborted) => Err(aborted(exchange)),
        Ok(reply) => Ok(reply),
        Err(Unread::Reported(error)) => Err(exchange.refused(&error, now)),
        Err(Unread::Event {
            error,
            kind,
            message,
        }) => Err(exchange.in_stream(error.as_ref(), (&kind, &message), now)),
        Err(Unread::Cut) => Err(exchange.failure(
            FailureClass::MidStream,
            "cut_reply",
            &format!("the reply broke off after {} bytes", bytes.len()),
        )),
        Err(Unread::Other(error)) => Err(exchange.failure(
            FailureClass::Transient,
            "unreadable_reply",
            &format!("the reply is not what the provider's dialect promises: {error}"),
        )),
    }
}

/// A web page or prose in the place of a reply.
fn no_reply(exchange: &Exchange, shape: Shape, bytes: &[u8], now: Timestamp) -> CallFailure {
    let mut error = exchange.read_error(bytes);
    let hint = match (shape, exchange.has_own_address) {
        (Shape::Page, true) => "; the account's base_url may be wrong, most end in /v1",
        _ => "",
    };
    if shape == Shape::Text {
        error.message = format!("the reply is no JSON: {}", error.message);
    }
    error.message.push_str(hint);
    let failure = exchange.refused(&error, now);
    let kind = match shape {
        Shape::Page => WEB_PAGE,
        _ => "unreadable_reply",
    };
    CallFailure {
        kind: Some(kind.to_owned()),
        ..failure
    }
}

/// A reply with status 200 and without a single byte of content.
pub(super) fn empty(exchange: &Exchange) -> CallFailure {
    exchange.failure(
        FailureClass::MidStream,
        "empty_reply",
        "the provider accepted the call and sent nothing",
    )
}

/// A reply that is compressed beyond reading.
pub(super) fn undecodable(exchange: &Exchange, message: &str) -> CallFailure {
    exchange.failure(FailureClass::MidStream, "compressed_reply", message)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::failure::tests::exchange;

    const WHOLE: &str = r#"{"id":"r1","model":"m","choices":[{"index":0,"message":{"content":"Tides rise and fall twice a day."},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":8}}"#;
    const EVENTS: &str = "data: {\"id\":\"r1\",\"choices\":[{\"delta\":{\"content\":\"Tides rise and \"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"fall twice a day.\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";

    fn check(bytes: &[u8]) -> Option<Reply> {
        let exchange = exchange("compatible", 200, &BTreeMap::new());
        let read = read(&exchange, &Quirks::default(), bytes, Timestamp(0));
        read.inspect_err(|failure| assert!(!failure.message.is_empty(), "{failure:?}"))
            .ok()
    }

    #[test]
    fn a_cut_body_is_whole_or_a_failure() {
        for body in [
            WHOLE,
            EVENTS,
            &format!("[{WHOLE}]"),
            &format!("{WHOLE}data: [DONE]"),
        ] {
            let complete = check(body.as_bytes()).expect("a reply").text();
            assert_eq!(complete, "Tides rise and fall twice a day.");
            for cut in 0..body.len() {
                if let Some(reply) = check(&body.as_bytes()[..cut]) {
                    assert_eq!(reply.text(), complete, "cut at {cut} of {body}");
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn noise_is_a_failure_that_is_named(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(check(&bytes), None);
        }

        #[test]
        fn a_damaged_body_never_panics(which in 0usize..2, at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = [WHOLE, EVENTS][which].as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = check(&bytes);
        }
    }
}
