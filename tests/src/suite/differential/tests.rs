use std::collections::BTreeSet;

use super::{ACCEPTED, CHECKS, HABITS, TABLES};
use crate::suite::rows;

/// Every directive of ldirectord 4.12 but the deprecated, which it refuses.
const DIRECTIVES: &str = "\
    autoreload callback checkcommand checkcount checkinterval checkport checktimeout checktype cleanstop comment \
    database emailalert emailalertfreq emailalertfrom emailalertstatus execute failurecount fallback fallback6 \
    fallbackcommand fork httpmethod load logfile login maintenancedir monitorfile negotiatetimeout netmask ops \
    passwd persistent protocol quiescent readdquiescent real real6 receive request schedflags scheduler secret \
    service servicename smtp supervised virtual virtual6 virtualhost";

/// Every kind of check. A number is one of connects between two negotiations.
const KINDS: &str = "connect external external-perl off on ping 2";

/// Every service, by its own line or by its port.
const SERVICES: &str = "\
    dns:53 ftp:21 http:80 https:443 http_proxy:3128 imap:143 imaps:993 ldap:389 ldaps:636 mysql:3306 nntp:119 \
    none:9001 oracle:1521 pgsql:5432 pop:110 pops:995 radius:1812 simpletcp:9000 sip:5060 smtp:25 submission:587";

fn lines() -> impl Iterator<Item = &'static str> {
    let sites = CHECKS.iter().chain(&TABLES).chain(&HABITS);
    let lines = sites.flat_map(|site| site.text.lines());
    lines.map(str::trim).filter(|line| !line.starts_with('#'))
}

#[test]
fn every_directive_check_and_service_is_in_the_files() {
    let set: BTreeSet<&str> = lines()
        .filter_map(|line| Some(line.split_once('=')?.0.trim()))
        .collect();
    for directive in DIRECTIVES.split_whitespace() {
        assert!(set.contains(directive), "no file has {directive}");
    }
    for kind in KINDS.split_whitespace() {
        let line = format!("checktype={kind}");
        assert!(lines().any(|has| has == line), "no file has {line}");
    }
    for service in SERVICES.split_whitespace() {
        let (name, port) = service.split_once(':').expect("a port");
        let own = format!("service={name}");
        let found = lines().any(|line| {
            line == own || (line.starts_with("virtual") && line.ends_with(&format!(":{port}")))
        });
        assert!(found, "no file asks for {name}");
    }
}

#[test]
fn there_are_sixty_services_and_more() {
    let services: BTreeSet<&str> = lines().filter(|line| line.starts_with("virtual")).collect();
    assert!(services.len() >= 60, "{} services", services.len());
}

/// Only what ldird owes no equality: rows that are improved or changed, and sections about such.
#[test]
fn accepted_differences_are_of_improved_or_changed_rows() {
    let free: Vec<&str> = [rows::IMPROVED, rows::CHANGED]
        .into_iter()
        .flat_map(str::split_whitespace)
        .collect();
    for accepted in ACCEPTED {
        let row = accepted.row;
        let is_section = row.starts_with(|first: char| first.is_ascii_digit()) && row.contains('.');
        assert!(is_section || free.contains(&row), "{row} is to be matched");
        let service = accepted.service.split(' ').nth(1).expect("an address");
        let line = [format!("virtual={service}"), format!("virtual6={service}")];
        let known = lines().any(|has| line.iter().any(|line| line == has));
        assert!(known, "no file has {service}");
    }
}
