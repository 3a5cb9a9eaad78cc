//! The file `hbd_peers` in the state directory: what this node knows of its peers' lives, so that
//! packets recorded in earlier ones are refused after its own restart, too.
//!
//! One peer a line: its name, the generation last heard, its uuid or `-`, `hbd` or `heartbeat`, and
//! the uuids that it had before, separated by commas, or `-`.

use super::{IdentityError, read_bounded};
use hbd_core::config::{KnownPeer, NodeName};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const FILE: &str = "hbd_peers";
/// Far more than a hundred nodes need.
const MAX_BYTES: u64 = 65_536;
const HEAD: &str = "# Written by hbd: the peers' lives that it has heard. Recorded packets of earlier ones are \
                    refused.\n# To forget a peer, stop hbd and remove its line.\n";

pub(super) fn path(state: &Path) -> PathBuf {
    state.join(FILE)
}

/// What the file says, and what of it cannot be understood. No file is nothing known.
pub(super) fn read(state: &Path) -> Result<(Vec<KnownPeer>, Vec<String>), IdentityError> {
    let path = path(state);
    let bytes = read_bounded(&path, MAX_BYTES)?.unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let (mut known, mut warnings) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match parse(line) {
            Some(peer) => known.push(peer),
            None => warnings.push(format!(
                "{}:{number}: not understood, and ignored: {}",
                path.display(),
                line.escape_debug()
            )),
        }
    }
    Ok((known, warnings))
}

pub(super) fn format(known: &[KnownPeer]) -> String {
    let mut text = HEAD.to_owned();
    for peer in known {
        let uuid = peer.uuid.map_or_else(|| "-".to_owned(), hex);
        let kind = if peer.extended { "hbd" } else { "heartbeat" };
        let retired: Vec<String> = peer.retired.iter().copied().map(hex).collect();
        let retired = if retired.is_empty() {
            "-".to_owned()
        } else {
            retired.join(",")
        };
        let (node, generation) = (&peer.node, peer.generation);
        writeln!(text, "{node} {generation} {uuid} {kind} {retired}")
            .expect("writing to a String succeeds");
    }
    text
}

fn parse(line: &str) -> Option<KnownPeer> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [node, generation, uuid, kind, retired] = words[..] else {
        return None;
    };
    let retired = retired.split(',').filter(|word| *word != "-");
    let retired: Option<Vec<[u8; 16]>> = retired.map(unhex).collect();
    Some(KnownPeer {
        node: NodeName::new(node)?,
        generation: generation.parse().ok()?,
        uuid: match uuid {
            "-" => None,
            uuid => Some(unhex(uuid)?),
        },
        extended: match kind {
            "hbd" => true,
            "heartbeat" => false,
            _ => return None,
        },
        retired: retired.filter(|retired| retired.len() <= KnownPeer::MAX_RETIRED)?,
    })
}

fn hex(uuid: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(uuid))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    let plain = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = plain
        .then(|| u128::from_str_radix(text, 16).ok())
        .flatten()?;
    Some(number.to_be_bytes())
}
