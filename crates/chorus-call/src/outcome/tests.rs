//! Reports of calls that ended in every way.

use chorus_core::attempt::Assignment;
use chorus_core::catalog::{Price, Quirks};
use chorus_core::id::{
    AccountId, CredentialId, Holder, LeaseId, ModelSlug, Pool, ProviderId, Tenant,
};
use chorus_core::limit::{Lease, QuotaResets, Zone};

use super::*;

const HOUR: i64 = 3_600_000;

fn call(resets: QuotaResets) -> LeasedCall {
    let lease = Lease {
        id: LeaseId::new(1),
        credential: CredentialId::new(2),
        charges: Vec::new(),
        granted_at: Timestamp(0),
        not_after: Timestamp(30_000),
    };
    LeasedCall {
        assignment: Assignment {
            lease,
            account: AccountId::new(3),
            provider: ProviderId::new("p"),
            model: ModelSlug::new("p/m"),
            pool: Pool::new("other"),
            estimate: MicroUsd(500),
            resets,
        },
        tenant: Tenant::new("home"),
        holder: Holder::new("boot.1"),
        body: Body::Canonical(Box::default()),
        prompt_tokens: 100,
        cut_at: Timestamp(24 * HOUR),
        lease_until: Timestamp(25 * HOUR),
        reference: "call".to_owned(),
    }
}

fn model() -> Model {
    Model {
        slug: ModelSlug::new("p/m"),
        pool: Pool::new("other"),
        routes: [].into(),
        context: 1_000,
        max_output: 1_000,
        price: Price {
            input: MicroUsd::from_dollars(1),
            output: MicroUsd::from_dollars(10),
            ..Price::default()
        },
        strength: 1,
        reasoning: false,
        quirks: Quirks::default(),
    }
}

/// Returns the report of an exchange that is over at noon of the first day of 1970.
fn report(exchange: Exchange, resets: QuotaResets) -> CallReport {
    let facts = Facts {
        call: &call(resets),
        provider: None,
        model: Some(&model()),
        now: Timestamp(12 * HOUR),
        took: Millis(900),
    };
    facts.report(exchange)
}

fn failure(class: FailureClass, status: Option<u16>) -> CallFailure {
    CallFailure {
        status,
        sent_at: Some(Timestamp(7)),
        ..CallFailure::local(class, &ProviderId::new("p"), "no")
    }
}

fn received(text: &str, finish: Option<FinishReason>) -> Received {
    Received {
        reply: Reply {
            content: vec![Content::text(text)],
            finish,
            ..Reply::default()
        },
        sent_at: Timestamp(7),
        request_id: None,
    }
}

/// Time until which a refusal of this class parks the credential; none when it stays active.
fn parked_until(
    class: FailureClass,
    retry_after: Option<Millis>,
    resets: &QuotaResets,
) -> Option<i64> {
    let failure = CallFailure {
        retry_after,
        ..failure(class, Some(429))
    };
    match report(Exchange::Refused(Box::new(failure)), resets.clone()).credential_change {
        Some(CredentialState::Parked { until, .. }) => Some(until.0),
        None => None,
        other => panic!("{class:?} gave {other:?}"),
    }
}

#[test]
fn credentials_are_parked_until_their_own_calendar_says() {
    let minute = Some(Millis(60_000));
    let none = QuotaResets::default();
    let pacific = QuotaResets {
        days: vec![Zone::Offset(-480)],
        ..QuotaResets::default()
    };
    let rolling = QuotaResets {
        spend_window: Some(Millis(600_000)),
        ..QuotaResets::default()
    };
    let check = |class, retry_after, resets, expected: Option<i64>| {
        assert_eq!(
            parked_until(class, retry_after, resets),
            expected,
            "{class:?}"
        );
    };
    check(FailureClass::QuotaDay, minute, &none, Some(24 * HOUR));
    check(FailureClass::QuotaDay, None, &pacific, Some(32 * HOUR));
    check(FailureClass::Spend, None, &none, Some(12 * HOUR + 300_000));
    check(FailureClass::Spend, minute, &none, Some(12 * HOUR + 60_000));
    let again = QuotaResets {
        money_pause: Some(QuotaResets::pause_after(Millis(300_000))),
        ..QuotaResets::default()
    };
    check(FailureClass::Spend, None, &again, Some(12 * HOUR + 600_000));
    let of_model = QuotaResets {
        is_of_model: true,
        ..QuotaResets::default()
    };
    check(FailureClass::QuotaDay, None, &of_model, None);
    check(
        FailureClass::Spend,
        None,
        &rolling,
        Some(12 * HOUR + 600_000),
    );
    check(
        FailureClass::Spend,
        minute,
        &rolling,
        Some(12 * HOUR + 60_000),
    );
    check(FailureClass::RateWindow, minute, &none, None);
    check(FailureClass::Overload, None, &none, None);
}

#[test]
fn a_dead_credential_is_refused() {
    let exchange = Exchange::Refused(Box::new(failure(FailureClass::Auth, Some(401))));
    let change = report(exchange, QuotaResets::default()).credential_change;
    assert!(matches!(change, Some(CredentialState::Refused { .. })));
}

#[test]
fn a_refusal_uses_nothing_and_an_accepted_call_its_prompt() {
    let check = |class, status, usage: Option<Usage>, lease_end: End| {
        let report = report(
            Exchange::Refused(Box::new(failure(class, status))),
            QuotaResets::default(),
        );
        assert_eq!((report.usage, &report.lease_end), (usage, &lease_end));
        assert_eq!(report.class(), Some(class));
        assert_eq!(
            report.signals.map(|signals| signals.failure),
            Some(Some(class))
        );
    };
    let refused = End::Refused {
        counts_request: false,
    };
    let nothing = Some(Usage::default());
    check(FailureClass::RateWindow, Some(429), nothing, refused);
    let aborted = End::Aborted {
        usage: None,
        grace: DEFAULT_ABORT_GRACE,
    };
    check(FailureClass::Transient, None, nothing, aborted);
    let prompt = usage::of_silence(100);
    let used = End::Used {
        usage: prompt,
        cost: MicroUsd(100),
    };
    check(FailureClass::MidStream, Some(200), Some(prompt), used);
}

#[test]
fn a_web_page_or_an_error_in_the_place_of_a_reply_costs_nothing() {
    for (class, text, cost) in [
        (FailureClass::Transient, "", 0),
        (FailureClass::Spend, "", 0),
        (FailureClass::MidStream, "", 100),
        (FailureClass::Spend, "twelve bytes", 130),
    ] {
        let mut part = received(text, None);
        part.reply.content.retain(|_| !text.is_empty());
        let stop = Stop::Failed(failure(class, Some(200)));
        let exchange = Exchange::Accepted(Box::new(part), stop);
        let report = report(exchange, QuotaResets::default());
        assert_eq!(report.cost, MicroUsd(cost), "{class:?} {text:?}");
        assert_eq!(report.class(), Some(class));
        let is_refused = matches!(report.lease_end, End::Refused { .. });
        assert_eq!(is_refused, cost == 0, "{class:?} {text:?}");
    }
}

/// Without a wait the limiter would close the group for a month, while the credential is tried again after minutes.
#[test]
fn missing_money_rests_group_and_credential_alike_wherever_it_is_told() {
    let lack = || failure(FailureClass::Spend, Some(200));
    let in_reply = Exchange::Accepted(Box::new(received("text", None)), Stop::Failed(lack()));
    for exchange in [Exchange::Refused(Box::new(lack())), in_reply] {
        let report = report(exchange, QuotaResets::default());
        let wait = report.signals.and_then(|signals| signals.retry_after);
        assert_eq!(wait, Some(Millis(300_000)));
        let Some(CredentialState::Parked { until, .. }) = report.credential_change else {
            panic!("the credential is parked");
        };
        assert_eq!(until, Timestamp(12 * HOUR + 300_000));
    }
}

#[test]
fn a_request_that_was_not_sent_has_no_usage_and_no_signals() {
    let unsent = CallFailure::local(FailureClass::Request, &ProviderId::new("p"), "no");
    let report = report(Exchange::Refused(Box::new(unsent)), QuotaResets::default());
    assert_eq!((report.usage, report.signals), (None, None));
}

#[test]
fn a_provider_that_gives_up_in_a_whole_reply_is_overloaded() {
    let given_up = received("half a", Some(FinishReason::Aborted));
    let exchange = Exchange::Accepted(Box::new(given_up), Stop::Complete);
    let report = report(exchange, QuotaResets::default());
    assert_eq!(report.ending, Ending::Failed);
    assert_eq!(report.class(), Some(FailureClass::Overload));
    assert!(matches!(report.lease_end, End::Used { .. }));
}

#[test]
fn a_cut_call_keeps_its_slot_and_is_charged_for_what_came() {
    let stop = Stop::Cut(CutBy::Cancel);
    let exchange = Exchange::Accepted(Box::new(received("twelve bytes", None)), stop);
    let cut = report(exchange, QuotaResets::default());
    let usage = cut.usage.expect("three tokens came");
    assert_eq!((usage.input, usage.output), (100, 3));
    assert!(matches!(cut.lease_end, End::Aborted { usage: Some(known), .. } if known == usage));
    assert_eq!(cut.class(), None, "the caller cut it");

    let exchange = Exchange::CutUnanswered(CutBy::Deadline);
    let late = report(exchange, QuotaResets::default());
    assert_eq!(late.class(), Some(FailureClass::Transient));
    assert_eq!(late.usage, Some(usage::of_silence(100)));
}

#[test]
fn a_complete_reply_is_paid_and_summed_up() {
    let exchange = Exchange::Accepted(
        Box::new(received("twelve bytes", Some(FinishReason::Stop))),
        Stop::Complete,
    );
    let report = report(exchange, QuotaResets::default());
    assert_eq!((report.cost, report.took), (MicroUsd(130), Millis(900)));
    let call = call(QuotaResets::default());
    let size = chorus_core::attempt::CallSize {
        input: 100,
        output: 10,
        max_tokens: 20,
    };
    let kind = chorus_core::task_kind::TaskKind::Work;
    let summary = report.summary(&call.assignment, kind, size);
    let summary = summary.expect("a call was made");
    assert_eq!((summary.class, summary.complete), (None, true));
}

/// Kind of the failure of a complete stream with this reply; none for a success.
fn kind_of(reply: Reply) -> Option<String> {
    let received = Received {
        reply,
        sent_at: Timestamp(7),
        request_id: None,
    };
    let exchange = Exchange::Accepted(Box::new(received), Stop::Complete);
    let report = report(exchange, QuotaResets::default());
    assert_eq!(report.class().is_some(), report.ending == Ending::Failed);
    let failure = report.failure?;
    assert_eq!(failure.class, FailureClass::MidStream);
    failure.kind
}

fn thinking(text: &str) -> Content {
    Content::Reasoning {
        text: text.to_owned(),
        signature: None,
        redacted: None,
    }
}

#[test]
fn a_reply_that_ends_for_an_unknown_reason_or_none_is_not_whole() {
    let half = |finish: Option<FinishReason>| received("half of a", finish).reply;
    let unknown = FinishReason::Other("tide_turned".to_owned());
    assert_eq!(
        kind_of(half(Some(unknown))).as_deref(),
        Some("unknown_finish")
    );
    assert_eq!(kind_of(half(None)).as_deref(), Some("no_finish"));
    let counted = Reply {
        usage: Some(Usage {
            output: 3,
            ..Usage::default()
        }),
        ..half(None)
    };
    assert_eq!(kind_of(counted), None);
    for finish in [
        FinishReason::Stop,
        FinishReason::Length,
        FinishReason::ToolCalls,
    ] {
        assert_eq!(kind_of(half(Some(finish))), None);
    }
}

#[test]
fn thinking_alone_is_the_text_of_a_reply_that_ended_well_and_no_text_of_a_cut_one() {
    let reply = |finish| Reply {
        content: vec![thinking("The answer is 42.")],
        finish: Some(finish),
        ..Reply::default()
    };
    assert_eq!(
        kind_of(reply(FinishReason::Length)).as_deref(),
        Some("only_thinking")
    );
    let text_of = |reply: Reply| {
        let received = Received {
            reply,
            sent_at: Timestamp(7),
            request_id: None,
        };
        let exchange = Exchange::Accepted(Box::new(received), Stop::Complete);
        let report = report(exchange, QuotaResets::default());
        report.reply.expect("a reply").reply.text()
    };
    assert_eq!(text_of(reply(FinishReason::Stop)), "The answer is 42.");
    let both = Reply {
        content: vec![thinking("hm"), Content::text("Yes.")],
        ..reply(FinishReason::Stop)
    };
    assert_eq!(text_of(both), "Yes.");
}

#[test]
fn a_text_that_came_has_not_cost_nothing() {
    let usage_of = |usage: Option<Usage>| {
        let mut received = received("twelve bytes", Some(FinishReason::Stop));
        received.reply.usage = usage;
        let exchange = Exchange::Accepted(Box::new(received), Stop::Complete);
        let report = report(exchange, QuotaResets::default());
        assert!(report.cost > MicroUsd::ZERO);
        report.usage.expect("a usage")
    };
    let counted = |input, output, is_estimated| Usage {
        input,
        output,
        is_estimated,
        ..Usage::default()
    };
    assert_eq!(usage_of(None), counted(100, 3, true));
    assert_eq!(usage_of(Some(counted(0, 0, false))), counted(100, 3, true));
    assert_eq!(usage_of(Some(counted(0, 7, false))), counted(100, 7, true));
    assert_eq!(usage_of(Some(counted(90, 0, false))), counted(90, 3, true));
    assert_eq!(usage_of(Some(counted(90, 7, false))), counted(90, 7, false));
    let cached = Usage {
        cache_read: 90,
        ..counted(0, 7, false)
    };
    assert_eq!(usage_of(Some(cached)), cached);
}
