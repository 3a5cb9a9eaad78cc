//! The rows: what happens, who holds what afterwards, and what the old daemon has said by then (Heartbeat
//! specification 12.2). A story is rows that follow each other on one pair.

use anyhow::{Result, ensure};

use super::log::Saying;
use super::stage::{Failback, Hold, Stage};
use crate::bed::wait;
use crate::suite::roles::node::Place::{self, New, Old};

#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Both at the same time.
    StartBoth,
    Start(Place),
    Stop(Place),
    PowerOff(Place),
    PowerOn(Place),
    /// Killed, and started again before the other one can call it dead.
    Restart(Place),
    /// One of the two links is interrupted, and joined again.
    OneLink,
    /// `hb_standby` on the old node.
    Standby(&'static str),
    /// The same while a fifth of all packets is lost.
    StandbyInLoss(&'static str),
    /// Commands of the new node that move groups: refused as long as an old daemon lives.
    CommandsAreRefused,
    /// `hb_takeover` on the old node: nothing comes of it.
    TakeoverIsIgnored,
    /// Nothing arrives for longer than the deadtime; both hold everything; then all does again.
    Partition,
    /// Both sign with the other key.
    TurnKeys,
    /// `cl_status` on the old node.
    Ask,
}

/// A row.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) act: Act,
    /// What the old node holds then.
    then: Hold,
    /// The same in a pair of old daemons, where that differs: hbd gives nothing back by itself to a peer
    /// that is old.
    in_old_pair: Hold,
    pub(super) says: &'static [Saying],
}

const fn row(act: Act, then: Hold, says: &'static [Saying]) -> Row {
    Row {
        act,
        then,
        in_old_pair: then,
        says,
    }
}

const fn kept(act: Act, then: Hold, in_old_pair: Hold, says: &'static [Saying]) -> Row {
    Row {
        act,
        then,
        in_old_pair,
        says,
    }
}

/// Rows on one pair.
pub(super) struct Story {
    pub(super) name: &'static str,
    pub(super) failback: Failback,
    pub(super) rows: &'static [Row],
}

const MET: &[Saying] = &[
    Saying("Link {n}:{0} up."),
    Saying("Link {n}:{1} up."),
    Saying("Status update for node {n}: status active"),
    Saying("Comm_now_up(): updating status to active"),
    Saying("local resource transition completed.|remote resource transition completed."),
];
const LEFT: &[Saying] = &[
    Saying("Received shutdown notice from '{n}'."),
    Saying("Resources being acquired from {n}."),
    Saying("mach_down takeover complete."),
    Saying("node {n}: is dead"),
    Saying("Dead node {n} gave up resources."),
];
const DIED: &[Saying] = &[
    Saying("Link {n}:{0} dead."),
    Saying("Link {n}:{1} dead."),
    Saying("node {n}: is dead"),
    Saying("No STONITH device configured."),
    Saying("Resources being acquired from {n}."),
    Saying("mach_down takeover complete."),
];
const GAVE_BACK: &[Saying] = &[
    Saying("Heartbeat restart on node {n}"),
    Saying("Status update for node {n}: status active"),
    Saying("remote resource transition completed."),
    Saying("{r} wants to go standby [foreign]"),
    Saying("standby: {n} can take our foreign resources"),
    Saying("foreign HA resource release completed (standby)."),
    Saying("Local standby process completed [foreign]."),
    Saying("Other node completed standby takeover of foreign resources."),
];
const WENT_STANDBY: &[Saying] = &[
    Saying("{r} wants to go standby [local]"),
    Saying("standby: {n} can take our local resources"),
    Saying("give up local HA resources (standby)."),
    Saying("local HA resource release completed (standby)."),
    Saying("Local standby process completed [local]."),
    Saying("Other node completed standby takeover of local resources."),
    Saying("lost packet(s) for [{n}]"),
    Saying("No pkts missing from {n}!"),
];
const GAVE_FOREIGN: &[Saying] = &[
    Saying("{r} wants to go standby [foreign]"),
    Saying("standby: {n} can take our foreign resources"),
    Saying("give up foreign HA resources (standby)."),
    Saying("foreign HA resource release completed (standby)."),
    Saying("Other node completed standby takeover of foreign resources."),
];
const GAVE_ALL: &[Saying] = &[
    Saying("{r} wants to go standby [all]"),
    Saying("standby: {n} can take our all resources"),
    Saying("give up all HA resources (standby)."),
    Saying("all HA resource release completed (standby)."),
    Saying("Other node completed standby takeover of all resources."),
];
const ENDED: &[Saying] = &[
    Saying("Heartbeat shutdown in progress."),
    Saying("Giving up all HA resources."),
    Saying("All HA resources relinquished."),
    Saying("{r} Heartbeat shutdown complete."),
];
const JOINED: &[Saying] = &[
    Saying("Status update for node {n}: status active"),
    Saying("remote resource transition completed."),
];
const RESTARTED: &[Saying] = &[Saying("Heartbeat restart on node {n}")];
const ONE_LINK: &[Saying] = &[Saying("Link {n}:{1} dead."), Saying("Link {n}:{1} up.")];
const HEALED: &[Saying] = &[
    Saying("node {n}: is dead"),
    Saying("Cluster node {n} returning after partition."),
    Saying("Deadtime value may be too small."),
    Saying("{r} Heartbeat shutdown complete.|Heartbeat shutdown in progress."),
    Saying("remote resource transition completed.|local resource transition completed."),
];
const ASKED: &[Saying] = &[
    Saying("Status update for node {n}: status active"),
    Saying("received ip-request-resp"),
];
const NOTHING: &[Saying] = &[];

/// No old daemon starts alone: with groups of its own and of others to take it loses a word of its own script
/// more often than otherwise, for two write its queue at the same time.
pub(super) const STORIES: &[Story] = &[
    Story {
        name: "the new one comes and goes",
        failback: Failback::On,
        rows: &[
            row(Act::StartBoth, Hold::Own, MET),
            row(Act::Ask, Hold::Own, NOTHING),
            row(Act::OneLink, Hold::Own, ONE_LINK),
            row(Act::CommandsAreRefused, Hold::Own, NOTHING),
            row(Act::StandbyInLoss("local"), Hold::None, WENT_STANDBY),
            row(Act::Stop(New), Hold::Both, LEFT),
            row(Act::Start(New), Hold::Own, GAVE_BACK),
            row(Act::PowerOff(New), Hold::Both, DIED),
            row(Act::PowerOn(New), Hold::Own, GAVE_BACK),
            row(Act::Restart(New), Hold::Own, RESTARTED),
            row(Act::TurnKeys, Hold::Own, NOTHING),
            row(Act::Ask, Hold::Own, NOTHING),
        ],
    },
    Story {
        name: "the old one comes and goes",
        failback: Failback::On,
        rows: &[
            row(Act::StartBoth, Hold::Own, MET),
            row(Act::PowerOff(Old), Hold::None, NOTHING),
            kept(Act::PowerOn(Old), Hold::None, Hold::Own, JOINED),
            row(Act::Stop(Old), Hold::None, ENDED),
            kept(Act::Start(Old), Hold::None, Hold::Own, JOINED),
            row(Act::Stop(New), Hold::Both, LEFT),
            row(Act::Start(New), Hold::Own, GAVE_BACK),
            row(Act::Restart(Old), Hold::Own, JOINED),
            row(Act::Stop(Old), Hold::None, ENDED),
        ],
    },
    Story {
        name: "apart and together again",
        failback: Failback::On,
        rows: &[
            row(Act::StartBoth, Hold::Own, MET),
            kept(Act::Partition, Hold::None, Hold::Own, HEALED),
        ],
    },
    Story {
        name: "without failback",
        failback: Failback::Off,
        rows: &[
            row(Act::StartBoth, Hold::Own, MET),
            row(Act::Stop(New), Hold::Both, LEFT),
            row(Act::Start(New), Hold::Both, JOINED),
            row(Act::TakeoverIsIgnored, Hold::Both, NOTHING),
            row(Act::Standby("foreign"), Hold::Own, GAVE_FOREIGN),
            row(Act::PowerOff(New), Hold::Both, DIED),
            row(Act::PowerOn(New), Hold::Both, JOINED),
            row(Act::Standby("all"), Hold::None, GAVE_ALL),
            row(Act::Stop(Old), Hold::None, ENDED),
            row(Act::Start(Old), Hold::None, JOINED),
        ],
    },
    Story {
        name: "with failback as of old",
        failback: Failback::Legacy,
        rows: &[
            row(Act::StartBoth, Hold::Own, ASKED),
            row(
                Act::Stop(New),
                Hold::Both,
                &[Saying("Received shutdown notice from '{n}'.")],
            ),
            row(Act::Start(New), Hold::Own, RESTARTED),
            row(Act::PowerOff(Old), Hold::None, NOTHING),
            row(Act::PowerOn(Old), Hold::Own, ASKED),
        ],
    },
];

impl Row {
    /// Does it, and waits until the pair is settled again.
    pub(super) fn play(&self, stage: &Stage) -> Result<()> {
        let then = if stage.setup.old_pair {
            self.in_old_pair
        } else {
            self.then
        };
        self.act.begin(stage)?;
        stage.settle(then, then.rest())
    }
}

impl Act {
    /// Packets may be refused: one side turns first.
    pub(super) fn turns_keys(self) -> bool {
        matches!(self, Self::TurnKeys)
    }

    /// Its word in the list of complaints.
    pub(super) fn word(self) -> String {
        let word = format!("{self:?}");
        word.split('(').next().unwrap_or(&word).to_owned()
    }

    fn begin(self, stage: &Stage) -> Result<()> {
        match self {
            Self::StartBoth => {
                stage.at(Old).start()?;
                stage.at(New).start()
            }
            Self::Start(place) => stage.at(place).start(),
            Self::Stop(place) => stage.at(place).stop(),
            Self::PowerOff(place) => stage.at(place).power_off(),
            Self::PowerOn(place) => stage.at(place).power_on(),
            Self::Restart(place) => {
                stage.at(place).kill()?;
                stage.at(place).start()
            }
            Self::OneLink => one_link(stage),
            Self::Standby(set) => stage.tool("hb_standby", set),
            Self::StandbyInLoss(set) => standby_in_loss(stage, set),
            Self::CommandsAreRefused => commands_are_refused(stage),
            Self::TakeoverIsIgnored => takeover_is_ignored(stage),
            Self::Partition => partition(stage),
            Self::TurnKeys => stage.turn_keys(),
            Self::Ask => ask(stage),
        }
    }
}

fn one_link(stage: &Stage) -> Result<()> {
    let since = stage.mark();
    stage.set_link(1, false)?;
    stage.said(since, &[Saying("Link {n}:{1} dead.")])?;
    stage.set_link(1, true)
}

fn standby_in_loss(stage: &Stage, set: &str) -> Result<()> {
    let since = stage.mark();
    stage.tool("hb_standby", set)?;
    let done = [
        Saying("Other node completed standby takeover of"),
        Saying("lost packet(s) for [{n}]"),
    ];
    stage.lose_until("a standby that loses packets", || {
        stage.has_said(since, &done)
    })
}

fn commands_are_refused(stage: &Stage) -> Result<()> {
    let Some(director) = stage.at(New).director() else {
        return Ok(());
    };
    for command in ["standby", "takeover"] {
        let refused = director.hbd(&[command]).err();
        let refused = refused
            .map(|error| format!("{error:#}"))
            .unwrap_or_default();
        ensure!(
            refused.contains(stage.at(Old).name()),
            "{command}: {refused}"
        );
    }
    Ok(())
}

fn takeover_is_ignored(stage: &Stage) -> Result<()> {
    if stage.setup.old_pair {
        return Ok(());
    }
    stage.tool("hb_takeover", "all")
}

fn partition(stage: &Stage) -> Result<()> {
    stage.set_links(false)?;
    stage.settle_apart()?;
    let since = stage.mark();
    stage.set_links(true)?;
    stage.said(
        since,
        &[
            Saying("returning after partition"),
            Saying("Heartbeat shutdown in progress."),
            Saying("Configuration validated. Starting heartbeat"),
        ],
    )
}

fn ask(stage: &Stage) -> Result<()> {
    let [old, new] = [Old, New].map(|place| stage.at(place).name());
    let [first, second] = stage.links();
    // It lists them backwards.
    let links = format!("{second}\n\t{first}");
    let questions: [(&[&str], &str, i32); 8] = [
        (&["hbstatus"], "Heartbeat is running on this machine.", 0),
        (&["nodestatus", new], "active", 0),
        (&["nodetype", new], "normal", 0),
        (&["listhblinks", new], &links, 0),
        (&["hblinkstatus", new, &first], "up", 0),
        (&["hblinkstatus", new, &second], "up", 0),
        (&["rscstatus"], "local", 0),
        (&["clientstatus", new, "nobody"], "offline", 1),
    ];
    for (question, words, code) in questions {
        wait::until(
            &format!("cl_status {question:?} says {words}"),
            super::SHORT,
            || {
                stage
                    .status(question)
                    .is_ok_and(|answer| answer == (words.to_owned(), Some(code)))
            },
        )
        .map_err(|error| error.context(format!("it says {:?}", stage.status(question))))?;
    }
    let (listed, _) = stage.status(&["listnodes"])?;
    let listed: std::collections::BTreeSet<&str> = listed.lines().collect();
    ensure!(listed == [old, new].into(), "listnodes says {listed:?}");
    Ok(())
}
