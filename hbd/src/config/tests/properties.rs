//! Whatever a file contains, reading it ends in a value or in diagnostics that can be shown.

use super::Machine;
use crate::config::{authkeys, ha_cf, haresources};
use ha_plumbing::{Diagnostics, Source};
use hbd_core::config::NodeName;
use proptest::prelude::*;

const HA_CF: &str = include_str!("../../../tests/configurations/valid/unicast/ha.cf");
const CLASSIC: &str = include_str!("../../../tests/configurations/valid/classic/ha.cf");
const MEDIA: &str = include_str!("../../../tests/configurations/invalid/only-other-media/ha.cf");
const HARESOURCES: &str = include_str!("../../../tests/configurations/invalid/groups/haresources");
const AUTHKEYS: &str = include_str!("../../../tests/configurations/invalid/keys/authkeys");

/// All three parsers on the same bytes.
fn read_as_everything(bytes: &[u8]) {
    let source = Source::from_bytes("file", bytes);
    let nodes: Vec<NodeName> = NodeName::new("lb1").into_iter().collect();
    let context = haresources::Context {
        nodes: &nodes,
        peers: &[],
        builtin: true,
    };
    let mut found = Diagnostics::new();
    ha_cf::parse(&source, &Machine, &mut found);
    haresources::parse(&source, context, &mut found);
    authkeys::parse(&source, &mut found);
    found.render(true);
    let _ = found.to_string();
}

/// A valid file in which a few bytes were replaced, removed or doubled.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let file = prop::sample::select(vec![HA_CF, CLASSIC, MEDIA, HARESOURCES, AUTHKEYS]);
    let change = (any::<prop::sample::Index>(), 0..4u8, any::<u8>());
    (file, prop::collection::vec(change, 1..12)).prop_map(|(file, changes)| {
        let mut bytes = file.as_bytes().to_vec();
        for (at, kind, byte) in changes {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, byte),
                2 => bytes.truncate(at + 1),
                _ => {
                    let tail = bytes[at..].to_vec();
                    bytes.extend(tail);
                }
            }
        }
        bytes.truncate(20_000);
        bytes
    })
}

fn names() -> Vec<&'static str> {
    let rows = crate::config::directives::DIRECTIVES.iter();
    rows.map(|row| row.name).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_bytes_can_be_read(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        read_as_everything(&bytes);
    }

    #[test]
    fn any_words_can_be_read(text in "([a-z0-9:/.\\\\ ,#=\t\r\n%-]|node|ucast|auth|sha1|::){0,80}") {
        read_as_everything(text.as_bytes());
    }

    #[test]
    fn any_damaged_file_can_be_read(bytes in mutated()) {
        read_as_everything(&bytes);
    }

    #[test]
    fn any_value_can_follow_any_directive(
        directive in prop::sample::select(names()),
        value in "\\PC{0,30}",
    ) {
        read_as_everything(format!("{directive} {value}").as_bytes());
    }
}
