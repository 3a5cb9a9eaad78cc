//! The groups panel: where each resource group runs, where it should, and why it is there.

use super::{
    View,
    grid::{Column, Row},
    panel::List,
};
use crate::{
    app::{GroupRow, Panel},
    text, theme,
};
use ha_status::Group;
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

const COLUMNS: &[Column] = &[
    Column::left("here", 12, 0),
    Column::left("owner", 24, 0),
    Column::left("group", 60, 0),
    Column::left("preferred", 24, 1),
    Column::right("epoch", 6, 2),
    Column::left("runs", 60, 3),
];

pub(super) fn draw(view: View, area: Rect, frame: &mut Frame) {
    let list = List {
        panel: Panel::Groups,
        title: "Groups",
        columns: COLUMNS,
        source: view.app.cluster().map(|(source, _)| source),
        empty: "no resource groups known".to_owned(),
    };
    list.draw(view, area, frame, |range| {
        view.app
            .group_rows()
            .skip(range.start)
            .take(range.len())
            .map(|row| match row {
                GroupRow::Group(group) => columns(view, group),
                GroupRow::Resources(group) => labelled(view, "holds", text::resources(group)),
                GroupRow::Reason(group) => labelled(view, "why", group.reason.to_string()),
            })
            .collect()
    });
}

fn columns<'a>(view: View, group: &'a Group) -> Row<'a> {
    let (tone, word) = theme::run(group.state);
    let owner = match &group.owner {
        Some(owner) => Span::styled(owner.as_str(), theme::STRONG),
        None => Span::styled("NOBODY", view.theme.tone(theme::Tone::Bad)),
    };
    Row::Cells(vec![
        Span::styled(
            format!("{} {word}", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
        owner,
        Span::raw(&group.name),
        Span::raw(&group.preferred),
        Span::raw(group.epoch.to_string()),
        Span::raw(text::runs(group)),
    ])
}

fn labelled<'a>(view: View, label: &'a str, text: String) -> Row<'a> {
    Row::Text(Line::from(vec![
        Span::styled(format!("  {label:<6}"), view.theme.faint()),
        Span::raw(text),
    ]))
}
