//! Facts about configured limits: which are one but for their amounts, places by dimension, windows.
//!
//! Used by [`Group`](super::group::Group) and by the levels of [`past`](super::past) calls.

use std::collections::BTreeMap;

use chorus_core::limit::{Dimension, Limit, Window};

/// Returns true if two limits are the same but for their amounts.
pub(super) fn differ_by_amounts(old: &Limit, new: &Limit) -> bool {
    let amounts = (new.amount, new.burst);
    let mut resized = old.clone();
    (resized.amount, resized.burst) = amounts;
    resized == *new
}

/// Returns the dimension of each limit, and its number among the limits of that dimension.
pub(super) fn places(limits: &[Limit]) -> Vec<(Dimension, usize)> {
    let mut seen = BTreeMap::new();
    let number = |limit: &Limit| {
        let next = seen.entry(limit.dimension).or_insert(0_usize);
        *next += 1;
        (limit.dimension, *next - 1)
    };
    limits.iter().map(number).collect()
}

/// Returns true if the limit comes back continuously or by age.
pub(super) fn is_rate(limit: &Limit) -> bool {
    matches!(limit.window, Window::Bucket { .. } | Window::Sliding { .. })
}

/// Returns the length of a window in milliseconds; of a month, the longest one.
pub(super) fn length(window: Window) -> u64 {
    match window {
        Window::Bucket { per_ms } | Window::Sliding { per_ms } => per_ms,
        Window::Day { .. } => 86_400_000,
        Window::Month => 31 * 86_400_000,
        Window::Held => u64::MAX,
    }
}
