use super::{ACCEPTED, TABLES};
use crate::suite::rows;

fn lines() -> impl Iterator<Item = &'static str> {
    let lines = TABLES.iter().flat_map(|site| site.text.lines());
    lines.map(str::trim).filter(|line| !line.starts_with('#'))
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
