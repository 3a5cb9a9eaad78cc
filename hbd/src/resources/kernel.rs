//! The kernel's tables of links, addresses and routes, through rtnetlink: read, add, delete, and
//! the guard that puts back what others remove.
//!
//! The only file that knows rtnetlink. One connection carries every request, in the order in which
//! they were made; whoever asks for a view while one is being read shares the next one, so that a
//! thousand groups starting at once cost two dumps. Decides nothing about where an address goes.

use super::address::{AddressRow, LinkRow, Placement, RouteRow, View};
use futures_util::{Stream, StreamExt, future::join_all};
use rtnetlink::packet_core::NetlinkPayload;
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::{
    AddressAttribute, AddressHeaderFlags, AddressMessage, AddressScope,
};
use rtnetlink::packet_route::link::{LinkAttribute, LinkFlags, LinkLayerType, LinkMessage};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteType,
};
use rtnetlink::{Handle, MulticastGroup};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::time::timeout;

/// The kernel answers at once; longer means that it never will.
const NETLINK_LIMIT: Duration = Duration::from_secs(5);
/// Requests without an answer yet. Some 250 answers fit into a netlink socket's receive buffer, and
/// those that do not are lost (ENOBUFS).
const IN_FLIGHT_MAX: usize = 64;
/// Requests for a view that may queue, one for each group; more wait in their senders.
const VIEW_QUEUE: usize = hbd_core::config::MAX_GROUPS;
/// Pause after a repair that failed, before the next attempt.
const REPAIR_PAUSE: Duration = Duration::from_millis(200);
/// Pause after a repair, so that a quarrel with another tool does not take the processor.
const REPAIR_SPACING: Duration = Duration::from_millis(10);

/// `EEXIST`: the address is there already.
const EEXIST: i32 = libc::EEXIST;
/// `EADDRNOTAVAIL`, `ENODEV`: the address or its interface is gone already.
const GONE: [i32; 2] = [libc::EADDRNOTAVAIL, libc::ENODEV];

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
}

/// A handle on the kernel; clones share everything.
#[derive(Clone)]
pub struct Kernel {
    handle: Handle,
    views: mpsc::Sender<oneshot::Sender<Result<Arc<View>, KernelError>>>,
    held: Arc<Mutex<Held>>,
    /// Fair: requests leave in the order in which they were made.
    in_flight: Arc<Semaphore>,
}

/// What this node holds and must not lose, by interface and address.
type Held = BTreeMap<(String, IpAddr), Placement>;

impl Kernel {
    /// Opens the connection; its tasks end with the runtime.
    pub fn connect() -> Result<Self, KernelError> {
        let (connection, handle, _) = rtnetlink::new_connection().map_err(socket_error)?;
        tokio::spawn(connection);
        let (views, requests) = mpsc::channel(VIEW_QUEUE);
        tokio::spawn(serve_views(handle.clone(), requests));
        Ok(Self {
            handle,
            views,
            held: Arc::default(),
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

    /// Puts addresses on their interfaces, all at once. There already is success.
    pub async fn add(&self, placements: &[Placement]) -> Vec<Result<(), KernelError>> {
        let requests = placements.iter().map(|placement| async {
            let mut request =
                self.handle
                    .address()
                    .add(placement.link, placement.ip, placement.prefix);
            *request.message_mut() = message(placement);
            let _permit = self.in_flight.acquire().await;
            match limited("adding the address", request.execute()).await {
                Err(KernelError::Refused { errno: EEXIST, .. }) => Ok(()),
                result => result,
            }
        });
        join_all(requests).await
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

    /// From now on the address is put back when it vanishes.
    pub fn hold(&self, placement: Placement) {
        let key = (placement.device.clone(), placement.ip);
        self.held().insert(key, placement);
    }

    /// From now on it may vanish. Call it before the address is deleted.
    pub fn release(&self, ip: IpAddr, device: Option<&str>) {
        self.held().retain(|(held_device, held_ip), _| {
            *held_ip != ip || device.is_some_and(|device| device != held_device)
        });
    }

    /// Does this node hold it?
    pub fn holds(&self, placement: &Placement) -> bool {
        self.held()
            .contains_key(&(placement.device.clone(), placement.ip))
    }

    /// Every held address, for labels that are promised but not visible yet.
    pub fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().expect("no holder of this lock can panic")
    }

    /// Watches links and addresses as long as the kernel tells: puts back held addresses that
    /// vanish, reports each with `restored` or, once, what keeps it away with `trouble`, and passes
    /// on what else changed through `changed`. The error says why it ended.
    pub async fn watch(
        self,
        restored: impl Fn(&Placement, &View),
        trouble: impl Fn(String),
        changed: watch::Sender<Arc<View>>,
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
        let mut told = BTreeSet::new();
        while let Some((note, _)) = notes.next().await {
            let mut concern = self.concern(&note.payload);
            loop {
                // A link that goes takes a thousand addresses along: one repair for all of them.
                while let Ok((note, _)) = notes.try_recv() {
                    concern = concern.max(self.concern(&note.payload));
                }
                if concern == Concern::Nobody {
                    break;
                }
                let (missing, pause) = match self.repair(concern, &restored, &changed).await {
                    Ok(missing) => {
                        // One whose interface is gone waits for the news of its return.
                        let refused = missing.iter().any(|missing| missing.refused);
                        concern = if refused { concern } else { Concern::Nobody };
                        (
                            missing,
                            if refused {
                                REPAIR_PAUSE
                            } else {
                                REPAIR_SPACING
                            },
                        )
                    }
                    Err(_) => (BTreeSet::new(), REPAIR_PAUSE),
                };
                missing
                    .difference(&told)
                    .for_each(|new| trouble(new.text.clone()));
                told = missing;
                tokio::time::sleep(pause).await;
            }
        }
        KernelError::Silent("watching addresses")
    }

    /// Whom does this notification concern?
    fn concern(&self, note: &NetlinkPayload<RouteNetlinkMessage>) -> Concern {
        let holds = |message: &AddressMessage| {
            local_address(message).is_some_and(|ip| self.held().keys().any(|(_, held)| *held == ip))
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

    /// Puts back what is held and missing, as far as that is possible; what remains missing.
    async fn repair(
        &self,
        concern: Concern,
        restored: &impl Fn(&Placement, &View),
        changed: &watch::Sender<Arc<View>>,
    ) -> Result<BTreeSet<Missing>, KernelError> {
        let view = self.view().await?;
        if concern == Concern::Everybody {
            // Our own media must not settle on an address that may go with its group.
            let held: BTreeSet<IpAddr> = self.held().keys().map(|(_, ip)| *ip).collect();
            changed.send_replace(Arc::new(view.without(|row| held.contains(&row.ip))));
        }
        let mut still_missing = BTreeSet::new();
        let mut missing = Vec::new();
        for placement in self.held().values() {
            let Some(link) = view.link_named(&placement.device) else {
                still_missing.insert(Missing::interface(placement));
                continue;
            };
            let link = link.index;
            if !view.has(link, placement.ip) {
                let placement = placement.clone();
                missing.push(Placement { link, ..placement });
            }
        }
        for (placement, result) in missing.iter().zip(self.add(&missing).await) {
            if let Err(error) = result {
                still_missing.insert(Missing::refused(placement, &error));
            } else if self.holds(placement) {
                self.hold(placement.clone());
                restored(placement, &view);
            } else {
                // Released while it was being put back.
                let row = AddressRow::of(placement);
                self.delete(&[row]).await;
            }
        }
        Ok(still_missing)
    }
}

/// A held address that is not there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Missing {
    text: String,
    /// By the kernel: trying again may help. Else the interface is gone.
    refused: bool,
}

impl Missing {
    fn interface(placement: &Placement) -> Self {
        let Placement { ip, device, .. } = placement;
        Self {
            text: format!("interface {device} is gone, and {ip} with it, until it returns"),
            refused: false,
        }
    }

    fn refused(placement: &Placement, error: &KernelError) -> Self {
        let Placement { ip, device, .. } = placement;
        Self {
            text: format!("{ip} has vanished from {device} and cannot be put back: {error}"),
            refused: true,
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
    let links = handle.link().get().execute();
    let links = dump("reading links", links, |message| link_row(&message)).await?;
    let addresses = handle.address().get().execute();
    let addresses = dump("reading addresses", addresses, |message| {
        address_row(&message)
    })
    .await?;
    let mut routes = Vec::new();
    for family in [
        rtnetlink::RouteMessageBuilder::<Ipv4Addr>::new().build(),
        rtnetlink::RouteMessageBuilder::<Ipv6Addr>::new().build(),
    ] {
        let found = handle.route().get(family).execute();
        routes.extend(dump("reading routes", found, |message| route_row(&message)).await?);
    }
    Ok(View::new(links, addresses, routes))
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

fn message(placement: &Placement) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(placement.ip);
    message.header.prefix_len = placement.prefix;
    message.header.index = placement.link;
    message.header.scope = if placement.ip.is_loopback() {
        AddressScope::Host
    } else {
        AddressScope::Universe
    };
    // Duplicate detection would hold the address back for a second; whoever had it is known dead
    // or has let go.
    if placement.ip.is_ipv6() {
        message.header.flags = AddressHeaderFlags::Nodad;
    }
    let attributes = &mut message.attributes;
    attributes.push(AddressAttribute::Local(placement.ip));
    attributes.push(AddressAttribute::Address(placement.ip));
    attributes.extend(placement.broadcast.map(AddressAttribute::Broadcast));
    attributes.extend(placement.label.clone().map(AddressAttribute::Label));
    message
}

fn deletion(row: &AddressRow) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(row.ip);
    message.header.prefix_len = row.prefix;
    message.header.index = row.link;
    message.attributes.push(AddressAttribute::Local(row.ip));
    message
}

fn family(ip: IpAddr) -> rtnetlink::packet_route::AddressFamily {
    match ip {
        IpAddr::V4(_) => rtnetlink::packet_route::AddressFamily::Inet,
        IpAddr::V6(_) => rtnetlink::packet_route::AddressFamily::Inet6,
    }
}

fn link_row(message: &LinkMessage) -> Option<LinkRow> {
    let name = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        })?;
    let hardware = message
        .attributes
        .iter()
        .find_map(|attribute| match attribute {
            LinkAttribute::Address(bytes) => <[u8; 6]>::try_from(bytes.as_slice()).ok(),
            _ => None,
        });
    let flags = message.header.flags;
    let announces =
        message.header.link_layer_type == LinkLayerType::Ether && !flags.contains(LinkFlags::Noarp);
    Some(LinkRow {
        index: message.header.index,
        name,
        loopback: flags.contains(LinkFlags::Loopback),
        mac: hardware.filter(|_| announces),
    })
}

/// The interface's own address: `IFA_LOCAL`, or `IFA_ADDRESS` for IPv6, which has no local one.
fn local_address(message: &AddressMessage) -> Option<IpAddr> {
    let find =
        |want: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(want);
    find(|attribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    })
    .or_else(|| {
        find(|attribute| match attribute {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}

fn address_row(message: &AddressMessage) -> Option<AddressRow> {
    let mut row = AddressRow {
        link: message.header.index,
        ip: local_address(message)?,
        prefix: message.header.prefix_len,
        label: None,
        broadcast: None,
    };
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Label(label) => row.label = Some(label.clone()),
            AddressAttribute::Broadcast(broadcast) => row.broadcast = Some(*broadcast),
            _ => {}
        }
    }
    Some(row)
}

/// A unicast route of the main table without a gateway.
fn route_row(message: &RouteMessage) -> Option<RouteRow> {
    let header = &message.header;
    if header.kind != RouteType::Unicast || header.table != RouteHeader::RT_TABLE_MAIN {
        return None;
    }
    let mut network = None;
    let mut link = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Gateway(_) | RouteAttribute::Via(_) | RouteAttribute::MultiPath(_) => {
                return None;
            }
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => network = Some(IpAddr::V4(*ip)),
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => network = Some(IpAddr::V6(*ip)),
            RouteAttribute::Oif(index) => link = Some(*index),
            _ => {}
        }
    }
    Some(RouteRow {
        link: link?,
        network: network?,
        prefix: header.destination_prefix_length,
    })
}
