//! Report of a project, as `report.json` and as one self-contained page `report.html`.
//!
//! A [`ReportInput`] holds rows and artifacts, [`build()`] computes the figures of a [`Report`], and [`page()`] puts
//! them into a page that opens without a network. The command line and the gateway load the input through their
//! ports; nothing here reads or writes anything.

#![warn(missing_docs)]

mod build;
mod conflicts;
mod ends;
mod figures;
mod happenings;
mod input;
mod json_name;
mod limits;
mod money;
mod names;
mod page;
mod path;
mod waits;

pub use build::build;
pub use figures::{
    AccountFigures, ClaimPlace, ConflictFigures, FileFigures, Happening, LimitFigures,
    MoneyFigures, MoneyShare, Pause, Report, Span, TaskFigures, Totals, VerdictFigures,
    WaitFigures,
};
pub use input::{LimitInForce, ReportInput};
pub use page::page;

#[cfg(test)]
mod tests;
