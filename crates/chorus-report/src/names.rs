//! Names of the accounts of a report.

use std::collections::BTreeMap;

use chorus_core::id::AccountId;

use super::input::ReportInput;

/// Names of accounts by id.
pub(super) struct Names<'a>(BTreeMap<AccountId, &'a str>);

impl<'a> Names<'a> {
    pub(super) fn of(input: &'a ReportInput) -> Self {
        let accounts = input.accounts.iter();
        Self(
            accounts
                .map(|account| (account.id, account.name.as_str()))
                .collect(),
        )
    }

    /// Name of an account; the id of one that is gone.
    pub(super) fn account(&self, id: AccountId) -> String {
        self.0
            .get(&id)
            .map_or_else(|| id.to_string(), |name| (*name).to_owned())
    }
}
