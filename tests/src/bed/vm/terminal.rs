//! The person's terminal, raw while the emulated machine has it, put back whatever happens.

use std::io::{IsTerminal, stdin, stdout};

use anyhow::{Context, Result};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

use super::channel::Size;

/// Raw mode while this lives.
pub(super) struct RawTerminal {
    before: Termios,
}

impl RawTerminal {
    /// Whether a person sits at both ends.
    pub(super) fn is_available() -> bool {
        stdin().is_terminal() && stdout().is_terminal()
    }

    pub(super) fn enter() -> Result<Self> {
        let before = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(stdin(), OptionalActions::Now, &raw).context("cannot set the terminal")?;
        Ok(Self { before })
    }

    pub(super) fn size() -> Size {
        let size = tcgetwinsize(stdout())
            .ok()
            .filter(|size| size.ws_row > 0 && size.ws_col > 0);
        size.map_or(
            Size {
                rows: 24,
                columns: 80,
            },
            |size| Size {
                rows: size.ws_row,
                columns: size.ws_col,
            },
        )
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.before);
    }
}
