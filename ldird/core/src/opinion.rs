//! Second opinions: before a verdict takes the last real server out of a service, the directors of other
//! nodes are asked what their own checks say. If one of them finds a real server up, it is probably
//! the way from here to the farm that is broken and not the farm, and the last one stays for a while.
//!
//! ```text
//!   none ──the last one fails──► Waiting ──finds none up, or no opinion──► none, it leaves
//!                                   │ another director finds one up
//!                                   ▼
//!                                 Held ──finds none up, or no opinion──► none, it leaves
//!                                  │ ▲ asked again, now and then
//!                                  └─┘──the longest time──► none, it leaves
//! ```
//!
//! What else ends it, at any time: our own checks find somebody up, an operator or the server's own agent
//! takes the last one out, a reload, a turn to standby. Nothing but a verdict begins it.

use crate::config::VirtualService;
use crate::options::SecondOpinion;
use crate::table::DestinationKey;
use ha_status::Found;
use ha_status::opinion::NAMED_MAX;
use std::time::{Duration, Instant};

/// No answer within this time is no opinion; the server that fails has its weight meanwhile.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(1);
/// While a server is held the others are asked again as often as it is checked, but not more often.
pub const ASK_AGAIN_MIN: Duration = Duration::from_secs(5);

/// Names a question, so that the answer to an earlier one is none to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuestionId(pub u64);

/// Why there is no opinion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Nobody has said anything in time.
    NoAnswer,
    /// Nobody who has answered has this service with these real servers.
    Unknown { node: String },
    /// There was nobody to ask, in the shell's words.
    Nobody(String),
}

/// What another director says of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Up {
        node: String,
        /// Of these it names some; there may be more.
        up: Vec<DestinationKey>,
    },
    Down {
        node: String,
    },
    Silent(Silence),
}

/// Why a last real server is held no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpinionEnd {
    /// Our own checks find one up.
    Recovered,
    /// The other director finds none up any more.
    Agreed { node: String },
    /// It does not say any more.
    Silent(Silence),
    /// It has lasted as long as it may.
    Lasted,
    /// An operator or the server's own agent has a say now.
    Overruled,
    /// A reload has set everything anew.
    Reloaded,
    /// Clients are served elsewhere.
    Standby,
}

/// The last real server of a service fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opinion {
    /// Who fails, and has its weight all the same.
    pub(crate) real: DestinationKey,
    pub(crate) since: Instant,
    /// The question that waits for an answer, and how long.
    question: Option<(QuestionId, Instant)>,
    /// `None` while the first answer is waited for.
    held: Option<Held>,
}

/// Another director disagrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) node: String,
    pub(crate) up: Vec<DestinationKey>,
    ask_at: Instant,
}

/// What can happen to it.
#[derive(Debug)]
pub(crate) enum Event {
    Time,
    Answered(QuestionId, Answer),
    Ended(OpinionEnd),
}

/// What is to be done then.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Nothing,
    /// The others are to be asked again, under this number.
    Ask(QuestionId),
    /// It stays: that is news.
    Hold,
    /// Another director finds none up either: the verdict counts.
    Share {
        node: String,
    },
    /// There is no opinion: the verdict counts.
    Miss(Silence),
    /// It is over, and was held; the verdict counts.
    End(OpinionEnd),
    /// It is over before an answer came, for a reason that makes the answer worth nothing.
    Drop,
}

impl Opinion {
    /// The question is being put.
    pub(crate) fn new(real: DestinationKey, question: QuestionId, now: Instant) -> Self {
        Self {
            real,
            since: now,
            question: Some((question, now + ANSWER_LIMIT)),
            held: None,
        }
    }

    /// `None` while the first answer is waited for.
    pub(crate) fn held(&self) -> Option<&Held> {
        self.held.as_ref()
    }

    /// The verdict counts then, at the latest.
    pub(crate) fn until(&self, rules: SecondOpinion) -> Instant {
        self.since + rules.longest
    }

    /// Takes it on by one event. `next`: what another question would be called.
    pub(crate) fn on(
        &mut self,
        event: Event,
        (rules, interval): (SecondOpinion, Duration),
        next: QuestionId,
        now: Instant,
    ) -> Step {
        match event {
            Event::Ended(why) if self.held.is_some() => Step::End(why),
            Event::Ended(_) => Step::Drop,
            Event::Answered(question, answer) => {
                if self.question.is_none_or(|(open, _)| open != question) {
                    return Step::Nothing;
                }
                self.answered(answer, interval, now)
            }
            Event::Time if self.until(rules) <= now => match self.held {
                Some(_) => Step::End(OpinionEnd::Lasted),
                None => Step::Miss(Silence::NoAnswer),
            },
            Event::Time => match (self.question, &self.held) {
                (Some((_, until)), _) if until <= now => {
                    self.answered(Answer::Silent(Silence::NoAnswer), interval, now)
                }
                (None, Some(held)) if held.ask_at <= now => {
                    self.question = Some((next, now + ANSWER_LIMIT));
                    Step::Ask(next)
                }
                (Some(_), _) | (None, Some(_) | None) => Step::Nothing,
            },
        }
    }

    fn answered(&mut self, answer: Answer, interval: Duration, now: Instant) -> Step {
        self.question = None;
        let ask_at = now + interval.max(ASK_AGAIN_MIN);
        match (answer, self.held.is_some()) {
            (Answer::Up { node, up }, held) => {
                self.held = Some(Held { node, up, ask_at });
                if held { Step::Nothing } else { Step::Hold }
            }
            (Answer::Down { node }, true) => Step::End(OpinionEnd::Agreed { node }),
            (Answer::Silent(silence), true) => Step::End(OpinionEnd::Silent(silence)),
            (Answer::Down { node }, false) => Step::Share { node },
            (Answer::Silent(silence), false) => Step::Miss(silence),
        }
    }

    /// When time alone may change something.
    pub(crate) fn due(&self, rules: SecondOpinion) -> Instant {
        let held = self.held.as_ref().map(|held| held.ask_at);
        let next = self.question.map(|(_, until)| until).or(held);
        let until = self.until(rules);
        next.map_or(until, |at| at.min(until))
    }
}

/// What the others' views come to for one service, of which these are the real servers in the order of
/// the findings. Who finds one up counts before who does not, and who does not before who does not know.
pub(crate) fn answer(
    views: Result<Vec<(String, Found)>, Silence>,
    reals: &[DestinationKey],
) -> Answer {
    let views = match views {
        Ok(views) => views,
        Err(silence) => return Answer::Silent(silence),
    };
    let mut last = Answer::Silent(Silence::NoAnswer);
    for (node, found) in views {
        match (found, &last) {
            (Found::Checked { up, more }, _) => {
                let bits = reals.iter().take(NAMED_MAX).enumerate();
                let up: Vec<DestinationKey> = bits
                    .filter(|(bit, _)| (up >> bit) & 1 == 1)
                    .map(|(_, real)| *real)
                    .collect();
                if !up.is_empty() || (more && reals.len() > NAMED_MAX) {
                    return Answer::Up { node, up };
                }
                last = Answer::Down { node };
            }
            (Found::Unknown, Answer::Silent(_)) => {
                last = Answer::Silent(Silence::Unknown { node });
            }
            (Found::Unknown, Answer::Down { .. } | Answer::Up { .. }) => {}
        }
    }
    last
}

/// The number that stands for a service and its real servers in questions: the same on directors that
/// have the same of both, and check in the same way. FNV-1a with 64 bits.
pub fn digest(config: &VirtualService) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    let mut reals: Vec<_> = config.reals.iter().collect();
    reals.sort_by_key(|real| real.key);
    let reals = reals.into_iter().map(|real| {
        let (key, configured) = (real.key, real.configured);
        format!(" {key} {configured} {}", real.description)
    });
    let words = std::iter::once(config.key.to_string()).chain(reals);
    words.fold(OFFSET, |hash, word| {
        word.bytes().fold(hash, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(PRIME)
        })
    })
}

#[cfg(test)]
mod tests;
