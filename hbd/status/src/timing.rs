//! Where the time went until a group ran on a node: how long its owner was silent, how long others were
//! waited for, and what the start itself spent on addresses, the director's table and scripts.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a group came to run here, in milliseconds. Addresses and tables mostly start at once, so that the
/// parts of a start may be more than the whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// All of it: from the last word of the owner that died, else from the moment the group was this
    /// node's, else from the start.
    pub total_ms: u64,
    /// From the last word of the owner that died until this node had claimed the group; `None` where
    /// nobody died.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// From then until it might start here: others agreed, and whoever ran it had stopped it.
    #[serde(default)]
    pub waiting_ms: u64,
    /// Until the addresses were on their interfaces and announced; `None` without built-in ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_ms: Option<u64>,
    /// Until resident directors had their tables in the kernel, and their role on disk; `None` without
    /// such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table_ms: Option<u64>,
    /// The tables were in the kernel before it was this group's turn.
    #[serde(default)]
    pub prepared: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scripts: Option<ScriptTiming>,
}

/// What the resource scripts of a group took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScriptTiming {
    pub total_ms: u64,
    /// The one that took longest, as haresources writes it, e.g. `MailTo::root`.
    pub slowest: String,
    pub slowest_ms: u64,
}

impl Timing {
    /// All of it and each part that there was, by name, in the order of time.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, u64)> + use<> {
        let scripts = self.scripts.as_ref();
        let parts = [
            ("total", Some(self.total_ms)),
            ("silence", self.silence_ms),
            ("waiting", Some(self.waiting_ms).filter(|ms| *ms > 0)),
            ("address", self.address_ms),
            ("table", self.table_ms),
            ("scripts", scripts.map(|scripts| scripts.total_ms)),
        ];
        let known = parts.into_iter();
        known.filter_map(|(name, ms)| Some((name, ms?)))
    }
}

/// `1012 ms: silence 1003 ms, address 3 ms, table 6 ms (prepared)`
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.total_ms)?;
        let mut before = ": ";
        for (name, ms) in self.parts().skip(1) {
            write!(f, "{before}{name} {ms} ms")?;
            before = ", ";
            match (name, &self.scripts) {
                ("table", _) if self.prepared => f.write_str(" (prepared)")?,
                ("scripts", Some(scripts)) => {
                    let (slowest, ms) = (&scripts.slowest, scripts.slowest_ms);
                    write!(f, " (slowest {slowest} {ms} ms)")?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_known_part_is_named_in_the_order_of_time() {
        let died = Timing {
            total_ms: 1012,
            silence_ms: Some(1003),
            address_ms: Some(3),
            table_ms: Some(6),
            prepared: true,
            ..Timing::default()
        };
        let moved = Timing {
            total_ms: 150,
            waiting_ms: 14,
            address_ms: Some(2),
            scripts: Some(ScriptTiming {
                total_ms: 130,
                slowest: "MailTo::root".to_owned(),
                slowest_ms: 110,
            }),
            ..Timing::default()
        };
        let scripts_alone = Timing {
            total_ms: 130,
            scripts: moved.scripts.clone(),
            ..Timing::default()
        };
        let bare = Timing {
            total_ms: 8,
            ..Timing::default()
        };
        let table = [
            (
                died,
                "1012 ms: silence 1003 ms, address 3 ms, table 6 ms (prepared)",
            ),
            (
                moved,
                "150 ms: waiting 14 ms, address 2 ms, scripts 130 ms (slowest MailTo::root 110 ms)",
            ),
            (
                scripts_alone,
                "130 ms: scripts 130 ms (slowest MailTo::root 110 ms)",
            ),
            (bare, "8 ms"),
        ];
        for (timing, expected) in table {
            assert_eq!(timing.to_string(), expected);
        }
    }

    #[test]
    fn parts_are_all_of_it_and_what_there_was() {
        let timing = Timing {
            total_ms: 1012,
            silence_ms: Some(1003),
            table_ms: Some(6),
            ..Timing::default()
        };
        let parts: Vec<_> = timing.parts().collect();
        assert_eq!(parts, [("total", 1012), ("silence", 1003), ("table", 6)]);
    }

    #[test]
    fn what_is_unknown_takes_no_room_on_the_line_and_may_be_missing() {
        let timing = Timing {
            total_ms: 8,
            ..Timing::default()
        };
        let line = serde_json::to_string(&timing).unwrap();
        assert_eq!(line, r#"{"total_ms":8,"waiting_ms":0,"prepared":false}"#);
        let short: Timing = serde_json::from_str(r#"{"total_ms":8}"#).unwrap();
        assert_eq!(short, timing);
    }
}
