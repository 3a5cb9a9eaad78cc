//! A frame as a picture: one background rectangle and one text element per run of equal style.

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use std::fmt::Write;

/// Size of one cell, in user units.
const CELL: (usize, usize) = (8, 15);
/// From the top of a cell to the line that letters stand on.
const BASELINE: usize = 12;
const MARGIN: usize = 10;
const BACKGROUND: &str = "#14171c";
const FOREGROUND: &str = "#d7dae0";

/// The picture, ready to be written to a file.
pub(crate) fn picture(buffer: &Buffer) -> String {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let width = usize::from(columns) * CELL.0 + 2 * MARGIN;
    let height = usize::from(rows) * CELL.1 + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13.3\" \
         xml:space=\"preserve\">\n"
    );
    let lines = buffer.content().chunks(usize::from(columns).max(1));
    for (row, cells) in lines.enumerate() {
        let mut column = 0;
        for run in cells.chunk_by(|left, right| look(left) == look(right)) {
            draw(&mut svg, column, row, run);
            column += run.len();
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// What makes two cells look alike: foreground, background, bold, dim.
fn look(cell: &Cell) -> (&'static str, &'static str, bool, bool) {
    let mut front = colour(cell.fg, FOREGROUND);
    let mut back = colour(cell.bg, BACKGROUND);
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut front, &mut back);
    }
    let bold = cell.modifier.contains(Modifier::BOLD);
    let dim = cell.modifier.contains(Modifier::DIM);
    (front, back, bold, dim)
}

fn draw(svg: &mut String, column: usize, row: usize, run: &[Cell]) {
    let Some(first) = run.first() else { return };
    let (front, back, bold, dim) = look(first);
    let (x, y) = (MARGIN + column * CELL.0, MARGIN + row * CELL.1);
    let width = run.len() * CELL.0;
    if back != BACKGROUND {
        let _ = writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{back}\"/>",
            CELL.1
        );
    }
    let text: String = run.iter().map(Cell::symbol).collect();
    if text.trim().is_empty() {
        return;
    }
    let weight = if bold { " font-weight=\"bold\"" } else { "" };
    let opacity = if dim { " opacity=\"0.6\"" } else { "" };
    // A place for every letter keeps columns in line whatever font the reader has.
    let places: Vec<String> = (0..run.len())
        .map(|cell| (x + cell * CELL.0).to_string())
        .collect();
    let _ = writeln!(
        svg,
        "<text x=\"{}\" y=\"{}\" fill=\"{front}\"{weight}{opacity}>{}</text>",
        places.join(" "),
        y + BASELINE,
        escaped(&text)
    );
}

/// Blanks become no-break blanks, which no viewer folds.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace(' ', "\u{a0}")
}

fn colour(colour: Color, default: &'static str) -> &'static str {
    match colour {
        Color::Red | Color::LightRed => "#ff6b68",
        Color::Green | Color::LightGreen => "#7ec87e",
        Color::Yellow | Color::LightYellow => "#e6c15c",
        Color::Blue | Color::LightBlue => "#6ca4e8",
        Color::Magenta | Color::LightMagenta => "#c58fe0",
        Color::Cyan | Color::LightCyan => "#5cc7d0",
        Color::DarkGray => "#838a96",
        Color::Gray | Color::White => "#f2f4f7",
        Color::Black => "#000000",
        Color::Reset | Color::Rgb(..) | Color::Indexed(_) => default,
    }
}
