//! What usable files mean, one fact on each line, for people and for comparing two nodes.

use crate::config::ping::PingSpec;
use crate::config::{Loaded, MediumSpec};
use std::fmt::Write as _;

/// Nodes, times, media, keys, groups, variables.
pub(super) fn meaning(loaded: &Loaded) -> String {
    let mut out = String::new();
    let mut line = |text: String| {
        let _ = writeln!(out, "{text}");
    };
    for node in &loaded.nodes {
        let here = if *node == loaded.local {
            " (this one)"
        } else {
            ""
        };
        line(format!("node {node}{here}"));
    }
    let timing = &loaded.timing;
    for (name, time) in [
        ("keepalive", timing.keepalive),
        ("warntime", timing.warntime),
        ("deadtime", timing.deadtime),
        ("initdead", timing.initdead),
    ] {
        line(format!("{name} {}ms", time.as_millis()));
    }
    line(format!("auto_failback {}", loaded.failback.as_str()));
    for medium in &loaded.media {
        line(way(medium));
    }
    for ping in &loaded.pings {
        let deadping = loaded.timing.deadping.as_millis();
        line(format!("{} deadping {deadping} ms", asked(ping)));
    }
    for (index, key) in loaded.keys.iter() {
        let role = if index == loaded.keys.signing() {
            " signs"
        } else if loaded.keys.accepts(index) {
            " is accepted"
        } else {
            " is refused"
        };
        line(format!("key {index} {}{role}", key.method().name()));
    }
    for group in &loaded.groups {
        line(format!("group {} prefers {}", group.name, group.preferred));
        for resource in &group.resources {
            let words = std::iter::once(&resource.script).chain(&resource.args);
            let words: Vec<&str> = words.map(String::as_str).collect();
            line(format!("    {}", words.join(" ")));
        }
    }
    for (name, value) in &loaded.environment {
        line(format!("env {name}={value}"));
    }
    out
}

fn way(medium: &MediumSpec) -> String {
    let (name, interface) = (medium.name(), medium.device());
    match medium {
        MediumSpec::Bcast { port, .. } => format!("{name} {interface} port {port}"),
        MediumSpec::Mcast {
            group,
            hops,
            loopback,
            ..
        } => {
            let (ip, port) = (group.ip(), group.port());
            let looped = if *loopback { "on" } else { "off" };
            format!("{name} {interface} {ip} port {port} ttl {hops} loop {looped}")
        }
        MediumSpec::Ucast { peer, .. } => {
            let to = peer
                .ip
                .map_or_else(|| peer.name.clone(), |ip| ip.to_string());
            format!("{name} {interface} {to} port {}", peer.port)
        }
        MediumSpec::Serial { baud, .. } => format!("{name} {interface} baud {baud}"),
    }
}

fn asked(ping: &PingSpec) -> String {
    let PingSpec {
        name, directive, ..
    } = ping;
    if *directive != "ping_group" {
        return format!("{directive} {name}");
    }
    let hosts: Vec<&str> = ping.hosts.iter().map(|host| host.name.as_str()).collect();
    format!("{directive} {name} {}", hosts.join(" "))
}
