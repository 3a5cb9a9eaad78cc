//! Everything that can happen to a director, as values. The only way into the core.

use crate::config::{Config, ProbeId};
use crate::overrides::{Order, Place, Slot};
use crate::table::{DestinationKey, Edit, Service, ServiceKey, Table};
use ha_status::Role;
use std::collections::BTreeSet;
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
    LeftBehind(BTreeSet<ServiceKey>),
    /// Services that a living director of another configuration wants, all of them each time. They
    /// are never deleted here, not even at the end.
    Others(BTreeSet<ServiceKey>),
    /// The resource is active here, or it is not. Answered by `Notice::Turned`.
    Turn(Role),
    /// End: clean the table as `cleanstop` says, then `Output::Exit`.
    Shutdown,
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
