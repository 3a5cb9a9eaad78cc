//! The nodes panel: who is in the cluster and how each fares.

use super::{
    View,
    grid::{Column, Row},
    panel::List,
};
use crate::{app::Panel, text, theme};
use ha_status::{Node, NodeKind};
use ratatui::{Frame, layout::Rect, text::Span};

const COLUMNS: &[Column] = &[
    Column::left("status", 13, 0),
    Column::left("node", 24, 0),
    Column::right("heard", 7, 1),
    Column::right("for", 7, 2),
    Column::left("speaks", 9, 3),
    Column::left("haresources", 11, 4),
];

pub(super) fn draw(view: View, area: Rect, frame: &mut Frame) {
    let cluster = view.app.cluster();
    let list = List {
        panel: Panel::Nodes,
        title: "Nodes",
        columns: COLUMNS,
        source: cluster.map(|(source, _)| source),
        empty: "not known yet".to_owned(),
    };
    list.draw(view, area, frame, |range| {
        let nodes = cluster.map(|(_, cluster)| &cluster.nodes[range]);
        let nodes = nodes.unwrap_or_default();
        nodes.iter().map(|node| row(view, node)).collect()
    });
}

fn row<'a>(view: View, node: &'a Node) -> Row<'a> {
    let (tone, word) = theme::node(node.status);
    let speaks = match (node.kind, node.extended) {
        (NodeKind::Ping, _) => "ping",
        (NodeKind::Normal, true) => "hbd",
        // What was never heard speaks nothing yet.
        (NodeKind::Normal, false) if !node.local && node.heard_ms.is_none() => "-",
        (NodeKind::Normal, false) => "heartbeat",
    };
    let (haresources, style) = match (node.kind, node.same_haresources) {
        (NodeKind::Ping, _) => ("", view.theme.faint()),
        (NodeKind::Normal, Some(true)) => ("same", view.theme.faint()),
        (NodeKind::Normal, Some(false)) => ("DIFFERENT", view.theme.tone(theme::Tone::Bad)),
        (NodeKind::Normal, None) => ("?", view.theme.faint()),
    };
    let (name, heard) = if node.local {
        (format!("{} (here)", node.name), "-".to_owned())
    } else {
        (node.name.clone(), text::maybe_age(node.heard_ms))
    };
    let since = text::calm_age(view.app.now_ms.saturating_sub(node.since_ms));
    Row::Cells(vec![
        Span::styled(
            format!("{} {word}", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
        Span::raw(name),
        Span::raw(heard),
        Span::raw(since),
        Span::styled(speaks, view.theme.faint()),
        Span::styled(haresources, style),
    ])
}
