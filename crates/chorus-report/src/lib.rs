//! What happened in a project, as `report.json` and as one self-contained page `report.html`.
//!
//! `story` holds rows and artifacts, `build` turns them into the report's figures, `page` puts the same
//! figures into a page that opens without a network. The command line and the gateway gather the story, each from
//! its ports; nothing here reads or writes anything.

mod build;
mod figures;
mod page;
mod path;
mod story;

pub use build::build;
pub use figures::{
    AccountFigures, ConflictFigures, FileFigures, Happening, LimitFigures, Report, Span,
    TaskFigures, Totals, VerdictFigures,
};
pub use page::page;
pub use story::{LimitUse, Story};
