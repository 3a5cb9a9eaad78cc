#![allow(clippy::unwrap_used)]

use super::{Kernel, interface, lacks, origins, programs};
use crate::config;
use crate::probes::Catalogue;
use ha_plumbing::Source;
use std::net::TcpListener;

fn kernel(lists: &str) -> (tempfile::TempDir, Kernel) {
    let folder = tempfile::tempdir().unwrap();
    let (loaded, lists) = (folder.path().to_owned(), lists.to_owned());
    (folder, Kernel { loaded, lists })
}

#[test]
fn a_scheduler_is_missed_before_the_service_is() {
    let (folder, kernel) = kernel("kernel/net/netfilter/ipvs/ip_vs_wlc.ko.xz: x\n");
    assert!(!kernel.lacks("wlc"), "installed");
    assert!(kernel.lacks("lc"), "a name's end is no name");
    assert!(kernel.lacks("twos"));
    std::fs::create_dir(folder.path().join("ip_vs_twos")).unwrap();
    assert!(!kernel.lacks("twos"), "loaded");
}

#[test]
fn nothing_is_said_of_schedulers_where_nobody_can_tell() {
    let (_folder, kernel) = kernel("");
    assert!(!kernel.lacks("twos"));
}

#[tokio::test]
async fn a_fallback_on_this_machine_must_answer() {
    let answering = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = answering.local_addr().unwrap().port();
    let text = format!("virtual=10.0.0.100:{port}\n\tfallback=127.0.0.1\n\tchecktype=on\n");
    let source = Source::from_bytes("/x.cf", text.as_bytes());
    let config = config::read(&source, &mut Catalogue::default()).0.unwrap();
    let told = async || lacks(&config.core).await.to_string();
    assert!(!told().await.contains("fallback"));
    drop(answering);
    let said = told().await;
    let wanted = format!("nobody answers at the fallback 127.0.0.1:{port}: ");
    assert!(said.contains(&wanted), "{said}");
}

#[test]
fn a_command_that_cannot_be_run_is_named() {
    let text = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\tchecktype=external\n";
    let told = |command: &str| {
        let text = format!("{text}\tcheckcommand=\"{command}\"\n");
        let source = Source::from_bytes("/x.cf", text.as_bytes());
        let configuration = config::read(&source, &mut Catalogue::default()).0.unwrap();
        programs(&configuration).to_string()
    };
    assert_eq!(told("/bin/sh -c true"), "");
    let said = told("/nowhere/check -a");
    assert!(
        said.contains("the checkcommand cannot be run: /nowhere/check: "),
        "{said}"
    );
}

#[test]
fn an_interface_that_is_missing_is_named() {
    let told = |name: &str| {
        let text = format!("syncdaemon={name}\nvirtual=10.0.0.100:80\n\tchecktype=on\n");
        let source = Source::from_bytes("/x.cf", text.as_bytes());
        let configuration = config::read(&source, &mut Catalogue::default()).0.unwrap();
        interface(&configuration).to_string()
    };
    assert_eq!(told("lo"), "");
    let said = told("nowhere0");
    assert!(
        said.contains("syncdaemon: this machine has no interface nowhere0"),
        "{said}"
    );
}

#[test]
fn where_checks_are_to_come_from_and_cannot_is_named_once() {
    let told = |words: &str| {
        let text = format!(
            "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\treal=10.0.0.2:80 gate\n\
             \tchecktype=3\n\tservice=http\n\trequest=\"/\"\n\treceive=\"(a+)+b\"\n{words}"
        );
        let source = Source::from_bytes("/x.cf", text.as_bytes());
        let configuration = config::read(&source, &mut Catalogue::default()).0.unwrap();
        origins(&configuration).to_string()
    };
    assert_eq!(told(""), "");
    assert_eq!(told("\tchecksource=127.0.0.7\n\tcheckdevice=lo\n"), "");
    // TEST-NET-1: nobody has it (RFC 5737).
    let said = told("\tchecksource=192.0.2.9\n\tcheckdevice=nowhere0\n");
    let named = |what: &str| said.matches(what).count();
    assert_eq!(
        named("checksource=192.0.2.9 is no address of this machine"),
        1,
        "{said}"
    );
    assert_eq!(
        named("checkdevice=nowhere0: this machine has no such"),
        1,
        "{said}"
    );
}
