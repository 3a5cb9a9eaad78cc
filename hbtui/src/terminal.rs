//! The terminal while the dashboard has it, and giving it back whatever happens: at the end, on
//! an error, on a panic. Signals end the loop in `run` and so come by here, too.

use ratatui::DefaultTerminal;
use std::{io, panic, process};

/// Exit status after a panic, as the standard library has it.
const PANICKED: i32 = 101;

/// Restores the terminal when dropped.
pub(crate) struct Screen {
    pub(crate) terminal: DefaultTerminal,
    _restore: Restore,
}

struct Restore;

impl Screen {
    /// Raw mode and the alternate screen; also a panic hook that gives them up first, so that
    /// the panic's words are readable, and then ends the program: a task's panic would otherwise
    /// leave the loop drawing on a terminal that was given back.
    pub(crate) fn enter() -> io::Result<Screen> {
        // Before anything is changed, so that half a change is undone as well.
        let restore = Restore;
        let terminal = ratatui::try_init()?;
        let restoring = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            restoring(panic);
            process::exit(PANICKED);
        }));
        Ok(Screen {
            terminal,
            _restore: restore,
        })
    }
}

impl Drop for Restore {
    fn drop(&mut self) {
        // The terminal may be gone (hang-up): then there is nothing to restore.
        let _ = ratatui::try_restore();
        let _ = crossterm::execute!(io::stdout(), crossterm::cursor::Show);
    }
}
