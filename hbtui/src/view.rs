//! One frame: where each panel stands at this size of terminal. Draws what the app says and
//! changes nothing.

mod events;
mod grid;
mod groups;
mod header;
mod links;
mod nodes;
mod panel;
mod popup;
mod virtuals;

#[cfg(test)]
mod tests;

use crate::{
    app::{App, Panel},
    theme::Theme,
};
use ratatui::{
    Frame,
    layout::{Constraint, Layout, Rect},
    text::Line,
};

/// Below this there is no room for every panel.
const SMALLEST: (u16, u16) = (60, 16);

/// From here on everything stands side by side, in boxes.
const WIDE: (u16, u16) = (140, 30);

/// What every panel needs to know.
#[derive(Clone, Copy)]
struct View<'a> {
    app: &'a App,
    theme: Theme,
    /// Boxes around panels; rules above them otherwise.
    boxed: bool,
}

impl View<'_> {
    /// Lines of a panel with this many rows: its frame and column heads included.
    fn height(self, rows: usize) -> u16 {
        let rows = u16::try_from(rows.max(1)).unwrap_or(u16::MAX);
        rows.saturating_add(if self.boxed { 3 } else { 2 })
    }
}

pub(crate) fn draw(app: &App, theme: Theme, frame: &mut Frame) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        too_small(area, frame);
        return;
    }
    let wide = area.width >= WIDE.0 && area.height >= WIDE.1;
    let view = View {
        app,
        theme,
        boxed: wide,
    };
    let head = header::lines(view, area.width);
    let head_height = u16::try_from(head.len()).unwrap_or(1);
    let [top, body, bottom] = Layout::vertical([
        Constraint::Length(head_height),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    for (line, row) in head.into_iter().zip(top.rows()) {
        frame.render_widget(line, row);
    }
    if wide {
        side_by_side(view, body, frame);
    } else {
        stacked(view, body, frame);
    }
    frame.render_widget(header::footer(view, bottom.width), bottom);
    popup::draw(view, area, frame);
}

/// Cluster left, virtual services right, events below.
fn side_by_side(view: View, body: Rect, frame: &mut Frame) {
    let [upper, lower] = Layout::vertical([Constraint::Fill(3), Constraint::Fill(1)]).areas(body);
    let [left, right] =
        Layout::horizontal([Constraint::Percentage(46), Constraint::Fill(1)]).areas(upper);
    let quarter = left.height / 4;
    let [nodes, links, groups] = Layout::vertical([
        Constraint::Length(view.height(view.app.total(Panel::Nodes)).min(quarter)),
        Constraint::Length(view.height(view.app.total(Panel::Links)).min(quarter)),
        Constraint::Fill(1),
    ])
    .areas(left);
    nodes::draw(view, nodes, frame);
    links::draw(view, links, frame);
    groups::draw(view, groups, frame);
    virtuals::draw(view, right, frame);
    events::draw(view, lower, frame);
}

/// Nodes beside links, then groups, virtual services and events, each over the full width.
fn stacked(view: View, body: Rect, frame: &mut Frame) {
    let app = view.app;
    let pairs = app.total(Panel::Nodes).max(app.total(Panel::Links));
    let third = body.height / 3;
    let quarter = body.height / 4;
    let virtuals = match app.total(Panel::Virtuals) {
        0 => Constraint::Length(view.height(1)),
        _ => Constraint::Fill(3),
    };
    let [first, groups, virtuals, events] = Layout::vertical([
        Constraint::Length(view.height(pairs).min(quarter)),
        Constraint::Length(view.height(app.total(Panel::Groups)).min(third)),
        virtuals,
        Constraint::Fill(2),
    ])
    .areas(body);
    let [nodes, links] = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)])
        .spacing(2)
        .areas(first);
    nodes::draw(view, nodes, frame);
    links::draw(view, links, frame);
    groups::draw(view, groups, frame);
    virtuals::draw(view, virtuals, frame);
    events::draw(view, events, frame);
}

fn too_small(area: Rect, frame: &mut Frame) {
    let (width, height) = SMALLEST;
    let lines = [
        format!("hbtui needs {width}x{height},"),
        format!("this is {}x{}.", area.width, area.height),
        "q quits.".to_owned(),
    ];
    for (text, row) in lines.into_iter().zip(area.rows()) {
        frame.render_widget(Line::raw(text), row);
    }
}
