//! The kernel's table, kept at arm's length: one task talks to IPVS, one order at a time, and
//! reports every result back.
//!
//! Translates between the core's values and the client's; decides nothing.

use ldird_core::table::{
    DestinationKey, DestinationSpec, Edit, Forwarding, Protocol, Service, ServiceKey, ServiceSpec,
    Table, Tunnel, TunnelChecksum,
};
use ldird_ipvs::{
    Cause, Client, Destination, Error, Family, Netmask, ServiceFlags, ServiceId, ServiceStatus,
    Timeouts,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Orders under way: one reading, one batch of edits, one count and one setting, never more.
const ORDERS_MAX: usize = 5;

/// A batch of edits takes no longer but for its last edit, however slowly the kernel answers: a
/// stop, or a server that died meanwhile, does not wait behind thousands of time-outs.
const APPLY_LIMIT: Duration = Duration::from_secs(5);

/// What the task can be told.
#[derive(Debug)]
pub(crate) enum Order {
    /// Dump the table for the core.
    Read,
    /// Read these services with their rows.
    ReadServices(Vec<ServiceKey>),
    /// See which services there are.
    List,
    /// Make these edits, in this order, each whatever became of the one before.
    Apply(Vec<Edit>),
    /// Dump the table for its counters only.
    Count,
    /// Set how long idle connections are remembered.
    SetTimeouts(Timeouts),
}

/// What became of an order.
#[derive(Debug)]
pub(crate) enum Outcome {
    Read(Result<(Table, Counters), String>),
    ReadServices(Result<Vec<(ServiceKey, Option<Service>)>, String>),
    Listed(Result<BTreeSet<ServiceKey>, String>),
    Applied(Vec<(Edit, Result<(), String>)>),
    Counted(Result<Counters, String>),
    TimeoutsSet(Result<(), String>),
}

/// What the kernel counted, by virtual service.
pub(crate) type Counters = BTreeMap<ServiceKey, ServiceCounters>;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceCounters {
    pub(crate) connections: u64,
    pub(crate) packets_in: u64,
    pub(crate) bytes_in: u64,
    pub(crate) reals: BTreeMap<DestinationKey, RealCounters>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RealCounters {
    pub(crate) active: u32,
    pub(crate) inactive: u32,
    pub(crate) connections: u64,
}

/// The task's two ends.
#[derive(Debug)]
pub(crate) struct Kernel {
    orders: mpsc::Sender<Order>,
    outcomes: mpsc::Receiver<Outcome>,
}

impl Kernel {
    /// Starts the task; it ends with its last order when this is dropped. Needs a runtime.
    pub(crate) fn start(client: Client) -> Self {
        let (orders, mut inbox) = mpsc::channel(ORDERS_MAX);
        let (outbox, outcomes) = mpsc::channel(ORDERS_MAX);
        tokio::spawn(async move {
            let mut client = client;
            while let Some(order) = inbox.recv().await {
                let outcome = carry_out(&mut client, order).await;
                if outbox.send(outcome).await.is_err() {
                    return;
                }
            }
        });
        Self { orders, outcomes }
    }

    /// Over somebody else's ends of the same channels.
    pub(crate) fn from_parts(
        orders: mpsc::Sender<Order>,
        outcomes: mpsc::Receiver<Outcome>,
    ) -> Self {
        Self { orders, outcomes }
    }

    /// Never waits: there is room for one order of each kind.
    pub(crate) fn order(&self, order: Order) {
        let sent = self.orders.try_send(order);
        sent.expect("one order of a kind is under way at a time");
    }

    /// The next outcome. Dropping the future loses nothing.
    pub(crate) async fn outcome(&mut self) -> Outcome {
        let outcome = self.outcomes.recv().await;
        outcome.expect("the task lives as long as its orders' sender")
    }
}

async fn carry_out(client: &mut Client, order: Order) -> Outcome {
    match order {
        Order::Read => Outcome::Read(match client.dump().await {
            Ok(dump) => Ok((table(&dump), counters(&dump))),
            Err(error) => Err(error.to_string()),
        }),
        Order::ReadServices(keys) => {
            Outcome::ReadServices(services(client, keys).await.map_err(|e| e.to_string()))
        }
        Order::List => Outcome::Listed(match client.services().await {
            Ok(list) => Ok(list.into_iter().map(|service| key(service.id)).collect()),
            Err(error) => Err(error.to_string()),
        }),
        Order::Count => Outcome::Counted(match client.dump().await {
            Ok(dump) => Ok(counters(&dump)),
            Err(error) => Err(error.to_string()),
        }),
        Order::SetTimeouts(timeouts) => {
            let set = client.set_timeouts(&timeouts).await;
            Outcome::TimeoutsSet(set.map_err(|error| error.to_string()))
        }
        Order::Apply(edits) => Outcome::Applied(within(APPLY_LIMIT, edits, client).await),
    }
}

/// Each service as it is now; `None` where there is none.
async fn services(
    client: &mut Client,
    keys: Vec<ServiceKey>,
) -> Result<Vec<(ServiceKey, Option<Service>)>, Error> {
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        let status = client.service(&id(&key)).await?;
        rows.push((key, status.as_ref().map(row)));
    }
    Ok(rows)
}

/// Who makes edits: the kernel, or a test.
trait Editor {
    fn edit(&mut self, edit: &Edit) -> impl Future<Output = Result<(), String>> + Send;
}

impl Editor for Client {
    async fn edit(&mut self, edit: &Edit) -> Result<(), String> {
        let result = carry_through(self, edit).await;
        result.map_err(|error| in_words(edit, &error))
    }
}

/// Makes edits until the time is up; those that are left count as refused and are tried again.
async fn within(
    limit: Duration,
    edits: Vec<Edit>,
    kernel: &mut impl Editor,
) -> Vec<(Edit, Result<(), String>)> {
    let end = Instant::now() + limit;
    let mut results = Vec::with_capacity(edits.len());
    for edit in edits {
        let result = if Instant::now() < end {
            kernel.edit(&edit).await
        } else {
            Err(format!(
                "not tried: the changes before it took {} s",
                limit.as_secs()
            ))
        };
        results.push((edit, result));
    }
    results
}

/// Deletes these services with a connection of its own, for who is no director.
pub(crate) async fn take_out(services: Vec<ServiceKey>) -> Result<(), Error> {
    let mut client = Client::connect().await?;
    for service in services {
        carry_through(&mut client, &Edit::DeleteService(service)).await?;
    }
    Ok(())
}

/// Makes an edit, or what it comes to where somebody else has been faster than we were between
/// reading and editing (kernel interface 5.6).
async fn carry_through(client: &mut Client, edit: &Edit) -> Result<(), Error> {
    let Err(error) = make(client, edit).await else {
        return Ok(());
    };
    match error.cause().and_then(|cause| overtaken(edit, cause)) {
        Some(Instead::Nothing) => Ok(()),
        Some(Instead::Edit(mut instead)) => {
            // What is there has not been read: it may hold what no file has a word for.
            if let Some(held) = client.service(&id(&instead.service())).await? {
                instead.keep(&row(&held));
            }
            make(client, &instead).await
        }
        None => Err(error),
    }
}

/// What is to be done instead of an edit that somebody else overtook.
#[derive(Debug, PartialEq, Eq)]
enum Instead {
    Nothing,
    Edit(Edit),
}

fn overtaken(edit: &Edit, cause: Cause) -> Option<Instead> {
    match edit {
        Edit::DeleteService(_) => (cause == Cause::NoSuchService).then_some(Instead::Nothing),
        Edit::DeleteDestination(..) => {
            let gone = matches!(cause, Cause::NoSuchDestination | Cause::ServiceNotDefined);
            gone.then_some(Instead::Nothing)
        }
        Edit::AddService(key, spec) => (cause == Cause::ServiceExists)
            .then(|| Instead::Edit(Edit::EditService(*key, spec.clone()))),
        Edit::AddDestination(key, real, spec) => (cause == Cause::DestinationExists)
            .then(|| Instead::Edit(Edit::EditDestination(*key, *real, spec.clone()))),
        Edit::EditDestination(key, real, spec) => (cause == Cause::NoSuchDestination)
            .then(|| Instead::Edit(Edit::AddDestination(*key, *real, spec.clone()))),
        // A service that vanished has lost its destinations, too: that needs a new reading.
        Edit::EditService(..) => None,
    }
}

/// The kernel does not say which name it does not know.
fn in_words(edit: &Edit, error: &Error) -> String {
    match edit {
        Edit::AddService(_, spec) | Edit::EditService(_, spec)
            if error.cause() == Some(Cause::NoSuchScheduler) =>
        {
            let name = &spec.scheduler;
            format!("{error} (scheduler \"{name}\", kernel module ip_vs_{name})")
        }
        Edit::AddService(..)
        | Edit::EditService(..)
        | Edit::DeleteService(_)
        | Edit::AddDestination(..)
        | Edit::EditDestination(..)
        | Edit::DeleteDestination(..) => error.to_string(),
    }
}

async fn make(client: &mut Client, edit: &Edit) -> Result<(), Error> {
    match edit {
        Edit::AddService(key, spec) => client.add_service(&service(key, spec)).await,
        Edit::EditService(key, spec) => client.edit_service(&service(key, spec)).await,
        Edit::DeleteService(key) => client.delete_service(&id(key)).await,
        Edit::AddDestination(key, real, spec) => {
            client
                .add_destination(&id(key), &destination(real, spec))
                .await
        }
        Edit::EditDestination(key, real, spec) => {
            client
                .edit_destination(&id(key), &destination(real, spec))
                .await
        }
        Edit::DeleteDestination(key, real) => {
            let address = SocketAddr::new(real.address, real.port);
            client.delete_destination(&id(key), address).await
        }
    }
}

fn id(key: &ServiceKey) -> ServiceId {
    match *key {
        ServiceKey::Address { protocol, address } => ServiceId::Address {
            ip: address.ip(),
            port: address.port(),
            protocol: match protocol {
                Protocol::Tcp => ldird_ipvs::Protocol::Tcp,
                Protocol::Udp => ldird_ipvs::Protocol::Udp,
                Protocol::Sctp => ldird_ipvs::Protocol::Sctp,
            },
        },
        ServiceKey::Fwmark { mark, v6 } => ServiceId::Fwmark {
            family: if v6 { Family::V6 } else { Family::V4 },
            mark,
        },
    }
}

fn key(id: ServiceId) -> ServiceKey {
    match id {
        ServiceId::Address { ip, protocol, port } => ServiceKey::Address {
            address: SocketAddr::new(ip, port),
            protocol: match protocol {
                ldird_ipvs::Protocol::Tcp => Protocol::Tcp,
                ldird_ipvs::Protocol::Udp => Protocol::Udp,
                ldird_ipvs::Protocol::Sctp => Protocol::Sctp,
            },
        },
        ServiceId::Fwmark { family, mark } => ServiceKey::Fwmark {
            mark,
            v6: family == Family::V6,
        },
    }
}

fn service(key: &ServiceKey, spec: &ServiceSpec) -> ldird_ipvs::Service {
    let id = id(key);
    let [sched1, sched2, sched3] = spec.scheduler_flags;
    let netmask = match id.family() {
        Family::V4 => {
            let host_bits = 32_u32.saturating_sub(spec.netmask.into());
            Netmask::V4(Ipv4Addr::from(u32::MAX.checked_shl(host_bits).unwrap_or(0)))
        }
        Family::V6 => Netmask::V6(spec.netmask),
    };
    ldird_ipvs::Service {
        flags: ServiceFlags {
            persistent: spec.persistent.is_some(),
            one_packet: spec.one_packet,
            sched1,
            sched2,
            sched3,
        },
        timeout: spec.persistent.unwrap_or(0),
        netmask,
        pe_name: spec.pe.clone(),
        ..ldird_ipvs::Service::new(id, spec.scheduler.as_str())
    }
}

fn spec(service: &ldird_ipvs::Service) -> ServiceSpec {
    let flags = service.flags;
    ServiceSpec {
        scheduler: service.scheduler.clone(),
        persistent: flags.persistent.then_some(service.timeout),
        netmask: match service.netmask {
            // Of a mask with holes, which only others can have set, this is the beginning.
            Netmask::V4(mask) => u32::from(mask).leading_ones() as u8,
            Netmask::V6(prefix) => prefix,
        },
        one_packet: flags.one_packet,
        scheduler_flags: [flags.sched1, flags.sched2, flags.sched3],
        pe: service.pe_name.clone(),
    }
}

fn destination(real: &DestinationKey, spec: &DestinationSpec) -> Destination {
    let address = SocketAddr::new(real.address, real.port);
    let forwarding = match spec.forwarding {
        Forwarding::Gate => ldird_ipvs::Forwarding::Route,
        Forwarding::Masq => ldird_ipvs::Forwarding::Masq,
        Forwarding::Ipip => ldird_ipvs::Forwarding::Tunnel,
        Forwarding::Local => ldird_ipvs::Forwarding::Local,
    };
    Destination {
        upper_threshold: spec.upper,
        lower_threshold: spec.lower,
        tunnel: tunnel(spec.tunnel),
        ..Destination::new(address, forwarding, spec.weight)
    }
}

fn destination_spec(destination: &Destination) -> DestinationSpec {
    DestinationSpec {
        forwarding: match destination.forwarding {
            ldird_ipvs::Forwarding::Route => Forwarding::Gate,
            ldird_ipvs::Forwarding::Masq => Forwarding::Masq,
            ldird_ipvs::Forwarding::Tunnel => Forwarding::Ipip,
            // Both are the kernel's own choice and never in a file.
            ldird_ipvs::Forwarding::Local | ldird_ipvs::Forwarding::Bypass => Forwarding::Local,
        },
        weight: destination.weight,
        upper: destination.upper_threshold,
        lower: destination.lower_threshold,
        tunnel: core_tunnel(destination.tunnel),
    }
}

fn tunnel(tunnel: Tunnel) -> ldird_ipvs::Tunnel {
    let translate = |checksum| match checksum {
        TunnelChecksum::None => ldird_ipvs::TunnelChecksum::None,
        TunnelChecksum::Full => ldird_ipvs::TunnelChecksum::Full,
        TunnelChecksum::Remote => ldird_ipvs::TunnelChecksum::Remote,
    };
    match tunnel {
        Tunnel::Ipip => ldird_ipvs::Tunnel::Ipip,
        Tunnel::Gue { port, checksum } => ldird_ipvs::Tunnel::Gue {
            port,
            checksum: translate(checksum),
        },
        Tunnel::Gre { checksum } => ldird_ipvs::Tunnel::Gre {
            checksum: translate(checksum),
        },
    }
}

fn core_tunnel(tunnel: ldird_ipvs::Tunnel) -> Tunnel {
    let translate = |checksum| match checksum {
        ldird_ipvs::TunnelChecksum::None => TunnelChecksum::None,
        ldird_ipvs::TunnelChecksum::Full => TunnelChecksum::Full,
        ldird_ipvs::TunnelChecksum::Remote => TunnelChecksum::Remote,
    };
    match tunnel {
        ldird_ipvs::Tunnel::Ipip => Tunnel::Ipip,
        ldird_ipvs::Tunnel::Gue { port, checksum } => Tunnel::Gue {
            port,
            checksum: translate(checksum),
        },
        ldird_ipvs::Tunnel::Gre { checksum } => Tunnel::Gre {
            checksum: translate(checksum),
        },
    }
}

fn destination_key(destination: &Destination) -> DestinationKey {
    DestinationKey {
        address: destination.address.ip(),
        port: destination.address.port(),
    }
}

/// A dump in the core's words.
pub(crate) fn table(dump: &[ServiceStatus]) -> Table {
    let services = dump.iter();
    services
        .map(|status| (key(status.service.id), row(status)))
        .collect()
}

fn row(status: &ServiceStatus) -> Service {
    let reals = status.destinations.iter().map(|real| {
        let real = &real.destination;
        (destination_key(real), destination_spec(real))
    });
    Service {
        spec: spec(&status.service),
        destinations: reals.collect(),
    }
}

fn counters(dump: &[ServiceStatus]) -> Counters {
    let services = dump.iter().map(|status| {
        let reals = status.destinations.iter().map(|real| {
            let counters = RealCounters {
                active: real.active_connections,
                inactive: real.inactive_connections,
                connections: real.stats.connections,
            };
            (destination_key(&real.destination), counters)
        });
        let counters = ServiceCounters {
            connections: status.stats.connections,
            packets_in: status.stats.in_packets,
            bytes_in: status.stats.in_bytes,
            reals: reals.collect(),
        };
        (key(status.service.id), counters)
    });
    services.collect()
}

#[cfg(test)]
mod tests;
