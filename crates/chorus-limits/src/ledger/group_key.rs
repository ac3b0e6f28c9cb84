//! Dense key of a group, under which [`Groups`](super::groups::Groups) holds it.

/// Key of a group in one [`Ledger`](super::Ledger).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct GroupKey(u32);

impl GroupKey {
    /// Returns the key of the group at a place.
    pub(super) fn at(place: usize) -> Self {
        Self(u32::try_from(place).unwrap_or(u32::MAX))
    }

    /// Returns the place of the group.
    pub(super) const fn place(self) -> usize {
        self.0 as usize
    }
}
