//! A snapshot as lines of bounded length, and back: the size of a table is nobody's limit.

use super::codec::{LineError, encode};
use crate::{
    ClusterSnapshot, DirectorSnapshot, Group, Reply, Snapshot, VirtualService,
    change::rows::columns,
};
use std::sync::Arc;

/// Groups, virtual services and real servers on one line.
pub(super) const ROWS_PER_LINE: usize = 256;

/// Rows that a client puts together; more than any table that a kernel could hold.
const ROWS_MAX: usize = 4_000_000;

/// The lines of a reply, one but for a large snapshot.
pub(super) fn lines(reply: &Reply) -> Vec<Arc<str>> {
    let (mut lines, last) = match reply {
        Reply::Snapshot { seq, snapshot } if rows(snapshot) > ROWS_PER_LINE => {
            let (lines, snapshot) = match snapshot {
                Snapshot::Cluster(cluster) => cluster_lines(cluster),
                Snapshot::Director(director) => director_lines(director),
            };
            let seq = *seq;
            (lines, encode(&Reply::Snapshot { seq, snapshot }))
        }
        Reply::Snapshot { .. }
        | Reply::Hello(_)
        | Reply::Rows { .. }
        | Reply::Change { .. }
        | Reply::Notice { .. }
        | Reply::Metrics { .. }
        | Reply::Opinion { .. }
        | Reply::Done { .. }
        | Reply::Error { .. } => (Vec::new(), encode(reply)),
    };
    lines.push(last.into());
    lines
}

fn rows(snapshot: &Snapshot) -> usize {
    match snapshot {
        Snapshot::Cluster(cluster) => cluster.groups.len(),
        Snapshot::Director(director) => {
            let services = director.services.iter();
            services.map(|service| 1 + service.reals.len()).sum()
        }
    }
}

fn cluster_lines(cluster: &ClusterSnapshot) -> (Vec<Arc<str>>, Snapshot) {
    let pages = cluster.groups.chunks(ROWS_PER_LINE);
    let lines = pages.map(|groups| {
        let reply = Reply::Rows {
            groups: groups.to_vec(),
            services: Vec::new(),
            continued: false,
        };
        encode(&reply).into()
    });
    let lines: Vec<Arc<str>> = lines.collect();
    let mut rest = cluster.clone();
    rest.groups.clear();
    (lines, Snapshot::Cluster(rest))
}

fn director_lines(director: &DirectorSnapshot) -> (Vec<Arc<str>>, Snapshot) {
    let mut pager = Pager::default();
    for service in &director.services {
        pager.add(service);
    }
    pager.flush();
    let rest = DirectorSnapshot {
        config: director.config.clone(),
        path: director.path.clone(),
        at_ms: director.at_ms,
        uptime_ms: director.uptime_ms,
        phase: director.phase,
        duty: director.duty.clone(),
        sync: director.sync.clone(),
        outdated: director.outdated.clone(),
        services: Vec::new(),
        totals: director.totals.clone(),
        recent: director.recent.clone(),
    };
    (pager.lines, Snapshot::Director(rest))
}

/// Fills lines with services, and with parts of them.
#[derive(Default)]
struct Pager {
    lines: Vec<Arc<str>>,
    page: Vec<VirtualService>,
    rows: usize,
    continued: bool,
}

impl Pager {
    fn add(&mut self, service: &VirtualService) {
        let mut reals = service.reals.as_slice();
        let mut continues = false;
        loop {
            if self.rows >= ROWS_PER_LINE {
                self.flush();
                self.continued = continues;
            }
            let room = ROWS_PER_LINE - self.rows - 1;
            let (here, later) = reals.split_at(room.min(reals.len()));
            let mut part = columns(service);
            part.reals = here.to_vec();
            self.page.push(part);
            self.rows += 1 + here.len();
            if later.is_empty() {
                return;
            }
            reals = later;
            continues = true;
        }
    }

    fn flush(&mut self) {
        if self.page.is_empty() {
            return;
        }
        let reply = Reply::Rows {
            groups: Vec::new(),
            services: std::mem::take(&mut self.page),
            continued: std::mem::take(&mut self.continued),
        };
        self.lines.push(encode(&reply).into());
        self.rows = 0;
    }
}

/// What has come of a snapshot so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    groups: Vec<Group>,
    services: Vec<VirtualService>,
    rows: usize,
}

impl Assembly {
    /// Takes a line; gives a reply back when it is whole.
    pub(super) fn take(&mut self, reply: Reply) -> Result<Option<Reply>, LineError> {
        match reply {
            Reply::Rows {
                groups,
                services,
                continued,
            } => {
                let reals = services.iter().map(|service| 1 + service.reals.len());
                self.rows += groups.len() + reals.sum::<usize>();
                if self.rows > ROWS_MAX {
                    return Err(LineError::TooMany { limit: ROWS_MAX });
                }
                self.groups.extend(groups);
                let mut services = services.into_iter();
                if continued
                    && let (Some(last), Some(more)) = (self.services.last_mut(), services.next())
                {
                    last.reals.extend(more.reals);
                }
                self.services.extend(services);
                Ok(None)
            }
            Reply::Snapshot { seq, mut snapshot } => {
                let Assembly {
                    groups, services, ..
                } = std::mem::take(self);
                match &mut snapshot {
                    Snapshot::Cluster(cluster) => {
                        cluster.groups.splice(0..0, groups);
                    }
                    Snapshot::Director(director) => {
                        director.services.splice(0..0, services);
                    }
                }
                Ok(Some(Reply::Snapshot { seq, snapshot }))
            }
            other @ (Reply::Hello(_)
            | Reply::Change { .. }
            | Reply::Notice { .. }
            | Reply::Metrics { .. }
            | Reply::Opinion { .. }
            | Reply::Done { .. }
            | Reply::Error { .. }) => Ok(Some(other)),
        }
    }
}
