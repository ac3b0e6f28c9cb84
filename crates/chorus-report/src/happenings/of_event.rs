//! Sentences about events of the history that no plan expects.

use chorus_core::merge::{Conflict, Resolution};
use chorus_core::project::{HistoryEvent, TaskRef};

use super::Sentence;
use crate::json_name::json_name;

pub(super) fn sentence(event: &HistoryEvent) -> Option<Sentence> {
    match event {
        HistoryEvent::Planned {
            version,
            tasks,
            fallback: true,
            ..
        } => Sentence::new(
            "plan",
            format!(
                "no reply of the planner could be used: a rule made plan {version} with {tasks} tasks"
            ),
            format!(
                "không dùng được câu trả lời nào của bên lập kế hoạch: kế hoạch {version} với {tasks} tác vụ được lập theo quy tắc"
            ),
        ),
        HistoryEvent::ConflictFound { conflict } => conflict_found(conflict),
        HistoryEvent::ConflictResolved { resolution } => resolved(resolution),
        HistoryEvent::Reworked { round, tasks, .. } => reworked(*round, tasks),
        HistoryEvent::BudgetExhausted => Sentence::new(
            "budget",
            "the budget does not cover another call: nothing new is started".to_owned(),
            "ngân sách không đủ cho lượt gọi nữa: không bắt đầu việc mới".to_owned(),
        ),
        HistoryEvent::QuestionsAsked { questions, .. } => Sentence::new(
            "client",
            format!("{} questions were put to the client", questions.len()),
            format!("{} câu hỏi được gửi tới khách hàng", questions.len()),
        ),
        HistoryEvent::NeedsAttention { why, .. } => Sentence::new(
            "client",
            format!("the project needed attention: {why}"),
            format!("dự án cần bạn xử lý: {why}"),
        ),
        HistoryEvent::CommandRefused { command, why, .. } => Sentence::new(
            "client",
            format!("the command {command} was refused: {why}"),
            format!("lệnh {command} bị từ chối: {why}"),
        ),
        HistoryEvent::Reopened { .. } => Sentence::new(
            "client",
            "the client reopened the project".to_owned(),
            "khách hàng mở lại dự án".to_owned(),
        ),
        HistoryEvent::Rejected { reason } => Sentence::new(
            "client",
            format!("the client refused the plan: {reason}"),
            format!("khách hàng từ chối kế hoạch: {reason}"),
        ),
        other => of_task(other),
    }
}

/// Sentence about an event of one task.
fn of_task(event: &HistoryEvent) -> Option<Sentence> {
    match event {
        HistoryEvent::TaskFailed { task, cause } => {
            let why = failure_text(cause);
            Sentence::new(
                "failed",
                format!("task {} “{}” has no result: {why}", task.key, task.title),
                format!(
                    "tác vụ {} “{}” không có kết quả: {why}",
                    task.key, task.title
                ),
            )
        }
        HistoryEvent::TaskSkipped { task } => Sentence::new(
            "failed",
            format!(
                "task {} “{}” was skipped: its parents failed it",
                task.key, task.title
            ),
            format!(
                "tác vụ {} “{}” bị bỏ qua vì tác vụ cha không xong",
                task.key, task.title
            ),
        ),
        HistoryEvent::TaskAsked { task, question } => Sentence::new(
            "question",
            format!("task {} asked: {question}", task.key),
            format!("tác vụ {} hỏi: {question}", task.key),
        ),
        HistoryEvent::TaskReady {
            task, number, why, ..
        } if *number > 1 => Sentence::new(
            "retry",
            format!("task {} is tried again, try {number}: {why}", task.key),
            format!("tác vụ {} được thử lại, lần {number}: {why}", task.key),
        ),
        _ => None,
    }
}

fn conflict_found(conflict: &Conflict) -> Option<Sentence> {
    let (id, subject) = (&conflict.id, &conflict.subject);
    let quoted = |joint: &str| {
        let claims = conflict.claims.iter();
        let values: Vec<String> = claims.map(|claim| format!("“{}”", claim.value)).collect();
        values.join(joint)
    };
    Sentence::new(
        "conflict",
        format!("conflict {id} about {subject}: {}", quoted(" against ")),
        format!("mâu thuẫn {id} về {subject}: {}", quoted(" đối với ")),
    )
}

fn resolved(resolution: &Resolution) -> Option<Sentence> {
    let (id, by, reason) = (
        &resolution.conflict,
        json_name(&resolution.by),
        &resolution.reason,
    );
    Sentence::new(
        "conflict",
        format!("conflict {id} resolved by {by}: {reason}"),
        format!("mâu thuẫn {id} được giải quyết bởi {by}: {reason}"),
    )
}

fn reworked(round: u32, tasks: &[(TaskRef, String)]) -> Option<Sentence> {
    let named: Vec<String> = tasks
        .iter()
        .map(|(task, _)| format!("{} “{}”", task.key, task.title))
        .collect();
    let named = named.join(", ");
    Sentence::new(
        "rework",
        format!("round {round} of rework: {named}"),
        format!("vòng làm lại {round}: {named}"),
    )
}

/// Text of a failure: its name in JSON and its message.
pub(crate) fn failure_text<T: serde::Serialize>(value: &T) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    let field = |name: &str| {
        value
            .get(name)
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default()
    };
    let (why, message) = (field("why").replace('_', " "), field("message"));
    if message.is_empty() {
        why
    } else {
        format!("{why}: {message}")
    }
}
