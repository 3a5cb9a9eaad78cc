//! The kernel attributes of a virtual service: scheduler with its flags, persistence, netmask, one
//! packet scheduling (specification 4.1).

use super::Section;
use super::given::{At, Family, Faults};
use ldird_core::table::{ServiceKey, ServiceSpec};

/// Longest persistence that ipvsadm accepts, 31 days.
const PERSISTENT_MAX_SECONDS: u32 = 31 * 24 * 60 * 60;

/// `udp` says whether the service's own protocol is that.
pub(super) fn spec(
    section: &Section,
    key: ServiceKey,
    udp: bool,
    faults: &mut Faults<'_>,
) -> ServiceSpec {
    let given = &section.given;
    let scheduler = given
        .scheduler
        .as_ref()
        .map_or("wrr", |at| at.value.as_str());
    let persistent = given
        .persistent
        .as_ref()
        .and_then(|at| persistent(at, faults));
    let host_bits = if section.family == Family::V6 {
        128
    } else {
        32
    };
    let netmask = given.netmask.as_ref();
    let netmask = netmask.map_or(host_bits, |at| {
        prefix_length(at, section.family, host_bits, faults)
    });
    if let (Some(at), None) = (&given.netmask, persistent) {
        faults.warning(at.span, "netmask has no effect without persistent");
    }
    let wanted = given.ops.as_ref().filter(|at| at.value);
    let one_packet = udp || matches!(key, ServiceKey::Fwmark { .. });
    if let (Some(at), false) = (wanted, one_packet) {
        faults.warning(
            at.span,
            "ops has an effect only with udp and firewall marks",
        );
    }
    ServiceSpec {
        scheduler: scheduler.to_owned(),
        persistent,
        netmask: if persistent.is_some() {
            netmask
        } else {
            host_bits
        },
        one_packet: wanted.is_some() && one_packet,
        scheduler_flags: schedflags(given.schedflags.as_ref(), scheduler, faults),
        pe: given
            .pe
            .as_ref()
            .and_then(|at| engine(at, persistent, faults)),
    }
}

fn engine(at: &At<String>, persistent: Option<u32>, faults: &mut Faults<'_>) -> Option<String> {
    if persistent.is_none() {
        faults.warning(at.span, "pe has no effect without persistent");
        return None;
    }
    Some(at.value.clone())
}

fn persistent(at: &At<u32>, faults: &mut Faults<'_>) -> Option<u32> {
    match at.value {
        0 => {
            let message = "persistent=0 means no persistence here";
            faults.warning(at.span, message);
            None
        }
        seconds if seconds > PERSISTENT_MAX_SECONDS => {
            let message = format!("persistent={seconds} is longer than 31 days and cut to that");
            faults.warning(at.span, message);
            Some(PERSISTENT_MAX_SECONDS)
        }
        seconds => Some(seconds),
    }
}

/// As a prefix length, which is what the kernel uses it for.
fn prefix_length(at: &At<String>, family: Family, host_bits: u8, faults: &mut Faults<'_>) -> u8 {
    let prefix = at.value.parse::<u8>().ok();
    let prefix = prefix.filter(|bits| (1..=host_bits).contains(bits));
    let found = match family {
        Family::V6 => prefix,
        Family::V4 => prefix
            .inspect(|bits| {
                faults.tolerated(at.span, format!("a netmask of {bits} bits"));
            })
            .or_else(|| {
                let mask = u32::from(at.value.parse::<std::net::Ipv4Addr>().ok()?);
                let bits = mask.leading_ones();
                // Only masks without holes have a length.
                (mask.checked_shl(bits).unwrap_or(0) == 0 && bits > 0).then_some(bits as u8)
            }),
    };
    found.unwrap_or_else(|| {
        let message = match family {
            Family::V4 => "invalid netmask: dotted quad notation is required",
            Family::V6 => "invalid netmask: a prefix length between 1 and 128 is required",
        };
        faults.error(at.span, message);
        host_bits
    })
}

/// Flags by number, or by the scheduler's own names for the first two (ipvsadm(8)).
fn schedflags(at: Option<&At<String>>, scheduler: &str, faults: &mut Faults<'_>) -> [bool; 3] {
    let mut flags = [false; 3];
    let Some(at) = at else { return flags };
    let [first, second, third] = &mut flags;
    for name in at.value.split(',') {
        match (name, scheduler) {
            ("flag-1", _) | ("sh-fallback", "sh") | ("mh-fallback", "mh") => *first = true,
            ("flag-2", _) | ("sh-port", "sh") | ("mh-port", "mh") => *second = true,
            ("flag-3", _) => *third = true,
            ("", _) => {}
            _ => {
                let message =
                    format!("scheduler {scheduler} has no flag \"{name}\"; it is ignored");
                faults.warning(at.span, message);
            }
        }
    }
    flags
}
