//! How this node speaks: the voice that numbers and keeps what is said, the pace of its heartbeats,
//! the language of its reports, and what the others were told last.

use crate::config::Config;
use crate::extension::{Codec, Report};
use crate::messages::{self, Addressee, Voice};
use crate::pace::Pace;
use crate::roster::Roster;
use crate::wire::Message;
use std::time::{Duration, Instant};

#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) voice: Voice,
    pub(crate) pace: Pace,
    pub(crate) codec: Codec,
    said: Option<Said>,
    deadtime: Duration,
}

/// A status that was sent.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) word: &'static str,
    pub(crate) report: Report,
}

impl Speech {
    pub(crate) fn new(config: &Config, roster: &Roster, now: Instant) -> Self {
        Self {
            voice: Voice::new(config, roster),
            pace: Pace::new(config.keepalive, now),
            codec: Codec::new(config),
            said: None,
            deadtime: config.deadtime,
        }
    }

    /// What the others were told last.
    pub(crate) fn said(&self) -> Option<&Said> {
        self.said.as_ref()
    }

    /// A status with a report, ready to be sent.
    pub(crate) fn status(
        &mut self,
        word: &'static str,
        report: Report,
        roster: &Roster,
        now: Instant,
    ) -> Message {
        let mut message = messages::status(word, self.deadtime);
        self.codec.write(&report, roster, &mut message);
        self.said = Some(Said { word, report });
        self.voice.say(message, Addressee::default(), now)
    }
}
