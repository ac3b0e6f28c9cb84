//! The report as one page that needs no network: the figures as JSON inside a fixed page that draws them.

use super::Report;

/// The page, with a mark where the figures go.
const PAGE: &str = include_str!("page.html");

/// Where the figures go.
const MARK: &str = "/*FIGURES*/null";

/// The page of a report. `<` is written as an escape, so that no text of a client can end the script.
pub fn page(report: &Report) -> Result<String, serde_json::Error> {
    let figures = serde_json::to_string(report)?
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    Ok(PAGE.replacen(MARK, &figures, 1))
}
