//! Colours and symbols. Every colour has a symbol or a word beside it: nothing is said by colour
//! alone, so that `NO_COLOR`, a monochrome terminal and a colour-blind reader lose nothing.

use ha_status::{Health, Link, LinkState, NodeStatus, RunState, Severity};
use ratatui::{
    style::{Color, Modifier, Style},
    symbols::border,
};
use std::env;

/// What a state means to whoever reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    /// On its way, or worth a look.
    Warn,
    Bad,
    /// Neither: off, idle, not known.
    Quiet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Theme {
    pub(crate) colour: bool,
    /// False where the locale says that the terminal shows ASCII only.
    pub(crate) unicode: bool,
}

impl Theme {
    /// As the environment asks: NO_COLOR (no-color.org), and the locale's character set.
    pub(crate) fn from_env() -> Theme {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        let locale = locale.unwrap_or_default().to_ascii_lowercase();
        Theme {
            colour: set("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    pub(crate) fn tone(self, tone: Tone) -> Style {
        match tone {
            Tone::Good => self.foreground(Color::Green),
            Tone::Warn => self.foreground(Color::Yellow),
            Tone::Bad => self.foreground(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Quiet => self.foreground(Color::DarkGray),
        }
    }

    /// Column heads, labels, rules.
    pub(crate) fn faint(self) -> Style {
        self.foreground(Color::DarkGray)
    }

    pub(crate) fn focus(self) -> Style {
        self.foreground(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Laid over data that nobody vouches for any more.
    pub(crate) fn stale(self) -> Style {
        self.foreground(Color::DarkGray).add_modifier(Modifier::DIM)
    }

    pub(crate) fn symbol(self, tone: Tone) -> &'static str {
        match (tone, self.unicode) {
            (Tone::Good, true) => "●",
            (Tone::Warn, true) => "◐",
            (Tone::Bad, true) => "✖",
            (Tone::Quiet, true) => "○",
            (Tone::Good, false) => "+",
            (Tone::Warn, false) => "~",
            (Tone::Bad, false) => "X",
            (Tone::Quiet, false) => "o",
        }
    }

    /// In front of a row that can be folded.
    pub(crate) fn fold(self, open: bool) -> &'static str {
        match (open, self.unicode) {
            (true, true) => "▾",
            (false, true) => "▸",
            (true, false) => "-",
            (false, false) => "+",
        }
    }

    pub(crate) fn border(self) -> border::Set<'static> {
        if self.unicode { border::PLAIN } else { ASCII }
    }

    /// At the end of a text that was cut.
    pub(crate) fn ellipsis(self) -> &'static str {
        if self.unicode { "…" } else { "~" }
    }

    fn foreground(self, colour: Color) -> Style {
        if self.colour {
            Style::new().fg(colour)
        } else {
            Style::new()
        }
    }
}

/// Names, totals, the clock.
pub(crate) const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);

/// The row that Enter opens: one bar, without the colours of what stands in it.
pub(crate) const SELECTED: Style = Style::new()
    .fg(Color::Reset)
    .add_modifier(Modifier::REVERSED);

const ASCII: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

pub(crate) fn node(status: NodeStatus) -> (Tone, &'static str) {
    match status {
        NodeStatus::Init => (Tone::Quiet, "never heard"),
        NodeStatus::Up => (Tone::Warn, "up"),
        NodeStatus::Active => (Tone::Good, "active"),
        NodeStatus::Left => (Tone::Quiet, "left"),
        NodeStatus::Dead => (Tone::Bad, "dead"),
        NodeStatus::Ping => (Tone::Good, "ping"),
    }
}

pub(crate) fn link(link: &Link) -> (Tone, &'static str) {
    if link.not_sent.is_some() {
        return (Tone::Bad, "not sent");
    }
    match link.state {
        LinkState::Init => (Tone::Quiet, "never heard"),
        LinkState::Up => (Tone::Good, "up"),
        LinkState::Dead => (Tone::Bad, "dead"),
    }
}

pub(crate) fn run(state: RunState) -> (Tone, &'static str) {
    match state {
        RunState::Unknown => (Tone::Quiet, "unknown"),
        RunState::Stopped => (Tone::Quiet, "stopped"),
        RunState::Starting => (Tone::Warn, "starting"),
        RunState::Running => (Tone::Good, "running"),
        RunState::Stopping => (Tone::Warn, "stopping"),
        RunState::Failed => (Tone::Bad, "failed"),
        RunState::Stuck => (Tone::Bad, "stuck"),
    }
}

pub(crate) fn health(health: Health) -> (Tone, &'static str) {
    match health {
        Health::Unknown => (Tone::Warn, "unknown"),
        Health::Up => (Tone::Good, "up"),
        Health::Down => (Tone::Bad, "down"),
        Health::Maintenance => (Tone::Warn, "maintenance"),
        Health::Off => (Tone::Quiet, "off"),
    }
}

pub(crate) fn severity(severity: Severity) -> (Tone, &'static str) {
    match severity {
        Severity::Debug => (Tone::Quiet, "debug"),
        Severity::Info => (Tone::Quiet, "info"),
        Severity::Notice => (Tone::Good, "notice"),
        Severity::Warning => (Tone::Warn, "warn"),
        Severity::Error => (Tone::Bad, "error"),
        Severity::Critical => (Tone::Bad, "crit"),
    }
}
