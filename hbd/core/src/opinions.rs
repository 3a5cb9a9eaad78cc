//! Questions that directors have for each other: whether somebody else's checks find a real server of a
//! service up that their own have given up (`secondopinion` of ldird). Owns what this node has asked and
//! not heard yet, what it is being asked, and how often either may happen; knows nothing of services but
//! their numbers, and decides nothing about them.
//!
//! | Message | Field | Content |
//! |---|---|---|
//! | `NS_hbask` | `hbq` | the number of the question, hex |
//! |            | `hbs` | services, blank-separated: the numbers that stand for them, hex |
//! | `NS_hbsay` | `hbq` | the question that is answered |
//! |            | `hbs` | a finding for each, in the same order ([`Found`]) |
//!
//! They have no sequence number and are addressed to one life of one node, as acknowledgements are: an old
//! daemon is not asked, and drops what it overhears. Nothing depends on one of them arriving: a question
//! is put twice, and who gets no answer does as if it had never asked.

use crate::config::Config;
use crate::input::AskId;
use crate::output::Silence;
use crate::roster::NodeId;
use crate::wire::Message;
use ha_status::Found;
use ha_status::opinion::QUESTION_MAX;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

/// Questions without an answer yet; further ones are refused.
const ASKED_MAX: usize = 4;
/// Questions of others that our own directors have not answered yet; further ones are dropped.
const ANSWERING_MAX: usize = 8;
/// So many other nodes are asked, the first of the `node` lines that live.
pub(crate) const ASKED_NODES_MAX: usize = 3;
/// Nobody is waited for any longer: less than directors wait.
const LIMIT: Duration = Duration::from_millis(800);
/// Who has not answered by then is asked once more.
const AGAIN_AFTER: Duration = Duration::from_millis(300);
/// Questions in a second, and as many answers.
const RATE: Rate = Rate {
    times: 8,
    within: SECOND,
};
/// The same where there is a serial line: one of the longest takes half a second on it, and heartbeats
/// wait behind it.
const SERIAL_RATE: Rate = Rate {
    times: 2,
    within: Duration::from_secs(2),
};
const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(crate) struct Opinions {
    /// By the number of the question.
    asked: BTreeMap<u64, Asked>,
    /// Since when.
    answering: BTreeMap<(NodeId, u64), Instant>,
    questions: Allowance,
    answers: Allowance,
}

/// A question that is under way.
#[derive(Debug)]
struct Asked {
    id: AskId,
    services: Vec<u64>,
    waits: BTreeSet<NodeId>,
    views: Vec<(NodeId, Vec<Found>)>,
    again: Option<Instant>,
    until: Instant,
}

/// A question that is over.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) id: AskId,
    pub(crate) views: Vec<(NodeId, Vec<Found>)>,
}

/// What is to be sent again, and to whom.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) number: u64,
    pub(crate) services: Vec<u64>,
    pub(crate) nodes: Vec<NodeId>,
}

impl Opinions {
    pub(crate) fn new(config: &Config) -> Self {
        let serial = config.links.values().any(|link| link.medium == "serial");
        let rate = if serial { SERIAL_RATE } else { RATE };
        Self {
            asked: BTreeMap::new(),
            answering: BTreeMap::new(),
            questions: Allowance::new(rate),
            answers: Allowance::new(rate),
        }
    }

    /// These nodes are to be asked, if that may be.
    pub(crate) fn ask(
        &mut self,
        (id, number): (AskId, u64),
        services: &[u64],
        nodes: &[NodeId],
        now: Instant,
    ) -> Result<(), Silence> {
        if nodes.is_empty() {
            return Err(Silence::NobodyElse);
        }
        let full = self.asked.len() >= ASKED_MAX || self.asked.contains_key(&number);
        if full || services.len() > QUESTION_MAX || !self.questions.take(now) {
            return Err(Silence::Busy);
        }
        let asked = Asked {
            id,
            services: services.to_vec(),
            waits: nodes.iter().copied().collect(),
            views: Vec::new(),
            again: Some(now + AGAIN_AFTER),
            until: now + LIMIT,
        };
        self.asked.insert(number, asked);
        Ok(())
    }

    /// A node says what it finds; what of the question is over with that. An answer that nobody waits
    /// for, or that does not fit the question, is none.
    pub(crate) fn heard(
        &mut self,
        node: NodeId,
        number: u64,
        found: Vec<Found>,
    ) -> Option<Answered> {
        let asked = self.asked.get_mut(&number)?;
        if found.len() != asked.services.len() || !asked.waits.remove(&node) {
            return None;
        }
        asked.views.push((node, found));
        let over = asked.waits.is_empty() || asked.is_settled();
        over.then(|| self.asked.remove(&number))
            .flatten()
            .map(Asked::into)
    }

    /// What time ends, with whatever was heard until then.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<Answered> {
        let over = self.asked.iter().filter(|(_, asked)| asked.until <= now);
        let over: Vec<u64> = over.map(|(number, _)| *number).collect();
        let over = over
            .into_iter()
            .filter_map(|number| self.asked.remove(&number));
        over.map(Asked::into).collect()
    }

    /// What is to be put once more.
    pub(crate) fn again(&mut self, now: Instant) -> Vec<Again> {
        let mut again = Vec::new();
        for (number, asked) in &mut self.asked {
            if asked.again.take_if(|at| *at <= now).is_some() {
                again.push(Again {
                    number: *number,
                    services: asked.services.clone(),
                    nodes: asked.waits.iter().copied().collect(),
                });
            }
        }
        again
    }

    /// Another node asks; is our own director to be asked? Not twice at the same time, and not too often.
    pub(crate) fn asked_by(&mut self, node: NodeId, number: u64, now: Instant) -> bool {
        // A shell that has not answered by then does not answer.
        self.answering
            .retain(|_, since| now.saturating_duration_since(*since) < SECOND);
        let known = self.answering.contains_key(&(node, number));
        let may = !known && self.answering.len() < ANSWERING_MAX && self.answers.take(now);
        if may {
            self.answering.insert((node, number), now);
        }
        may
    }

    /// Our own director has answered; does the one who asked still wait?
    pub(crate) fn found(&mut self, node: NodeId, number: u64) -> bool {
        self.answering.remove(&(node, number)).is_some()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let times = self.asked.values();
        let times = times.map(|asked| asked.again.map_or(asked.until, |at| at.min(asked.until)));
        times.min()
    }
}

impl Asked {
    /// Has somebody found one of each service up? Then nobody else is waited for.
    fn is_settled(&self) -> bool {
        (0..self.services.len()).all(|place| {
            let mut views = self.views.iter();
            views.any(|(_, found)| found.get(place).is_some_and(|one| one.finds_one()))
        })
    }
}

impl From<Asked> for Answered {
    fn from(asked: Asked) -> Self {
        Self {
            id: asked.id,
            views: asked.views,
        }
    }
}

/// So many times within any such time.
#[derive(Debug, Clone, Copy)]
struct Rate {
    times: usize,
    within: Duration,
}

/// What may be done at such a rate.
#[derive(Debug)]
struct Allowance {
    rate: Rate,
    /// The last ones, at most as many as may be.
    taken: VecDeque<Instant>,
}

impl Allowance {
    fn new(rate: Rate) -> Self {
        Self {
            rate,
            taken: VecDeque::new(),
        }
    }

    fn take(&mut self, now: Instant) -> bool {
        if self.taken.len() >= self.rate.times {
            let oldest = self.taken.front();
            if oldest.is_some_and(|at| now.saturating_duration_since(*at) < self.rate.within) {
                return false;
            }
            self.taken.pop_front();
        }
        self.taken.push_back(now);
        true
    }
}

/// A question to this node.
pub(crate) fn ask(dest: &str, number: u64, services: &[u64]) -> Message {
    let services: Vec<String> = services.iter().map(|one| format!("{one:x}")).collect();
    let mut message = Message::new("NS_hbask").with("dest", dest);
    message.set_hex("hbq", number);
    message.with("hbs", services.join(" "))
}

/// An answer to it.
pub(crate) fn say(dest: &str, number: u64, found: &[Found]) -> Message {
    let found: Vec<String> = found.iter().map(Found::to_string).collect();
    let mut message = Message::new("NS_hbsay").with("dest", dest);
    message.set_hex("hbq", number);
    message.with("hbs", found.join(" "))
}

/// What somebody asks: the number of the question, and the services.
pub(crate) fn read_ask(message: &Message) -> Option<(u64, Vec<u64>)> {
    let text = message.text("hbs")?;
    let digits = |word: &str| word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let services = text.split(' ').take(QUESTION_MAX + 1).map(|word| {
        let number = u64::from_str_radix(word, 16).ok();
        number.filter(|_| digits(word))
    });
    let services = services.collect::<Option<Vec<u64>>>()?;
    let fits = services.len() <= QUESTION_MAX;
    Some((message.hex("hbq")?, services)).filter(|_| fits)
}

/// What somebody answers.
pub(crate) fn read_say(message: &Message) -> Option<(u64, Vec<Found>)> {
    let words = message.text("hbs")?.split(' ').take(QUESTION_MAX);
    let found = words.map(|word| word.parse().ok());
    Some((message.hex("hbq")?, found.collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests;
