//! Resource groups on this node: one worker per group, so that groups go in parallel and the
//! resources of a group in order.
//!
//! Takes the core's requests and reports what came of them. Never decides whether a group should
//! run.

pub mod address;
pub mod builtin;
pub mod environment;
pub mod guard;
pub mod kernel;
mod mailbox;
mod promotion;
pub mod resident;
mod runner;
pub mod script;
pub mod view;

use crate::config::ScriptLimits;
use ha_status::Severity;
use hbd_core::config::{GroupConfig, GroupId};
use hbd_core::input::Input;
use hbd_core::table::Table;
use mailbox::{Job, Requests, mailbox};
use runner::{Resource, Worker};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// What workers tell the loop.
#[derive(Debug)]
pub enum Report {
    Input(Input),
    /// Something an operator should read.
    Tell(Severity, String),
    /// An address that somebody had removed is back.
    Restored {
        ip: IpAddr,
        device: String,
        /// How often since this was last told; `None` if it is only to be counted.
        told: Option<u64>,
    },
    /// Names of peers that have been asked for and are known.
    Resolved(Vec<(String, IpAddr)>),
    /// An address that this node holds has been nowhere for too long.
    Lost {
        ip: IpAddr,
        device: String,
        why: String,
    },
}

/// The node's groups and their workers.
pub struct Resources {
    workers: Table<GroupId, Requests>,
}

/// What the workers share.
#[derive(Clone)]
pub struct Means {
    /// The latest counts for the next script.
    pub site: watch::Receiver<Arc<script::Site>>,
    pub addresses: builtin::Addresses,
    /// Are IPaddr and IPaddr2 built in, or scripts like any other?
    pub builtin: bool,
    /// Where directors are that run from boot; `None` with `builtin off`.
    pub directors: Option<resident::Directors>,
    pub reports: mpsc::Sender<Report>,
}

impl Resources {
    /// Starts a worker for each group; they touch nothing until they are asked.
    pub fn new(groups: &Table<GroupId, GroupConfig>, limits: ScriptLimits, means: &Means) -> Self {
        let worker = |(id, group): (GroupId, &GroupConfig)| {
            let (requests, jobs) = mailbox();
            let resources = resources(group, means.builtin);
            let worker = Worker::new(id, group, resources, limits, means.clone());
            tokio::spawn(worker.run(jobs));
            (id, requests)
        };
        Self {
            workers: groups.iter().map(worker).collect(),
        }
    }

    pub fn probe(&self, group: GroupId) {
        self.ask(group, Job::Probe);
    }

    pub fn start(&self, group: GroupId) {
        self.ask(group, Job::Start);
    }

    /// It is about to be started: what can be done before that is done now.
    pub fn prepare(&self, group: GroupId) {
        self.ask(group, Job::Prepare);
    }

    pub fn unprepare(&self, group: GroupId) {
        self.ask(group, Job::Unprepare);
    }

    /// It goes on running for a moment, beside the preparations of the node whose it is now.
    pub fn linger(&self, group: GroupId) {
        self.ask(group, Job::Linger);
    }

    pub fn stop(&self, group: GroupId) {
        self.ask(group, Job::Stop);
    }

    /// A stop that takes the addresses away first: another node has them, too.
    pub fn let_go(&self, group: GroupId) {
        self.ask(group, Job::LetGo);
    }

    pub fn announce(&self, group: GroupId) {
        self.ask(group, Job::Announce);
    }

    fn ask(&self, group: GroupId, job: Job) {
        self.workers
            .get(group)
            .expect("the core names groups of its configuration")
            .ask(job);
    }
}

/// The group's resources, neighbouring built-in addresses together.
fn resources(group: &GroupConfig, builtin: bool) -> Vec<Resource> {
    let mut resources = Vec::new();
    for resource in &group.resources {
        let word = word(&resource.script, &resource.args);
        let address = builtin
            .then(|| builtin::AddressResource::of(word.clone(), &resource.script, &resource.args))
            .flatten();
        match (address, resources.last_mut()) {
            (Some(address), Some(Resource::Addresses(run))) => run.push(address),
            (Some(address), _) => resources.push(Resource::Addresses(vec![address])),
            (None, _) => resources.push(Resource::Script {
                word,
                script: resource.script.clone(),
                args: resource.args.clone(),
            }),
        }
    }
    resources
}

/// A resource as haresources writes it.
fn word(script: &str, args: &[String]) -> String {
    std::iter::once(script)
        .chain(args.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join("::")
}
