//! Against `tests/golden`: what a real kernel answered and what ipvsadm 1.31 sent to it.
//!
//! The expected side is ipvsadm's own print of the same table. `tests/golden/README.md` says how the
//! files are made again.

#![allow(clippy::unwrap_used)]

use crate::attributes::Attributes;
use crate::info::{Info, Timeouts};
use crate::messages::{Request, decode_daemon, decode_destination, decode_service};
use crate::service::ServiceStatus;
use crate::text::{self, Columns, Command, Numbers};

const KERNEL: &str = include_str!("../tests/golden/kernel.hex");

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.map(byte).collect()
}

/// The messages that a word is in front of.
fn messages<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = Vec<u8>> + 'a {
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines
        .filter(move |(first, _)| *first == word)
        .map(|(_, hex)| bytes(hex))
}

fn table() -> Vec<ServiceStatus> {
    let mut table: Vec<ServiceStatus> = Vec::new();
    for (word, hex) in KERNEL.lines().filter_map(|line| line.split_once(' ')) {
        match word {
            "service" => table.push(decode_service(&bytes(hex)).unwrap()),
            "real" => {
                let last = table.last_mut().unwrap();
                last.destinations
                    .push(decode_destination(&bytes(hex), &last.service.id).unwrap());
            }
            _ => {}
        }
    }
    table.sort();
    for status in &mut table {
        status.destinations.sort();
    }
    table
}

#[test]
fn a_kernels_table_prints_as_ipvsadm_printed_it() {
    let info = Info::decode(&messages(KERNEL, "info").next().unwrap()).unwrap();
    let list = |columns| text::list(&info, &table(), columns);
    assert_eq!(
        list(Columns::Normal),
        include_str!("../tests/golden/listing.txt")
    );
    assert_eq!(
        list(Columns::Thresholds),
        include_str!("../tests/golden/thresholds.txt")
    );
    assert_eq!(
        list(Columns::Stats(Numbers::Units)),
        include_str!("../tests/golden/stats.txt")
    );
    assert_eq!(
        text::save(&table()),
        include_str!("../tests/golden/saved.txt")
    );
}

#[test]
fn a_kernels_timeouts_and_daemons_print_as_ipvsadm_printed_them() {
    let timeouts = Timeouts::decode(&messages(KERNEL, "timeouts").next().unwrap()).unwrap();
    assert_eq!(
        format!("{timeouts}\n"),
        include_str!("../tests/golden/timeouts.txt")
    );
    let daemons = messages(include_str!("../tests/golden/daemons.hex"), "daemon");
    let lines: Vec<_> = daemons
        .map(|bytes| decode_daemon(&bytes).unwrap().to_string())
        .collect();
    let expected: Vec<_> = include_str!("../tests/golden/daemons.txt")
        .lines()
        .collect();
    assert_eq!(lines, expected);
}

#[test]
fn every_cut_and_every_flipped_bit_of_a_kernels_answer_is_survived() {
    let id = table().remove(0).service.id;
    for message in messages(KERNEL, "service").chain(messages(KERNEL, "real")) {
        for at in 0..message.len() {
            let cut = message.get(..at).unwrap();
            let mut flipped = message.clone();
            for bit in 0..8 {
                flipped[at] ^= 1 << bit;
                for damaged in [&flipped, cut] {
                    let _ = (decode_service(damaged), decode_destination(damaged, &id));
                }
                flipped[at] ^= 1 << bit;
            }
        }
    }
}

#[test]
fn our_requests_say_what_ipvsadms_say() {
    let text = include_str!("../tests/golden/requests.hex");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 20);
    for pair in lines.chunks_exact(2) {
        let [line, sent] = pair else {
            unreachable!("chunks of two")
        };
        let options = line.strip_prefix("ipvsadm ").unwrap();
        let (number, hex) = sent.split_once(' ').unwrap();
        let ours = request(&text::parse(options).unwrap()[0]);
        assert_eq!(ours.command, number.parse::<u8>().unwrap(), "{line}");
        let theirs = flatten(&bytes(hex));
        for attribute in flatten(&ours.attributes) {
            assert!(
                theirs.contains(&attribute),
                "{line}: {attribute:?} not in {theirs:?}"
            );
        }
    }
}

fn request(command: &Command) -> Request {
    match command {
        Command::AddService(service) => Request::add_service(service),
        Command::EditService(service) => Request::edit_service(service),
        Command::DeleteService(id) => Request::delete_service(id),
        Command::AddDestination(id, real) => Request::add_destination(id, real),
        Command::EditDestination(id, real) => Request::edit_destination(id, real),
        Command::DeleteDestination(id, address) => Request::delete_destination(id, *address),
        Command::Clear => Request::flush(),
        Command::Zero(id) => Request::zero(id.as_ref()),
    }
}

/// Each attribute as outer type, inner type and value. Of the service's flags (7) only the flags: our
/// mask leaves out the kernel's own bit, ipvsadm's does not.
fn flatten(message: &[u8]) -> Vec<(u16, u16, Vec<u8>)> {
    let mut flat = Vec::new();
    for outer in Attributes::new("message", message).map(Result::unwrap) {
        for inner in outer.nested("inner").map(Result::unwrap) {
            let flags = (outer.kind, inner.kind) == (1, 7);
            let value = if flags {
                &inner.value[..4]
            } else {
                inner.value
            };
            flat.push((outer.kind, inner.kind, value.to_vec()));
        }
    }
    flat
}
