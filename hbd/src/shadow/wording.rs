//! What a shadow tells, a line for each event: what the pair says, what hbd would do (`WOULD`), and how
//! the two compare (`SAME`, `DIFFERS`, `UNTOLD`).

use crate::wording::hold_words;
use ha_status::Severity;
use hbd_core::config::{Config, GroupId, LinkId, NodeName};
use hbd_core::shadow::{Difference, Event, Lead, Matter, Said, Untold, Verdict};
use hbd_core::wire::Reject;
use std::collections::BTreeMap;
use std::time::Duration;

/// Groups that are named in a line; how many more there are is said.
const GROUPS_MAX: usize = 5;

/// Knows the names behind the ids.
pub(super) struct Words {
    links: BTreeMap<LinkId, String>,
    groups: BTreeMap<GroupId, String>,
    deadtime: Duration,
}

impl Words {
    pub(super) fn new(config: &Config) -> Self {
        let links = config.links.iter();
        let groups = config.groups.iter();
        Self {
            links: links
                .map(|(id, link)| (id, format!("{} {}", link.medium, link.device)))
                .collect(),
            groups: groups.map(|(id, group)| (id, group.name.clone())).collect(),
            deadtime: config.deadtime,
        }
    }

    /// `bcast eth0`
    pub(super) fn link(&self, link: LinkId) -> &str {
        self.links.get(&link).map_or("?", String::as_str)
    }

    pub(super) fn line(&self, event: &Event) -> (Severity, String) {
        use Severity::{Error, Info, Notice, Warning};
        match event {
            Event::Status { node, status } => (Info, format!("{node} calls itself {status}")),
            Event::Link { node, link, up } => {
                let state = if *up { "is heard" } else { "is silent" };
                (Info, format!("{node} {state} on {}", self.link(*link)))
            }
            Event::Late {
                node,
                interval,
                link,
            } => {
                let (interval, link) = (span(*interval), self.link(*link));
                let text = format!("{node}: a heartbeat came after {interval} only, on {link}");
                (Warning, text)
            }
            Event::Dead { node, silent } => (
                Warning,
                format!("{node} has been silent for {}", span(*silent)),
            ),
            Event::NeverHeard { node } => (Warning, format!("{node} has not been heard at all")),
            Event::Restarted { node, alive: true } => (
                Notice,
                format!("{node} was started anew before it was missed"),
            ),
            Event::Restarted { node, alive: false } => (Notice, format!("{node} was started anew")),
            Event::Returned { node } => {
                let text = format!("{node} is heard again, the same life as before its silence");
                (Warning, text)
            }
            Event::Left { node } => (Notice, format!("{node} has said goodbye")),
            Event::Said { node, said } => (Notice, format!("{node} says: {}", sentence(*said))),
            Event::Misses { node, missed } => (Notice, format!("{node} says: {missed} is dead")),
            Event::Lost { node, count } => (Info, format!("{count} packets of {node} were missed")),
            Event::Stranger { name } => {
                let name: String = name.chars().take(NodeName::MAX_BYTES).collect();
                (
                    Warning,
                    format!("a node is heard that ha.cf does not name: {name}"),
                )
            }
            Event::Refused {
                link,
                reason,
                count,
            } => (Error, self.refusal(*link, *reason, *count)),
            Event::Stalled { late } => {
                let text = format!(
                    "this machine stood still for {}: nobody is judged by it",
                    span(*late)
                );
                (Warning, text)
            }
            Event::Would(matter) => (Notice, format!("WOULD {}", self.wish(matter))),
            Event::Judged { matter, verdict } => {
                let severity = match verdict {
                    Verdict::Same(_) | Verdict::CannotTell(_) => Notice,
                    Verdict::Differs(_) => Warning,
                };
                (severity, self.judgement(matter, *verdict))
            }
        }
    }

    /// `7 packets on bcast eth0: digests do not verify: another authkeys?`
    pub(super) fn refusal(&self, link: LinkId, reason: Reject, count: u64) -> String {
        let why = match reason {
            Reject::BadDigest => "digests do not verify: another authkeys?",
            Reject::UnknownKey => {
                "signed with a key that authkeys does not list: another authkeys?"
            }
            Reject::BadFrame => "no heartbeats: something else uses the port",
            Reject::TooLong => "longer than a message may be",
            Reject::Malformed => "authentic, but not understood",
        };
        let packets = if count == 1 { "packet" } else { "packets" };
        format!("{count} {packets} on {}: {why}", self.link(link))
    }

    /// What hbd would do.
    fn wish(&self, matter: &Matter) -> String {
        match matter {
            Matter::Death { node } => format!("declare {node} dead"),
            Matter::Takeover {
                from,
                to,
                groups,
                known,
            } => {
                let groups = self.groups(groups);
                let assumed = if *known { "" } else { ASSUMED };
                format!("take over {groups} of {from} on {to}{assumed}")
            }
            Matter::Failback { to, from, groups } => {
                let groups = self.groups(groups);
                format!("hand {groups} back from {from} to {to} (auto_failback)")
            }
            Matter::Keep { home, by, groups } => {
                let groups = self.groups(groups);
                format!("leave {groups} of {home} on {by} (auto_failback off)")
            }
            Matter::Standby { from, to, set } => {
                let set = hold_words(*set);
                format!("answer the standby of {from}: {to} takes [{set}]")
            }
            Matter::Resume { node, groups } => {
                format!("leave {} to {node}, which starts anew", self.groups(groups))
            }
            Matter::Heal { node } => {
                format!("go on with {node}: of what both run one lets go, nobody starts anew")
            }
        }
    }

    /// `SAME lb1 is dead: hbd 12 ms earlier`
    pub(super) fn judgement(&self, matter: &Matter, verdict: Verdict) -> String {
        let what = self.outcome(matter);
        match verdict {
            Verdict::Same(lead) => format!("SAME {what}: {}", first(lead)),
            Verdict::Differs(difference) => {
                format!("DIFFERS {what}: {}", self.difference(difference))
            }
            Verdict::CannotTell(untold) => format!("UNTOLD {what}: {}", why_untold(untold)),
        }
    }

    fn outcome(&self, matter: &Matter) -> String {
        match matter {
            Matter::Death { node } => format!("{node} is dead"),
            Matter::Takeover {
                from, to, groups, ..
            } => format!("{to} takes over {} of {from}", self.groups(groups)),
            Matter::Failback { to, from, groups } => {
                format!("{from} gives {} back to {to}", self.groups(groups))
            }
            Matter::Keep { home, by, groups } => {
                format!("{by} keeps {} of {home}", self.groups(groups))
            }
            Matter::Standby { from, to, set } => {
                format!("{to} takes [{}] from {from}", hold_words(*set))
            }
            Matter::Resume { node, groups } => {
                format!("{node} runs {} again", self.groups(groups))
            }
            Matter::Heal { node } => format!("the pair goes on after the return of {node}"),
        }
    }

    fn difference(&self, difference: Difference) -> String {
        match difference {
            Difference::WeHeardIt { ago, link } => {
                let link = link.map_or("?", |link| self.link(link));
                let ago = span(ago);
                format!("the pair says so, and it was heard {ago} before on {link}")
            }
            Difference::TheyDidNot { silent } => {
                let (silent, deadtime) = (span(silent), span(self.deadtime));
                format!(
                    "it was silent for {silent} (deadtime {deadtime}), and nobody of the pair has said so"
                )
            }
            Difference::NotTaken => "nobody says that it runs them".to_owned(),
            Difference::NotGivenBack => "they stay where they are".to_owned(),
            Difference::GivenBack => "they were given back".to_owned(),
            Difference::NotAnswered => "nobody has answered the offer".to_owned(),
            Difference::LetsGo => {
                "the pair lets go of everything and starts anew, hbd would not".to_owned()
            }
        }
    }

    fn groups(&self, groups: &[GroupId]) -> String {
        let named = groups.iter().take(GROUPS_MAX);
        let names: Vec<&str> = named
            .map(|id| self.groups.get(id).map_or("?", String::as_str))
            .collect();
        let names = names.join(", ");
        match groups.len().checked_sub(GROUPS_MAX) {
            None | Some(0) => names,
            Some(more) => format!("{names} and {more} more"),
        }
    }
}

const ASSUMED: &str = " (who runs what has not been said since this shadow started)";

/// Less is no lead.
const NOTICEABLE: Duration = Duration::from_millis(1);

fn first(lead: Lead) -> String {
    match lead {
        Lead::Ours(time) | Lead::Theirs(time) if time < NOTICEABLE => "at the same time".to_owned(),
        Lead::Ours(time) => format!("hbd {} earlier", span(time)),
        Lead::Theirs(time) => format!("the pair {} earlier", span(time)),
    }
}

fn why_untold(untold: Untold) -> &'static str {
    match untold {
        Untold::NobodyLeft => "no other node is heard that could say so",
        Untold::Overtaken => "something else happened before",
        Untold::NoWords => "the pair's protocol has no words for it (auto_failback legacy)",
    }
}

fn sentence(said: Said) -> String {
    match said {
        Said::Starting => "I am up; who holds what?".to_owned(),
        Said::Holds { set, stable } => {
            let moving = if stable { "" } else { ", and it is moving" };
            format!("I hold [{}]{moving}", hold_words(set))
        }
        Said::Took(set) => format!("I have taken [{}] as well", hold_words(set)),
        Said::Leaving => "I am shutting down".to_owned(),
        Said::Offers(set) => format!("I want to go standby [{}]", hold_words(set)),
        Said::Accepts(set) => format!("I can take [{}]", hold_words(set)),
        Said::Done(set) => format!("my part of moving [{}] is done", hold_words(set)),
        Said::Wants(set) => format!("an operator wants [{}] here", hold_words(set)),
    }
}

/// `12 ms`, `3.4 s`, `5m07s`.
pub(super) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..2 => format!("{} ms", time.as_millis()),
        2..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        86_400.. => format!("{}d{:02}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests;
