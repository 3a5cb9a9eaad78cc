#![allow(clippy::unwrap_used)]

use super::{Answer, LOAD_LIMIT, LOOK_UPS_MAX, Name, Names, Slot};
use crate::config::given::Family;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Instant;

/// Look-ups are counted in the whole process, so tests that make many take turns.
static TURN: Mutex<()> = Mutex::new(());

const WEB: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

fn names(texts: &[&str]) -> BTreeSet<Name> {
    let names = texts.iter().map(|text| ((*text).to_owned(), Family::V4));
    names.collect()
}

fn answer(names: &Names, text: &str) -> Answer {
    names.answer(&(text.to_owned(), Family::V4))
}

#[test]
fn a_name_keeps_its_address_while_nobody_answers() {
    let _turn = TURN.lock();
    let serving = Arc::new(AtomicBool::new(true));
    let server = Arc::clone(&serving);
    let mut all = Names::asking(move |name, _| {
        (server.load(Ordering::Relaxed) && name == "web").then_some(WEB)
    });
    all.refresh(names(&["web", "dead"]));
    assert_eq!(answer(&all, "web"), Answer::Address(WEB));
    assert_eq!(answer(&all, "dead"), Answer::Missing);
    assert!(!all.is_settled());
    serving.store(false, Ordering::Relaxed);
    all.refresh(names(&["web"]));
    assert_eq!(answer(&all, "web"), Answer::Kept(WEB));
    assert!(!all.is_settled(), "it is asked for until somebody answers");
    all.refresh(names(&["other"]));
    all.refresh(names(&["web"]));
    assert_eq!(
        answer(&all, "web"),
        Answer::Missing,
        "forgotten with its line"
    );
}

#[test]
fn names_that_nobody_answers_for_hold_a_start_up_for_a_moment_only() {
    let _turn = TURN.lock();
    let (hold, held) = mpsc::channel::<()>();
    let held = Arc::new(Mutex::new(held));
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut all = Names::asking(move |name, _| {
        if name == "web" {
            return Some(WEB);
        }
        count.fetch_add(1, Ordering::Relaxed);
        // Until the test lets go.
        let _ = held.lock().map(|held| held.recv());
        None
    });
    let mut wanted: Vec<String> = (0..100).map(|number| format!("z{number}")).collect();
    wanted.push("web".to_owned());
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let start = Instant::now();
    all.refresh(names(&wanted));
    let took = start.elapsed();
    assert!(took >= LOAD_LIMIT && took < LOAD_LIMIT * 4, "{took:?}");
    assert_eq!(answer(&all, "web"), Answer::Address(WEB));
    assert_eq!(answer(&all, "z99"), Answer::Missing);
    assert!(asked.load(Ordering::Relaxed) <= LOOK_UPS_MAX);
    assert!(Slot::take().is_none(), "those that hang still count");
    drop(hold);
    while super::LOOK_UPS.load(Ordering::Relaxed) > 0 {
        std::thread::yield_now();
    }
}

#[test]
fn a_name_server_that_comes_late_is_found() {
    let _turn = TURN.lock();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut all = Names::asking(move |name, _| {
        let times = count.fetch_add(1, Ordering::Relaxed);
        (name == "web" && times >= 2).then_some(WEB)
    });
    all.missing = names(&["web"]);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let all = runtime.block_on(all.found_late(None, false));
    assert_eq!(answer(&all, "web"), Answer::Address(WEB));
    assert!(all.is_settled());
    assert_eq!(all.of(WEB).collect::<Vec<_>>(), ["web"]);
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[test]
fn a_name_that_moves_is_followed_and_one_with_many_addresses_stays() {
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    let _turn = TURN.lock();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let mut all = Names::asking(move |name, _| {
        let times = count.fetch_add(usize::from(name == "moves"), Ordering::Relaxed);
        match (name, times) {
            // In another order each time.
            ("many", _) => vec![OTHER, WEB],
            // The third answer is another one.
            ("moves", 0..2) => vec![WEB],
            ("moves" | "virtual", _) => vec![OTHER],
            _ => Vec::new(),
        }
    });
    for name in names(&["many", "moves", "virtual"]) {
        all.known.insert(name, WEB);
    }
    all.missing = names(&["dead"]);
    all.fix(names(&["virtual"]));
    let before = all.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let again = Some(std::time::Duration::from_millis(1));
    let all = runtime.block_on(all.found_late(again, false));
    assert_eq!(answer(&all, "moves"), Answer::Address(OTHER));
    assert_eq!(answer(&all, "many"), Answer::Address(WEB));
    assert_eq!(answer(&all, "virtual"), Answer::Address(WEB), "by a reload");
    assert_eq!(
        all.news(&before),
        "Names have other addresses: moves is 10.0.0.2 now, not 10.0.0.1"
    );
}

/// A start without name servers goes on with what the life before knew, and follows what they say when
/// they are back.
#[test]
fn what_an_earlier_life_knew_is_kept_until_somebody_answers() {
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2));
    let _turn = TURN.lock();
    let serving = Arc::new(AtomicBool::new(false));
    let server = Arc::clone(&serving);
    let known = names(&["same", "moved", "gone"]);
    let known = known.into_iter().map(|name| (name, WEB)).collect();
    let all = Names::asking(move |name, _| match name {
        _ if !server.load(Ordering::Relaxed) => None,
        "same" => Some(WEB),
        _ => Some(OTHER),
    });
    let mut all = all.knowing(known);
    all.refresh(names(&["same", "moved"]));
    assert_eq!(answer(&all, "same"), Answer::Kept(WEB));
    assert_eq!(answer(&all, "moved"), Answer::Kept(WEB));
    assert_eq!(
        all.known().len(),
        2,
        "what the file does not name is forgotten"
    );
    serving.store(true, Ordering::Relaxed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let all = runtime.block_on(all.found_late(None, false));
    assert_eq!(answer(&all, "same"), Answer::Address(WEB));
    assert_eq!(answer(&all, "moved"), Answer::Address(OTHER));
    assert!(all.is_settled());
}
