//! A table of the rows in view: columns as wide as what they show, the least important dropped
//! where the room does not suffice.

use crate::theme::{self, Theme};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
    text::{Line, Span},
};

/// Cells between columns.
const GAP: u16 = 2;

pub(super) struct Column {
    pub(super) title: &'static str,
    /// Never wider than this, cells.
    pub(super) max: u16,
    /// Cut down to this width before any column is dropped; `max` for those that are not.
    least: u16,
    /// Dropped in falling order; columns of rank 0 stay, and the last of them is cut.
    pub(super) rank: u8,
    pub(super) right: bool,
}

pub(super) enum Row<'a> {
    /// One cell for each column.
    Cells(Vec<Span<'a>>),
    /// Text over the whole width.
    Text(Line<'a>),
}

impl Column {
    pub(super) const fn left(title: &'static str, max: u16, rank: u8) -> Column {
        Column {
            title,
            max,
            least: max,
            rank,
            right: false,
        }
    }

    /// A column of text that may be cut down to `least` to keep others.
    pub(super) const fn text(title: &'static str, max: u16, least: u16) -> Column {
        Column {
            title,
            max,
            least,
            rank: 0,
            right: false,
        }
    }

    pub(super) const fn right(title: &'static str, max: u16, rank: u8) -> Column {
        Column {
            title,
            max,
            least: max,
            rank,
            right: true,
        }
    }
}

/// Draws column heads and `rows` into `area`.
pub(super) fn draw(
    columns: &[Column],
    rows: &[Row],
    selected: Option<usize>,
    theme: Theme,
    area: Rect,
    buffer: &mut Buffer,
) {
    let widths = widths(columns, rows, area.width);
    let mut lines = area.rows();
    if let Some(line) = lines.next() {
        let heads: Vec<Span> = columns
            .iter()
            .map(|column| Span::styled(column.title, theme.faint()))
            .collect();
        cells(columns, &widths, &heads, theme, line, buffer);
    }
    for (number, (row, line)) in rows.iter().zip(lines).enumerate() {
        match row {
            Row::Cells(row) => cells(columns, &widths, row, theme, line, buffer),
            Row::Text(text) => cut_line(text, theme, line, buffer),
        }
        if selected == Some(number) {
            buffer.set_style(line, theme::SELECTED);
        }
    }
}

/// The width of each column, 0 for those that are dropped.
fn widths(columns: &[Column], rows: &[Row], room: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = columns
        .iter()
        .enumerate()
        .map(|(number, column)| {
            let cell = |row: &Row| match row {
                Row::Cells(cells) => cells.get(number).map_or(0, Span::width),
                Row::Text(_) => 0,
            };
            let widest = rows.iter().map(cell).max().unwrap_or(0);
            let natural = widest.max(column.title.chars().count());
            u16::try_from(natural).unwrap_or(u16::MAX).min(column.max)
        })
        .collect();
    let natural = widths.clone();
    for (width, column) in widths.iter_mut().zip(columns) {
        *width = (*width).min(column.least);
    }
    while needed(&widths) > room {
        let worst = (0..columns.len())
            .filter(|number| widths[*number] > 0)
            .max_by_key(|number| (columns[*number].rank, *number));
        match worst {
            Some(worst) if columns[worst].rank > 0 => widths[worst] = 0,
            Some(last) => {
                let over = needed(&widths) - room;
                widths[last] = widths[last].saturating_sub(over).max(1);
                break;
            }
            None => break,
        }
    }
    for number in 0..widths.len() {
        let spare = room.saturating_sub(needed(&widths));
        if widths[number] > 0 {
            widths[number] = natural[number].min(widths[number].saturating_add(spare));
        }
    }
    widths
}

fn needed(widths: &[u16]) -> u16 {
    let shown = widths.iter().filter(|width| **width > 0);
    let total = shown.fold(0u16, |sum, width| {
        sum.saturating_add(*width).saturating_add(GAP)
    });
    total.saturating_sub(GAP)
}

fn cells(
    columns: &[Column],
    widths: &[u16],
    cells: &[Span],
    theme: Theme,
    line: Rect,
    buffer: &mut Buffer,
) {
    let mut x = line.x;
    for ((column, width), cell) in columns.iter().zip(widths).zip(cells) {
        let width = (*width).min(line.right().saturating_sub(x));
        if width == 0 {
            continue;
        }
        let used = u16::try_from(cell.width()).unwrap_or(u16::MAX);
        let indent = if column.right {
            width.saturating_sub(used)
        } else {
            0
        };
        buffer.set_stringn(
            x + indent,
            line.y,
            cell.content.as_ref(),
            usize::from(width - indent),
            cell.style,
        );
        if used > width {
            mark_cut(x + width - 1, line.y, cell.style, theme, buffer);
        }
        x = x.saturating_add(width).saturating_add(GAP);
    }
}

fn cut_line(text: &Line, theme: Theme, line: Rect, buffer: &mut Buffer) {
    buffer.set_line(line.x, line.y, text, line.width);
    if text.width() > usize::from(line.width) && line.width > 0 {
        mark_cut(line.right() - 1, line.y, Style::new(), theme, buffer);
    }
}

fn mark_cut(x: u16, y: u16, style: Style, theme: Theme, buffer: &mut Buffer) {
    if let Some(cell) = buffer.cell_mut(Position { x, y }) {
        cell.set_symbol(theme.ellipsis()).set_style(style);
    }
}
