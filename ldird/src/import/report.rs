//! What an import has to say: per line, what has no equivalent and what to do about it.

use std::fmt::Write as _;
use std::rc::Rc;

/// Where something stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: Rc<str>,
    pub(super) line: u32,
}

/// Faults of the file, and remarks about what is not taken over or means something else.
#[derive(Debug, Default)]
pub(super) struct Report {
    remarks: Vec<(Place, String)>,
    faults: Vec<(Place, String)>,
}

/// So many lines are shown; a file with more to say is no configuration.
const SHOWN_MAX: usize = 500;

impl Report {
    /// `what` stands in the file; `advice` says what becomes of it and what is to be done.
    pub(super) fn remark(&mut self, place: &Place, what: impl AsRef<str>, advice: &str) {
        let text = format!("{}: {advice}", what.as_ref());
        let one = (place.clone(), text);
        if !self.remarks.contains(&one) {
            self.remarks.push(one);
        }
    }

    /// The file cannot be read as it stands.
    pub(super) fn fault(&mut self, place: &Place, message: impl Into<String>) {
        self.faults.push((place.clone(), message.into()));
    }

    pub(super) fn has_faults(&self) -> bool {
        !self.faults.is_empty()
    }

    pub(super) fn remarks(&self) -> usize {
        self.remarks.len()
    }

    /// Faults first, then remarks in the order of the file.
    pub(super) fn lines(&self) -> String {
        let mut remarks = self.remarks.clone();
        remarks.sort();
        let mut text = String::new();
        let all = self.faults.iter().map(|one| ("error: ", one));
        let all = all.chain(remarks.iter().map(|one| ("", one)));
        for (kind, (place, message)) in all.clone().take(SHOWN_MAX) {
            let Place { file, line } = place;
            writeln!(text, "{file}:{line}: {kind}{message}").expect("a String takes everything");
        }
        let hidden = all.count().saturating_sub(SHOWN_MAX);
        if hidden > 0 {
            writeln!(text, "… and {hidden} more").expect("a String takes everything");
        }
        text
    }
}
