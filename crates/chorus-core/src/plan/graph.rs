//! The shape of a task graph: cycles, a stable order, depth and width. Tasks are numbers here;
//! [`read`](super::read()) maps them to keys.

use std::collections::BTreeSet;

/// Parents of each task, by number.
pub(super) type Parents = Vec<Vec<usize>>;

/// Returns a cycle as the numbers along it, smallest first, if there is one.
pub(super) fn cycle(parents: &Parents) -> Option<Vec<usize>> {
    let mut left = unordered(parents);
    let start = left.pop_first()?;
    // Every task that is left has a parent that is left, so walking up must come back.
    let mut path = vec![start];
    loop {
        let last = *path.last().expect("a path has its start");
        let next = *parents[last]
            .iter()
            .find(|parent| **parent == start || left.contains(parent) || path.contains(parent))?;
        if let Some(at) = path.iter().position(|task| *task == next) {
            let mut round = path.split_off(at);
            round.reverse();
            let first = round
                .iter()
                .enumerate()
                .min_by_key(|(_, task)| **task)
                .map_or(0, |(at, _)| at);
            round.rotate_left(first);
            return Some(round);
        }
        path.push(next);
    }
}

/// Removes, among the edges that lie on cycles, those from a parent that is listed after the child,
/// and returns them as (parent, child).
pub(super) fn break_cycles(parents: &mut Parents) -> Vec<(usize, usize)> {
    let mut broken = Vec::new();
    while let Some(round) = cycle(parents) {
        for child in round {
            let backward: Vec<usize> = parents[child]
                .iter()
                .copied()
                .filter(|parent| *parent >= child)
                .collect();
            parents[child].retain(|parent| *parent < child);
            broken.extend(backward.into_iter().map(|parent| (parent, child)));
        }
    }
    broken
}

/// Returns the tasks with parents before children, otherwise as listed. The graph has no cycle.
pub(super) fn order(parents: &Parents) -> Vec<usize> {
    let children = children(parents);
    let mut missing: Vec<usize> = parents.iter().map(Vec::len).collect();
    let mut ready: BTreeSet<usize> = (0..parents.len())
        .filter(|task| missing[*task] == 0)
        .collect();
    let mut order = Vec::with_capacity(parents.len());
    while let Some(task) = ready.pop_first() {
        order.push(task);
        for child in &children[task] {
            missing[*child] -= 1;
            if missing[*child] == 0 {
                ready.insert(*child);
            }
        }
    }
    order
}

/// Returns for each task the number of tasks on the longest path to it, itself counted. The graph
/// has no cycle.
pub(super) fn depths(parents: &Parents) -> Vec<usize> {
    let mut depths = vec![0; parents.len()];
    for task in order(parents) {
        depths[task] = 1 + parents[task]
            .iter()
            .map(|parent| depths[*parent])
            .max()
            .unwrap_or(0);
    }
    depths
}

/// Returns the tasks from which one of these is reached, themselves counted.
pub(super) fn ancestors(parents: &Parents, of: impl IntoIterator<Item = usize>) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    let mut open: Vec<usize> = of.into_iter().collect();
    while let Some(task) = open.pop() {
        if found.insert(task) {
            open.extend(&parents[task]);
        }
    }
    found
}

/// Returns the children of each task.
pub(super) fn children(parents: &Parents) -> Vec<Vec<usize>> {
    let mut children = vec![Vec::new(); parents.len()];
    for (child, parents) in parents.iter().enumerate() {
        for parent in parents {
            children[*parent].push(child);
        }
    }
    children
}

/// Returns the tasks that no order can place: those on cycles and below them.
fn unordered(parents: &Parents) -> BTreeSet<usize> {
    let placed: BTreeSet<usize> = order(parents).into_iter().collect();
    (0..parents.len())
        .filter(|task| !placed.contains(task))
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph() -> impl Strategy<Value = Parents> {
        (1usize..12).prop_flat_map(|size| {
            prop::collection::vec(
                prop::collection::btree_set(0..size, 0..4)
                    .prop_map(|set| set.into_iter().collect()),
                size,
            )
        })
    }

    proptest! {
        #[test]
        fn a_cycle_is_a_walk_along_edges(parents in graph()) {
            if let Some(round) = cycle(&parents) {
                for at in 0..round.len() {
                    prop_assert!(parents[round[(at + 1) % round.len()]].contains(&round[at]));
                }
            } else {
                prop_assert_eq!(order(&parents).len(), parents.len());
            }
        }

        #[test]
        fn breaking_cycles_leaves_an_order_and_forward_edges(parents in graph()) {
            let mut mended = parents.clone();
            let broken = break_cycles(&mut mended);
            prop_assert_eq!(order(&mended).len(), mended.len());
            prop_assert!(broken.iter().all(|(parent, child)| parent >= child));
            prop_assert!(cycle(&parents).is_some() || broken.is_empty());
        }
    }
}
