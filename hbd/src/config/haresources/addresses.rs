//! The addresses of haresources as an operator reads them: which of them cannot work, alone and
//! beside each other.

use crate::resources::address::AddressSpec;
use ha_plumbing::Diagnostic;
use hbd_core::config::NodeName;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

const USAGE: &str = "ADDRESS[/MASK[/INTERFACE[:LABEL]][/BROADCAST]]";

/// Where an address was first named.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    /// Line of the resource.
    line: u32,
    group: Group,
}

/// The group that is being read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Group {
    /// The line where it begins.
    line: u32,
    /// `None`: no node of this cluster.
    preferred: Option<NodeName>,
}

/// Every address so far.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    group: Group,
    /// Are its addresses compared with those of others?
    compared: bool,
    seen: BTreeMap<IpAddr, Seen>,
}

impl Addresses {
    pub(super) fn begin_group(
        &mut self,
        (line, preferred): (u32, Option<NodeName>),
        compared: bool,
    ) {
        self.group = Group { line, preferred };
        self.compared = compared;
    }

    /// What is wrong with the arguments of an address script. `peers` are addresses of nodes.
    pub(super) fn judge(
        &mut self,
        script: &str,
        args: &[String],
        peers: &[IpAddr],
        line: u32,
    ) -> Vec<Diagnostic> {
        let spec = match AddressSpec::parse(args) {
            Ok(spec) => spec,
            Err(error) => {
                let fault = Diagnostic::error(format!("{script}: {error}"));
                return vec![fault.hint(format!("{script}::{USAGE}"))];
            }
        };
        let more = (args.len() > 1).then(|| {
            let message = format!("{script} takes one argument and not {}", args.len());
            Diagnostic::error(message).hint(format!("{script}::{USAGE}"))
        });
        let peer = peers.contains(&spec.ip).then(|| {
            Diagnostic::error(format!(
                "{script}: {} is the address of a node, as a ucast line of ha.cf says",
                spec.ip
            ))
            .hint("a resource needs an address of its own, which no node has otherwise")
        });
        let found = [
            more,
            peer,
            unfit(script, &spec),
            self.again(script, spec.ip, line),
        ];
        found.into_iter().flatten().collect()
    }

    /// The address is in an earlier resource as well.
    fn again(&mut self, script: &str, ip: IpAddr, line: u32) -> Option<Diagnostic> {
        let Some(first) = self.seen.get(&ip) else {
            let group = self.group.clone();
            self.seen.insert(ip, Seen { line, group });
            return None;
        };
        if !self.compared {
            return None;
        }
        if first.group.line == self.group.line {
            let message = format!("{script}: {ip} is in this group twice");
            return Some(Diagnostic::warning(message));
        }
        let other = format!("{script}: {ip} is in the group of line {}, too", first.line);
        Some(if first.group.preferred == self.group.preferred {
            Diagnostic::warning(other)
                .hint("the two groups can be on different nodes, and then both own it")
                .ownership()
        } else {
            Diagnostic::error(other)
                .hint("the two groups prefer different nodes, so that both would own it")
        })
    }
}

/// An address that no service can be reached at.
fn unfit(script: &str, spec: &AddressSpec) -> Option<Diagnostic> {
    let ip = spec.ip;
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    if ip.is_unspecified() || ip.is_multicast() || broadcast {
        return Some(Diagnostic::error(format!(
            "{script}: {ip} is not the address of a host"
        )));
    }
    if ip.is_loopback() {
        let fault = Diagnostic::warning(format!("{script}: no client reaches {ip}"));
        return Some(fault.hint("a loopback address is this machine's own on every machine"));
    }
    let (IpAddr::V4(v4), Some(prefix @ 1..=30)) = (ip, spec.prefix) else {
        return None;
    };
    let host = u32::from(v4) & (u32::MAX >> prefix);
    let what = match host {
        0 => "network",
        host if host == u32::MAX >> prefix => "broadcast",
        _ => return None,
    };
    let message = format!("{script}: {ip} is the {what} address of its network {ip}/{prefix}");
    Some(Diagnostic::warning(message))
}
