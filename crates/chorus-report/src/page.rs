//! The report as one HTML page without external resources: the figures as JSON inside a fixed page that draws them.

use super::Report;

/// Fixed page with places for style, texts, script and figures.
const PAGE: &str = include_str!("page/page.html");

/// Style of the page.
const STYLE: &str = include_str!("page/style.css");

/// Texts of the page in each language.
const WORDS: &str = include_str!("page/words.js");

/// Script that draws the figures.
const SCRIPT: &str = include_str!("page/script.js");

/// Place of the style.
const STYLE_PLACE: &str = "/*STYLE*/";

/// Place of texts and script.
const SCRIPT_PLACE: &str = "/*SCRIPT*/";

/// Place of the figures in the script.
const FIGURES_PLACE: &str = "/*FIGURES*/null";

/// Renders the page of a [`Report`]. `<` is written as an escape, so that no text can close the script element.
pub fn page(report: &Report) -> Result<String, serde_json::Error> {
    let figures = serde_json::to_string(report)?
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    // The figures come last, so that no text of a project is taken for a place.
    Ok(PAGE
        .replacen(STYLE_PLACE, STYLE, 1)
        .replacen(SCRIPT_PLACE, &[WORDS, SCRIPT].concat(), 1)
        .replacen(FIGURES_PLACE, &figures, 1))
}
