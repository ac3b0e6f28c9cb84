//! The report of a project; see the crate `chorus-report`.

pub(crate) use chorus_report::{LimitUse, Report, Story, build, page};
