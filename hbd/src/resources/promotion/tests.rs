#![allow(clippy::unwrap_used)]

use super::*;
use tempfile::TempDir;

/// Settings as the kernel shows them.
fn settings(all: &str, eth0: &str) -> TempDir {
    let settings = tempfile::tempdir().unwrap();
    for (device, value) in [("all", all), ("eth0", eth0)] {
        let directory = settings.path().join(device);
        fs::create_dir(&directory).unwrap();
        fs::write(directory.join("promote_secondaries"), value).unwrap();
    }
    settings
}

fn setting(settings: &TempDir, device: &str) -> String {
    let path = settings.path().join(device).join("promote_secondaries");
    fs::read_to_string(path).unwrap()
}

#[test]
fn what_is_switched_on_is_told_once() {
    let settings = settings("0\n", "0\n");
    let told = switch_on(settings.path(), "eth0").unwrap().unwrap();
    assert!(
        told.starts_with("promote_secondaries of eth0 was off and is on from now on"),
        "{told}"
    );
    assert_eq!(setting(&settings, "eth0"), "1");
    assert_eq!(setting(&settings, "all"), "0\n", "of that interface alone");
    assert_eq!(switch_on(settings.path(), "eth0").unwrap(), None);
}

#[test]
fn what_is_on_for_all_or_for_the_interface_is_left_alone() {
    for (all, eth0) in [("1\n", "0\n"), ("0\n", "1\n")] {
        let settings = settings(all, eth0);
        assert_eq!(switch_on(settings.path(), "eth0").unwrap(), None);
        assert_eq!(setting(&settings, "eth0"), eth0);
    }
}

#[test]
fn an_interface_that_is_gone_is_an_error() {
    let settings = settings("0\n", "0\n");
    assert!(switch_on(settings.path(), "eth7").is_err());
}
