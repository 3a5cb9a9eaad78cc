//! `ipvsadm -L -n` and its variants: headers, columns and number units as ipvsadm 1.31 prints them.

use super::{scheduler_flags, service_name};
use crate::destination::{Destination, DestinationStatus, Forwarding, Tunnel, TunnelChecksum};
use crate::identity::ServiceId;
use crate::info::Info;
use crate::service::{Netmask, Service, ServiceStatus};
use crate::stats::Stats;

/// What a listing shows of each real server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Columns {
    /// Forwarding, weight and connections.
    #[default]
    Normal,
    /// Counters, `--stats`.
    Stats(Numbers),
    /// Averages per second, `--rate`.
    Rate(Numbers),
    /// Connection limits, `--thresholds`.
    Thresholds,
    /// Persistence templates, `--persistent-conn`.
    PersistentConnections,
    /// Forwarding with the wrapping of tunnels, weight and connections, `--tun-info`.
    Tunnels,
}

/// How counters are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Numbers {
    /// Large ones in units: K, M, G, T.
    #[default]
    Units,
    /// All digits, `--exact`.
    Exact,
}

/// Prints a table, in the order given.
pub fn list(info: &Info, table: &[ServiceStatus], columns: Columns) -> String {
    let Info {
        version,
        connection_table_size,
    } = *info;
    let mut text = format!("IP Virtual Server version {version} (size={connection_table_size})\n");
    text.push_str(title(columns));
    for status in table {
        service(status, columns, &mut text);
    }
    text
}

/// Prints one service, `-L -t 192.0.2.1:80`: without the kernel's line.
pub fn list_service(status: &ServiceStatus, columns: Columns) -> String {
    let mut text = title(columns).to_owned();
    service(status, columns, &mut text);
    text
}

fn service(status: &ServiceStatus, columns: Columns, text: &mut String) {
    text.push_str(&service_line(status, columns));
    for real in &status.destinations {
        text.push_str(&destination_line(real, columns));
    }
}

fn title(columns: Columns) -> &'static str {
    match columns {
        Columns::Tunnels => {
            "Prot LocalAddress:Port Scheduler Flags\n  \
             -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
        }
        Columns::Normal => {
            "Prot LocalAddress:Port Scheduler Flags\n  \
             -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
        }
        Columns::Stats(_) => {
            "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  \
             -> RemoteAddress:Port\n"
        }
        Columns::Rate(_) => {
            "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n  \
             -> RemoteAddress:Port\n"
        }
        // The blank at the end of the next two is ipvsadm's.
        Columns::Thresholds => {
            "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  \
             -> RemoteAddress:Port\n"
        }
        Columns::PersistentConnections => {
            "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  \
             -> RemoteAddress:Port\n"
        }
    }
}

fn service_line(status: &ServiceStatus, columns: Columns) -> String {
    let id = &status.service.id;
    let name = match id {
        ServiceId::Address { protocol, .. } => format!("{protocol:<4} {}", service_name(id)),
        ServiceId::Fwmark { .. } => format!("FWM  {}", service_name(id)),
    };
    match columns {
        Columns::Normal
        | Columns::Thresholds
        | Columns::PersistentConnections
        | Columns::Tunnels => {
            format!("{name} {}\n", settings(&status.service))
        }
        Columns::Stats(numbers) => format!("{name:<33}{}\n", totals(&status.stats, numbers)),
        Columns::Rate(numbers) => format!("{name:<33}{}\n", rates(&status.stats, numbers)),
    }
}

/// `SCHED (FLAGS) persistent N mask M pe NAME ops`, each where it applies.
fn settings(service: &Service) -> String {
    let mut words = vec![service.scheduler.clone()];
    words.extend(scheduler_flags(service).map(|flags| format!("({flags})")));
    if service.flags.persistent {
        words.push(format!("persistent {}", service.timeout));
        if service.netmask != Netmask::host(service.id.family()) {
            words.push(format!("mask {}", service.netmask));
        }
        words.extend(service.pe_name.as_ref().map(|name| format!("pe {name}")));
    }
    if service.flags.one_packet {
        words.push("ops".to_owned());
    }
    words.join(" ")
}

fn destination_line(real: &DestinationStatus, columns: Columns) -> String {
    let name = real.destination.address.to_string();
    let active = real.active_connections;
    let inactive = real.inactive_connections;
    let weight = real.destination.weight;
    let rest = match columns {
        Columns::Normal => {
            let forward = forward_word(real.destination.forwarding);
            format!(" {forward:<7} {weight:<6} {active:<10} {inactive:<10}")
        }
        Columns::Tunnels => {
            let forward = forward_word(real.destination.forwarding);
            let tunnel = tunnel_word(&real.destination);
            format!(" {forward:<7} {tunnel:<13} {weight:<6} {active:<10} {inactive:<10}")
        }
        Columns::Stats(numbers) => totals(&real.stats, numbers),
        Columns::Rate(numbers) => real_rates(&real.stats, numbers),
        Columns::Thresholds => {
            let upper = real.destination.upper_threshold;
            let lower = real.destination.lower_threshold;
            format!(" {upper:<10} {lower:<10} {active:<10} {inactive:<10}")
        }
        Columns::PersistentConnections => {
            let persistent = real.persistent_connections;
            format!(" {weight:<9} {persistent:<11} {active:<10} {inactive:<10}")
        }
    };
    format!("  -> {name:<28}{rest}\n")
}

fn forward_word(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Masq => "Masq",
        Forwarding::Local => "Local",
        Forwarding::Tunnel => "Tunnel",
        Forwarding::Route => "Route",
        Forwarding::Bypass => "Bypass",
    }
}

/// `ipip`, `gue:6080:-c`, `gre:+c`.
fn tunnel_word(real: &Destination) -> String {
    match (real.forwarding, real.tunnel) {
        (Forwarding::Tunnel, Tunnel::Ipip) => "ipip".to_owned(),
        (Forwarding::Tunnel, Tunnel::Gue { port, checksum }) => {
            format!("gue:{port}:{}", checksum_word(checksum))
        }
        (Forwarding::Tunnel, Tunnel::Gre { checksum }) => {
            format!("gre:{}", checksum_word(checksum))
        }
        (Forwarding::Masq | Forwarding::Local | Forwarding::Route | Forwarding::Bypass, _) => {
            "n/a".to_owned()
        }
    }
}

fn checksum_word(checksum: TunnelChecksum) -> &'static str {
    match checksum {
        TunnelChecksum::None => "-c",
        TunnelChecksum::Full => "+c",
        TunnelChecksum::Remote => "r+c",
    }
}

fn totals(stats: &Stats, numbers: Numbers) -> String {
    let Stats {
        connections,
        in_packets,
        out_packets,
        in_bytes,
        out_bytes,
        ..
    } = *stats;
    columns_of(
        &[connections, in_packets, out_packets, in_bytes, out_bytes],
        numbers,
    )
}

fn rates(stats: &Stats, numbers: Numbers) -> String {
    let (packets, bytes) = rates_of(stats);
    columns_of(&packets, numbers) + &columns_of(&bytes, numbers)
}

/// The first three rates of a real server are never abbreviated.
fn real_rates(stats: &Stats, numbers: Numbers) -> String {
    let (packets, bytes) = rates_of(stats);
    columns_of(&packets, Numbers::Exact) + &columns_of(&bytes, numbers)
}

/// Of connections and packets, and of bytes.
fn rates_of(stats: &Stats) -> ([u64; 3], [u64; 2]) {
    (
        [
            stats.connection_rate,
            stats.in_packet_rate,
            stats.out_packet_rate,
        ],
        [stats.in_byte_rate, stats.out_byte_rate],
    )
}

fn columns_of(values: &[u64], numbers: Numbers) -> String {
    values.iter().map(|&value| number(value, numbers)).collect()
}

/// One number, right-aligned in nine columns; with all digits at least one blank stays before it.
fn number(value: u64, numbers: Numbers) -> String {
    const K: u64 = 1_000;
    const M: u64 = 1_000 * K;
    const G: u64 = 1_000 * M;
    const T: u64 = 1_000 * G;
    match numbers {
        Numbers::Exact => format!(" {value:8}"),
        Numbers::Units if value < 100 * M => format!("{value:9}"),
        Numbers::Units if value < G => format!("{:8}K", value / K),
        Numbers::Units if value < 100 * G => format!("{:8}M", value / M),
        Numbers::Units if value < 100 * T => format!("{:8}G", value / G),
        Numbers::Units => format!("{:8}T", value / T),
    }
}
