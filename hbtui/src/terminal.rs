//! The terminal while the dashboard has it, and giving it back whatever happens: at the end, on
//! an error, on a panic. Signals end the loop in `run` and so come by here, too.

use crossterm::terminal::EnterAlternateScreen;
use ratatui::{DefaultTerminal, TerminalOptions, Viewport, layout::Rect};
use std::{io, panic, process};

/// Columns and rows of a terminal that does not know them.
const UNKNOWN_SIZE: (u16, u16) = (80, 24);

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
        let terminal = match size() {
            Some(_) => ratatui::try_init()?,
            None => unsized_terminal()?,
        };
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

/// Columns and rows; `None` where the terminal does not know, as a serial console, which says 0x0.
pub(crate) fn size() -> Option<(u16, u16)> {
    crossterm::terminal::size().ok().filter(|size| known(*size))
}

fn known((width, height): (u16, u16)) -> bool {
    width > 0 && height > 0
}

/// One that does not know its size gets what terminals had when they could not say.
fn unsized_terminal() -> io::Result<DefaultTerminal> {
    let (width, height) = UNKNOWN_SIZE;
    let viewport = Viewport::Fixed(Rect::new(0, 0, width, height));
    let terminal = ratatui::try_init_with_options(TerminalOptions { viewport })?;
    crossterm::execute!(io::stdout(), EnterAlternateScreen)?;
    Ok(terminal)
}

impl Drop for Restore {
    fn drop(&mut self) {
        // The terminal may be gone (hang-up): then there is nothing to restore.
        let _ = ratatui::try_restore();
        let _ = crossterm::execute!(io::stdout(), crossterm::cursor::Show);
    }
}

#[cfg(test)]
mod tests {
    use super::known;

    #[test]
    fn a_serial_console_does_not_know_its_size() {
        assert!(!known((0, 0)) && !known((80, 0)) && !known((0, 24)));
        assert!(known((1, 1)));
    }
}
