#![allow(clippy::unwrap_used)]

use super::*;
use crate::resources::view::LinkRow;

fn row(link: u32, ip: &str, prefix: u8, label: Option<&str>) -> AddressRow {
    AddressRow {
        link,
        ip: ip.parse().unwrap(),
        prefix,
        label: label.map(str::to_owned),
        broadcast: None,
        secondary: false,
    }
}

/// `eth0` with an address of its own, one of a service beside it, and one with a label.
fn machine() -> View {
    let link = |index: u32, name: &str| LinkRow {
        index,
        name: name.to_owned(),
        loopback: name == "lo",
        up: true,
        carrier: true,
        mac: (name != "lo").then_some([2, 0, 0, 0, 0, 1]),
    };
    View::new(
        vec![link(1, "lo"), link(2, "eth0")],
        vec![
            row(1, "127.0.0.1", 8, Some("lo")),
            row(1, "10.0.0.102", 32, Some("lo")),
            row(2, "10.0.0.1", 24, Some("eth0")),
            row(2, "10.0.0.100", 24, Some("eth0")),
            row(2, "10.0.0.101", 24, Some("eth0:0")),
            row(2, "10.0.1.1", 32, Some("eth0")),
        ],
    )
}

fn told(word: &str, running: bool) -> String {
    let resource = ResourceConfig {
        script: "IPaddr".to_owned(),
        args: vec![word.to_owned()],
    };
    let fault = address(true, &resource, &machine(), running);
    fault.map_or_else(String::new, |fault| fault.to_string())
}

#[test]
fn an_address_of_the_node_itself_is_no_resource() {
    assert!(told("10.0.0.1", false).contains("is this node's own address on eth0"));
    // What a daemon or a script has put, and the copy of a real server.
    for word in ["10.0.0.100", "10.0.0.101", "10.0.1.1/32/eth0", "10.0.0.102"] {
        assert_eq!(told(word, false), "", "{word}");
    }
    assert_eq!(told("10.0.0.1", true), "", "the running daemon may hold it");
}

#[test]
fn ucast_lines_that_all_name_this_node_reach_nobody() {
    let ucast = |ip: &str| MediumSpec::Ucast {
        interface: "eth0".to_owned(),
        peer: std::net::SocketAddr::new(ip.parse().unwrap(), 694).into(),
    };
    let bcast = || MediumSpec::Bcast {
        interface: "eth0".to_owned(),
        port: 694,
    };
    let talks = |nodes, media: &[MediumSpec]| talks_to_itself(nodes, media, &machine());
    let fault = talks(2, &[ucast("10.0.0.1"), ucast("10.0.0.100")]).unwrap();
    let text = fault.to_string();
    assert!(
        text.contains("every ucast names this node itself"),
        "{text}"
    );
    assert!(text.contains("name the other node's address"), "{text}");
    // The same ha.cf on both nodes names both; a broadcast reaches whoever is there.
    assert!(talks(2, &[ucast("10.0.0.1"), ucast("10.0.0.2")]).is_none());
    assert!(talks(2, &[ucast("10.0.0.1"), bcast()]).is_none());
    assert!(
        talks(1, &[ucast("10.0.0.1")]).is_none(),
        "there is nobody to reach"
    );
}

#[test]
fn an_address_that_has_no_place_here_is_named() {
    assert!(told("10.0.0.7/24/eth7", false).contains("there is no interface \"eth7\""));
    assert!(told("192.0.2.1", false).contains("no interface is connected to the network"));
    assert_eq!(told("192.0.2.1/24/eth0", false), "");
}

#[test]
fn a_fault_is_shown_where_the_resource_stands() {
    let text = "lb1 10.0.0.1 # first\nlb1 mail::a::::b IPaddr::10.0.0.2\n";
    let path = Path::new("haresources");
    let places = Places {
        source: Some(Source::from_bytes(path, text.as_bytes())),
        path,
    };
    let line = |script: &str, args: &[&str]| {
        let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
        places.mark(Diagnostic::error("x"), script, &args).line()
    };
    assert_eq!(line("IPaddr", &["10.0.0.1"]), Some(1));
    assert_eq!(line("mail", &["a", "b"]), Some(2));
    assert_eq!(line("IPaddr", &["10.0.0.2"]), Some(2));
    assert_eq!(line("first", &[]), None);
}
