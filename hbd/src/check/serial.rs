//! Are the serial lines fast enough for what is to be sent over them? Pure.

use crate::config::{Life, Loaded, MediumSpec};
use crate::media::serial::BITS_PER_BYTE;
use ha_plumbing::Diagnostic;
use ha_plumbing::wall::Wall;
use hbd_core::Cluster;
use hbd_core::output::Output;
use hbd_core::wire::encode_classic;
use std::time::{Duration, Instant};

/// What a heartbeat says of each other node, once that is heard: the life that it is in.
const BYTES_PER_PEER: usize = 40;
/// The load average, which the first heartbeat does not know yet.
const LOAD_BYTES: usize = 25;

/// A warning for each line that a keepalive's messages keep busy for more than half of its time:
/// whatever else is to be said is then late.
pub(super) fn too_slow(loaded: &Loaded) -> Vec<Diagnostic> {
    let lines = loaded.media.iter().filter_map(|medium| match medium {
        MediumSpec::Serial { device, baud } => Some((device, *baud)),
        MediumSpec::Bcast { .. } | MediumSpec::Mcast { .. } | MediumSpec::Ucast { .. } => None,
    });
    let lines: Vec<(&String, u32)> = lines.collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let bytes = heartbeat_bytes(loaded);
    // In a ring those of the others come by as well.
    let heartbeats = if lines.len() > 1 {
        loaded.nodes.len().saturating_sub(1).max(1)
    } else {
        1
    };
    let keepalive = loaded.timing.keepalive;
    let slow = lines.into_iter().filter_map(|(device, baud)| {
        let busy = on_the_line(bytes.saturating_mul(heartbeats), baud);
        (busy * 2 > keepalive).then(|| {
            let of = match heartbeats {
                1 => format!("a heartbeat of about {bytes} bytes takes"),
                many => format!("{many} heartbeats of about {bytes} bytes take"),
            };
            let message = format!(
                "serial {device}: {of} {} ms at {baud} baud, which is too long for keepalive {} ms",
                busy.as_millis(),
                keepalive.as_millis()
            );
            let hint = "raise baud (before serial, on both ends) or keepalive: heartbeats that do \
                        not fit are left out on this line";
            Diagnostic::warning(message).hint(hint).ownership()
        })
    });
    slow.collect()
}

/// How long so many bytes take.
fn on_the_line(bytes: usize, baud: u32) -> Duration {
    let bits = u64::try_from(bytes).unwrap_or(u64::MAX);
    let bits = bits.saturating_mul(u64::from(BITS_PER_BYTE));
    Duration::from_micros(bits.saturating_mul(1_000_000) / u64::from(baud.max(1)))
}

/// The length of a signed heartbeat of this cluster: made, and not guessed, as far as it is known
/// before others are heard.
fn heartbeat_bytes(loaded: &Loaded) -> usize {
    let now = Instant::now();
    let life = Life {
        uuid: [0; 16],
        generation: u64::from(u32::MAX),
        seed: 0,
        wall: Wall::now(now),
    };
    let mut cluster = Cluster::new(loaded.core_config(life), now);
    let first = std::iter::from_fn(|| cluster.poll()).find_map(|output| match output {
        Output::Send(message) => encode_classic(&message, &loaded.keys, false).ok(),
        Output::PassOn { .. }
        | Output::Probe(_)
        | Output::Start(_)
        | Output::Stop(_)
        | Output::LetGo(_)
        | Output::Announce(_)
        | Output::Remember(_)
        | Output::Notice(_)
        | Output::Inquire { .. }
        | Output::Opinion { .. }
        | Output::CommandDone { .. }
        | Output::Prepare(_)
        | Output::Unprepare(_)
        | Output::Linger(_)
        | Output::Exit(_) => None,
    });
    let peers = loaded.nodes.len().saturating_sub(1);
    first.map_or(0, |frame| frame.len()) + LOAD_BYTES + BYTES_PER_PEER * peers
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::config::host::Elsewhere;
    use crate::config::{Options, load};
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn warnings(nodes: &str, more: &str) -> Vec<String> {
        let etc = tempfile::tempdir().unwrap();
        let files = [
            ("ha.cf", format!("node {nodes}\nauto_failback on\n{more}")),
            ("authkeys", "auth 1\n1 sha1 long-enough\n".to_owned()),
            ("haresources", "lb1 10.0.0.100\n".to_owned()),
        ];
        for (name, text) in files {
            let path = etc.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let options = Options {
            node: Some("lb1"),
            host: &Elsewhere,
        };
        let loaded = load(etc.path(), options).unwrap();
        let told = too_slow(&loaded);
        told.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn line_that_is_fast_enough_is_not_spoken_of() {
        assert!(warnings("lb1 lb2", "keepalive 1\nserial /dev/ttyS0\n").is_empty());
        assert!(warnings("lb1 lb2", "keepalive 10ms\nbcast eth0\n").is_empty());
        let fast = "keepalive 200ms\nbaud 115200\nserial /dev/ttyS0\n";
        assert!(warnings("lb1 lb2", fast).is_empty());
    }

    #[test]
    fn line_that_is_too_slow_is_named_with_the_time_it_takes() {
        let told = warnings("lb1 lb2", "keepalive 200ms\nserial /dev/ttyS0\n");
        assert_eq!(told.len(), 1);
        let (before, after) = told[0].split_once(" takes ").unwrap();
        assert!(before.contains("serial /dev/ttyS0: a heartbeat of about"));
        let ms: u32 = after.split(' ').next().unwrap().parse().unwrap();
        assert!((120..300).contains(&ms), "{told:?}");
        assert!(after.contains("at 19200 baud"), "{told:?}");
    }

    #[test]
    fn ring_carries_the_heartbeats_of_the_others_too() {
        let ring = "keepalive 500ms\nserial /dev/ttyS0 /dev/ttyS1\n";
        let told = warnings("lb1 lb2 lb3", ring);
        assert_eq!(told.len(), 2);
        assert!(told[0].contains("2 heartbeats of about"), "{told:?}");
    }
}
