//! Sentences about deliveries that ended without a result.

use chorus_core::attempt::{DeliveryEnd, DeliveryRow, Outcome, Requeue};
use chorus_core::failure::FailureClass;

use super::{Sentence, failure_text};
use crate::ends;
use crate::input::ReportInput;
use crate::names::Names;

pub(super) fn sentence(
    input: &ReportInput,
    names: &Names<'_>,
    delivery: &DeliveryRow,
) -> Option<Sentence> {
    let key = input
        .task(delivery.task)
        .map_or_else(|| delivery.task.to_string(), |task| task.key.to_string());
    let account = names.account(delivery.assignment.account);
    match delivery.end.as_ref()? {
        DeliveryEnd::WorkerLost => lost(delivery, &key, &account),
        DeliveryEnd::Unclaimed => Sentence::new(
            "lost",
            format!("no worker claimed task {key} in time: queued again"),
            format!("không worker nào nhận tác vụ {key} kịp lúc: xếp hàng lại"),
        ),
        DeliveryEnd::Cancelled => None,
        DeliveryEnd::Finished { outcome } => finished(delivery, outcome, &key, &account),
    }
}

fn lost(delivery: &DeliveryRow, key: &str, account: &str) -> Option<Sentence> {
    let (cost, cost_vi) = if ends::is_unconfirmed(delivery) {
        (
            format!("; {} stay reserved for it, not confirmed", delivery.cost),
            format!("; {} vẫn được giữ cho nó, chưa xác nhận", delivery.cost),
        )
    } else {
        (String::new(), String::new())
    };
    Sentence::new(
        "lost",
        format!("the worker that held task {key} on {account} was lost: delivered again{cost}"),
        format!("worker đang giữ tác vụ {key} trên {account} đã mất: giao lại{cost_vi}"),
    )
}

fn finished(
    delivery: &DeliveryRow,
    outcome: &Outcome,
    key: &str,
    account: &str,
) -> Option<Sentence> {
    match outcome {
        Outcome::Requeue {
            reason: Requeue::Limited { class },
            not_before,
            ..
        } => {
            let ended = delivery.ended_at.unwrap_or(*not_before);
            limited(*class, not_before.since(ended).0, key, account)
        }
        Outcome::Requeue {
            reason: Requeue::Retry { class },
            ..
        } => {
            let class = words(*class);
            Sentence::new(
                "retry",
                format!(
                    "the call of task {key} on {account} failed in passing ({class}): delivered again"
                ),
                format!(
                    "lượt gọi của tác vụ {key} trên {account} hỏng tạm thời ({class}): giao lại"
                ),
            )
        }
        Outcome::Failed { cause } => {
            let why = failure_text(cause);
            Sentence::new(
                "failed",
                format!("the attempt at task {key} on {account} ended without a result: {why}"),
                format!("lần thử tác vụ {key} trên {account} kết thúc mà không có kết quả: {why}"),
            )
        }
        Outcome::Requeue { .. } | Outcome::Succeeded { .. } | Outcome::Asked { .. } => None,
    }
}

fn limited(class: FailureClass, wait: u64, key: &str, account: &str) -> Option<Sentence> {
    let kind = if class.rule().is_limit() {
        "limit"
    } else {
        "refusal"
    };
    let class = words(class);
    Sentence::new(
        kind,
        format!("{account} refused task {key} ({class}): it waits {wait} ms, no attempt is burnt"),
        format!("{account} từ chối tác vụ {key} ({class}): chờ {wait} ms, không mất lần thử nào"),
    )
}

fn words(class: FailureClass) -> String {
    class.as_str().replace('_', " ")
}
