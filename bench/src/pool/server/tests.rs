//! Servers refuse as `reference/limits.md` 1.1 says.

use super::super::clock::START;
use super::*;

const AMOUNTS: Amounts = Amounts {
    requests: 60,
    input: 6_000,
    output: 600,
    slots: 100,
};

fn call(input: u64, output: u64, max_tokens: u64) -> Arriving {
    Arriving {
        input,
        output,
        max_tokens,
        first_token: Millis(1_000),
        took: Millis(11_000),
    }
}

fn at(seconds: u64) -> Timestamp {
    START + Millis::from_secs(seconds)
}

fn is_accepted(server: &mut Server, call: &Arriving, now: Timestamp) -> bool {
    matches!(server.arrive(call, now), Answer::Accepted { .. })
}

fn wait(server: &mut Server, call: &Arriving, now: Timestamp) -> Option<u64> {
    match server.arrive(call, now) {
        Answer::Accepted { .. } => None,
        Answer::Refused(failure) => failure.retry_after.map(|wait| wait.0),
    }
}

#[test]
fn charges_at_admission_leave_no_debt_and_come_back_evenly() {
    let mut server = Server::new(AMOUNTS, Charging::Admission, START);
    assert!(is_accepted(&mut server, &call(5_000, 400, 999), at(0)));
    assert_eq!(wait(&mut server, &call(100, 400, 999), at(0)), Some(20_000));
    assert_eq!(
        wait(&mut server, &call(2_000, 100, 999), at(0)),
        Some(10_000)
    );
    assert!(!is_accepted(&mut server, &call(100, 400, 999), at(19)));
    assert!(is_accepted(&mut server, &call(100, 400, 999), at(20)));
}

#[test]
fn anthropic_charges_output_as_it_is_produced_and_lets_running_calls_overdraw() {
    let mut server = Server::new(AMOUNTS, Charging::Anthropic, START);
    let long = call(100, 900, 5_000);
    assert!(
        is_accepted(&mut server, &long, at(0)),
        "max_tokens is not reserved"
    );
    assert!(
        is_accepted(&mut server, &long, at(0)),
        "nothing was produced yet"
    );
    server.first_token(&long, at(11), at(1));
    server.first_token(&long, at(11), at(1));
    assert!(is_accepted(&mut server, &call(100, 1, 10), at(4)));
    assert!(
        !is_accepted(&mut server, &call(100, 1, 10), at(9)),
        "180 a second, ten come back"
    );
    server.finish(&long, at(1), at(11));
    server.finish(&long, at(1), at(11));
    let debt = wait(&mut server, &call(100, 1, 10), at(11)).expect("it is refused");
    // 600 + 10 s x 10 - 1,800, to one token: 1,101 tokens at ten a second, in whole seconds.
    assert_eq!(debt, 111_000);
}

#[test]
fn openai_charges_the_greater_of_max_tokens_and_prompt_and_keeps_it() {
    let mut server = Server::new(AMOUNTS, Charging::Openai, START);
    let small = call(100, 10, 6_000);
    assert!(is_accepted(&mut server, &small, at(0)));
    server.first_token(&small, at(1), at(1));
    server.finish(&small, at(1), at(1));
    assert!(
        !is_accepted(&mut server, &call(900, 1, 10), at(1)),
        "the charge is kept"
    );
    assert!(
        is_accepted(&mut server, &call(700, 1, 10), at(1)),
        "the prompt counts above max_tokens"
    );
    let before = server.shown(at(1))[0].remaining;
    assert!(!is_accepted(&mut server, &call(6_000, 1, 10), at(1)));
    assert_eq!(
        server.shown(at(1))[0].remaining,
        before - 1,
        "a refused call counts"
    );
}

#[test]
fn slots_are_held_from_arrival_to_the_end() {
    let mut server = Server::of(Vec::new(), Some(2));
    let one = call(1, 1, 1);
    assert!(is_accepted(&mut server, &one, at(0)) && is_accepted(&mut server, &one, at(0)));
    let Answer::Refused(failure) = server.arrive(&one, at(5)) else {
        panic!("a third call is one too many");
    };
    assert_eq!(failure.class, FailureClass::Concurrency);
    server.finish(&one, at(1), at(6));
    assert!(is_accepted(&mut server, &one, at(6)));
}

#[test]
fn a_sliding_window_counts_what_ended_in_the_last_minute() {
    let meter = Meter::new(
        Dimension::TotalTokens,
        ServerWindow::Sliding,
        1_000,
        Charge::Settled,
        START,
    );
    let mut server = Server::of(vec![meter], None);
    let one = call(700, 100, 5_000);
    assert!(is_accepted(&mut server, &one, at(0)));
    assert!(is_accepted(&mut server, &one, at(1)), "nothing is reserved");
    server.finish(&one, at(1), at(10));
    server.finish(&one, at(1), at(20));
    assert_eq!(
        wait(&mut server, &one, at(30)),
        Some(40_000),
        "the first charge leaves at 70 s"
    );
    assert!(is_accepted(&mut server, &one, at(70)));
}

#[test]
fn a_day_comes_back_at_once() {
    let hour = 3_600_000;
    let meter = Meter::new(
        Dimension::Requests,
        ServerWindow::Day(hour),
        2,
        Charge::One,
        START,
    );
    let mut server = Server::of(vec![meter], None);
    let one = call(1, 1, 1);
    assert!(is_accepted(&mut server, &one, at(0)) && is_accepted(&mut server, &one, at(1)));
    assert_eq!(wait(&mut server, &one, at(1_800)), Some(1_800_000));
    assert!(is_accepted(&mut server, &one, at(3_600)) && is_accepted(&mut server, &one, at(3_600)));
    assert!(!is_accepted(&mut server, &one, at(3_601)));
}

#[test]
fn bedrock_takes_max_tokens_at_the_start_and_output_five_fold_at_the_end() {
    let meter = Meter::new(
        Dimension::TotalTokens,
        ServerWindow::Bucket,
        6_000,
        Charge::InputAndMax(5),
        START,
    );
    let mut server = Server::of(vec![meter], None);
    let one = call(1_000, 100, 4_000);
    assert!(is_accepted(&mut server, &one, at(0)));
    assert!(
        !is_accepted(&mut server, &one, at(0)),
        "five thousand are held"
    );
    server.finish(&one, at(0), at(0));
    assert_eq!(
        server.shown(at(0))[0].remaining,
        4_500,
        "one thousand and five times one hundred"
    );
}

#[test]
fn headers_show_tokens_by_thousands_where_the_provider_rounds() {
    let large = Amounts {
        input: 50_000,
        ..AMOUNTS
    };
    let mut server = Server::new(large, Charging::Anthropic, START);
    let Answer::Accepted { shown, .. } = server.arrive(&call(1_400, 10, 10), at(0)) else {
        panic!("it is accepted");
    };
    assert_eq!((shown[0].remaining, shown[0].limit), (59, Some(60)));
    assert_eq!((shown[1].remaining, shown[1].rounded_to), (49_000, 1_000));
    assert_eq!(
        shown[1].full_at,
        START + Millis(1_680),
        "the time of being full"
    );
    server.headers = LimitHeaders::Remaining;
    assert_eq!(server.shown(at(0))[0].limit, None);
    server.headers = LimitHeaders::Nothing;
    assert!(server.shown(at(0)).is_empty());
}

#[test]
fn halved_limits_and_other_callers_slow_the_refill() {
    let mut server = Server::new(AMOUNTS, Charging::Admission, START);
    server.scale_limits(0.5, at(0));
    assert!(!is_accepted(&mut server, &call(3_001, 1, 1), at(0)));
    assert!(is_accepted(&mut server, &call(3_000, 1, 1), at(0)));
    assert_eq!(wait(&mut server, &call(500, 1, 1), at(0)), Some(10_000));
    server.others_draw(0.5, at(0));
    assert_eq!(wait(&mut server, &call(500, 1, 1), at(0)), Some(20_000));
}

#[test]
fn a_sick_account_answers_by_its_illness() {
    let mut server = Server::new(AMOUNTS, Charging::Admission, START);
    let one = call(10, 10, 10);
    let expected = [
        (Illness::KeyRefused, FailureClass::Auth),
        (Illness::Forbidden, FailureClass::Forbidden),
        (Illness::OutOfMoney, FailureClass::Spend),
        (Illness::Failing, FailureClass::Transient),
    ];
    for (illness, class) in expected {
        server.illness = Some(illness);
        let Answer::Refused(failure) = server.arrive(&one, at(0)) else {
            panic!("{illness:?} answers");
        };
        assert_eq!(failure.class, class);
    }
    server.illness = Some(Illness::Slow);
    let Answer::Accepted { took, .. } = server.arrive(&one, at(0)) else {
        panic!("slow, but accepted");
    };
    assert_eq!(took, Millis(66_000));
    server.illness = None;
    server.overloaded_until = Some(at(60));
    assert!(!is_accepted(&mut server, &one, at(59)));
    assert!(is_accepted(&mut server, &one, at(60)));
}
