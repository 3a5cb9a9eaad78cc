//! What all panels share: frame, title, position, scrolling, and the look of stale data.

use super::{
    View,
    grid::{self, Column, Row},
};
use crate::{
    app::{Panel, Source},
    text,
    theme::{self, Tone},
};
use ratatui::{
    Frame,
    layout::Rect,
    text::Line,
    widgets::{Block, Borders},
};
use std::ops::Range;

/// A panel of rows.
pub(super) struct List<'a> {
    pub(super) panel: Panel,
    pub(super) title: &'a str,
    pub(super) columns: &'a [Column],
    /// The source of everything in it, if there is just one.
    pub(super) source: Option<&'a Source>,
    /// Said where there are no rows.
    pub(super) empty: String,
}

impl List<'_> {
    /// Draws the panel; `rows` is asked for those in view only.
    pub(super) fn draw<'r>(
        &self,
        view: View<'r>,
        area: Rect,
        frame: &mut Frame,
        rows: impl FnOnce(Range<usize>) -> Vec<Row<'r>>,
    ) {
        let total = view.app.total(self.panel);
        let selected = view.app.selected(self.panel, total);
        let focused = view.app.panel == self.panel;
        let block = self.block(view, focused);
        let inner = block.inner(area);
        let room = usize::from(inner.height.saturating_sub(1));
        let start = start(selected, total, room);
        let position = if total > room {
            format!(" {}-{} of {total} ", start + 1, (start + room).min(total))
        } else {
            String::new()
        };
        let block = block.title_top(Line::styled(position, view.theme.faint()).right_aligned());
        frame.render_widget(block, area);
        if total == 0 {
            let line = Line::styled(self.empty.as_str(), view.theme.faint());
            frame.render_widget(line, inner);
            return;
        }
        let rows = rows(start..(start + room).min(total));
        let mark = focused.then_some(selected.saturating_sub(start));
        let buffer = frame.buffer_mut();
        grid::draw(self.columns, &rows, mark, view.theme, inner, buffer);
        if self.source.is_some_and(|source| !source.is_live()) {
            buffer.set_style(inner, view.theme.stale());
        }
    }

    fn block(&self, view: View, focused: bool) -> Block<'static> {
        let style = if focused {
            view.theme.focus()
        } else {
            view.theme.faint()
        };
        let (mark, borders) = match (focused, view.boxed) {
            (true, true) => (">", Borders::ALL),
            (false, true) => ("", Borders::ALL),
            (true, false) => (">", Borders::TOP),
            (false, false) => ("", Borders::TOP),
        };
        let title = if focused {
            Line::styled(format!("{mark} {} ", self.title), style)
        } else {
            Line::styled(format!(" {} ", self.title), theme::STRONG)
        };
        let stale = self.source.and_then(|source| stale(view, source));
        let stale = stale.map(|text| Line::styled(text, view.theme.tone(Tone::Warn)));
        Block::new()
            .borders(borders)
            .border_set(view.theme.border())
            .border_style(style)
            .title_top(title)
            .title_top(stale.unwrap_or_default())
    }
}

/// `stale: 3 s old`, unless it is not.
pub(super) fn stale(view: View, source: &Source) -> Option<String> {
    let seen_ms = source.seen_ms.filter(|_| !source.is_live())?;
    let age = text::calm_age(view.app.now_ms.saturating_sub(seen_ms));
    Some(format!(" STALE: {age} old "))
}

/// The first row in view: the selected one stands in the middle where it can.
fn start(selected: usize, total: usize, room: usize) -> usize {
    selected
        .saturating_sub(room / 2)
        .min(total.saturating_sub(room))
}
