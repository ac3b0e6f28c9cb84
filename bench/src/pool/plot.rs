//! Utilisation of Chorus and its rivals as bars, one group a shape.

use std::fmt::Write;

use super::bars::Results;
use super::cell::{Cell, Measured};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 360.0;
const MARGIN: f64 = 50.0;
/// Height of a bar of 1.
const HIGH: f64 = HEIGHT - 2.0 * MARGIN;
const COLOURS: [&str; 7] = [
    "#1b6e4b", "#5aa98a", "#c2554d", "#d98b3a", "#7b6bb0", "#4c7fb5", "#8a8a8a",
];

/// Draws all cells without a fault on twelve unequal accounts, charged at admission.
pub(crate) fn svg(cells: &[Cell], results: &Results) -> String {
    let plain = |cell: &&Cell| {
        let base = Cell::plain(cell.shape, cell.charging);
        let like = Cell {
            chooser: cell.chooser,
            ..base
        };
        **cell == like && cell.charging.as_str() == "admission"
    };
    let drawn: Vec<&Cell> = cells.iter().filter(plain).collect();
    let mut shapes: Vec<&str> = drawn.iter().map(|cell| cell.shape.as_str()).collect();
    shapes.dedup();
    shapes.sort_unstable();
    shapes.dedup();
    let mut choosers: Vec<String> = drawn.iter().map(|cell| cell.chooser.name()).collect();
    choosers.sort();
    choosers.dedup();
    let group = (WIDTH - 2.0 * MARGIN) / shapes.len().max(1) as f64;
    let bar = group * 0.85 / choosers.len().max(1) as f64;
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    draw_grid(&mut text);
    for cell in &drawn {
        let Some((_, measured)) = results.get(&cell.name()) else {
            continue;
        };
        let place =
            |sorted: &[String], name: &str| sorted.iter().position(|one| one == name).unwrap_or(0);
        let names: Vec<String> = shapes.iter().map(|shape| (*shape).to_owned()).collect();
        let at = place(&choosers, &cell.chooser.name());
        let x = MARGIN + group * place(&names, cell.shape.as_str()) as f64 + bar * at as f64;
        let value = mean(measured);
        let _ = writeln!(
            text,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"><title>{}: {value:.3}</title></rect>",
            HEIGHT - MARGIN - HIGH * value,
            bar * 0.9,
            HIGH * value,
            COLOURS[at % COLOURS.len()],
            cell.name(),
        );
    }
    draw_names(&mut text, &shapes, group);
    draw_legend(&mut text, &choosers);
    let _ = writeln!(
        text,
        "<text x=\"{MARGIN}\" y=\"24\" font-size=\"14\">Utilisation: certified bound by makespan, twelve unequal accounts</text>\n</svg>"
    );
    text
}

/// Horizontal lines with their values.
fn draw_grid(text: &mut String) {
    for tenth in 0..=5 {
        let part = f64::from(tenth) / 5.0;
        let y = HEIGHT - MARGIN - HIGH * part;
        let right = WIDTH - MARGIN;
        let _ = writeln!(
            text,
            "<line x1=\"{MARGIN}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{part:.1}</text>",
            MARGIN - 6.0,
            y + 4.0
        );
    }
}

/// Names of the shapes below their groups, which are `group` wide.
fn draw_names(text: &mut String, shapes: &[&str], group: f64) {
    for (at, shape) in shapes.iter().enumerate() {
        let x = MARGIN + group * (at as f64 + 0.42);
        let y = HEIGHT - MARGIN + 16.0;
        let _ = writeln!(
            text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"middle\">{shape}</text>"
        );
    }
}

/// Colours of the choosers.
fn draw_legend(text: &mut String, choosers: &[String]) {
    for (at, chooser) in choosers.iter().enumerate() {
        let x = MARGIN + 120.0 * at as f64;
        let colour = COLOURS[at % COLOURS.len()];
        let y = HEIGHT - 18.0;
        let _ = writeln!(
            text,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"10\" height=\"10\" fill=\"{colour}\"/>\
             <text x=\"{:.1}\" y=\"{y:.1}\">{chooser}</text>",
            y - 9.0,
            x + 14.0
        );
    }
}

fn mean(measured: &[Measured]) -> f64 {
    let sum: f64 = measured.iter().map(Measured::utilisation).sum();
    sum / measured.len().max(1) as f64
}
