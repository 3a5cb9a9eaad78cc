#![allow(clippy::unwrap_used)]

use super::*;
use std::net::Ipv4Addr;

fn nodes() -> Vec<NodeName> {
    ["lb1", "lb2"]
        .into_iter()
        .filter_map(NodeName::new)
        .collect()
}

fn read(text: &str) -> (Resources, Diagnostics) {
    let source = Source::from_bytes("haresources", text.as_bytes());
    let mut found = Diagnostics::new();
    let nodes = nodes();
    let context = Context {
        nodes: &nodes,
        peers: &[IpAddr::V4(Ipv4Addr::new(10, 0, 0, 254))],
        builtin: true,
    };
    let resources = parse(&source, context, &mut found);
    (resources, found)
}

/// `key@node: script(arg arg) …` for each group.
fn shown(resources: &Resources) -> Vec<String> {
    let resource = |one: &ResourceConfig| format!(" {}({})", one.script, one.args.join(" "));
    let group = |group: &GroupConfig| {
        let all: String = group.resources.iter().map(resource).collect();
        format!("{}@{}:{all}", group.name, group.preferred)
    };
    resources.groups.iter().map(group).collect()
}

fn messages(found: &Diagnostics) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn groups_are_read_as_the_old_pipeline_does() {
    let (resources, found) = read(
        "# pair\n\
         LB1 10.0.0.1/24/eth0 Filesystem::/dev/sdb1::/data::ext4 httpd # web\n\
         \t\n\
         lb2 \\\n\
         \tIPaddr2::10.0.0.2 \\\n\
         \tmail::a::::b\n",
    );
    assert_eq!(messages(&found), [] as [String; 0]);
    assert_eq!(
        shown(&resources),
        [
            "10.0.0.1/24/eth0@lb1: IPaddr(10.0.0.1/24/eth0) \
             Filesystem(/dev/sdb1 /data ext4) httpd()",
            "IPaddr2::10.0.0.2@lb2: IPaddr2(10.0.0.2) mail(a b)",
        ]
    );
}

#[test]
fn the_digest_ignores_what_the_pipeline_ignores() {
    let (one, _) = read("LB1  10.0.0.1\thttpd # x\n");
    let (same, _) = read("\n  lb1 10.0.0.1 \\\n httpd");
    let (other, _) = read("lb1 10.0.0.1 httpd2\n");
    assert_eq!(one.digest, same.digest);
    assert_ne!(one.digest, other.digest);
    assert_eq!(one.digest.len(), 16);
}

#[test]
fn what_looks_like_an_address_is_one_for_the_old_glob() {
    for word in [
        "10.0.0.1",
        "10.0.0.1/24/eth0/10.0.0.255",
        "1x.2.3.4",
        "1.a.2.3.4",
    ] {
        assert!(looks_like_address(word), "{word}");
    }
    for word in [
        "",
        "10.0.0",
        "a.0.0.1",
        "10.0.0.x",
        "IPaddr::10.0.0.1",
        "1...",
        "1.2.3.",
    ] {
        assert!(!looks_like_address(word), "{word}");
    }
}

#[test]
fn faults_are_told_in_the_old_words_where_there_are_any() {
    let table = [
        (
            "lb3 x\n",
            "haresources:1: Bad nodename in haresources [lb3]",
        ),
        (
            "lb1 a b\nlb2 a\n",
            "haresources:2: `a` is the first resource",
        ),
        (
            "lb1 a ::b\n",
            "`::b` does not begin with the name of a script",
        ),
        (
            "lb1 a/b\n",
            "`a/b` does not begin with the name of a script",
        ),
        (
            "lb1 IPaddr::10.0.0.256\n",
            "IPaddr: \"10.0.0.256\" is not an IP address",
        ),
        (
            "lb1 IPaddr::10.0.0.1/33\n",
            "IPaddr: \"33\" is not a netmask",
        ),
        ("lb1 IPaddr2\n", "IPaddr2: an address is needed"),
        (
            "lb1 IPaddr::10.0.0.1::24\n",
            "IPaddr takes one argument and not 2",
        ),
        (
            "lb1 224.0.0.1\n",
            "IPaddr: 224.0.0.1 is not the address of a host",
        ),
        ("lb1 .hidden\n", "does not begin with the name of a script"),
        ("lb1 a\u{1}b\n", "a control character in a resource"),
        (
            "lb1 10.0.0.1\nlb2 IPaddr2::10.0.0.1/24/eth0\n",
            "haresources:2: IPaddr2: 10.0.0.1 is in the group of line 1, too (the two groups prefer",
        ),
        (
            "lb1 !0IC=VloaY\nlb2 QvXtM>@Fp%\n",
            "`QvXtM>@Fp%` cannot be told from the first resource of the group in line 1",
        ),
        (
            "lb1 IPaddr2::10.0.0.254/24/eth0\n",
            "IPaddr2: 10.0.0.254 is the address of a node",
        ),
        (
            "lb1 1x.2.3.4\n",
            "IPaddr: \"1x.2.3.4\" is not an IP address",
        ),
        ("lb1 a \\ \n", "a backslash that does not end its line"),
        ("lb1 a\\\nb\n", "`a` and `b` are one word"),
    ];
    for (text, expected) in table {
        let (resources, found) = read(text);
        assert!(found.has_errors(), "{text:?}");
        let told = messages(&found);
        assert!(
            told.iter().any(|one| one.contains(expected)),
            "{text:?}: {told:?}"
        );
        assert!(resources.groups.len() < 2, "{text:?}");
    }
}

#[test]
fn doubts_are_warnings() {
    let table = [
        ("lb1\n", "lb1 has no resource in this line"),
        (
            "lb1 a \\\n b # c\n",
            "haresources:2: comment on a continuation line",
        ),
        ("lb1 web:1::c\n", "single colon in `web:1`"),
        (
            "lb1#x\n",
            "a comment directly behind lb1 (Heartbeat takes it for a part",
        ),
        (
            "lb1\\\n a\n",
            "a backslash directly behind lb1 (Heartbeat takes it",
        ),
        (
            "\\\nlb1 a\n",
            "nothing but a backslash in this line (Heartbeat takes it",
        ),
        ("lb1 a\r\n", "a carriage return in this line"),
        (
            "lb1 \"a\"\n",
            "the quotation marks are part of the value \"a\"",
        ),
        (
            "lb1 mail::\u{201c}x\u{201d}\n",
            "the quotation marks are part of the value",
        ),
        ("lb1 mail::a\u{2013}b\n", "a typographic dash (U+2013)"),
        (
            "lb1 10.0.0.1 IPaddr2::10.0.0.1\n",
            "10.0.0.1 is in this group twice",
        ),
        (
            "lb1 10.0.0.1\nlb1 10.0.0.1/24\n",
            "10.0.0.1 is in the group of line 1, too (the two groups can be on different nodes",
        ),
        (
            "lb1 10.0.0.255/24\n",
            "10.0.0.255 is the broadcast address of its network",
        ),
        (
            "lb1 10.0.1.0/24\n",
            "10.0.1.0 is the network address of its network",
        ),
        ("lb1 127.0.0.2\n", "no client reaches 127.0.0.2"),
        (
            "lb1 a\nlb2 b a\n",
            "`a` is also the first resource of the group in line 1",
        ),
    ];
    for (text, expected) in table {
        let (_, found) = read(text);
        assert!(!found.has_errors(), "{text:?}");
        let told = messages(&found);
        assert!(
            told.iter().any(|one| one.contains(expected)),
            "{text:?}: {told:?}"
        );
    }
}

#[test]
fn a_sites_own_address_script_may_take_what_it_likes() {
    let source = Source::from_bytes("haresources", b"lb1 IPaddr::vip.example.com\n");
    let nodes = nodes();
    let mut found = Diagnostics::new();
    let context = Context {
        nodes: &nodes,
        peers: &[],
        builtin: false,
    };
    let resources = parse(&source, context, &mut found);
    assert!(!found.has_errors());
    assert_eq!(found.warning_count(), 1);
    assert_eq!(resources.groups.len(), 1);
}

#[test]
fn an_empty_file_is_a_node_without_groups() {
    let (resources, found) = read("");
    assert!(found.is_empty());
    assert!(resources.groups.is_empty());
    assert_eq!(resources.digest.len(), 16);
}

#[test]
fn shortened_ipv6_addresses_are_told_how_to_be_written() {
    let (_, found) = read("lb1 IPaddr2::fd00::1/64/eth0 fd00::2/64\n");
    let shown = found.to_string();
    for hint in [
        "write the address in full, fd00:0:0:0:0:0:0:1",
        "IPaddr2::fd00:0:0:0:0:0:0:2",
    ] {
        assert!(shown.contains(hint), "{shown}");
    }
    let (resources, found) = read("lb1 IPaddr2::fd00:0:0:0:0:0:0:1/64/eth0\n");
    assert_eq!(messages(&found), [] as [String; 0]);
    assert_eq!(resources.groups.len(), 1);
}

/// What `check` calls usable, `run` can carry: the core's own limit, and one more is too much.
#[test]
fn there_is_one_limit_to_groups_and_it_is_checked_here() {
    let lines = |count: usize| -> String {
        let line = |n| format!("lb1 web::{n}\n");
        (0..count).map(line).collect()
    };
    let (resources, found) = read(&lines(MAX_GROUPS));
    assert_eq!(
        (resources.groups.len(), found.error_count()),
        (MAX_GROUPS, 0)
    );
    let (resources, found) = read(&lines(MAX_GROUPS + 1));
    assert_eq!(resources.groups.len(), MAX_GROUPS);
    assert!(messages(&found)[0].contains("more than 1000 resource groups"));
    let words = " web".repeat(MAX_RESOURCES + 1);
    assert!(read(&format!("lb1{words}\n")).1.has_errors());
    let word = "w".repeat(MAX_WORD + 1);
    assert!(read(&format!("lb1 {word}\n")).1.has_errors());
}

#[test]
fn empty_parts_of_an_address_collapse() {
    let (_, found) = read("lb1 IPaddr::10.0.0.1//24//eth0 IPaddr2::10.0.0.2/24//10.0.0.255\n");
    assert_eq!(messages(&found), [] as [String; 0]);
    let (_, found) = read("lb1 IPaddr::10.0.0.1//eth0\n");
    assert!(messages(&found)[0].contains("\"eth0\" is not a netmask"));
}
