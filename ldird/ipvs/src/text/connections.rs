//! `ipvsadm -L -c -n`: the kernel's connections, from its own listing in `/proc/net/ip_vs_conn`.
//!
//! The one thing that IPVS does not tell over netlink. Lines that are none are left out, never a fault.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Prints what stands in `/proc/net/ip_vs_conn`. `engines` adds what a persistence engine keeps of a
/// connection, `--persistent-conn`.
pub fn connections(proc: &str, engines: bool) -> String {
    let mut text = "IPVS connection entries\n".to_owned();
    let (state, source, own, real) = ("state", "source", "virtual", "destination");
    let head = if engines {
        let (name, kept) = ("pe name", "pe_data");
        format!("pro expire {state:<11} {source:<18} {own:<18} {real:<18} {name:<16} {kept}\n")
    } else {
        format!("pro expire {state:<11} {source:<18} {own:<18} {real}\n")
    };
    text.push_str(&head);
    // The first line is the kernel's own heading.
    for line in proc.lines().skip(1) {
        // A line that is none says nothing; the others do.
        let _ = connection(line, engines, &mut text);
    }
    text
}

/// `PROTOCOL FROM PORT TO PORT REAL PORT STATE SECONDS [ENGINE DATA]`, addresses and ports in hex.
fn connection(line: &str, engines: bool, text: &mut String) -> Option<()> {
    let mut words = line.split_ascii_whitespace();
    let protocol = words.next()?;
    let mut endpoint = || {
        Some(SocketAddr::new(
            address(words.next()?)?,
            port(words.next()?)?,
        ))
    };
    let [source, own, real] = [endpoint()?, endpoint()?, endpoint()?].map(|one| one.to_string());
    let state = words.next()?;
    let seconds: u64 = words.next()?.parse().ok()?;
    let expires = format!("{:02}:{:02}", seconds / 60, seconds % 60);
    write!(
        text,
        "{protocol:<3} {expires:<6} {state:<11} {source:<18} {own:<18} "
    )
    .ok()?;
    match (engines, words.next(), words.next()) {
        (true, Some(name), Some(kept)) => writeln!(text, "{real:<16} {name:<18} {kept}").ok(),
        _ => writeln!(text, "{real}").ok(),
    }
}

/// Eight hexadecimal digits, or an IPv6 address, which some kernels put into brackets.
fn address(word: &str) -> Option<IpAddr> {
    let bare = word.trim_start_matches('[').trim_end_matches(']');
    if bare.contains(':') {
        return bare.parse().ok();
    }
    let number = u32::from_str_radix(bare, 16).ok()?;
    Some(Ipv4Addr::from(number).into())
}

fn port(word: &str) -> Option<u16> {
    u16::from_str_radix(word, 16).ok()
}
