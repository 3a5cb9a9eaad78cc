//! The lines above and below the panels: who we look at, whether they answer, and what keys do.

use super::View;
use crate::{
    app::{Connection, Source},
    keys, text,
    theme::{self, Tone},
};
use ha_status::{ClusterPhase, Refused};
use ratatui::{
    style::Style,
    text::{Line, Span},
};

/// Lost sources that get a line each; beyond them, a count.
const LOST_MAX: usize = 3;

/// Lines for senders whose packets are refused, each of them with what to do about it; senders beyond
/// that are a count.
const REFUSED_LINES_MAX: usize = 4;

/// The title, one line for all sources that answer, one for each that does not, and what there is to
/// say of each sender that is not believed: a cluster that looks well while it is deaf must not look
/// well.
pub(super) fn lines(view: View<'_>, width: u16) -> Vec<Line<'_>> {
    let mut lines = vec![title(view, width)];
    let live: Vec<&Source> = view
        .app
        .sources
        .iter()
        .filter(|source| source.is_live())
        .collect();
    if !live.is_empty() {
        let mut line = Line::default();
        for source in live {
            let text = format!(
                "{} {}: live  ",
                view.theme.symbol(Tone::Good),
                source.label()
            );
            line.push_span(Span::styled(text, view.theme.tone(Tone::Good)));
        }
        lines.push(line);
    }
    let mut lost = view.app.sources.iter().filter(|source| !source.is_live());
    lines.extend(
        lost.by_ref()
            .take(LOST_MAX)
            .map(|source| lost_line(view, source)),
    );
    let more = lost.count();
    if more > 0 {
        let text = format!("and {more} more that do not answer");
        lines.push(Line::styled(text, view.theme.tone(Tone::Bad)));
    }
    lines.extend(refused_lines(view, width));
    lines
}

fn refused_lines(view: View<'_>, width: u16) -> Vec<Line<'_>> {
    let refused = view.app.cluster().map(|(_, cluster)| &*cluster.refused);
    let refused = refused.unwrap_or_default();
    let mut lines: Vec<Line> = Vec::new();
    let mut shown = 0;
    for refused in refused {
        let one = refused_one(view, refused, width);
        if shown > 0 && lines.len() + one.len() > REFUSED_LINES_MAX {
            break;
        }
        lines.extend(one);
        shown += 1;
    }
    let more = refused.len() - shown;
    if more > 0 {
        let text = format!("and {more} more senders that are refused: hbd status lists them");
        lines.push(Line::styled(text, view.theme.tone(Tone::Warn)));
    }
    lines
}

/// `✖ lb2 (10.0.0.2) is refused: signed with another key than ... (81 packets, last 1s ago)`
fn refused_one<'a>(view: View, refused: &Refused, width: u16) -> Vec<Line<'a>> {
    // A node of ours that is not heard is worse than a stranger.
    let tone = if refused.node.is_some() {
        Tone::Bad
    } else {
        Tone::Warn
    };
    let sender = match (&refused.node, &refused.from) {
        (Some(node), Some(from)) => format!("{node} ({from})"),
        (Some(node), None) => node.clone(),
        (None, Some(from)) => from.clone(),
        (None, None) => "many addresses".to_owned(),
    };
    let (count, plural) = (refused.count, if refused.count == 1 { "" } else { "s" });
    let age = text::calm_age(refused.last_ms);
    let text = format!(
        "{} {sender} is refused: {} ({count} packet{plural}, last {age} ago)",
        view.theme.symbol(tone),
        refused.meaning()
    );
    let lines = text::wrapped(&text, usize::from(width)).into_iter();
    lines
        .map(|line| Line::styled(line, view.theme.tone(tone)))
        .collect()
}

/// What became of the last action, else the keys.
pub(super) fn footer(view: View<'_>, width: u16) -> Line<'_> {
    if let Some(remark) = &view.app.message {
        let (tone, word) = theme::severity(remark.severity);
        let symbol = view.theme.symbol(tone);
        return Line::styled(
            format!("{symbol} {word}: {}", remark.text),
            view.theme.tone(tone),
        );
    }
    let mut line = Line::default();
    let shown = keys::BINDINGS
        .iter()
        .filter(|binding| !binding.hint.is_empty())
        .filter(|binding| !(view.app.read_only && binding.command.acts()));
    for binding in shown {
        let key = binding.shown.split(' ').next().unwrap_or(binding.shown);
        let hint = format!(" {}  ", binding.hint);
        if line.width() + key.len() + hint.len() > usize::from(width) {
            break;
        }
        line.push_span(Span::styled(key, view.theme.focus()));
        line.push_span(Span::styled(hint, view.theme.faint()));
    }
    line
}

/// `hbtui  lb1: running  ● lb1 active  ● lb2 active      read-only  16:42:51 UTC`
fn title(view: View<'_>, width: u16) -> Line<'_> {
    let mut line = Line::default();
    line.push_span(Span::styled("hbtui", view.theme.focus()));
    if let Some((source, cluster)) = view.app.cluster() {
        let phase = match cluster.phase {
            ClusterPhase::Starting => "starting",
            ClusterPhase::Running => "running",
            ClusterPhase::Stopping => "stopping",
        };
        let (stale, patch) = if source.is_live() {
            ("", Style::new())
        } else {
            (" (stale)", view.theme.stale())
        };
        line.push_span(Span::raw(format!("  on {}, {phase}{stale}:", cluster.node)));
        for node in &cluster.nodes {
            let (tone, word) = theme::node(node.status);
            let text = format!("  {} {} {word}", view.theme.symbol(tone), node.name);
            line.push_span(Span::styled(text, view.theme.tone(tone).patch(patch)));
        }
    }
    let read_only = if view.app.read_only {
        "read-only  "
    } else {
        ""
    };
    let clock = format!("{read_only}{} UTC", text::clock(view.app.now_ms));
    let room = usize::from(width).saturating_sub(clock.len() + 1);
    while line.width() > room && line.spans.len() > 1 {
        line.spans.pop();
    }
    let gap = usize::from(width).saturating_sub(line.width() + clock.len());
    line.push_span(Span::raw(" ".repeat(gap)));
    line.push_span(Span::styled(clock, theme::STRONG));
    line
}

/// `✖ hbd: not answering (Connection refused), last seen 3 s ago, retrying: /run/heartbeat/hbd.sock`
fn lost_line<'a>(view: View, source: &'a Source) -> Line<'a> {
    let (tone, state) = match &source.connection {
        Connection::Lost { reason } => (Tone::Bad, format!("not answering ({reason})")),
        Connection::Connecting | Connection::Live => (Tone::Warn, "connecting".to_owned()),
    };
    let seen = match source.seen_ms {
        Some(seen_ms) => {
            let age = text::calm_age(view.app.now_ms.saturating_sub(seen_ms));
            format!("last seen {age} ago")
        }
        None => "never seen".to_owned(),
    };
    let (symbol, label) = (view.theme.symbol(tone), source.label());
    let path = source.path.display();
    let text = format!("{symbol} {label}: {state}, {seen}, retrying: {path}");
    Line::styled(text, view.theme.tone(tone))
}
