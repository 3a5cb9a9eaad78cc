#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn manager_that_does_not_read_never_holds_us_up() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    // More than any queue of datagrams holds (net.unix.max_dgram_qlen).
    let refused = (0..100_000).find(|_| send(path.as_os_str(), b"WATCHDOG=1\n").is_err());
    assert!(refused.is_some(), "the queue never filled");
    let mut message = [0; 64];
    let length = manager.recv(&mut message).unwrap();
    assert_eq!(&message[..length], b"WATCHDOG=1\n");
}
