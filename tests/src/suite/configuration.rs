//! Faulty configuration: everything that is wrong is told at once, and nothing is started or changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};

use super::{Case, Place};
use crate::bed::host::Host;
use crate::bed::network::Network;
use crate::scenario::director::{Configuration, Director};
use crate::scenario::pair::VIP;
use crate::scenario::programs::Programs;

pub(super) const CASES: &[Case] = &[
    Case {
        name: "faulty_ha_cf_tells_every_fault_and_starts_nothing",
        place: Place::Here,
        run: faulty_ha_cf,
    },
    Case {
        name: "authkeys_that_others_can_read_are_refused",
        place: Place::Here,
        run: open_authkeys,
    },
    Case {
        name: "faulty_ldirectord_cf_tells_every_fault",
        place: Place::Here,
        run: faulty_ldirectord_cf,
    },
];

const HA_CF: &str = "\
keepalive 200ms
deadtime 2
initdead 10
bcast eth0
auto_failback on
node lb1
node lb2
";
const HARESOURCES: &str = "lb1 IPaddr::10.77.0.100/24/eth0\n";
const AUTHKEYS: &str = "auth 1\n1 sha1 a-key-of-the-lab\n";
/// Exit codes of the old daemons for a faulty configuration.
const HBD_REFUSES: i32 = 6;
const LDIRD_REFUSES: i32 = 2;

fn director(ha_cf: &str, haresources: &str, authkeys: &str) -> Result<Director> {
    let network = Network::new()?;
    network.segment("lan")?;
    let host = network
        .host("lb1")
        .nic("lan", &["10.77.0.1/24"])
        .power_on()?;
    let files = vec![
        ("ha.cf", ha_cf.to_owned()),
        ("haresources", haresources.to_owned()),
        ("authkeys", authkeys.to_owned()),
    ];
    let configuration = Configuration::Files(files);
    Director::install(Arc::new(host), &Programs::find()?, &configuration, VIP)
}

/// How a command ended, and all it said.
fn outcome(host: &Host, argv: &[&str]) -> Result<(i32, String)> {
    let (program, arguments) = argv.split_first().context("nothing to run")?;
    let output = host.command(program)?.args(arguments).output()?;
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().context("ended by a signal")?;
    Ok((code, String::from_utf8_lossy(&said).into_owned()))
}

/// All of `faults` are told with their places; nothing runs, and nothing was made in `/run`.
fn refuses(director: &Director, code: i32, faults: &[&str]) -> Result<()> {
    let host = director.host();
    let addresses = host.run(&["ip", "-o", "address"])?;
    for verb in ["check", "run"] {
        let (ended, said) = outcome(host, &["hbd", verb])?;
        ensure!(ended == code, "hbd {verb} ended with {ended}: {said}");
        for fault in faults {
            ensure!(
                said.contains(fault),
                "hbd {verb} does not tell {fault}: {said}"
            );
        }
    }
    ensure!(host.processes("hbd").is_empty(), "hbd runs");
    ensure!(
        host.run(&["ip", "-o", "address"])? == addresses,
        "addresses changed"
    );
    let made = host.sh("find /run/heartbeat /run/heartbeat.pid 2>/dev/null || true")?;
    ensure!(made.is_empty(), "it left {made}");
    Ok(())
}

fn faulty_ha_cf() -> Result<()> {
    let ha_cf = HA_CF
        .replace("deadtime 2", "deadtime 2s")
        .replace("initdead 10", "initdaed 10")
        .replace("bcast eth0", "bcast nosuch0");
    let haresources = "stranger IPaddr::10.77.0.300/24/eth0\n";
    let authkeys = "auth 1\n1 sha9 a-key-of-the-lab\n";
    let director = director(&ha_cf, haresources, authkeys)?;
    // File and line of each fault, the word at fault, and a caret below it.
    let faults = [
        "/etc/ha.d/ha.cf:2:",
        "2s",
        "/etc/ha.d/ha.cf:3:",
        "initdaed",
        "/etc/ha.d/ha.cf:4:",
        "nosuch0",
        "/etc/ha.d/haresources:1:",
        "stranger",
        "/etc/ha.d/authkeys:2:",
        "sha9",
        "^^^^",
        "hint:",
    ];
    refuses(&director, HBD_REFUSES, &faults)
}

fn open_authkeys() -> Result<()> {
    let director = director(HA_CF, HARESOURCES, AUTHKEYS)?;
    let (code, said) = outcome(director.host(), &["hbd", "check"])?;
    ensure!(
        code == 0,
        "the files are good, and yet hbd check ends with {code}: {said}"
    );
    let keys = director.host().folder().join("etc/authkeys");
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o644))?;
    refuses(&director, HBD_REFUSES, &["/etc/ha.d/authkeys", "600"])
}

fn faulty_ldirectord_cf() -> Result<()> {
    let director = director(HA_CF, HARESOURCES, AUTHKEYS)?;
    let text = "\
checktimeout=soon
nosuch=1

virtual=10.10.0.100:80
	real=10.10.0.11:80 gait
	checktype=guess
	scheduler=wlc
";
    fs::write(director.host().folder().join("etc/ldirectord.cf"), text)?;
    let (code, said) = outcome(director.host(), &["ldird", "ldirectord.cf", "check"])?;
    ensure!(
        code == LDIRD_REFUSES,
        "ldird check ended with {code}: {said}"
    );
    let places = [1, 2, 5, 6].map(|line| format!("/etc/ha.d/ldirectord.cf:{line}:"));
    let words = ["soon", "nosuch", "gait", "guess", "^^^^"];
    let wanted = places.iter().map(String::as_str).chain(words);
    for fault in wanted {
        ensure!(said.contains(fault), "it does not tell {fault}: {said}");
    }
    Ok(())
}
