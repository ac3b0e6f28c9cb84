//! The report of a project; see the crate `chorus-report`.

pub(crate) use chorus_report::{LimitUse, Report, ReportInput, build, page};
