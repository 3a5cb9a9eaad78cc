#![allow(clippy::unwrap_used)]

use super::*;

fn words(line: &str) -> Result<DaemonOrder, String> {
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    read(&words)
}

#[test]
fn options_of_ipvsadm_are_understood() {
    let plain = SyncDaemon::new(SyncRole::Master, "eth1", 0);
    let line = "start master --mcast-interface eth1";
    assert_eq!(words(line), Ok(DaemonOrder::Start(plain)));
    let mut full = SyncDaemon::new(SyncRole::Backup, "eth1", 7);
    (full.max_length, full.port, full.ttl) = (1400, 9000, 3);
    full.group = Some([239, 1, 1, 1].into());
    let line = "start backup --syncid=7 --mcast-interface=eth1 --sync-maxlen 1400 \
                --mcast-group 239.1.1.1 --mcast-port 9000 --mcast-ttl 3";
    assert_eq!(words(line), Ok(DaemonOrder::Start(full)));
    assert_eq!(
        words("stop backup"),
        Ok(DaemonOrder::Stop(SyncRole::Backup))
    );
    assert_eq!(words("list"), Ok(DaemonOrder::List));
}

#[test]
fn wrong_words_are_named() {
    for (line, named) in [
        ("start", "list"),
        ("start both", "both"),
        ("start master", "--mcast-interface"),
        ("start master --mcast-interface", "--mcast-interface"),
        ("start master --mcast-interface eth1 --syncid 256", "256"),
        ("start master --mcast-interface eth1 --mcast-group x", "x"),
        ("start master --mcast-interface eth1 --weight 1", "--weight"),
        ("stop", "stop"),
        ("swap master", "swap"),
        ("swap master eth1 restart", "restart"),
    ] {
        let said = words(line).unwrap_err();
        assert!(said.contains(named), "{line}: {said}");
    }
}

#[test]
fn the_resource_has_its_old_arguments() {
    let swap = |interface: &str, action| {
        Ok(DaemonOrder::Swap {
            role: SyncRole::Master,
            interface: interface.to_owned(),
            action,
        })
    };
    assert_eq!(words("swap master start"), swap("eth0", Swap::Start));
    assert_eq!(words("swap master eth1 stop"), swap("eth1", Swap::Stop));
    assert_eq!(words("swap master monitor"), swap("eth0", Swap::Status));
}
