#![allow(clippy::unwrap_used)]

use super::*;

fn told(etc: &Path, script: &str) -> Vec<String> {
    let found = judge(etc, script, &["x.cf".to_owned()]);
    found.iter().map(ToString::to_string).collect()
}

fn put(etc: &Path, name: &str, text: &[u8], mode: u32) {
    let path = etc.join("resource.d").join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn scripts_that_cannot_run_or_that_others_can_change_are_named() {
    let etc = tempfile::tempdir().unwrap();
    let etc = etc.path();
    fs::create_dir(etc.join("resource.d")).unwrap();
    put(etc, "good-one", b"#!/bin/sh\n", 0o755);
    put(etc, "old-text", b"echo running\n", 0o755);
    put(etc, "asleep", b"#!/bin/sh\n", 0o644);
    put(etc, "open", b"#!/bin/sh\n", 0o757);
    put(etc, "windows", b"#!/bin/sh\r\nexit 0\r\n", 0o755);
    put(etc, "nowhere", b"#! /no/such/shell -e\n", 0o755);
    put(etc, "ldirectord", b"#!/bin/sh\n", 0o755);
    let rows = [
        ("asleep", "is not executable"),
        ("open", "can be changed by anybody, and hbd runs it as root"),
        ("windows", "has the line ends of Windows (CR LF)"),
        ("nowhere", "its interpreter /no/such/shell does not exist"),
        ("no-such-script", "there is no such resource script"),
        ("ldirectord", "x.cf does not exist"),
    ];
    for (script, expected) in rows {
        let told = told(etc, script);
        assert!(told.len() == 1 && told[0].contains(expected), "{told:?}");
    }
    for script in ["good-one", "old-text"] {
        assert_eq!(told(etc, script), [""; 0]);
    }
    fs::create_dir(etc.join("conf")).unwrap();
    fs::write(etc.join("conf/x.cf"), "").unwrap();
    assert_eq!(
        told(etc, "ldirectord"),
        [""; 0],
        "where ldird looks as well"
    );
    let open = fs::Permissions::from_mode(0o777);
    fs::set_permissions(etc.join("resource.d"), open).unwrap();
    let told = told(etc, "good-one");
    assert!(told.len() == 1 && told[0].contains("resource.d can be changed by anybody"));
}
