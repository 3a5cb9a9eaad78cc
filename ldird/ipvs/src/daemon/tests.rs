//! Encoding of sync daemons and their line in a listing.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn round_trip(daemon: &SyncDaemon) -> Result<SyncDaemon, DecodeError> {
    let mut writer = Writer::default();
    daemon.encode(&mut writer);
    SyncDaemon::decode(Attributes::new(SyncDaemon::LIST, &writer.finish()))
}

#[test]
fn a_daemon_prints_as_ipvsadm_does() {
    let mut daemon = SyncDaemon::new(SyncRole::Backup, "eth0", 7);
    daemon.max_length = 1024;
    daemon.group = Some([239, 1, 1, 1].into());
    daemon.port = 9000;
    daemon.ttl = 3;
    assert_eq!(
        daemon.to_string(),
        "backup sync daemon (mcast=eth0, syncid=7, maxlen=1024, group=239.1.1.1, port=9000, ttl=3)"
    );
}

#[test]
fn interface_names_that_the_kernel_cannot_hold_are_refused() {
    assert!(
        SyncDaemon::new(SyncRole::Master, "fifteen-bytes-x", 0)
            .check()
            .is_ok()
    );
    for name in ["", "sixteen-bytes-xx", "eth\0"] {
        assert!(
            SyncDaemon::new(SyncRole::Master, name, 0).check().is_err(),
            "{name:?}"
        );
    }
}

#[test]
fn an_unknown_role_is_told_by_number() {
    let mut writer = Writer::default();
    writer.u32(STATE, 3);
    let fault =
        SyncDaemon::decode(Attributes::new(SyncDaemon::LIST, &writer.finish())).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "sync daemon: attribute 1 has the unknown value 3"
    );
}

proptest! {
    #[test]
    fn what_is_encoded_is_decoded(
        master in any::<bool>(),
        interface in "[a-z0-9.]{1,15}",
        (sync_id, max_length, port, ttl) in any::<(u8, u16, u16, u8)>(),
        group in any::<Option<IpAddr>>(),
    ) {
        let role = if master { SyncRole::Master } else { SyncRole::Backup };
        let daemon = SyncDaemon { role, interface, sync_id, max_length, group, port, ttl };
        prop_assert_eq!(round_trip(&daemon), Ok(daemon));
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SyncDaemon::decode(Attributes::new(SyncDaemon::LIST, &bytes));
    }
}
