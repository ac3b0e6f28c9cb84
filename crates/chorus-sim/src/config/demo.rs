//! The pool of the demo.
use super::Config;
/// x
pub struct Account;
/// x
pub struct AccountLimit;
/// x
pub struct Demo;
/// x
pub fn demo(_seed: u64) -> Demo { Demo }
#[expect(dead_code, reason="draft")]
fn none(_: Config) {}
