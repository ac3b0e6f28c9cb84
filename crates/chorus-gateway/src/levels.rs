//! Levels of limits beside the configured ones, from the ledger of this process or the shared one.

use chorus_core::port::directory::Account;

use crate::app_state::AppState;
use crate::resource::AccountResource;

/// Adds the levels of all groups of these accounts; returns false where no ledger knows them.
pub(crate) async fn add_to_accounts(
    _state: &AppState,
    _accounts: &[Account],
    _shown: &mut [AccountResource],
) -> bool {
    false
}
