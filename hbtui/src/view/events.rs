//! The events panel: what everybody told, in the order of time, newest last.

use super::{
    View,
    grid::{Column, Row},
    panel::List,
};
use crate::{
    app::{EventRow, Panel},
    text, theme,
};
use ratatui::{Frame, layout::Rect, style::Style, text::Span};

const COLUMNS: &[Column] = &[
    Column::left("UTC", 12, 0),
    Column::left("", 8, 0),
    Column::left("from", 16, 1),
    Column::left("event", 500, 0),
];

pub(super) fn draw(view: View, area: Rect, frame: &mut Frame) {
    let list = List {
        panel: Panel::Events,
        title: "Events",
        columns: COLUMNS,
        source: None,
        empty: "none yet".to_owned(),
    };
    list.draw(view, area, frame, |range| {
        let rows = view.app.event_rows();
        let rows = rows.into_iter().skip(range.start).take(range.len());
        rows.map(|event| row(view, &event)).collect()
    });
}

fn row<'a>(view: View, event: &EventRow<'a>) -> Row<'a> {
    let (tone, word) = theme::severity(event.notice.severity);
    let style = match tone {
        theme::Tone::Bad | theme::Tone::Warn => view.theme.tone(tone),
        theme::Tone::Good | theme::Tone::Quiet => Style::new(),
    };
    Row::Cells(vec![
        Span::styled(text::moment(event.notice.at_ms), view.theme.faint()),
        Span::styled(
            format!("{} {word}", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
        Span::styled(event.from, view.theme.faint()),
        Span::styled(event.notice.text.as_str(), style),
    ])
}
