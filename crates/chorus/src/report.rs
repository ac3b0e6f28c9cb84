//! What happened in a project, as `report.json` and as one self-contained page `report.html`.
//!
//! `story` gathers rows and artifacts, `build` turns them into the report's figures, `page` puts the same
//! figures into a page that opens without a network.

mod build;
mod figures;
mod page;
mod path;
mod story;

pub(crate) use build::build;
pub(crate) use figures::Report;
pub(crate) use page::page;
pub(crate) use story::{LimitUse, Story};
