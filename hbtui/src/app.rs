//! What the dashboard knows and what each message does to it. No drawing, no waiting, no clock:
//! what must be done outside comes back as an [`Effect`].

mod rows;

#[cfg(test)]
mod tests;

pub(crate) use rows::{EventRow, GroupRow, VirtualRow};

use crate::{
    keys::{self, Command},
    source::{self, Undone},
};
use crossterm::event::KeyEvent;
use ha_status::{
    Action, ClusterSnapshot, DirectorSnapshot, Heard, Hello, HoldSet, Mirror, Notice, Severity,
    Snapshot,
};
use std::{
    collections::{BTreeSet, VecDeque},
    path::PathBuf,
};

/// Our own notices that are kept (connections lost, actions); the oldest go first.
const OWN_NOTICES_MAX: usize = 200;

/// Sockets that are followed; more are not looked at.
const SOURCES_MAX: usize = 32;

/// Rows that PgUp and PgDn move.
const PAGE: usize = 10;

#[derive(Debug)]
pub(crate) struct App {
    pub(crate) sources: Vec<Source>,
    pub(crate) read_only: bool,
    pub(crate) panel: Panel,
    pub(crate) popup: Option<Popup>,
    /// What became of the last action, or why a key did nothing.
    pub(crate) message: Option<Remark>,
    /// Wall clock of the last message, milliseconds since 1970.
    pub(crate) now_ms: u64,
    pub(crate) own_notices: VecDeque<Notice>,
    /// Selected row by panel; `None` follows the end (events) or stands at the start.
    selected: [Option<usize>; Panel::ALL.len()],
    folded: BTreeSet<(usize, String)>,
}

/// A status socket and what came out of it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) connection: Connection,
    /// Wall clock of the last line, milliseconds since 1970.
    pub(crate) seen_ms: Option<u64>,
    pub(crate) hello: Option<Hello>,
    mirror: Mirror,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Hbd,
    Ldird,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Connection {
    /// Nothing heard yet, good or bad.
    Connecting,
    Live,
    Lost {
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Panel {
    Nodes,
    Links,
    Groups,
    Virtuals,
    Events,
}

/// A window over the panels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Popup {
    Help,
    Detail { title: String, lines: Vec<String> },
    Confirm { verb: Verb, choice: usize },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Standby,
    Takeover,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remark {
    pub(crate) severity: Severity,
    pub(crate) text: String,
}

#[derive(Debug)]
pub(crate) enum Message {
    /// A second went by.
    Tick,
    Key(KeyEvent),
    /// A socket of ldird appeared.
    Found(PathBuf),
    Told(source::Told),
    /// The daemon answered an action, well or badly.
    Acted(Result<String, Undone>),
}

/// What the shell must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Effect {
    Quit,
    /// Start following this source.
    Open(usize),
    /// Drop this source's connection and start anew.
    Reconnect(usize),
    Act {
        path: PathBuf,
        action: Action,
    },
}

impl App {
    pub(crate) fn new(hbd: PathBuf, ldirds: Vec<PathBuf>, read_only: bool, now_ms: u64) -> App {
        let hbd = Source::new(hbd, Kind::Hbd);
        let ldirds = ldirds
            .into_iter()
            .map(|path| Source::new(path, Kind::Ldird));
        App {
            sources: std::iter::once(hbd)
                .chain(ldirds)
                .take(SOURCES_MAX)
                .collect(),
            read_only,
            panel: Panel::Virtuals,
            popup: None,
            message: None,
            now_ms,
            own_notices: VecDeque::new(),
            selected: [None; Panel::ALL.len()],
            folded: BTreeSet::new(),
        }
    }

    /// The only way in.
    pub(crate) fn update(&mut self, message: Message, now_ms: u64) -> Option<Effect> {
        self.now_ms = now_ms;
        match message {
            Message::Tick => None,
            Message::Key(key) => self.command(keys::command(key)?),
            Message::Found(path) => self.found(path),
            Message::Told(told) => self.told(told),
            Message::Acted(result) => {
                self.acted(result);
                None
            }
        }
    }

    /// hbd's view, however old.
    pub(crate) fn cluster(&self) -> Option<(&Source, &ClusterSnapshot)> {
        self.sources.iter().find_map(|source| {
            let Some(Snapshot::Cluster(cluster)) = source.mirror.snapshot() else {
                return None;
            };
            Some((source, cluster))
        })
    }

    /// Every ldird's view, however old, with its source's number.
    pub(crate) fn directors(&self) -> impl Iterator<Item = (usize, &Source, &DirectorSnapshot)> {
        self.sources.iter().enumerate().filter_map(|(id, source)| {
            let Some(Snapshot::Director(director)) = source.mirror.snapshot() else {
                return None;
            };
            Some((id, source, director))
        })
    }

    /// The selected row of a panel with `total` rows.
    pub(crate) fn selected(&self, panel: Panel, total: usize) -> usize {
        let last = total.saturating_sub(1);
        match (self.selected[panel.index()], panel) {
            (Some(row), _) => row.min(last),
            (None, Panel::Events) => last,
            (None, Panel::Nodes | Panel::Links | Panel::Groups | Panel::Virtuals) => 0,
        }
    }

    pub(crate) fn is_folded(&self, source: usize, service: &str) -> bool {
        // A tuple of owned strings is its key; folding is rare, so the set is short.
        self.folded
            .iter()
            .any(|(of, id)| *of == source && id == service)
    }

    fn command(&mut self, command: Command) -> Option<Effect> {
        self.message = None;
        match (command, &self.popup) {
            (Command::Quit, None) => return Some(Effect::Quit),
            (Command::Quit | Command::Close, _) => self.popup = None,
            (Command::Help, Some(Popup::Help)) => self.popup = None,
            (Command::Help, _) => self.popup = Some(Popup::Help),
            (Command::Open, Some(Popup::Confirm { verb, choice })) => {
                let action = verb.action(SETS.get(*choice)?.0);
                self.popup = None;
                return self.act(action);
            }
            (Command::Down, Some(Popup::Confirm { .. })) => self.choose(1),
            (Command::Up, Some(Popup::Confirm { .. })) => self.choose(SETS.len() - 1),
            (Command::Open, Some(_)) => self.popup = None,
            (_, Some(_)) => {}
            (Command::Open, None) => self.open(),
            (Command::Standby, None) => self.ask(Verb::Standby),
            (Command::Takeover, None) => self.ask(Verb::Takeover),
            (Command::NextPanel, None) => self.panel = self.panel.after(1),
            (Command::PreviousPanel, None) => self.panel = self.panel.after(Panel::ALL.len() - 1),
            (Command::Down, None) => self.scroll(|at, _| at.saturating_add(1)),
            (Command::Up, None) => self.scroll(|at, _| at.saturating_sub(1)),
            (Command::PageDown, None) => self.scroll(|at, _| at.saturating_add(PAGE)),
            (Command::PageUp, None) => self.scroll(|at, _| at.saturating_sub(PAGE)),
            (Command::Home, None) => self.scroll(|_, _| 0),
            (Command::End, None) => self.scroll(|_, last| last),
        }
        None
    }

    /// Moves the selection of the panel in focus: `to` is told the present row and the last one.
    fn scroll(&mut self, to: impl FnOnce(usize, usize) -> usize) {
        let total = self.total(self.panel);
        let at = self.selected(self.panel, total);
        let last = total.saturating_sub(1);
        let to = to(at, last);
        // At the end of the events the newest stays in view.
        let follow = self.panel == Panel::Events && to >= last;
        self.selected[self.panel.index()] = (!follow).then_some(to.min(last));
    }

    fn ask(&mut self, verb: Verb) {
        let refusal = if self.read_only {
            "read-only: standby and takeover are disabled".to_owned()
        } else if !self.sources.iter().any(Source::is_live_hbd) {
            format!("{}: hbd is not answering", verb.word())
        } else {
            self.popup = Some(Popup::Confirm { verb, choice: 0 });
            return;
        };
        self.remark(Severity::Warning, refusal);
    }

    fn choose(&mut self, step: usize) {
        if let Some(Popup::Confirm { choice, .. }) = &mut self.popup {
            *choice = (*choice + step) % SETS.len();
        }
    }

    fn act(&mut self, action: Action) -> Option<Effect> {
        let path = self
            .sources
            .iter()
            .find(|source| source.kind == Kind::Hbd)?
            .path
            .clone();
        let text = format!("{}: asked, waiting for the answer", describe(&action));
        self.remark(Severity::Notice, text);
        Some(Effect::Act { path, action })
    }

    fn acted(&mut self, result: Result<String, Undone>) {
        let (severity, text) = match result {
            Ok(text) => (Severity::Notice, format!("done: {text}")),
            Err(Undone::Refused(text)) => (Severity::Error, format!("not done: {text}")),
            Err(Undone::Unanswered(text)) => {
                let text = format!("{text}: whether it is done is not known");
                (Severity::Error, text)
            }
        };
        self.note(severity, text.clone());
        self.remark(severity, text);
    }

    fn found(&mut self, path: PathBuf) -> Option<Effect> {
        let known = self.sources.iter().any(|source| source.path == path);
        if known || self.sources.len() >= SOURCES_MAX {
            return None;
        }
        self.sources.push(Source::new(path, Kind::Ldird));
        Some(Effect::Open(self.sources.len() - 1))
    }

    fn told(&mut self, told: source::Told) -> Option<Effect> {
        let now_ms = self.now_ms;
        let id = told.source;
        let source = self.sources.get_mut(id)?;
        let (was, label) = (source.connection.clone(), source.label());
        match told.event {
            source::Event::Connected(hello) => {
                source.hello = Some(hello);
                source.seen_ms = Some(now_ms);
                source.connection = Connection::Live;
                if matches!(was, Connection::Lost { .. }) {
                    let label = source.label();
                    self.note(Severity::Notice, format!("{label}: connected"));
                }
                None
            }
            // Left over from a connection that was given up.
            source::Event::Line(_) if was != Connection::Live => None,
            source::Event::Line(reply) => {
                source.seen_ms = Some(now_ms);
                match source.mirror.take(*reply) {
                    Ok(Heard::Snapshot | Heard::Change | Heard::Notice(_) | Heard::Other(_)) => {
                        None
                    }
                    Err(gap) => {
                        let reason = gap.to_string();
                        source.connection = Connection::Lost { reason };
                        Some(Effect::Reconnect(id))
                    }
                }
            }
            source::Event::Lost(reason) => {
                source.connection = Connection::Lost {
                    reason: reason.clone(),
                };
                if was == Connection::Live {
                    self.note(Severity::Warning, format!("{label}: lost: {reason}"));
                }
                None
            }
        }
    }

    fn note(&mut self, severity: Severity, text: String) {
        self.own_notices.push_back(Notice {
            at_ms: self.now_ms,
            severity,
            text,
        });
        while self.own_notices.len() > OWN_NOTICES_MAX {
            self.own_notices.pop_front();
        }
    }

    fn remark(&mut self, severity: Severity, text: String) {
        self.message = Some(Remark { severity, text });
    }
}

impl Source {
    fn new(path: PathBuf, kind: Kind) -> Source {
        Source {
            path,
            kind,
            connection: Connection::Connecting,
            seen_ms: None,
            hello: None,
            mirror: Mirror::default(),
        }
    }

    pub(crate) fn is_live(&self) -> bool {
        self.connection == Connection::Live
    }

    fn is_live_hbd(&self) -> bool {
        self.kind == Kind::Hbd && self.is_live()
    }

    /// `hbd`, or `ldird web.cf`.
    pub(crate) fn label(&self) -> String {
        match self.kind {
            Kind::Hbd => "hbd".to_owned(),
            Kind::Ldird => format!("ldird {}", self.name()),
        }
    }

    /// What the daemon calls itself, else what its socket is called.
    fn name(&self) -> String {
        if let Some(hello) = &self.hello {
            return hello.name.clone();
        }
        let file = self.path.file_name().unwrap_or_default().to_string_lossy();
        let name = file.strip_prefix("ldird.").unwrap_or(&file);
        name.strip_suffix(".sock").unwrap_or(name).to_owned()
    }

    pub(crate) fn snapshot(&self) -> Option<&Snapshot> {
        self.mirror.snapshot()
    }
}

impl Panel {
    pub(crate) const ALL: [Panel; 5] = [
        Panel::Nodes,
        Panel::Links,
        Panel::Groups,
        Panel::Virtuals,
        Panel::Events,
    ];

    fn index(self) -> usize {
        self as usize
    }

    fn after(self, steps: usize) -> Panel {
        Panel::ALL[(self.index() + steps) % Panel::ALL.len()]
    }
}

impl Verb {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Verb::Standby => "standby",
            Verb::Takeover => "takeover",
        }
    }

    fn action(self, set: HoldSet) -> Action {
        match self {
            Verb::Standby => Action::Standby { set },
            Verb::Takeover => Action::Takeover { set, force: false },
        }
    }
}

/// The sets of groups that can be handed over, and what each means.
pub(crate) const SETS: [(HoldSet, &str); 3] = [
    (HoldSet::All, "all groups"),
    (HoldSet::Local, "local: groups that prefer this node"),
    (HoldSet::Foreign, "foreign: groups that prefer another node"),
];

fn describe(action: &Action) -> String {
    match action {
        Action::Standby { set } => format!("standby {}", set_word(*set)),
        Action::Takeover { set, .. } => format!("takeover {}", set_word(*set)),
        Action::Serve
        | Action::HoldBack
        | Action::Prepare
        | Action::Yield
        | Action::Overrule { .. }
        | Action::Stop => action.word().to_owned(),
        Action::Reload { .. } => "reload".to_owned(),
    }
}

fn set_word(set: HoldSet) -> &'static str {
    match set {
        HoldSet::None => "none",
        HoldSet::Local => "local",
        HoldSet::Foreign => "foreign",
        HoldSet::All => "all",
    }
}
