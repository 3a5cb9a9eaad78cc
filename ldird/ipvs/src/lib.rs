//! IPVS, the load balancer of the Linux kernel, over generic netlink.
//!
//! A typed, asynchronous client of the kernel's own interface: it needs neither ipvsadm nor libnl, and
//! speaks IPv4, IPv6 and firewall marks. It keeps no state of its own and makes no decisions. With it
//! come ipvsadm's text formats, in [`text`].
//!
//! ```no_run
//! use ldird_ipvs::{Cause, Client, Destination, Forwarding, Service, ServiceId};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect().await?;
//! let web = Service::new(ServiceId::tcp([192, 0, 2, 1], 80), "wlc");
//! match client.add_service(&web).await {
//!     Err(error) if error.cause() == Some(Cause::ServiceExists) => client.edit_service(&web).await?,
//!     other => other?,
//! }
//! let real = Destination::new("10.0.0.2:80".parse()?, Forwarding::Route, 1);
//! client.add_destination(&web.id, &real).await?;
//!
//! let info = client.info().await?;
//! let table = client.dump().await?;
//! print!("{}", ldird_ipvs::text::list(&info, &table, ldird_ipvs::text::Columns::Normal));
//! # Ok(())
//! # }
//! ```
//!
//! Everything here acts on the network namespace of the calling thread and needs CAP_NET_ADMIN in the
//! initial user namespace, reading included.

mod attributes;
mod client;
mod daemon;
mod destination;
mod error;
#[cfg(test)]
mod golden;
mod identity;
mod info;
mod link;
mod messages;
mod module;
mod service;
mod stats;
pub mod text;

pub use attributes::DecodeError;
pub use client::Client;
pub use daemon::{SyncDaemon, SyncRole};
pub use destination::{
    Destination, DestinationStatus, Forwarding, MAX_WEIGHT, Tunnel, TunnelChecksum,
};
pub use error::{Attempt, Cause, Error, Invalid, Operation};
pub use identity::{Family, NAME_BYTES, Protocol, ServiceId};
pub use info::{Info, Timeouts, Version};
pub use service::{Netmask, Service, ServiceFlags, ServiceStatus};
pub use stats::Stats;
