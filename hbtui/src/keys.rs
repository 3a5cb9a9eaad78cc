//! One table of key bindings: it decides what a key does and is what help prints.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What the operator wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Quit,
    Help,
    Down,
    Up,
    PageDown,
    PageUp,
    Home,
    End,
    NextPanel,
    PreviousPanel,
    Open,
    Close,
    Standby,
    Takeover,
}

/// One line of the table.
pub(crate) struct Binding {
    keys: &'static [(KeyCode, KeyModifiers)],
    pub(crate) command: Command,
    /// The keys as an operator reads them.
    pub(crate) shown: &'static str,
    pub(crate) help: &'static str,
    /// A word for the bottom line; empty for what is common knowledge.
    pub(crate) hint: &'static str,
}

const PLAIN: KeyModifiers = KeyModifiers::NONE;

pub(crate) const BINDINGS: &[Binding] = &[
    Binding {
        keys: &[
            (KeyCode::Char('q'), PLAIN),
            (KeyCode::Char('c'), KeyModifiers::CONTROL),
        ],
        command: Command::Quit,
        shown: "q  Ctrl-C",
        help: "quit",
        hint: "quit",
    },
    Binding {
        keys: &[(KeyCode::Char('?'), PLAIN), (KeyCode::F(1), PLAIN)],
        command: Command::Help,
        shown: "?  F1",
        help: "this help",
        hint: "help",
    },
    Binding {
        keys: &[(KeyCode::Tab, PLAIN)],
        command: Command::NextPanel,
        shown: "Tab",
        help: "next panel",
        hint: "panel",
    },
    Binding {
        keys: &[(KeyCode::BackTab, PLAIN)],
        command: Command::PreviousPanel,
        shown: "Shift-Tab",
        help: "previous panel",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::Char('j'), PLAIN), (KeyCode::Down, PLAIN)],
        command: Command::Down,
        shown: "j  Down",
        help: "one row down",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::Char('k'), PLAIN), (KeyCode::Up, PLAIN)],
        command: Command::Up,
        shown: "k  Up",
        help: "one row up",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::PageDown, PLAIN)],
        command: Command::PageDown,
        shown: "PgDn",
        help: "ten rows down",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::PageUp, PLAIN)],
        command: Command::PageUp,
        shown: "PgUp",
        help: "ten rows up",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::Char('g'), PLAIN), (KeyCode::Home, PLAIN)],
        command: Command::Home,
        shown: "g  Home",
        help: "first row",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::Char('G'), PLAIN), (KeyCode::End, PLAIN)],
        command: Command::End,
        shown: "G  End",
        help: "last row; events: follow the newest",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::Enter, PLAIN)],
        command: Command::Open,
        shown: "Enter",
        help: "fold or unfold a virtual service, else all about the row",
        hint: "open",
    },
    Binding {
        keys: &[(KeyCode::Esc, PLAIN)],
        command: Command::Close,
        shown: "Esc",
        help: "close a window",
        hint: "",
    },
    Binding {
        keys: &[(KeyCode::Char('s'), PLAIN)],
        command: Command::Standby,
        shown: "s",
        help: "standby: hand groups to the peer, after a question",
        hint: "standby",
    },
    Binding {
        keys: &[(KeyCode::Char('t'), PLAIN)],
        command: Command::Takeover,
        shown: "t",
        help: "takeover: take groups from the peer, after a question",
        hint: "takeover",
    },
];

impl Command {
    /// Does it do something to the cluster?
    pub(crate) fn acts(self) -> bool {
        matches!(self, Command::Standby | Command::Takeover)
    }
}

/// What a key means, if anything.
pub(crate) fn command(key: KeyEvent) -> Option<Command> {
    // Capitals come with or without SHIFT, depending on the terminal.
    let modifiers = key.modifiers.difference(KeyModifiers::SHIFT);
    BINDINGS
        .iter()
        .find(|binding| binding.keys.contains(&(key.code, modifiers)))
        .map(|binding| binding.command)
}
