//! Resource groups on this node: one worker per group, so that groups go in parallel and the
//! resources of a group in order.
//!
//! Takes the core's requests and reports what came of them. Never decides whether a group should
//! run.

pub mod address;
pub mod builtin;
pub mod environment;
pub mod kernel;
mod runner;
pub mod script;

use crate::config::ScriptLimits;
use ha_status::Severity;
use hbd_core::config::{GroupConfig, GroupId};
use hbd_core::input::Input;
use runner::{Job, Resource, Worker};
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Jobs that may wait for one group. The core has at most one probe or start and one stop
/// outstanding; an announcement that finds no room is dropped, another follows.
const JOBS_MAX: usize = 16;

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
    },
}

/// The node's groups and their workers.
pub struct Resources {
    /// By `GroupId`.
    workers: Vec<mpsc::Sender<Job>>,
}

/// What the workers share.
#[derive(Clone)]
pub struct Means {
    pub site: Arc<script::Site>,
    pub addresses: builtin::Addresses,
    /// Are IPaddr and IPaddr2 built in, or scripts like any other?
    pub builtin: bool,
    pub reports: mpsc::Sender<Report>,
}

impl Resources {
    /// Starts a worker for each group; they touch nothing until they are asked.
    pub fn new(groups: &[GroupConfig], limits: ScriptLimits, means: &Means) -> Self {
        let workers = groups
            .iter()
            .enumerate()
            .map(|(index, group)| {
                let id =
                    GroupId(u16::try_from(index).expect("the configuration bounds the groups"));
                let (jobs, queue) = mpsc::channel(JOBS_MAX);
                let resources = resources(group, means.builtin);
                let worker = Worker::new(id, group, resources, limits, means.clone());
                tokio::spawn(worker.run(queue));
                jobs
            })
            .collect();
        Self { workers }
    }

    pub fn probe(&self, group: GroupId) {
        self.must(group, Job::Probe);
    }

    pub fn start(&self, group: GroupId) {
        self.must(group, Job::Start);
    }

    pub fn stop(&self, group: GroupId) {
        self.must(group, Job::Stop);
    }

    pub fn announce(&self, group: GroupId) {
        if let Some(worker) = self.workers.get(usize::from(group.0)) {
            // A full queue means that it is being started or stopped.
            let _ = worker.try_send(Job::Announce);
        }
    }

    fn must(&self, group: GroupId, job: Job) {
        self.workers
            .get(usize::from(group.0))
            .expect("the core names groups of its configuration")
            .try_send(job)
            .expect("a group has few jobs at a time and its worker lives as long as we");
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
