//! keepalived's VRRP as ha.cf and haresources: who has which addresses, and how the nodes hear each
//! other.

use super::balancing::Output;
use super::inherited::UNKNOWN;
use super::report::{Place, Report};
use super::tree::Statement;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// keepalived's, seconds.
const ADVERT: f64 = 1.0;
/// A master is missed after three advertisements.
const MISSED: f64 = 3.0;
/// In place of deadtime while a cluster starts, seconds at least.
const INITDEAD: f64 = 10.0;
/// Above it a backup is meant to be the master; keepalived's own default.
const PRIORITY: u32 = 100;

/// `vrrp_instance NAME { … }`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Instance {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) addresses: Vec<Address>,
    interface: Option<String>,
    master: bool,
    priority: u32,
    nopreempt: bool,
    advert: f64,
    peers: Vec<String>,
    own: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// Without its prefix length.
    pub(super) ip: String,
    bits: Option<String>,
    device: Option<String>,
    label: Option<String>,
    broadcast: Option<String>,
}

/// Instances that move together: a line of haresources.
pub(super) struct Group {
    pub(super) instances: Vec<Instance>,
    /// The configuration of ldird that goes with them.
    pub(super) director: Option<String>,
}

pub(super) fn instance(statement: &Statement, report: &mut Report) -> Instance {
    let mut instance = Instance {
        place: statement.place.clone(),
        name: statement.value().unwrap_or_default().to_owned(),
        addresses: Vec::new(),
        interface: None,
        master: false,
        priority: PRIORITY,
        nopreempt: false,
        advert: ADVERT,
        peers: Vec::new(),
        own: None,
    };
    for inner in statement.statements() {
        word(&mut instance, inner, report);
    }
    instance
}

fn word(instance: &mut Instance, statement: &Statement, report: &mut Report) {
    let text = || statement.value().map(str::to_owned);
    let advice = match statement.key() {
        "state" => {
            instance.master = statement.value() == Some("MASTER");
            return;
        }
        "interface" => {
            instance.interface = text();
            return;
        }
        "priority" => {
            instance.priority = statement.number().unwrap_or(PRIORITY);
            return;
        }
        "advert_int" => {
            instance.advert = statement.seconds().filter(|&s| s >= 0.01).unwrap_or(ADVERT);
            return;
        }
        "nopreempt" => {
            instance.nopreempt = true;
            return;
        }
        "virtual_ipaddress" | "virtual_ipaddress_excluded" => {
            instance.addresses.extend(addresses(statement, report));
            return;
        }
        "unicast_peer" => {
            let peers = statement.statements().iter();
            instance
                .peers
                .extend(peers.map(|peer| peer.key().to_owned()));
            return;
        }
        "unicast_src_ip" | "mcast_src_ip" => {
            instance.own = text();
            return;
        }
        // Nothing of it is needed: the key, the port and haresources say it in their own way.
        "virtual_router_id"
        | "version"
        | "preempt"
        | "dont_track_primary"
        | "no_accept"
        | "accept"
        | "native_ipv6"
        | "strict_mode"
        | "use_vmac"
        | "vmac_xmit_base"
        | "debug"
        | "smtp_alert"
        | "garp_master_delay"
        | "garp_master_repeat"
        | "garp_master_refresh"
        | "garp_lower_prio_delay"
        | "garp_lower_prio_repeat"
        | "garp_master_refresh_repeat"
        | "higher_prio_send_advert"
        | "promote_secondaries"
        | "check_unicast_src" => return,
        key => foreign(key),
    };
    report.remark(&statement.place, statement.shown(), advice);
}

/// What has no place in ha.cf and haresources.
fn foreign(key: &str) -> &'static str {
    match key {
        "authentication" => {
            "not taken over: eight characters in the clear sign nothing. Make a key with `hbd genkey` \
             and copy authkeys to the other node"
        }
        "track_interface" => {
            "not needed for interfaces of addresses and heartbeats: hbd follows those by itself; for \
             others write a resource script whose status fails"
        }
        "track_script" | "track_file" | "track_process" | "track_bfd" => {
            "no equivalent by weights: write a resource script whose status says `stopped` when it \
             fails, and add it to the line in haresources"
        }
        "notify"
        | "notify_master"
        | "notify_backup"
        | "notify_fault"
        | "notify_stop"
        | "notify_deleted"
        | "notify_master_rx_lower_pri" => {
            "write a resource script: start is what notify_master did, stop what notify_backup did, \
             and add it to the line in haresources"
        }
        "preempt_delay" => {
            "a node must have been steady for 10 s before a second failback; the first is immediate"
        }
        "virtual_routes" | "virtual_rules" => {
            "write a resource script that sets them at start and removes them at stop (IPsrcaddr for \
             the source address of the default route)"
        }
        "lvs_sync_daemon_interface" | "lvs_sync_daemon" => {
            "syncdaemon=INTERFACE and syncid=N of ldirectord.cf do this"
        }
        _ => UNKNOWN,
    }
}

/// `ADDRESS[/BITS] [brd B] [dev D] [scope S] [label L]`, one on a line.
fn addresses(statement: &Statement, report: &mut Report) -> Vec<Address> {
    let mut found = Vec::new();
    for inner in statement.statements() {
        let (ip, bits) = match inner.key().split_once('/') {
            Some((ip, bits)) => (ip, Some(bits.to_owned())),
            None => (inner.key(), None),
        };
        if ip.parse::<std::net::IpAddr>().is_err() {
            report.remark(&inner.place, inner.shown(), "is no address and is left out");
            continue;
        }
        let values = inner.values();
        let after = |names: &[&str]| {
            let at = values.iter().position(|word| names.contains(word))?;
            values.get(at + 1).map(|word| (*word).to_owned())
        };
        found.push(Address {
            ip: ip.to_owned(),
            bits,
            device: after(&["dev"]),
            label: after(&["label"]),
            broadcast: after(&["brd", "broadcast"])
                .filter(|word| word.parse::<std::net::IpAddr>().is_ok()),
        });
    }
    found
}

/// The names of a `vrrp_sync_group`.
pub(super) fn sync_group(statement: &Statement, report: &mut Report) -> Vec<String> {
    let mut names = Vec::new();
    for inner in statement.statements() {
        match inner.key() {
            "group" => names.extend(inner.statements().iter().flat_map(|one| one.words.clone())),
            "smtp_alert" | "global_tracking" => {}
            key => report.remark(&inner.place, inner.shown(), foreign(key)),
        }
    }
    names
}

/// Instances of one synchronised group are one line; every other instance is its own.
pub(super) fn groups(instances: Vec<Instance>, together: &[Vec<String>]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for instance in instances {
        let shared = together
            .iter()
            .position(|names| names.contains(&instance.name));
        let there = shared.and_then(|number| places.get(&number).copied());
        if let Some(group) = there.and_then(|at| groups.get_mut(at)) {
            group.instances.push(instance);
        } else {
            places.extend(shared.map(|number| (number, groups.len())));
            groups.push(Group {
                instances: vec![instance],
                director: None,
            });
        }
    }
    groups
}

/// The two nodes.
pub(super) struct Nodes<'a> {
    /// Whose keepalived.conf was read.
    pub(super) this: &'a str,
    pub(super) other: &'a str,
}

/// haresources and ha.cf.
pub(super) fn files(
    groups: &[Group],
    nodes: &Nodes<'_>,
    source: &str,
    report: &mut Report,
) -> Vec<Output> {
    let file = |name: &str, text: String| Output {
        name: name.to_owned(),
        text,
        executable: false,
    };
    vec![
        file("ha.cf", ha_cf(groups, nodes, source, report)),
        file("haresources", haresources(groups, nodes, source, report)),
    ]
}

fn ha_cf(groups: &[Group], nodes: &Nodes<'_>, source: &str, report: &mut Report) -> String {
    let instances: Vec<&Instance> = groups.iter().flat_map(|group| &group.instances).collect();
    let mut text = format!(
        "# ha.cf: from {source} by `ldird import`. The same on both nodes. Check it: hbd check\n\n\
         # As `uname -n` prints them.\nnode {}\nnode {}\n\n# How they hear each other.\nudpport 694\n",
        nodes.this, nodes.other
    );
    for medium in media(&instances) {
        text.push_str(&medium);
        text.push('\n');
    }
    let advert = instances
        .iter()
        .map(|one| one.advert)
        .fold(f64::INFINITY, f64::min);
    let advert = if advert.is_finite() { advert } else { ADVERT };
    let dead = MISSED * advert;
    writeln!(
        text,
        "\n# A heartbeat where there was an advertisement; dead after three that are missing.\n\
         keepalive {}\nwarntime {}\ndeadtime {}\ninitdead {}\n",
        time(advert),
        time(2.0 * advert),
        time(dead),
        time(INITDEAD.max(2.0 * dead)),
    )
    .expect(WRITES);
    let stays = instances.iter().any(|one| one.nopreempt);
    let policy = if stays { "off" } else { "on" };
    writeln!(text, "auto_failback {policy}\n\nlogfacility local0").expect(WRITES);
    let mixed = stays && instances.iter().any(|one| !one.nopreempt);
    if let Some(first) = instances.first()
        && mixed
    {
        let advice = "holds for all groups: auto_failback off";
        report.remark(&first.place, "nopreempt in some instances", advice);
    }
    text
}

const WRITES: &str = "a String takes everything";

/// Seconds, or milliseconds where there are decimals.
fn time(seconds: f64) -> String {
    let millis = (seconds * 1000.0).round();
    if millis % 1000.0 == 0.0 {
        format!("{}", millis / 1000.0)
    } else {
        format!("{millis}ms")
    }
}

/// One way for each interface; to each address where advertisements were unicast.
fn media(instances: &[&Instance]) -> Vec<String> {
    let mut lines = Vec::new();
    let mut known = BTreeSet::new();
    for instance in instances {
        let interface = instance.interface.as_deref().unwrap_or("eth0");
        let ways: Vec<String> = if instance.peers.is_empty() {
            vec![format!("bcast {interface}")]
        } else {
            let all = instance.own.iter().chain(&instance.peers);
            all.map(|peer| format!("ucast {interface} {peer}"))
                .collect()
        };
        lines.extend(ways.into_iter().filter(|way| known.insert(way.clone())));
    }
    lines
}

fn haresources(groups: &[Group], nodes: &Nodes<'_>, source: &str, report: &mut Report) -> String {
    let mut text = format!(
        "# haresources: from {source} by `ldird import`. The same on both nodes.\n\
         # The preferred node, then what starts from left to right.\n\n"
    );
    for group in groups {
        let resources: Vec<String> = group
            .instances
            .iter()
            .flat_map(|one| one.addresses.iter().map(|address| resource(address, one)))
            .chain(
                group
                    .director
                    .iter()
                    .map(|name| format!("ldirectord::{name}")),
            )
            .collect();
        let Some(first) = group.instances.first() else {
            continue;
        };
        if resources.is_empty() {
            report.remark(
                &first.place,
                format!("vrrp_instance {}", first.name),
                "has no address and no line",
            );
            continue;
        }
        writeln!(
            text,
            "{} {}",
            preferred(first, nodes, report),
            resources.join(" ")
        )
        .expect(WRITES);
    }
    text
}

fn preferred<'a>(instance: &Instance, nodes: &Nodes<'a>, report: &mut Report) -> &'a str {
    if instance.master {
        return nodes.this;
    }
    let node = if instance.priority > PRIORITY || instance.nopreempt {
        nodes.this
    } else {
        nodes.other
    };
    let advice = format!(
        "{node} is taken for the preferred node, by state and priority {}; change the line in \
         haresources if it is not",
        instance.priority
    );
    report.remark(
        &instance.place,
        format!("vrrp_instance {}", instance.name),
        &advice,
    );
    node
}

/// `IPaddr2::IP/BITS/INTERFACE[:LABEL][/BROADCAST]`.
fn resource(address: &Address, instance: &Instance) -> String {
    let device = address.device.as_ref().or(instance.interface.as_ref());
    let device = device.map_or("eth0", String::as_str);
    let Address { ip, bits, .. } = address;
    if ip.contains(':') {
        let bits = bits.as_deref().unwrap_or("128");
        return format!("IPv6addr::{ip}/{bits}/{device}");
    }
    let bits = bits.as_deref().unwrap_or("32");
    let label = address
        .label
        .as_ref()
        .filter(|label| label.starts_with(&format!("{device}:")));
    let place = label.map_or(device, String::as_str);
    let broadcast = address
        .broadcast
        .as_ref()
        .map_or_else(String::new, |one| format!("/{one}"));
    format!("IPaddr2::{ip}/{bits}/{place}{broadcast}")
}
