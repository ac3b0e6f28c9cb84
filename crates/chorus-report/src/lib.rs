//! What happened in a project, as `report.json` and as one self-contained page `report.html`.
//!
//! `input` holds rows and artifacts, `build` turns them into the report's figures, `page` puts the same
//! figures into a page that opens without a network. The command line and the gateway gather the input, each from
//! its ports; nothing here reads or writes anything.

mod build;
mod figures;
mod input;
mod page;
mod path;

pub use build::build;
pub use figures::{
    AccountFigures, ConflictFigures, FileFigures, Happening, LimitFigures, Report, Span,
    TaskFigures, Totals, VerdictFigures,
};
pub use input::{LimitUse, ReportInput};
pub use page::page;
