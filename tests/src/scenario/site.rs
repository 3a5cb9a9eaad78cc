//! A cluster of any shape: its directors, its real servers and its client, and what is waited for.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ha_status::{NodeStatus, RunState};

use super::director::Director;
use super::table::Table;
use crate::bed::client::{self, Page, Tally};
use crate::bed::host::Host;
use crate::bed::real_server::RealServer;
use crate::bed::wait;

/// The whole cluster. Dropping it ends it.
pub struct Site {
    pub directors: Vec<Director>,
    pub reals: Vec<RealServer>,
    pub client: Arc<Host>,
    /// The address that the directors move.
    pub vip: Ipv4Addr,
}

impl Site {
    pub fn director(&self, name: &str) -> Result<&Director> {
        let mut directors = self.directors.iter();
        let found = directors.find(|director| director.name() == name);
        found.with_context(|| format!("there is no director {name}"))
    }

    pub fn real(&self, name: &str) -> Result<&RealServer> {
        let mut reals = self.reals.iter();
        let found = reals.find(|real| real.host().name() == name);
        found.with_context(|| format!("there is no real server {name}"))
    }

    /// Waits until `name` runs the group, nobody else does, and each living director sees the other.
    pub fn await_owner(&self, name: &str, limit: Duration) -> Result<Duration> {
        await_owner(&self.directors, name, limit)
    }

    /// Waits for an answer of the virtual service at this port.
    pub fn await_answer(&self, port: u16, path: &str, limit: Duration) -> Result<Page> {
        await_answer(limit, || {
            client::get(&self.client, SocketAddr::from((self.vip, port)), path)
        })
    }

    /// So many requests to the virtual service at this port, one after the other.
    pub fn load(&self, port: u16, requests: usize, limit: Duration) -> Result<Tally> {
        let at = SocketAddr::from((self.vip, port));
        client::load(&self.client, at, "/", requests, 1, limit)
    }

    /// Waits until the kernel of `director` has these destinations of the virtual service at this port,
    /// such as `10.10.0.11:80 gate 1`, and no others; `*` is any word.
    pub fn await_table(
        &self,
        director: &Director,
        port: u16,
        wanted: &[&str],
        limit: Duration,
    ) -> Result<Duration> {
        let name = format!("tcp:{}:{port}", self.vip);
        let mut last = String::new();
        let what = format!("{} balances over {}", director.name(), wanted.join(", "));
        let waited = wait::until(&what, limit, || {
            let Ok(table) = Table::of(director.host()) else {
                return false;
            };
            last = table.describe();
            table.0.get(&name).is_some_and(|service| {
                let rows = service.destinations.iter();
                let rows = rows
                    .map(|(address, row)| format!("{address} {} {}", row.forwarding, row.weight));
                let rows: Vec<String> = rows.collect();
                rows.len() == wanted.len()
                    && rows.iter().zip(wanted).all(|(row, one)| fits(row, one))
            })
        });
        waited.with_context(|| format!("the table is: {last}"))
    }
}

/// Word by word; `*` is any word.
fn fits(row: &str, wanted: &str) -> bool {
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (row, wanted) = (words(row), words(wanted));
    let mut pairs = row.iter().zip(&wanted);
    row.len() == wanted.len() && pairs.all(|(word, one)| one == "*" || word == one)
}

/// Waits until `name` runs the group, nobody else does, and each living director sees the other.
pub(super) fn await_owner(directors: &[Director], name: &str, limit: Duration) -> Result<Duration> {
    wait::until(&format!("{name} alone runs the group"), limit, || {
        let living = || directors.iter().filter(|one| one.host().is_on());
        living().all(|director| {
            let wanted = if director.name() == name {
                RunState::Running
            } else {
                RunState::Stopped
            };
            let met = |peer: &Director| director.sees(peer.name(), NodeStatus::Active);
            director.groups_are(wanted) && living().all(met)
        })
    })
}

/// Asks until there is an answer of success.
pub(super) fn await_answer(limit: Duration, mut ask: impl FnMut() -> Result<Page>) -> Result<Page> {
    let mut last = None;
    let answer = wait::for_some("the virtual service answers", limit, || {
        Ok(match ask() {
            Ok(page) if page.status == 200 => Some(page),
            Ok(page) => {
                last = Some(format!("status {}", page.status));
                None
            }
            Err(error) => {
                last = Some(format!("{error:#}"));
                None
            }
        })
    });
    match (answer, last) {
        (Err(error), Some(last)) => bail!("{error:#} (last: {last})"),
        (answer, _) => answer,
    }
}
