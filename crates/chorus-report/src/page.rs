//! The report as one HTML page without external resources: the figures as JSON inside a fixed page that draws them.

use super::Report;

/// Fixed page with a placeholder for the figures.
const PAGE: &str = include_str!("page.html");

/// Placeholder that the figures replace.
const PLACEHOLDER: &str = "/*FIGURES*/null";

/// Renders the page of a [`Report`]. `<` is written as an escape, so that no text can close the script element.
pub fn page(report: &Report) -> Result<String, serde_json::Error> {
    let figures = serde_json::to_string(report)?
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    Ok(PAGE.replacen(PLACEHOLDER, &figures, 1))
}
