//! What hbd nodes tell each other beyond the old protocol: fields of `status` that the old daemon
//! ignores. Text in, values out; decides nothing.
//!
//! | Field | Content |
//! |---|---|
//! | `hbx` | `1`: the extension number |
//! | `hbw` | how often this life woke from a stall, hex |
//! | `hbl` | `1` while the node is shutting down, `2` when it ends: what it has not stopped stays |
//! | `hbd` | digest of haresources |
//! | `hbn` | its nodes, blank-separated: `GENERATION.WAKES/NAME` if it hears one, else `-/NAME`; |
//! |       | with a `~` before it while that life may still be a recording |
//! | `hbg` | its groups, blank-separated: `TAG+TAG…,STATE CAUSE READINESS,EPOCH,OWNER` without the |
//! |       | blanks in it; a sender that knows no readiness leaves it out |
//! | `hbo` | of nodes that it hears and a third does not, see below; mostly empty |
//!
//! A tag stands for one thing that the group holds, an address or a disk: two groups that share one
//! are the same group, wherever they stand and however they are written.
//!
//! Numbers are in hex; an owner is a place in `hbn`, or `-`. `hbo` passes on what such a node has
//! said: its place in `hbn` alone, and `PLACE,GROUP,STATE` for each group (a place in `hbg`) that
//! it may hold or about which it has not agreed with the sender.
//!
//! `hbn` makes a report an *answer*: it counts for us only if it was written after its sender had
//! heard this life of ours, for a node that restarted or stalled may have forgotten promises that
//! an older report relies on. For the same reason a peer counts as heard only once it has named
//! this life of ours: whatever was recorded before cannot. Under its own name a node tells which
//! other node of that name it hears.
//!
//! `hbt` stands in messages without number, which say nothing else about when they were written:
//! the generation of the node they are meant for, hex.

use crate::config::{Config, GroupConfig, GroupId, MAX_GROUPS, MAX_NODES, group_tag};
use crate::ownership::{Cause, Claim, Readiness, better_claim};
use crate::roster::{NodeId, Precedence, Roster};
use crate::table::Table;
use crate::wire::Message;
use ha_status::RunState;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The number of this extension; a peer with another one above 0 still counts as extended.
pub(crate) const NUMBER: &str = "1";

/// The most objections that a report passes on. Of a node that has more nothing is passed on, and
/// whoever cannot hear it waits.
pub(crate) const MAX_OBJECTIONS: usize = MAX_GROUPS;

/// Every field of the extension but its number, in the order of sending.
pub(crate) const FIELDS: [&str; 6] = ["hbw", "hbl", "hbd", "hbn", "hbg", "hbo"];

/// Marks a life in `hbn`.
const UNPROVEN: &str = "~";

/// The field of messages without number that names the life they are meant for.
pub(crate) const ADDRESSEE: &str = "hbt";

/// One uninterrupted life of a node: what it promised in an earlier one does not bind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    pub(crate) generation: u64,
    /// Stalls survived in this generation.
    pub(crate) wakes: u64,
}

/// A life that a node tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Heard {
    pub(crate) life: Life,
    /// It has named the life of the node that tells.
    pub(crate) proven: bool,
}

/// What a node says in its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Report {
    pub(crate) wakes: u64,
    pub(crate) leaving: bool,
    /// It ends now, and what its report does not call stopped may stay active.
    pub(crate) gone: bool,
    pub(crate) digest: String,
    /// The lives it hears.
    pub(crate) heard: BTreeMap<NodeId, Heard>,
    /// Those that its haresources lists.
    pub(crate) groups: BTreeMap<GroupId, GroupReport>,
    pub(crate) relay: Relay,
}

/// What a node passes on of others, for those that cannot hear them themselves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Relay {
    /// Of whom.
    pub(crate) nodes: BTreeSet<NodeId>,
    /// What they may hold, or have not agreed about.
    pub(crate) objections: BTreeMap<(NodeId, GroupId), RunState>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GroupReport {
    pub(crate) run: RunState,
    pub(crate) readiness: Readiness,
    pub(crate) claim: Claim,
}

/// Translates reports from and to the wire.
#[derive(Debug, Clone)]
pub(crate) struct Codec {
    /// One tag for each thing that the group holds, in the order of haresources.
    tags: Table<GroupId, Vec<u64>>,
    by_tag: BTreeMap<u64, GroupId>,
}

/// The most tags of one group; with many groups it is fewer, so that the tags of all take no more
/// room than those of [`MAX_GROUPS`] groups.
const MAX_TAGS: usize = 16;

impl Report {
    /// Does it name this generation of a node?
    pub(crate) fn names(&self, node: NodeId, generation: u64) -> bool {
        let heard = self.heard.get(&node);
        heard.is_some_and(|heard| heard.life.generation == generation)
    }

    /// Was it written after its writer had heard this life of a node?
    pub(crate) fn answers(&self, node: NodeId, life: Life) -> bool {
        let heard = self.heard.get(&node);
        heard.is_some_and(|heard| heard.life == life)
    }

    /// Does its writer surely hear a node?
    pub(crate) fn hears(&self, node: NodeId) -> bool {
        self.heard.get(&node).is_some_and(|heard| heard.proven)
    }
}

impl Codec {
    pub(crate) fn new(config: &Config) -> Self {
        let groups = &config.groups;
        assert!(
            groups.len() <= MAX_GROUPS,
            "there are at most {MAX_GROUPS} groups"
        );
        let most = (MAX_GROUPS / groups.len().max(1)).clamp(1, MAX_TAGS);
        let mut by_tag = BTreeMap::new();
        let tags = |(id, group): (GroupId, &GroupConfig)| {
            let mut own: Vec<u64> = group.holds.iter().map(|held| group_tag(held)).collect();
            // What two groups name belongs to the first.
            own.retain(|tag| !by_tag.contains_key(tag));
            own.truncate(most);
            if own.is_empty() {
                own.push(group_tag(&group.name));
            }
            for tag in &own {
                by_tag.entry(*tag).or_insert(id);
            }
            (id, own)
        };
        Self {
            tags: groups.iter().map(tags).collect(),
            by_tag,
        }
    }

    /// Appends the fields of this node's report.
    pub(crate) fn write(&self, report: &Report, roster: &Roster, message: &mut Message) {
        message.push_text("hbx", NUMBER);
        message.set_hex("hbw", report.wakes);
        message.push_text(
            "hbl",
            match (report.leaving, report.gone) {
                (_, true) => "2",
                (true, false) => "1",
                (false, false) => "0",
            },
        );
        message.push_text("hbd", report.digest.as_str());
        message.push_text("hbn", write_nodes(report, roster));
        message.push_text("hbg", self.write_groups(report, roster));
        message.push_text("hbo", self.write_relay(report, roster));
    }

    fn write_groups(&self, report: &Report, roster: &Roster) -> String {
        let mut text = String::with_capacity(32 * self.tags.len());
        for (id, tags) in self.tags.iter() {
            let Some(GroupReport {
                run,
                readiness,
                claim,
            }) = report.groups.get(&id)
            else {
                continue;
            };
            let mut before = if text.is_empty() { "" } else { " " };
            for tag in tags {
                write!(text, "{before}{tag:x}").expect("writing to a String succeeds");
                before = "+";
            }
            let (run, cause) = (run_letter(*run), cause_letter(claim.cause));
            let readiness = readiness_letter(*readiness);
            let epoch = claim.epoch;
            let written = match claim.owner {
                Some(owner) => {
                    let owner = roster.place(owner);
                    write!(text, ",{run}{cause}{readiness},{epoch:x},{owner:x}")
                }
                None => write!(text, ",{run}{cause}{readiness},{epoch:x},-"),
            };
            written.expect("writing to a String succeeds");
        }
        text
    }

    fn write_relay(&self, report: &Report, roster: &Roster) -> String {
        let Relay { nodes, objections } = &report.relay;
        let nodes = nodes
            .iter()
            .map(|node| format!("{:x}", roster.place(*node)));
        // A group's place in `hbg`: those that this node lacks are not listed there.
        let listed = self.tags.ids().filter(|id| report.groups.contains_key(id));
        let listed: BTreeMap<GroupId, usize> = listed.zip(0..).collect();
        let objections = objections.iter().filter_map(|((node, group), run)| {
            let (node, group) = (roster.place(*node), listed.get(group)?);
            Some(format!("{node:x},{group:x},{}", run_letter(*run)))
        });
        nodes.chain(objections).collect::<Vec<_>>().join(" ")
    }

    /// Reads a status with extension; `None` if its report is missing or cut (a resent status
    /// carries none) or not understood.
    pub(crate) fn read(&self, message: &Message, roster: &Roster) -> Option<Report> {
        let nodes = message.text("hbn")?;
        let mut table: Vec<Option<NodeId>> = Vec::new();
        let mut heard = BTreeMap::new();
        for entry in nodes.split(' ').take(MAX_NODES) {
            let (life, name) = entry.split_once('/')?;
            let id = roster.find(name);
            table.push(id);
            if let Some((id, life)) = id.zip(read_heard(life)) {
                heard.insert(id, life);
            }
        }
        let mut groups: BTreeMap<GroupId, GroupReport> = BTreeMap::new();
        let mut places = Vec::new();
        let entries = message.text("hbg")?.split(' ');
        for (place, entry) in entries.filter(|entry| !entry.is_empty()).enumerate() {
            if place == MAX_GROUPS {
                break;
            }
            let (tags, report) = read_group(entry, &table)?;
            let ids = self.find(&tags, place);
            for id in &ids {
                let told = groups.entry(*id).or_insert(report);
                *told = both(*told, report, roster.precedence());
            }
            places.push(ids);
        }
        Some(Report {
            wakes: message.hex("hbw").unwrap_or(0),
            leaving: matches!(message.text("hbl"), Some("1" | "2")),
            gone: message.text("hbl") == Some("2"),
            digest: message.text("hbd").unwrap_or_default().to_owned(),
            heard,
            groups,
            relay: read_relay(message.text("hbo").unwrap_or_default(), &table, &places)?,
        })
    }

    /// The groups that hold something of what is named; normally the files are the same, and so
    /// are the places.
    fn find(&self, tags: &[u64], place: usize) -> BTreeSet<GroupId> {
        match self.tags.at(place) {
            Some((id, same)) if same == tags => BTreeSet::from([id]),
            Some(_) | None => tags
                .iter()
                .filter_map(|tag| self.by_tag.get(tag).copied())
                .collect(),
        }
    }
}

/// What is known of a group that another node has in two: it holds what either holds.
fn both(one: GroupReport, other: GroupReport, precedence: &Precedence) -> GroupReport {
    let weight = |run: RunState| match run {
        RunState::Stopped => 0,
        RunState::Failed => 1,
        RunState::Unknown => 2,
        RunState::Stopping => 3,
        RunState::Starting => 4,
        RunState::Stuck => 5,
        RunState::Running => 6,
    };
    GroupReport {
        run: if weight(one.run) < weight(other.run) {
            other.run
        } else {
            one.run
        },
        readiness: one.readiness.max(other.readiness),
        claim: better_claim(one.claim, other.claim, precedence),
    }
}

fn write_nodes(report: &Report, roster: &Roster) -> String {
    let mut text = String::new();
    for id in roster.order() {
        let blank = if text.is_empty() { "" } else { " " };
        let name = roster.name(id);
        let written = match report.heard.get(&id) {
            Some(Heard { life, proven }) => {
                let Life { generation, wakes } = life;
                let mark = if *proven { "" } else { UNPROVEN };
                write!(text, "{blank}{mark}{generation:x}.{wakes:x}/{name}")
            }
            None => write!(text, "{blank}-/{name}"),
        };
        written.expect("writing to a String succeeds");
    }
    text
}

fn read_relay(text: &str, nodes: &[Option<NodeId>], groups: &[BTreeSet<GroupId>]) -> Option<Relay> {
    let mut relay = Relay::default();
    let entries = text.split(' ').filter(|entry| !entry.is_empty());
    for entry in entries.take(MAX_NODES + MAX_OBJECTIONS) {
        let mut parts = entry.split(',');
        let place = usize::try_from(hex(parts.next()?)?).ok()?;
        let node = *nodes.get(place)?;
        let Some(group) = parts.next() else {
            relay.nodes.extend(node);
            continue;
        };
        let groups = groups.get(usize::try_from(hex(group)?).ok()?)?;
        let run = read_run(parts.next()?.chars().next()?)?;
        if let Some(node) = node {
            let objections = groups.iter().map(|group| ((node, *group), run));
            relay.objections.extend(objections);
        }
    }
    Some(relay)
}

fn read_heard(text: &str) -> Option<Heard> {
    let proven = text.strip_prefix(UNPROVEN);
    let (generation, wakes) = proven.unwrap_or(text).split_once('.')?;
    let life = Life {
        generation: hex(generation)?,
        wakes: hex(wakes)?,
    };
    Some(Heard {
        life,
        proven: proven.is_none(),
    })
}

fn read_group(entry: &str, table: &[Option<NodeId>]) -> Option<(Vec<u64>, GroupReport)> {
    let mut parts = entry.split(',');
    let tags = parts.next()?.split('+').take(MAX_TAGS).map(hex);
    let tags = tags.collect::<Option<Vec<u64>>>()?;
    let mut letters = parts.next()?.chars();
    let run = read_run(letters.next()?)?;
    let cause = read_cause(letters.next()?)?;
    let readiness = read_readiness(letters.next());
    let epoch = hex(parts.next()?)?;
    let owner = match parts.next()? {
        "-" => None,
        place => *table.get(usize::try_from(hex(place)?).ok()?)?,
    };
    let claim = Claim {
        epoch,
        owner,
        cause,
    };
    Some((
        tags,
        GroupReport {
            run,
            readiness,
            claim,
        },
    ))
}

/// Digits only: `from_str_radix` would take a sign.
fn hex(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn run_letter(run: RunState) -> char {
    match run {
        RunState::Unknown => 'u',
        RunState::Stopped => 's',
        RunState::Starting => 'a',
        RunState::Running => 'r',
        RunState::Stopping => 'p',
        RunState::Failed => 'f',
        RunState::Stuck => 'k',
    }
}

fn read_run(letter: char) -> Option<RunState> {
    Some(match letter {
        'u' => RunState::Unknown,
        's' => RunState::Stopped,
        'a' => RunState::Starting,
        'r' => RunState::Running,
        'p' => RunState::Stopping,
        'f' => RunState::Failed,
        'k' => RunState::Stuck,
        _ => return None,
    })
}

fn cause_letter(cause: Cause) -> char {
    match cause {
        Cause::Home => 'h',
        Cause::Failover => 'f',
        Cause::Stay => 's',
    }
}

fn read_cause(letter: char) -> Option<Cause> {
    Some(match letter {
        'h' => Cause::Home,
        'f' => Cause::Failover,
        's' => Cause::Stay,
        _ => return None,
    })
}

/// Nothing for what is not said.
fn readiness_letter(readiness: Readiness) -> &'static str {
    match readiness {
        Readiness::Unsaid => "",
        Readiness::Still => "i",
        Readiness::Busy => "p",
        Readiness::Lingers => "l",
    }
}

/// What a later version may say beyond that means nothing to this one.
fn read_readiness(letter: Option<char>) -> Readiness {
    match letter {
        Some('i') => Readiness::Still,
        Some('p') => Readiness::Busy,
        Some('l') => Readiness::Lingers,
        Some(_) | None => Readiness::Unsaid,
    }
}

#[cfg(test)]
mod tests;
