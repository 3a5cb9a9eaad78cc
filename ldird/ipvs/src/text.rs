//! ipvsadm's text formats, so that a director needs no ipvsadm.
//!
//! Printing ([`list`], [`save`]) and reading ([`parse`]) are pure functions over the types of this
//! crate; they never ask the kernel or a name service, so everything is numeric (`-n`).

mod connections;
mod list;
mod restore;
mod save;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;

pub use connections::connections;
pub use list::{Columns, Numbers, list, list_service};
pub use restore::{
    Command, MAX_FAULTS, MAX_LINE_BYTES, Problem, RestoreError, parse, parse_service,
};
pub use save::save;

use crate::identity::{Family, ServiceId};
use crate::service::Service;

/// `10.0.0.1:80`, `[2001:db8::1]:80`, `5` or `5 IPv6`: a service without its protocol.
fn service_name(id: &ServiceId) -> String {
    match *id {
        ServiceId::Address { ip, port, .. } => SocketAddr::new(ip, port).to_string(),
        ServiceId::Fwmark {
            family: Family::V4,
            mark,
        } => mark.to_string(),
        ServiceId::Fwmark {
            family: Family::V6,
            mark,
        } => format!("{mark} IPv6"),
    }
}

/// Names of the three scheduler flags: `sh` and `mh` have words of their own for the first two.
fn flag_names(scheduler: &str) -> [&'static str; 3] {
    match scheduler {
        "sh" => ["sh-fallback", "sh-port", "flag-3"],
        "mh" => ["mh-fallback", "mh-port", "flag-3"],
        _ => ["flag-1", "flag-2", "flag-3"],
    }
}

/// The scheduler flags that are on, joined by commas; `None` if none is. ipvsadm forgets the third flag
/// of `sh` and `mh` and then saves a line that it cannot read; here it is named.
fn scheduler_flags(service: &Service) -> Option<String> {
    let flags = service.flags;
    let on = [flags.sched1, flags.sched2, flags.sched3];
    let names = flag_names(&service.scheduler).into_iter().zip(on);
    let names: Vec<_> = names.filter_map(|(name, on)| on.then_some(name)).collect();
    (!names.is_empty()).then(|| names.join(","))
}
