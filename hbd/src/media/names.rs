//! Names of peers that do not resolve yet: they are asked for again, off the loop, until they do.

use crate::config::{Host as _, ThisHost};
use crate::resources::Report;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// They are asked for so often. A resolver that does not answer holds one thread for so long at
/// most as it takes itself.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// When they are asked for.
#[derive(Debug, Default)]
pub struct Names {
    asking: bool,
    next: Option<Instant>,
}

impl Names {
    /// Is it time to ask? The answer must follow as [`Names::answered`].
    pub fn due(&mut self, now: Instant) -> bool {
        let due = !self.asking && self.next.is_none_or(|next| next <= now);
        if due {
            self.asking = true;
            self.next = Some(now + ASK_EVERY);
        }
        due
    }

    pub fn answered(&mut self) {
        self.asking = false;
    }
}

/// Asks for all of them, one after the other. The report holds those that are known.
pub fn ask(names: Vec<String>, reports: mpsc::Sender<Report>) {
    tokio::spawn(async move {
        let asked = tokio::task::spawn_blocking(move || {
            let known = names.into_iter().filter_map(|name| {
                let ip = ThisHost.resolve(&name)?;
                Some((name, IpAddr::V4(ip)))
            });
            known.collect()
        });
        // The loop is gone only when the daemon ends.
        let _ = reports
            .send(Report::Resolved(asked.await.unwrap_or_default()))
            .await;
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_one_round_at_a_time_and_not_too_often() {
        let mut names = Names::default();
        let now = Instant::now();
        assert!(names.due(now));
        assert!(!names.due(now + ASK_EVERY), "the first round has not ended");
        names.answered();
        assert!(!names.due(now + ASK_EVERY / 2));
        assert!(names.due(now + ASK_EVERY));
    }
}
