//! What is said of connection synchronisation, of which the old daemon knew nothing.

use super::Line;
use crate::sync::{asked, role};
use ha_status::Severity;
use ldird_core::sync::{Notice, Trouble};

pub(crate) fn line(notice: &Notice) -> Line {
    match notice {
        Notice::Started(daemon) => {
            let (end, settings) = (role(daemon.end), &daemon.settings);
            let (interface, id) = (&settings.interface, settings.sync_id);
            let text = format!("Started {end} sync daemon (mcast={interface}, syncid={id})");
            Line::new(Severity::Notice, text)
        }
        Notice::Stopped(end) => Line::new(
            Severity::Notice,
            format!("Stopped {} sync daemon", role(*end)),
        ),
        Notice::Lost(end) => {
            let text = format!(
                "Somebody stopped our {} sync daemon; it is started again",
                role(*end)
            );
            Line::new(Severity::Warning, text)
        }
        Notice::Trouble(one) => {
            let text = format!("Connections are not synchronised: {}", trouble(one));
            Line::new(Severity::Error, text)
        }
    }
}

/// What is wrong, and what to do.
pub(crate) fn trouble(trouble: &Trouble) -> String {
    match trouble {
        Trouble::NoInterface(name) => {
            format!("there is no interface {name}; syncdaemon= in ldirectord.cf names it")
        }
        Trouble::Stranger(daemon) => {
            let end = role(daemon.end);
            format!(
                "another tool runs the {}; it is left alone (ldird ipvs daemon stop {end} ends it)",
                asked(daemon)
            )
        }
        Trouble::Refused { end: _, error } | Trouble::Unreadable(error) => error.clone(),
    }
}
