use std::collections::BTreeSet;

use super::{ACCEPTED, CHECKS, TABLES};
use crate::suite::rows;

/// Every service but those of imap and dns, by its own line or by its port.
const SERVICES: &str = "\
    ftp:21 http:80 https:443 http_proxy:3128 ldap:389 ldaps:636 mysql:3306 nntp:119 none:9001 oracle:1521 \
    pgsql:5432 pop:110 pops:995 radius:1812 simpletcp:9000 sip:5060 smtp:25 submission:587";
/// Every kind of check but ping. A number is one of connects between two negotiations.
const KINDS: &str = "connect external external-perl off on 2";

fn lines() -> impl Iterator<Item = &'static str> {
    let sites = CHECKS.iter().chain(&TABLES);
    let lines = sites.flat_map(|site| site.text.lines());
    lines.map(str::trim).filter(|line| !line.starts_with('#'))
}

#[test]
fn checks_of_every_kind_are_in_the_files() {
    for kind in KINDS.split_whitespace() {
        let line = format!("checktype={kind}");
        assert!(lines().any(|has| has == line), "no file has {line}");
    }
    for service in SERVICES.split_whitespace() {
        let (name, port) = service.split_once(':').expect("a port");
        let (own, by_port) = (format!("service={name}"), format!(":{port}"));
        let found = lines()
            .any(|line| line == own || (line.starts_with("virtual") && line.ends_with(&by_port)));
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
