//! Everything the core asks of its shell, as values. A request, never a fact: what came of it
//! returns as an `Input`.

use crate::config::ProbeId;
pub use crate::hold::PanicEnd;
use crate::input::Validity;
pub use crate::opinion::{OpinionEnd, QuestionId, Silence};
use crate::table::{DestinationKey, DestinationSpec, Edit, ServiceKey, ServiceSpec};
use ha_status::{Agent, Role, Says};
use std::time::{Duration, Instant};

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Ask this question now; it has been due since then. Answer: `Input::Probed`. Never asked twice
    /// at the same time.
    Probe { probe: ProbeId, due: Instant },
    /// Dump the kernel's table. Answer: `Input::Table` or `Input::TableUnreadable`.
    Read,
    /// Read these services with their rows. Answer: `Input::Services` or `Input::TableUnreadable`.
    ReadServices(Vec<ServiceKey>),
    /// See which services there are, without their rows: cheap, whatever the size of the table.
    /// Answer: `Input::Listed` or `Input::TableUnreadable`.
    List,
    /// Make these edits in this order. Answer: `Input::Applied`. One batch at a time.
    Apply(Vec<Edit>),
    /// Ask the directors of other nodes what they find of this service. Answer, of use if it comes within
    /// [`ANSWER_LIMIT`](crate::opinion::ANSWER_LIMIT): `Input::Opinion`.
    AskOpinion {
        service: ServiceKey,
        question: QuestionId,
        /// What stands for the service there.
        digest: u64,
    },
    /// Something an operator may want to read.
    Notice(Notice),
    /// The table is as `cleanstop` wants it; nothing follows.
    Exit,
}

/// Facts worth telling, said after the kernel has confirmed them. The shell words them as the old
/// daemon did (ldirectord specification, appendix B), so tests compare values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    ServiceAdded(ServiceKey),
    ServiceChanged(ServiceKey),
    ServicePurged {
        service: ServiceKey,
        when: When,
    },
    RealAdded {
        service: ServiceKey,
        real: DestinationKey,
        weight: u32,
    },
    /// `readdquiescent`: it stands in the table at weight 0 again.
    RealReadded {
        service: ServiceKey,
        real: DestinationKey,
    },
    RealRestored {
        service: ServiceKey,
        real: DestinationKey,
        weight: u32,
    },
    /// A step of a slow start, or another change of a weight that is not nothing.
    RealWeighted {
        service: ServiceKey,
        real: DestinationKey,
        weight: u32,
    },
    RealQuiesced {
        service: ServiceKey,
        real: DestinationKey,
    },
    RealDeleted {
        service: ServiceKey,
        real: DestinationKey,
    },
    RealPurged {
        service: ServiceKey,
        real: DestinationKey,
        when: When,
    },
    /// The new file does not name it; it serves until those that are new there have been checked.
    LeavesLater {
        service: ServiceKey,
        real: DestinationKey,
    },
    FallbackAdded {
        service: ServiceKey,
        fallback: DestinationKey,
    },
    FallbackDeleted {
        service: ServiceKey,
        fallback: DestinationKey,
    },
    SoftFailure {
        service: ServiceKey,
        real: DestinationKey,
        failures: u32,
        limit: u32,
        message: String,
    },
    SoftFailureReset {
        service: ServiceKey,
        real: DestinationKey,
    },
    /// It was down and passed; `risecount` says how often in a row it has to.
    Rising {
        service: ServiceKey,
        real: DestinationKey,
        passes: u32,
        limit: u32,
    },
    /// The verdict changed; said before the table follows.
    Down {
        service: ServiceKey,
        real: DestinationKey,
        message: String,
    },
    Up {
        service: ServiceKey,
        real: DestinationKey,
        message: String,
    },
    /// So many real servers of a pool failed within one interval that their weights are held.
    Panic {
        service: ServiceKey,
        failing: usize,
        of: usize,
        longest: Duration,
    },
    /// That is over; so many still fail and leave now.
    PanicOver {
        service: ServiceKey,
        why: PanicEnd,
        failing: usize,
    },
    /// The last real server of a service fails, and another node's director finds these up: it has its
    /// weight all the same.
    SecondOpinion {
        service: ServiceKey,
        real: DestinationKey,
        node: String,
        /// There may be more; empty if those that it finds up have no place in an answer.
        up: Vec<DestinationKey>,
        longest: Duration,
    },
    /// That is over.
    SecondOpinionOver {
        service: ServiceKey,
        real: DestinationKey,
        why: OpinionEnd,
    },
    /// Another node's director finds no real server of the service up either, so the last one leaves.
    OpinionShared {
        service: ServiceKey,
        node: String,
    },
    /// The last real server of a service leaves, for nobody else has an opinion.
    NoOpinion {
        service: ServiceKey,
        why: Silence,
        /// It is news: nothing of the kind has been told since the last opinion that was had.
        first: bool,
    },
    /// The certificate of this real server ends soon, or has ended. Said when it is near and once
    /// more when it has ended.
    CertificateEnds {
        service: ServiceKey,
        real: DestinationKey,
        left: Validity,
    },
    /// The agent of this real server asks for something else now. `down`: it is out by its checks or
    /// by that; `since_ms` is not told. A mere share of the weight is told when the table has it.
    AgentAsks {
        service: ServiceKey,
        real: DestinationKey,
        agent: Agent,
        down: bool,
    },
    /// It does not answer, or cannot be understood. Said once until it answers.
    AgentSilent {
        service: ServiceKey,
        real: DestinationKey,
        message: String,
    },
    AgentAnswers {
        service: ServiceKey,
        real: DestinationKey,
    },
    /// An operator's word has ended, for its time is up.
    OverrideEnded {
        service: ServiceKey,
        real: DestinationKey,
        says: Says,
    },
    /// Checks cannot be asked for want of our own means; this is the first one. Servers stay as
    /// they are.
    CouldNotAsk {
        service: ServiceKey,
        real: DestinationKey,
        message: String,
    },
    /// Every check is asked again.
    AskedAgain,
    /// No row of the kernel's table takes connections, and there is nobody left to ask.
    NobodyServes(ServiceKey),
    /// That is over.
    ServedAgain(ServiceKey),
    /// Said once for an edit and its error, however often it is tried.
    EditFailed {
        edit: Edit,
        error: String,
    },
    /// So many more of the same batch.
    MoreEditsFailed(usize),
    TableUnreadable(String),
    /// Somebody else changed the table.
    Drift(Drift),
    /// The same, and it is put back, because the file says so. Said at most once a minute for a row.
    Enforced {
        service: ServiceKey,
        what: Enforced,
    },
    Started,
    Reloaded,
    /// The kernel's table is what this role wants it to be.
    Turned(Role),
    /// On standby, the kernel has what was asked to be prepared; `whole` unless it refuses a part.
    Prepared {
        whole: bool,
    },
    /// On standby, the table was in the kernel for a moment; that is over.
    HeldBack,
    ShutdownStarted,
}

/// What somebody else did to rows of ours. What is changed is left alone and said once; what is
/// deleted is made again, and said at most once a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    /// Scheduler, persistence or flags.
    ServiceChanged(ServiceKey),
    RealChanged(ServiceKey, DestinationKey),
    ServiceDeleted(ServiceKey),
    RealDeleted(ServiceKey, DestinationKey),
    /// So many more changes were found at the same time.
    More(usize),
}

/// What was found in the table, and what is put in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enforced {
    Service {
        found: ServiceSpec,
        wanted: ServiceSpec,
    },
    Real {
        real: DestinationKey,
        found: DestinationSpec,
        wanted: DestinationSpec,
    },
    /// A row that is none of the service's; it is taken out.
    Stranger(DestinationKey),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Start,
    Stop,
}
