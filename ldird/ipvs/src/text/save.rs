//! `ipvsadm -S -n`: one line per service and real server that makes it again.

use super::{scheduler_flags, service_name};
use crate::destination::{Destination, Forwarding, Tunnel, TunnelChecksum};
use crate::identity::{Family, Protocol, ServiceId};
use crate::service::{Netmask, Service, ServiceStatus};

/// Prints the lines, in the order given. Like ipvsadm's, they hold no thresholds.
pub fn save(table: &[ServiceStatus]) -> String {
    table.iter().flat_map(lines).collect()
}

fn lines(status: &ServiceStatus) -> Vec<String> {
    let id = service_option(&status.service.id);
    let mut lines = vec![format!("-A {id} {}\n", settings(&status.service))];
    let reals = status
        .destinations
        .iter()
        .map(|real| destination(&real.destination));
    lines.extend(reals.map(|real| format!("-a {id} {real}\n")));
    lines
}

/// `-t 10.0.0.1:80`, `-f 5 -6`.
fn service_option(id: &ServiceId) -> String {
    let option = match id {
        ServiceId::Address {
            protocol: Protocol::Tcp,
            ..
        } => "-t",
        ServiceId::Address {
            protocol: Protocol::Udp,
            ..
        } => "-u",
        ServiceId::Address {
            protocol: Protocol::Sctp,
            ..
        } => "--sctp-service",
        ServiceId::Fwmark {
            family: Family::V4, ..
        } => "-f",
        ServiceId::Fwmark {
            family: Family::V6,
            mark,
        } => return format!("-f {mark} -6"),
    };
    format!("{option} {}", service_name(id))
}

fn settings(service: &Service) -> String {
    let mut words = vec![format!("-s {}", service.scheduler)];
    if service.flags.persistent {
        words.push(format!("-p {}", service.timeout));
        if service.netmask != Netmask::host(service.id.family()) {
            words.push(format!("-M {}", service.netmask));
        }
        words.extend(service.pe_name.as_ref().map(|name| format!("--pe {name}")));
    }
    if service.flags.one_packet {
        words.push("-o".to_owned());
    }
    words.extend(scheduler_flags(service).map(|flags| format!("-b {flags}")));
    words.join(" ")
}

fn destination(real: &Destination) -> String {
    // The two that cannot be configured are found again by the kernel when the line is restored.
    let forwarding = match real.forwarding {
        Forwarding::Masq => "-m",
        Forwarding::Tunnel => "-i",
        Forwarding::Route | Forwarding::Local | Forwarding::Bypass => "-g",
    };
    let tunnel = match real.forwarding {
        Forwarding::Tunnel => tunnel(real.tunnel),
        Forwarding::Masq | Forwarding::Route | Forwarding::Local | Forwarding::Bypass => {
            String::new()
        }
    };
    format!(
        "-r {} {forwarding} -w {}{tunnel}",
        real.address, real.weight
    )
}

fn tunnel(tunnel: Tunnel) -> String {
    match tunnel {
        Tunnel::Ipip => " --tun-type ipip".to_owned(),
        Tunnel::Gue { port, checksum } => {
            format!(
                " --tun-type gue --tun-port {port} {}",
                checksum_option(checksum)
            )
        }
        Tunnel::Gre { checksum } => format!(" --tun-type gre {}", checksum_option(checksum)),
    }
}

fn checksum_option(checksum: TunnelChecksum) -> &'static str {
    match checksum {
        TunnelChecksum::None => "--tun-nocsum",
        TunnelChecksum::Full => "--tun-csum",
        TunnelChecksum::Remote => "--tun-remcsum",
    }
}
