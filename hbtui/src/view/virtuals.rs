//! The virtual services panel: each service, its real servers under it, and its fallback.

use super::{
    View,
    grid::{Column, Row},
    panel::{self, List},
};
use crate::{
    app::{Panel, Source, VirtualRow},
    text,
    theme::{self, Tone},
};
use ha_status::{
    Asks, DirectorSnapshot, Draining, Fallback, Health, Override, RealServer, Role, Stage,
    VirtualService,
};
use ratatui::{
    Frame,
    layout::Rect,
    text::{Line, Span},
};

const COLUMNS: &[Column] = &[
    Column::left("real server", 48, 0),
    Column::left("health", 13, 0),
    Column::right("weight", 11, 1),
    Column::right("active", 6, 2),
    Column::right("inact", 6, 2),
    Column::left("fwd", 4, 4),
    Column::right("checked", 7, 5),
    Column::text("last message", 80, 20),
];

pub(super) fn draw(view: View, area: Rect, frame: &mut Frame) {
    let mut directors = view.app.directors().map(|(_, source, _)| source);
    // With several of them each row's own source decides; the title can speak for one only.
    let source = match (directors.next(), directors.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    };
    let list = List {
        panel: Panel::Virtuals,
        title: "Virtual services",
        columns: COLUMNS,
        source,
        empty: "no ldird has answered yet".to_owned(),
    };
    list.draw(view, area, frame, |range| {
        view.app
            .virtual_rows()
            .skip(range.start)
            .take(range.len())
            .map(|row| aged(view, &row, one(view, &row)))
            .collect()
    });
}

fn one<'a>(view: View, row: &VirtualRow<'a>) -> Row<'a> {
    match *row {
        VirtualRow::Director(id, director) => director_row(view, id, director),
        VirtualRow::Service(id, service) => service_row(view, id, service),
        VirtualRow::Real(id, real) => real_row(view, id, real),
        VirtualRow::Fallback(_, fallback) => fallback_row(view, fallback),
    }
}

/// Lays the stale look over a row whose source is lost.
fn aged<'a>(view: View, row: &VirtualRow, drawn: Row<'a>) -> Row<'a> {
    if view
        .app
        .sources
        .get(row.source())
        .is_some_and(Source::is_live)
    {
        return drawn;
    }
    let style = view.theme.stale();
    match drawn {
        Row::Cells(cells) => Row::Cells(
            cells
                .into_iter()
                .map(|cell| cell.patch_style(style))
                .collect(),
        ),
        Row::Text(line) => Row::Text(Line::from(
            line.spans
                .into_iter()
                .map(|span| span.patch_style(style))
                .collect::<Vec<_>>(),
        )),
    }
}

fn director_row<'a>(view: View, id: usize, director: &'a DirectorSnapshot) -> Row<'a> {
    let source = view.app.sources.get(id);
    let stale = source.and_then(|source| panel::stale(view, source));
    let (sync, troubled) = text::synchronised(director).unwrap_or_default();
    let sync_style = if troubled {
        view.theme.tone(Tone::Warn)
    } else {
        view.theme.faint()
    };
    Row::Text(Line::from(vec![
        Span::styled("ldird ", view.theme.faint()),
        Span::styled(director.config.as_str(), theme::STRONG),
        Span::styled(standing(view, director), view.theme.faint()),
        Span::styled(sync, sync_style),
        Span::styled(stale.unwrap_or_default(), view.theme.tone(Tone::Warn)),
    ]))
}

/// Nothing where it is active: that is what one expects of a director.
fn standing(view: View, director: &DirectorSnapshot) -> String {
    let duty = &director.duty;
    match duty.role {
        Role::Active => String::new(),
        Role::Standby => {
            let age = text::calm_age(view.app.now_ms.saturating_sub(duty.since_ms));
            let held = if duty.held_back {
                ", table held back"
            } else {
                ""
            };
            format!("  on standby for {age}{held}")
        }
    }
}

/// Is the director's table out of the kernel on purpose?
fn is_held_back(view: View, id: usize) -> bool {
    let mut directors = view.app.directors();
    directors.any(|(source, _, director)| source == id && director.duty.held_back)
}

fn service_row<'a>(view: View, id: usize, service: &'a VirtualService) -> Row<'a> {
    let fold = view.theme.fold(!view.app.is_folded(id, &service.id));
    let up = service
        .reals
        .iter()
        .filter(|real| real.health == Health::Up)
        .count();
    let total = service.reals.len();
    let tone = if up == total && up > 0 {
        Tone::Good
    } else if up > 0 {
        Tone::Warn
    } else {
        Tone::Bad
    };
    let mut spans = vec![
        Span::raw(format!("{fold} ")),
        Span::styled(
            format!("{} {}", service.protocol, service.address),
            theme::STRONG,
        ),
        Span::raw(format!("  {}  ", service.scheduler)),
        Span::styled(
            format!("{} {up} of {total} up", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
    ];
    if let Some(panic) = &service.panic {
        let left = text::calm_age(panic.until_ms.saturating_sub(view.app.now_ms));
        let text = format!("  PANIC: {} fail, weights held, {left} left", panic.failing);
        spans.push(Span::styled(text, view.theme.tone(Tone::Bad)));
    }
    if let Some(opinion) = service.opinion.as_ref().filter(|one| !one.node.is_empty()) {
        let left = text::calm_age(opinion.until_ms.saturating_sub(view.app.now_ms));
        let text = format!(
            "  SECOND OPINION: up for {}, the last one held, {left} left",
            opinion.node
        );
        spans.push(Span::styled(text, view.theme.tone(Tone::Bad)));
    }
    if !service.in_table && !is_held_back(view, id) {
        let style = view.theme.tone(Tone::Bad);
        spans.push(Span::styled("  NOT IN THE TABLE", style));
    }
    let persistent = match service.persistent {
        0 => String::new(),
        seconds => format!("  persistent {seconds} s"),
    };
    let rest = format!(
        "{persistent}  {} conns  {}B in  {}",
        text::count(service.connections),
        text::count(service.bytes_in),
        service.name
    );
    spans.push(Span::styled(rest, view.theme.faint()));
    Row::Text(Line::from(spans))
}

fn real_row<'a>(view: View, id: usize, real: &'a RealServer) -> Row<'a> {
    let (tone, word) = theme::health(real.health);
    let table = real.table_weight;
    let weight = format!(
        "{}/{}",
        real.weight,
        table.map_or_else(|| "-".to_owned(), |weight| weight.to_string())
    );
    let climbs = matches!(real.stage, Some(Stage::SlowStart { .. }));
    let as_wanted = climbs
        || !real.overrides.is_empty()
        || real.agent.is_some()
        || table == Some(real.weight)
        || (table.is_none() && is_held_back(view, id));
    let weight_style = if as_wanted {
        view.theme.tone(Tone::Quiet)
    } else {
        view.theme.tone(Tone::Warn)
    };
    let message = if let Some(order) = real.overrides.first() {
        overridden(order, real.draining.as_ref())
    } else if let Some(stage) = real.stage {
        text::stage(real, stage, view.app.now_ms)
    } else if let Some(want) = &real.could_not_ask {
        format!("not asked: {want}")
    } else if real.failures > 0 && real.health == Health::Up {
        format!(
            "failed {}/{}: {}",
            real.failures, real.failure_limit, real.message
        )
    } else if let Some(agent) = real.agent.as_ref().filter(|agent| !agent.is_content()) {
        match agent.asks {
            Asks::Serve => format!("agent: {agent}; {}", real.message),
            Asks::Drain | Asks::Maintenance | Asks::Down => format!("agent: {agent}"),
        }
    } else {
        real.message.clone()
    };
    Row::Cells(vec![
        Span::raw(format!("    {}", real.address)),
        Span::styled(
            format!("{} {word}", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
        Span::styled(weight, weight_style),
        Span::raw(text::count(real.active_connections.into())),
        Span::raw(text::count(real.inactive_connections.into())),
        Span::styled(real.forwarding.as_str(), view.theme.faint()),
        Span::styled(text::maybe_age(real.checked_ms), view.theme.faint()),
        Span::raw(message),
    ])
}

/// `drain, 12 of 40 left, none in about 50s, by alice (uid 1000, pid 7): a new disk`
fn overridden(order: &Override, draining: Option<&Draining>) -> String {
    let why = match order.why.as_str() {
        "" => String::new(),
        why => format!(": {why}"),
    };
    let left = draining.map_or_else(String::new, |left| format!(", {},", text::draining(left)));
    format!("{}{left} by {}{why}", order.says.word(), order.by)
}

fn fallback_row<'a>(view: View, fallback: &'a Fallback) -> Row<'a> {
    let (tone, word, message) = if fallback.active {
        (Tone::Warn, "in use", "fallback: no real server is up")
    } else {
        (Tone::Quiet, "idle", "fallback")
    };
    Row::Cells(vec![
        Span::raw(format!("    {}", fallback.address)),
        Span::styled(
            format!("{} {word}", view.theme.symbol(tone)),
            view.theme.tone(tone),
        ),
        Span::raw(""),
        Span::raw(""),
        Span::raw(""),
        Span::styled(fallback.forwarding.as_str(), view.theme.faint()),
        Span::raw(""),
        Span::styled(message, view.theme.faint()),
    ])
}
