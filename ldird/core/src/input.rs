//! Everything that can happen to a director, as values. The only way into the core.

use crate::config::{Config, ProbeId, RealServer};
use crate::opinion::{QuestionId, Silence};
use crate::overrides::{Order, Place, Slot};
use crate::table::{DestinationKey, Edit, Service, ServiceKey, Table, Tunnel};
use ha_status::{Found, Role};
use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

#[derive(Debug, Clone)]
pub enum Input {
    /// A deadline may have come.
    Tick,
    /// The answer to `Output::Probe`.
    Probed { probe: ProbeId, verdict: Verdict },
    /// The answer to `Output::Read`: what the kernel holds now.
    Table(Table),
    /// The answer to `Output::ReadServices`: each service that was asked for, `None` if the kernel
    /// does not have it.
    Services(Vec<(ServiceKey, Option<Service>)>),
    /// The answer to `Output::List`.
    Listed(BTreeSet<ServiceKey>),
    /// The answer to any reading that failed.
    TableUnreadable(String),
    /// The answer to `Output::Apply`, one result per edit in the same order; edits after a failed
    /// one may have been made.
    Applied(Vec<(Edit, Result<(), String>)>),
    /// A maintenance file appeared or vanished for this real server.
    Maintenance {
        service: ServiceKey,
        real: DestinationKey,
        active: bool,
    },
    /// An operator's word, or its end. Kept for servers that the configuration does not name, too.
    Overrule {
        place: Place,
        slot: Slot,
        order: Option<Order>,
    },
    /// A new configuration, already valid. Health of real servers whose check did not change is
    /// kept.
    Reload(Config),
    /// Services that an earlier life of this director put into the table. What is not wanted any
    /// more leaves with the next merge; without this it would stand there for good.
    LeftBehind(Left),
    /// Services that a living director of another configuration wants, all of them each time. They
    /// are never deleted here, not even at the end.
    Others(BTreeSet<ServiceKey>),
    /// The answer to `Output::AskOpinion`: what the directors of other nodes find of this service.
    Opinion {
        service: ServiceKey,
        question: QuestionId,
        views: Result<Vec<(String, Found)>, Silence>,
    },
    /// The resource is active here, or it is not. Answered by `Notice::Turned`.
    Turn(Role),
    /// The resource stops here, and another director takes over at once: a turn to standby that leaves
    /// the table where it is for so long, until nobody sends anything here any more.
    Yield { table: Duration },
    /// On standby: the resource is about to become active here, so the table goes into the kernel
    /// already. It is held back again when a turn to standby says so, or after so long. The role does
    /// not change. Answered by `Notice::Prepared`, unless a turn to standby ends it first. Nothing happens
    /// to the active one.
    Prepare { table: Duration },
    /// End: clean the table as `cleanstop` says, then `Output::Exit`.
    Shutdown,
}

/// What an earlier life of a director has put into the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Left {
    pub services: BTreeSet<ServiceKey>,
    /// What its file said of settings that are otherwise somebody else's.
    pub said: Said,
}

/// Settings that a file has words for and need not say anything about: those that it did set. A file
/// that is silent about them leaves them alone, one that said so before takes them back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// Services with a `pe`.
    pub engines: BTreeSet<ServiceKey>,
    /// Servers with a `tunnel`.
    pub tunnels: BTreeSet<(ServiceKey, DestinationKey)>,
}

impl From<BTreeSet<ServiceKey>> for Left {
    fn from(services: BTreeSet<ServiceKey>) -> Self {
        let said = Said::default();
        Self { services, said }
    }
}

impl Said {
    /// What this configuration says.
    pub fn of(config: &Config) -> Self {
        let mut said = Self::default();
        for service in &config.services {
            if service.spec.pe.is_some() {
                said.engines.insert(service.key);
            }
            let tunnelled = |real: &&RealServer| real.tunnel != Tunnel::default();
            let reals = service.reals.iter().filter(tunnelled);
            said.tunnels
                .extend(reals.map(|real| (service.key, real.key)));
        }
        said
    }

    /// Both.
    pub fn extend(&mut self, other: Self) {
        self.engines.extend(other.engines);
        self.tunnels.extend(other.tunnels);
    }

    /// Of a service in the table, what the file that is no more had made of it.
    pub(crate) fn restore(&self, key: ServiceKey, is: &Service, made: &mut Service) {
        if self.engines.contains(&key) {
            made.spec.pe.clone_from(&is.spec.pe);
        }
        for (row, spec) in &mut made.destinations {
            if self.tunnels.contains(&(key, *row))
                && let Some(is) = is.destinations.get(row)
            {
                spec.tunnel = is.tunnel;
            }
        }
    }
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub finding: Finding,
    /// e.g. `200 OK`, `connection refused`; one line, of which [`MESSAGE_MAX`] characters are kept.
    ///
    /// [`MESSAGE_MAX`]: crate::health::MESSAGE_MAX
    pub message: String,
    pub took: Duration,
    pub noted: Noted,
}

/// What a probe saw beside its finding.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noted {
    /// The certificate that the server showed, if it showed one.
    pub certificate: Option<Certificate>,
    /// What an agent said; only its own probe notes that, with every [`Finding::Up`].
    pub agent: Option<AgentSays>,
}

/// One answer of an agent: what it names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentSays {
    /// Percent of the configured weight, 0..=[`ha_status::Agent::PERCENT_MAX`].
    pub percent: Option<u32>,
    pub standing: Option<Standing>,
    /// `up` or `down`.
    pub up: Option<bool>,
    /// The reason it gave; of one line, may be empty.
    pub why: String,
}

/// What a server's own operators want of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    Ready,
    Drain,
    Maintenance,
}

/// What is known of a server's certificate. It never takes a server out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate {
    /// When it ends, milliseconds since 1970.
    pub until_ms: u64,
    /// What is left of it, where that is as little as somebody wants to be told.
    pub near: Option<Validity>,
}

/// What is left of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Whole days; 0 on its last one.
    Days(u32),
    Nothing,
}

impl fmt::Display for Validity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("has expired"),
            Self::Days(0) => f.write_str("expires within a day"),
            Self::Days(1) => f.write_str("expires in 1 day"),
            Self::Days(days) => write!(f, "expires in {days} days"),
        }
    }
}

/// The three answers that a check can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    Up,
    Down,
    /// The question was never put, or its answer says nothing of the server: we lacked descriptors,
    /// ports, buffers, memory or time. Changes nothing that is believed.
    CouldNotAsk,
}
