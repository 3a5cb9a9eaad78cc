//! Windows over the panels: help, all about a row, and the question before an action.

use super::View;
use crate::{
    app::{Popup, SETS, Verb},
    keys, theme,
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
    widgets::{Block, Clear, Padding, Paragraph, Wrap},
};

pub(super) fn draw(view: View, area: Rect, frame: &mut Frame) {
    let (title, lines) = match &view.app.popup {
        None => return,
        Some(Popup::Help) => ("Help".to_owned(), help(view)),
        Some(Popup::Detail { title, lines }) => {
            let lines = lines.iter().map(|line| Line::raw(line.as_str()));
            (title.clone(), lines.collect())
        }
        Some(Popup::Confirm { verb, choice }) => {
            (verb.word().to_owned(), confirm(view, *verb, *choice))
        }
    };
    let widest = lines.iter().map(Line::width).max().unwrap_or(0);
    let width = u16::try_from(widest.max(title.len()) + 6).unwrap_or(u16::MAX);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let window = middle(area, width, height);
    let block = Block::bordered()
        .border_set(view.theme.border())
        .border_style(view.theme.focus())
        .padding(Padding::horizontal(2))
        .title_top(format!(" {title} "))
        .title_bottom(Line::from(" Esc closes ").right_aligned());
    frame.render_widget(Clear, window);
    let text = Paragraph::new(lines)
        .wrap(Wrap { trim: false })
        .block(block);
    frame.render_widget(text, window);
}

fn help(view: View) -> Vec<Line<'static>> {
    keys::BINDINGS
        .iter()
        .map(|binding| {
            let note = if view.app.read_only && binding.command.acts() {
                " (disabled: read-only)"
            } else {
                ""
            };
            Line::from(vec![
                Span::styled(format!("{:<12}", binding.shown), view.theme.focus()),
                Span::raw(binding.help),
                Span::raw(note),
            ])
        })
        .collect()
}

fn confirm(view: View, verb: Verb, choice: usize) -> Vec<Line<'static>> {
    let node = view
        .app
        .cluster()
        .map_or("this node", |(_, cluster)| &cluster.node);
    let question = match verb {
        Verb::Standby => format!("Which groups shall {node} hand to its peer?"),
        Verb::Takeover => format!("Which groups shall {node} take from its peer?"),
    };
    let mut lines = vec![Line::raw(question), Line::raw("")];
    lines.extend(SETS.iter().enumerate().map(|(number, (_, text))| {
        if number == choice {
            Line::styled(format!("> {text}"), theme::SELECTED)
        } else {
            Line::raw(format!("  {text}"))
        }
    }));
    lines.push(Line::raw(""));
    lines.push(Line::raw(
        "Up and Down choose, Enter does it, Esc does nothing.",
    ));
    lines
}

/// A window of this size, or as much of it as fits, in the middle.
fn middle(area: Rect, width: u16, height: u16) -> Rect {
    let width = width.min(area.width);
    let height = height.min(area.height);
    Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    }
}
