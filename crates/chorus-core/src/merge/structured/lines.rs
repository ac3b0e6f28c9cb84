//! Several JSON Lines texts as one: line after line, without blank lines between the parts.

use super::{Joined, TaskPart};

pub(super) fn joined(parts: &[TaskPart<'_>]) -> Joined {
    let mut joined = Joined::default();
    for (task, text) in parts {
        let piece = text.trim_matches(['\n', '\r']);
        joined.push(task, piece);
        joined
            .text
            .push_str(if piece.is_empty() { "" } else { "\n" });
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::TaskKey;

    #[test]
    fn parts_follow_each_other_without_blank_lines() {
        let parts = [
            (TaskKey::new("t1"), "{\"a\":1}\n\n"),
            (TaskKey::new("t2"), "\n{\"a\":2}"),
        ];
        assert_eq!(joined(&parts).text, "{\"a\":1}\n{\"a\":2}\n");
    }
}
