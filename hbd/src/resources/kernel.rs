//! The kernel's tables of links and addresses, through rtnetlink: read, add, delete, and carry out
//! what the guard decides when others remove something.
//!
//! The only file that knows rtnetlink, together with `kernel/rows.rs` and `kernel/tables.rs`. One
//! connection carries every request, in the order in which they were made; whoever asks for a view
//! while one is being read shares the next one, so that a thousand groups starting at once cost two
//! dumps. Routes are asked for one by one and never listed: there may be a million. Decides nothing
//! about where an address goes.

mod rows;
mod tables;

use super::Report;
use super::address::Placement;
use super::guard::{Guard, Held, Key, Look, News};
use super::promotion;
use super::view::{AddressRow, RouteRow, View};
use futures_util::{Stream, StreamExt, future::join_all};
use ha_status::Severity;
use rows::{deletion, fleeting, local_address, message, route_request, route_row};
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::{Handle, MulticastGroup};
use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use thiserror::Error;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::time::{sleep, sleep_until, timeout};

/// The kernel answers at once; longer means that it never will.
const NETLINK_LIMIT: Duration = Duration::from_secs(5);
/// Requests without an answer yet. Some 250 answers fit into a netlink socket's receive buffer, and
/// those that do not are lost (ENOBUFS).
const IN_FLIGHT_MAX: usize = 64;
/// Requests for a view that may queue, one for each group; more wait in their senders.
const VIEW_QUEUE: usize = hbd_core::config::MAX_GROUPS;
/// Pause after the tables could not be read, before the next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// The tables are looked at no more often, so that a quarrel with another tool does not take the
/// processor.
const LOOK_SPACING: Duration = Duration::from_millis(10);
/// After an address is held for the first time it is looked at so soon: it may stand where it must
/// not. A thousand of them are looked at together.
const HELD_SPACING: Duration = Duration::from_millis(100);

/// `EEXIST`: the address is there already.
const EEXIST: i32 = libc::EEXIST;
/// `EADDRNOTAVAIL`, `ENODEV`: the address or its interface is gone already.
const GONE: [i32; 2] = [libc::EADDRNOTAVAIL, libc::ENODEV];
/// No route leads there.
const UNROUTED: [i32; 4] = [
    libc::ENETUNREACH,
    libc::EHOSTUNREACH,
    libc::ESRCH,
    libc::EINVAL,
];

#[derive(Debug, Clone, Error)]
pub enum KernelError {
    #[error("no netlink socket: {0}")]
    Socket(Arc<io::Error>),
    #[error("{operation}: {reason}")]
    Refused {
        operation: &'static str,
        reason: String,
        /// The error number, 0 if it was not the kernel that refused.
        errno: i32,
    },
    #[error("{0}: the kernel does not answer")]
    Silent(&'static str),
    #[error("{0}: the table changes faster than it can be read")]
    Unsteady(&'static str),
}

/// A handle on the kernel; clones share everything.
#[derive(Clone)]
pub struct Kernel {
    handle: Handle,
    views: mpsc::Sender<oneshot::Sender<Result<Arc<View>, KernelError>>>,
    held: Arc<Mutex<Held>>,
    /// What was held and has not been deleted for sure.
    leaving: Arc<Mutex<Held>>,
    /// Put for a moment, for a group that is about to start.
    prepared: Arc<Mutex<Held>>,
    /// Held, and not to be announced: another node is about to have it.
    quiet: Arc<Mutex<BTreeSet<Key>>>,
    /// Rung when something is held that was not.
    bell: Arc<Notify>,
    /// Fair: requests leave in the order in which they were made.
    in_flight: Arc<Semaphore>,
}

impl Kernel {
    /// Opens the connection; its tasks end with the runtime.
    pub fn connect() -> Result<Self, KernelError> {
        let (mut connection, handle, _) = rtnetlink::new_connection().map_err(socket_error)?;
        // The end of a table may be all that says that the table changed while it was read.
        connection.set_forward_done(true);
        tokio::spawn(connection);
        let (views, requests) = mpsc::channel(VIEW_QUEUE);
        tokio::spawn(serve_views(handle.clone(), requests));
        Ok(Self {
            handle,
            views,
            held: Arc::default(),
            leaving: Arc::default(),
            prepared: Arc::default(),
            quiet: Arc::default(),
            bell: Arc::default(),
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        })
    }

    /// The tables as they are at some moment after this call.
    pub async fn view(&self) -> Result<Arc<View>, KernelError> {
        const WHAT: &str = "reading addresses";
        let (answer, view) = oneshot::channel();
        if self.views.send(answer).await.is_err() {
            return Err(KernelError::Silent(WHAT));
        }
        view.await.unwrap_or(Err(KernelError::Silent(WHAT)))
    }

    /// The same with what the routing tables say of addresses that are in the network of none.
    pub async fn view_towards(
        &self,
        ips: impl Iterator<Item = IpAddr>,
    ) -> Result<Arc<View>, KernelError> {
        let mut view = self.view().await?;
        for ip in ips {
            if !view.is_connected(ip)
                && let Some(route) = self.route_to(ip).await?
            {
                Arc::make_mut(&mut view).add_route(route);
            }
        }
        Ok(view)
    }

    /// Puts addresses on their interfaces for good, all at once. There already is success.
    pub async fn add(&self, placements: &[Placement]) -> Vec<Result<(), KernelError>> {
        let requests = placements.iter().map(|placement| async {
            self.prepared().remove(&key(placement));
            match self.put(placement, message(placement), false).await {
                // It may have been put for a moment only, by whomever: from now on it stays.
                Err(KernelError::Refused { errno: EEXIST, .. }) => {
                    self.put(placement, message(placement), true).await
                }
                result => result,
            }
        });
        join_all(requests).await
    }

    /// Puts addresses on their interfaces, or leaves them there, for so long from now on.
    pub async fn add_for(
        &self,
        placements: &[Placement],
        life: Duration,
    ) -> Vec<Result<(), KernelError>> {
        let requests = placements.iter().map(|placement| async move {
            self.prepared().insert(key(placement), placement.clone());
            let message = fleeting(placement, life);
            self.put(placement, message, true).await
        });
        join_all(requests).await
    }

    async fn put(
        &self,
        placement: &Placement,
        message: AddressMessage,
        replace: bool,
    ) -> Result<(), KernelError> {
        let new = self.handle.address();
        let mut request = new.add(placement.link, placement.ip, placement.prefix);
        if replace {
            request = request.replace();
        }
        *request.message_mut() = message;
        let _permit = self.in_flight.acquire().await;
        limited("adding the address", request.execute()).await
    }

    /// They have been taken away, or may leave when their time is over.
    pub fn drop_prepared(&self, placements: &[Placement]) {
        let mut prepared = self.prepared();
        for placement in placements {
            prepared.remove(&key(placement));
        }
    }

    /// Another node is about to have these, which must be heard; or they are this node's after all.
    pub fn quieten(&self, placements: &[Placement], quiet: bool) {
        let mut keys = self.quiet();
        for placement in placements {
            if quiet {
                keys.insert(key(placement));
            } else {
                keys.remove(&key(placement));
            }
        }
    }

    /// Are the neighbours to be told that this node has it?
    pub fn speaks_for(&self, placement: &Placement) -> bool {
        let key = key(placement);
        self.prepared().contains_key(&key)
            || (self.held().contains_key(&key) && !self.quiet().contains(&key))
    }

    /// Takes addresses away, all at once. Gone already is success.
    pub async fn delete(&self, rows: &[AddressRow]) -> Vec<Result<(), KernelError>> {
        let requests = rows.iter().map(|row| async {
            let request = self.handle.address().del(deletion(row));
            let _permit = self.in_flight.acquire().await;
            match limited("deleting the address", request.execute()).await {
                Err(KernelError::Refused { errno, .. }) if GONE.contains(&errno) => Ok(()),
                result => result,
            }
        });
        join_all(requests).await
    }

    /// The connected network that the kernel would use to reach the address, if it has one.
    async fn route_to(&self, ip: IpAddr) -> Result<Option<RouteRow>, KernelError> {
        let found = self.handle.route().get(route_request(ip)).execute();
        match dump("asking for a route", found, |message| route_row(&message)).await {
            Ok(routes) => Ok(routes.into_iter().next()),
            Err(KernelError::Refused { errno, .. }) if UNROUTED.contains(&errno) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// From now on the address is put back when it vanishes.
    pub fn hold(&self, placement: Placement) {
        self.leaving().remove(&key(&placement));
        self.quiet().remove(&key(&placement));
        self.held().insert(key(&placement), placement);
        self.bell.notify_one();
    }

    /// From now on it may vanish. Call it before the address is deleted. Gives what was held, again and
    /// again until [`Self::forget`] is told that it is gone: the tables may not show it, and its
    /// interface may have another name.
    pub fn release(&self, ip: IpAddr, device: Option<&str>) -> Vec<Placement> {
        let is_it = |(held_device, held_ip): &Key| {
            *held_ip == ip && device.is_none_or(|device| device == held_device)
        };
        let mut leaving = self.leaving();
        let mut held = self.held();
        let keys: Vec<Key> = held.keys().filter(|key| is_it(key)).cloned().collect();
        for key in keys {
            self.quiet().remove(&key);
            let placement = held.remove(&key);
            leaving.extend(placement.map(|placement| (key, placement)));
        }
        let released = leaving.iter().filter(|(key, _)| is_it(key));
        released.map(|(_, placement)| placement.clone()).collect()
    }

    /// They have been deleted.
    pub fn forget(&self, released: &[Placement]) {
        let mut leaving = self.leaving();
        for placement in released {
            leaving.remove(&key(placement));
        }
    }

    /// Does this node hold it?
    pub fn holds(&self, placement: &Placement) -> bool {
        self.held().contains_key(&key(placement))
    }

    /// Every held address, for labels that are promised but not visible yet.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of this lock can panic")
    }

    /// Those that were put for a moment, whose labels nobody else must get.
    pub fn prepared(&self) -> MutexGuard<'_, Held> {
        let prepared = self.prepared.lock();
        prepared.expect("no holder of this lock can panic")
    }

    fn quiet(&self) -> MutexGuard<'_, BTreeSet<Key>> {
        self.quiet.lock().expect("no holder of this lock can panic")
    }

    fn leaving(&self) -> MutexGuard<'_, Held> {
        let leaving = self.leaving.lock();
        leaving.expect("no holder of this lock can panic")
    }

    /// Watches links and addresses as long as the kernel tells: carries out what the guard decides
    /// about held addresses, reports what others must hear, and passes on what else changed through
    /// `changed`. The error says why it ended.
    pub async fn watch(
        &self,
        announce: &impl Fn(&[Placement], &View),
        reports: &mpsc::Sender<Report>,
        changed: &watch::Sender<Arc<View>>,
    ) -> KernelError {
        let groups = [
            MulticastGroup::Ipv4Ifaddr,
            MulticastGroup::Ipv6Ifaddr,
            MulticastGroup::Link,
        ];
        let (connection, _handle, mut notes) = match rtnetlink::new_multicast_connection(&groups) {
            Ok(opened) => opened,
            Err(error) => return socket_error(error),
        };
        tokio::spawn(connection);
        let mut guard = Guard::default();
        // What changed before is not told any more: everything is looked at once.
        let mut again = Some(Instant::now());
        let mut concern = Concern::Everybody;
        loop {
            tokio::select! {
                note = notes.next() => match note {
                    Some((note, _)) => concern = concern.max(self.concern(&note.payload)),
                    None => return KernelError::Silent("watching addresses"),
                },
                () = self.bell.notified() => again = Some(sooner(again, HELD_SPACING)),
                () = until(again) => concern = concern.max(Concern::Held),
            }
            // A link that goes takes a thousand addresses along: one look for all of them.
            while let Ok((note, _)) = notes.try_recv() {
                concern = concern.max(self.concern(&note.payload));
            }
            if concern == Concern::Nobody {
                continue;
            }
            match self.view().await {
                Ok(view) => {
                    if concern == Concern::Everybody {
                        changed.send_replace(Arc::clone(&view));
                    }
                    concern = Concern::Nobody;
                    let prepared = self.prepared().clone();
                    let look = guard.look(&view, &self.held(), &prepared, Instant::now());
                    again = look.again;
                    self.carry_out(look, &view, &mut guard, announce, reports)
                        .await;
                }
                Err(_) => again = Some(sooner(again, RETRY_PAUSE)),
            }
            sleep(LOOK_SPACING).await;
        }
    }

    /// Does what the guard has decided, and tells.
    async fn carry_out(
        &self,
        look: Look,
        view: &View,
        guard: &mut Guard,
        announce: &impl Fn(&[Placement], &View),
        reports: &mpsc::Sender<Report>,
    ) {
        let mut news = look.news;
        // An address must not answer on two interfaces at once.
        self.delete(&look.leave).await;
        for (placement, result) in look.put.iter().zip(self.add(&look.put).await) {
            if result.is_ok() && !self.holds(placement) {
                // Released while it was being put back.
                self.delete(&[placement.row()]).await;
                continue;
            }
            if result.is_ok() {
                self.held().insert(key(placement), placement.clone());
                announce(std::slice::from_ref(placement), view);
            }
            let result = result.map_err(|error| error.to_string());
            news.extend(guard.put(&key(placement), result, Instant::now()));
        }
        if let Err(error) = self.reseat(&look.reseat, view).await {
            let text = format!("a virtual address stays the first of its network: {error}");
            news.push(News::Trouble(text));
        }
        if !look.announce.is_empty() {
            announce(&look.announce, view);
        }
        for news in news {
            // The loop is gone only when the daemon ends.
            let _ = reports.send(report(news)).await;
        }
    }

    /// Takes addresses off and puts them again, behind those that stay.
    async fn reseat(&self, placements: &[Placement], view: &View) -> Result<(), KernelError> {
        let links: BTreeSet<u32> = placements.iter().map(|p| p.link).collect();
        for link in links.iter().filter_map(|link| view.link(*link)) {
            // Else the node's own address would go with them.
            promotion::ensure(&link.name).map_err(socket_error)?;
        }
        let is_one = |row: &&AddressRow| {
            let mut all = placements.iter();
            all.any(|placement| (placement.link, placement.ip) == (row.link, row.ip))
        };
        let rows = || view.addresses().iter().filter(is_one);
        // Whoever stands first goes last, when only the node's own can follow it.
        let behind = rows().filter(|row| row.secondary);
        let first = rows().filter(|row| !row.secondary);
        let rows: Vec<AddressRow> = behind.chain(first).cloned().collect();
        for result in self.delete(&rows).await {
            result?;
        }
        for (placement, result) in placements.iter().zip(self.add(placements).await) {
            result?;
            if !self.holds(placement) {
                self.delete(&[placement.row()]).await;
            }
        }
        Ok(())
    }

    /// Whom does this notification concern?
    fn concern(&self, note: &NetlinkPayload<RouteNetlinkMessage>) -> Concern {
        let holds = |message: &AddressMessage| {
            local_address(message).is_some_and(|ip| {
                let is_it = |(_, other): &Key| *other == ip;
                self.held().keys().any(is_it) || self.prepared().keys().any(is_it)
            })
        };
        match note {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelAddress(message))
                if holds(message) =>
            {
                Concern::Held
            }
            // Most likely we have just put it ourselves.
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewAddress(message))
                if holds(message) =>
            {
                Concern::Nobody
            }
            // Links and addresses of the machine's own, or lost notifications: look at everything.
            NetlinkPayload::InnerMessage(_) | NetlinkPayload::Overrun(_) => Concern::Everybody,
            _ => Concern::Nobody,
        }
    }
}

/// Whom a change of the kernel's tables concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Concern {
    Nobody,
    /// Addresses that we hold.
    Held,
    /// The media as well.
    Everybody,
}

fn key(placement: &Placement) -> Key {
    (placement.device.clone(), placement.ip)
}

/// After this pause, or at the moment that was planned if that comes first.
fn sooner(planned: Option<Instant>, pause: Duration) -> Instant {
    let moment = Instant::now() + pause;
    planned.map_or(moment, |planned| planned.min(moment))
}

async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment.into()).await,
        None => std::future::pending().await,
    }
}

/// What the guard has to say, for the loop.
fn report(news: News) -> Report {
    match news {
        News::Restored { key, told } => Report::Restored {
            device: key.0,
            ip: key.1,
            told,
        },
        News::Trouble(text) => Report::Tell(Severity::Error, text),
        News::Lost { key, why } => Report::Lost {
            device: key.0,
            ip: key.1,
            why,
        },
        News::Renamed { from, to } => {
            let text = format!("interface {from} is called {to} now: its addresses stay on it");
            Report::Tell(Severity::Warning, text)
        }
    }
}

fn socket_error(error: io::Error) -> KernelError {
    KernelError::Socket(Arc::new(error))
}

/// Answers everybody who was waiting when a reading began.
async fn serve_views(
    handle: Handle,
    mut requests: mpsc::Receiver<oneshot::Sender<Result<Arc<View>, KernelError>>>,
) {
    let mut waiting = Vec::with_capacity(VIEW_QUEUE);
    while requests.recv_many(&mut waiting, VIEW_QUEUE).await > 0 {
        let view = read_view(&handle).await.map(Arc::new);
        for answer in waiting.drain(..) {
            // Whoever asked may have been cancelled.
            let _ = answer.send(view.clone());
        }
    }
}

/// Reads one table after the other: a netlink socket carries one dump at a time (EBUSY).
async fn read_view(handle: &Handle) -> Result<View, KernelError> {
    let links = tables::links(handle).await?;
    let addresses = tables::addresses(handle).await?;
    Ok(View::new(links, addresses))
}

async fn dump<M, R>(
    operation: &'static str,
    stream: impl Stream<Item = Result<M, rtnetlink::Error>>,
    row: impl Fn(M) -> Option<R>,
) -> Result<Vec<R>, KernelError> {
    let collect = async {
        let mut stream = std::pin::pin!(stream);
        let mut rows = Vec::new();
        while let Some(message) = stream.next().await {
            rows.extend(row(message?));
        }
        Ok(rows)
    };
    limited(operation, collect).await
}

/// Gives the kernel a moment, and its refusal a name.
async fn limited<T>(
    operation: &'static str,
    request: impl Future<Output = Result<T, rtnetlink::Error>>,
) -> Result<T, KernelError> {
    let answer = timeout(NETLINK_LIMIT, request)
        .await
        .map_err(|_| KernelError::Silent(operation))?;
    answer.map_err(|error| match error {
        rtnetlink::Error::NetlinkError(error) => KernelError::Refused {
            operation,
            reason: error.to_io().to_string(),
            errno: -error.raw_code(),
        },
        other => KernelError::Refused {
            operation,
            reason: other.to_string(),
            errno: 0,
        },
    })
}

#[cfg(test)]
mod tests;
