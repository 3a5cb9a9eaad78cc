//! The links panel: each way of hearing each remote node. Lost packets and the longest silence are
//! those of the last hour.

use super::{
    View,
    grid::{Column, Row},
    panel::List,
};
use crate::{app::Panel, text, theme};
use ha_status::Link;
use ratatui::{Frame, layout::Rect, text::Span};

const COLUMNS: &[Column] = &[
    Column::left("state", 13, 0),
    Column::left("node", 24, 0),
    Column::left("medium", 10, 1),
    Column::left("device", 16, 0),
    Column::right("heard", 7, 1),
    Column::right("packets", 7, 2),
    Column::right("lost", 7, 2),
    Column::right("silence", 8, 2),
    Column::left("sends", 58, 3),
];

pub(super) fn draw(view: View, area: Rect, frame: &mut Frame) {
    let cluster = view.app.cluster();
    let list = List {
        panel: Panel::Links,
        title: "Links",
        columns: COLUMNS,
        source: cluster.map(|(source, _)| source),
        empty: "not known yet".to_owned(),
    };
    list.draw(view, area, frame, |range| {
        let links = cluster.map(|(_, cluster)| &cluster.links[range]);
        let links = links.unwrap_or_default();
        links.iter().map(|link| row(view, link)).collect()
    });
}

fn row<'a>(view: View, link: &'a Link) -> Row<'a> {
    let (tone, word) = theme::link(link);
    let hour = link.quality.as_ref().map(|quality| &quality.hour);
    let sends = link.not_sent.map(|not_sent| not_sent.trouble.to_string());
    Row::Cells(vec![
        Span::styled(
            format!("{} {word}", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
        Span::raw(&link.node),
        Span::raw(&link.medium),
        Span::raw(&link.device),
        Span::raw(text::maybe_age(link.heard_ms)),
        Span::raw(text::count(link.packets)),
        Span::raw(hour.map_or_else(String::new, ha_status::Span::lost_share)),
        Span::raw(hour.map_or_else(String::new, |hour| text::silence(hour.longest_ms))),
        match sends {
            Some(trouble) => Span::styled(format!("NO: {trouble}"), view.theme.tone(tone)),
            None => Span::styled("yes", view.theme.faint()),
        },
    ])
}
