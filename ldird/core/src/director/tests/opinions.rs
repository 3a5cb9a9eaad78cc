//! The last real server of a service fails, and another director is asked.

use super::bed::{Bed, SERVICE, checked, config, found, row};
use crate::config::{Config, Fallback};
use crate::input::{Finding, Input};
use crate::opinion::{ANSWER_LIMIT, OpinionEnd, QuestionId, Silence};
use crate::options::{Options, Panic, SecondOpinion};
use crate::output::{Notice, Output};
use crate::overrides::{Order, Slot};
use crate::table::Forwarding;
use ha_status::{Found, Override, Role, Says, Stage};
use std::time::Duration;

const INTERVAL: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(900);
const FALLBACK: u8 = 99;

/// So many real servers and a fallback.
fn with(count: u8, options: Options) -> Config {
    let mut config = config(checked(count));
    let service = &mut config.services[0];
    service.options = options;
    service.fallback = Some(Fallback {
        key: row(FALLBACK),
        forwarding: Forwarding::Masq,
    });
    config
}

fn asking() -> Options {
    Options {
        opinion: Some(SecondOpinion { longest: LONGEST }),
        ..Options::default()
    }
}

fn rows(bed: &Bed) -> Vec<u8> {
    let last = |key: crate::table::DestinationKey| match key.address {
        std::net::IpAddr::V4(address) => address.octets()[3],
        std::net::IpAddr::V6(_) => 0,
    };
    let rows = bed.rows().into_iter().filter(|(_, weight)| *weight > 0);
    rows.map(|(key, _)| last(key)).collect()
}

/// What it said, and its question if there was one.
#[derive(Debug, Default)]
struct Said {
    told: Vec<Notice>,
    asked: Option<QuestionId>,
}

impl Said {
    fn says(&self, notice: impl Fn(&Notice) -> bool) -> bool {
        self.told.iter().any(notice)
    }

    fn ends(&self, why: &OpinionEnd) -> bool {
        self.says(|one| matches!(one, Notice::SecondOpinionOver { why: told, .. } if told == why))
    }
}

fn feed(bed: &mut Bed, input: Input) -> Said {
    let outputs = bed.feed(input);
    let asked = outputs.iter().find_map(|output| match output {
        Output::AskOpinion {
            question, service, ..
        } => {
            assert_eq!(*service, SERVICE);
            Some(*question)
        }
        _ => None,
    });
    let told = bed.serve(outputs);
    Said { told, asked }
}

/// In the next interval these probes find this; the last one that is said.
fn find(bed: &mut Bed, probes: &[u32], finding: Finding) -> Said {
    let mut said = Said {
        told: bed.pass(INTERVAL),
        asked: None,
    };
    for probe in probes {
        let next = feed(bed, found(*probe, finding));
        said.told.extend(next.told);
        said.asked = next.asked.or(said.asked);
    }
    said
}

type Views = Result<Vec<(String, Found)>, Silence>;

fn views(found: Found) -> Vec<(String, Found)> {
    vec![("lb2".to_owned(), found)]
}

fn up(up: u64) -> Found {
    Found::Checked { up, more: false }
}

fn answer(bed: &mut Bed, question: QuestionId, views: Views) -> Said {
    let service = SERVICE;
    feed(
        bed,
        Input::Opinion {
            service,
            question,
            views,
        },
    )
}

/// Its last real server fails, and others have been asked.
fn in_doubt(config: Config) -> (Bed, QuestionId) {
    let reals = config.services[0].reals.len();
    let probes: Vec<u32> = (1..=reals as u32).collect();
    let mut bed = Bed::settled(config, reals as u32);
    let said = find(&mut bed, &probes, Finding::Down);
    let question = said.asked.expect("others are asked");
    (bed, question)
}

/// The same, and the other finds the first one up.
fn held(config: Config) -> Bed {
    let (mut bed, question) = in_doubt(config);
    let said = answer(&mut bed, question, Ok(views(up(1))));
    assert!(said.says(|one| matches!(one, Notice::SecondOpinion { .. })));
    bed
}

#[test]
fn the_last_one_stays_while_another_director_finds_one_up() {
    let mut bed = Bed::settled(with(3, asking()), 3);
    let said = find(&mut bed, &[1, 2], Finding::Down);
    assert_eq!((rows(&bed), said.asked), (vec![3], None), "one is left");
    let said = find(&mut bed, &[3], Finding::Down);
    let question = said.asked.expect("it was the last one");
    assert_eq!(rows(&bed), [3], "it stays until somebody has answered");
    assert!(
        bed.director.serving(SERVICE) == Some(true),
        "no fallbackcommand"
    );
    let said = answer(&mut bed, question, Ok(views(up(0b101))));
    let alarm = Notice::SecondOpinion {
        service: SERVICE,
        real: row(3),
        node: "lb2".to_owned(),
        up: vec![row(1), row(3)],
        longest: LONGEST,
    };
    assert_eq!(said.told, [alarm]);
    assert_eq!(rows(&bed), [3]);
    let shown = &bed.director.services(bed.now, 5_000_000)[0];
    assert_eq!(shown.reals[2].stage, Some(Stage::Held));
    let opinion = shown.opinion.as_ref().expect("it is shown");
    assert_eq!(opinion.real, "10.0.0.3:80");
    assert_eq!(opinion.up, ["10.0.0.1:80", "10.0.0.3:80"]);
    assert_eq!(opinion.until_ms - opinion.since_ms, 900_000);
    // Another check that fails changes nothing.
    find(&mut bed, &[3], Finding::Down);
    assert_eq!(rows(&bed), [3]);
}

#[test]
fn without_the_option_or_an_opinion_it_leaves_as_ever() {
    let mut bed = Bed::settled(with(1, Options::default()), 1);
    let said = find(&mut bed, &[1], Finding::Down);
    assert_eq!((rows(&bed), said.asked), (vec![FALLBACK], None));
    let nobody = || Err(Silence::Nobody("no hbd".to_owned()));
    for (found, miss) in [
        (Ok(views(up(0))), false),
        (Ok(views(Found::Unknown)), true),
        (nobody(), true),
    ] {
        let (mut bed, question) = in_doubt(with(1, asking()));
        let said = answer(&mut bed, question, found);
        assert_eq!(rows(&bed), [FALLBACK]);
        let missed = |one: &Notice| matches!(one, Notice::NoOpinion { first: true, .. });
        let shared = |one: &Notice| matches!(one, Notice::OpinionShared { .. });
        assert_eq!((said.says(missed), said.says(shared)), (miss, !miss));
        let late = answer(&mut bed, question, Ok(views(up(1))));
        assert_eq!((rows(&bed), late.told), (vec![FALLBACK], vec![]));
    }
}

#[test]
fn no_answer_is_no_opinion_and_that_is_said_once() {
    let (mut bed, _) = in_doubt(with(1, asking()));
    let missed = |told: &[Notice], first: bool| {
        let mut told = told.iter();
        told.any(|one| matches!(one, Notice::NoOpinion { first: is, .. } if *is == first))
    };
    let told = bed.pass(ANSWER_LIMIT);
    assert!(missed(&told, true), "{told:?}");
    assert_eq!(rows(&bed), [FALLBACK]);
    find(&mut bed, &[1], Finding::Up);
    assert!(find(&mut bed, &[1], Finding::Down).asked.is_some());
    let told = bed.pass(ANSWER_LIMIT);
    assert!(missed(&told, false), "{told:?}");
}

#[test]
fn it_goes_when_the_other_finds_none_up_any_more_or_falls_silent() {
    let node = "lb2".to_owned();
    for (said, why) in [
        (
            Some(Ok(views(up(0)))),
            OpinionEnd::Agreed { node: node.clone() },
        ),
        (
            Some(Ok(views(Found::Unknown))),
            OpinionEnd::Silent(Silence::Unknown { node }),
        ),
        (None, OpinionEnd::Silent(Silence::NoAnswer)),
    ] {
        let mut bed = held(with(1, asking()));
        bed.now += INTERVAL;
        let again = feed(&mut bed, Input::Tick).asked.expect("asked again");
        let end = match said {
            Some(views) => answer(&mut bed, again, views),
            None => Said {
                told: bed.pass(ANSWER_LIMIT),
                asked: None,
            },
        };
        assert!(end.ends(&why), "{end:?}");
        assert_eq!(rows(&bed), [FALLBACK]);
        assert!(bed.director.services(bed.now, 0)[0].opinion.is_none());
    }
}

#[test]
fn it_is_over_when_our_own_checks_find_one_up() {
    let mut bed = held(with(2, asking()));
    assert_eq!(rows(&bed), [2]);
    let said = find(&mut bed, &[1], Finding::Up);
    assert!(said.ends(&OpinionEnd::Recovered), "{said:?}");
    assert_eq!(rows(&bed), [1], "the one that fails leaves");
    let mut bed = held(with(2, asking()));
    let said = find(&mut bed, &[2], Finding::Up);
    assert!(said.ends(&OpinionEnd::Recovered));
    assert_eq!(rows(&bed), [2]);
    let said = find(&mut bed, &[2], Finding::Down);
    assert!(said.asked.is_some(), "and it begins anew");
}

#[test]
fn it_never_lasts_longer_than_its_time_whatever_the_other_says() {
    let mut bed = held(with(1, asking()));
    let begun = bed.now;
    let end = loop {
        bed.now = bed.director.deadline().expect("something is due");
        assert!(bed.now <= begun + LONGEST);
        let said = feed(&mut bed, Input::Tick);
        if let Some(question) = said.asked {
            assert_eq!(answer(&mut bed, question, Ok(views(up(1)))).told, []);
        }
        if rows(&bed) != [1] {
            break said;
        }
    };
    assert_eq!(bed.now, begun + LONGEST);
    assert!(end.ends(&OpinionEnd::Lasted));
    assert_eq!(rows(&bed), [FALLBACK]);
}

fn say(bed: &mut Bed, says: Option<Says>) -> Said {
    let order = says.map(|says| Order {
        shown: Override {
            says,
            by: "root".to_owned(),
            why: String::new(),
            since_ms: 0,
            until_ms: None,
        },
        until: None,
    });
    let slot = says.map_or(Slot::Weight, Slot::of);
    let place = (SERVICE, row(1));
    feed(bed, Input::Overrule { place, slot, order })
}

#[test]
fn nothing_but_a_verdict_begins_it_and_operators_reloads_and_turns_end_it() {
    // An operator who takes out the last one knows why.
    for says in [Says::Drain, Says::Maintenance] {
        let mut bed = Bed::settled(with(1, asking()), 1);
        assert_eq!(say(&mut bed, Some(says)).asked, None);
        assert_eq!(rows(&bed), [FALLBACK]);
        let mut bed = held(with(1, asking()));
        let said = say(&mut bed, Some(says));
        assert!(said.ends(&OpinionEnd::Overruled), "{said:?}");
        assert_eq!(rows(&bed), [FALLBACK]);
    }
    let mut bed = held(with(1, asking()));
    let said = feed(&mut bed, Input::Reload(with(1, asking())));
    assert!(said.ends(&OpinionEnd::Reloaded), "{said:?}");
    assert_eq!(rows(&bed), [FALLBACK]);
    let mut bed = held(with(1, asking()));
    let said = feed(&mut bed, Input::Turn(Role::Standby));
    assert!(said.ends(&OpinionEnd::Standby), "{said:?}");
    // Whose table is elsewhere asks nobody.
    let mut bed = Bed::settled(with(1, asking()), 1);
    feed(&mut bed, Input::Turn(Role::Standby));
    assert_eq!(find(&mut bed, &[1], Finding::Down).asked, None);
}

#[test]
fn a_panic_comes_first() {
    let panic = Some(Panic {
        percent: 50,
        longest: Duration::from_secs(300),
    });
    let both = Options { panic, ..asking() };
    let mut bed = Bed::settled(with(2, both), 2);
    let said = find(&mut bed, &[1, 2], Finding::Down);
    assert_eq!((rows(&bed), said.asked), (vec![1, 2], None));
}

/// With the table of an earlier life: the verdict that came first counts with the first reading.
#[test]
fn a_director_that_starts_asks_as_well() {
    let mut bed = Bed::adopting(with(1, asking()), &[1]);
    let outputs = bed.feed(found(1, Finding::Down));
    bed.serve(outputs);
    bed.serve(Vec::new());
    assert_eq!(rows(&bed), [1]);
    assert!(bed.director.services(bed.now, 0)[0].opinion.is_some());
    bed.pass(ANSWER_LIMIT);
    assert_eq!(rows(&bed), [FALLBACK]);
}

#[test]
fn what_is_told_to_others_is_what_was_checked_lately() {
    let mut bed = Bed::settled(with(3, Options::default()), 3);
    let digest = crate::opinion::digest(&with(3, asking()).services[0]);
    let others = crate::opinion::digest(&with(2, asking()).services[0]);
    find(&mut bed, &[1, 2, 3], Finding::Up);
    let told = |bed: &Bed| bed.director.find(&[digest, others], bed.now);
    assert_eq!(told(&bed), [up(0b111), Found::Unknown]);
    find(&mut bed, &[1, 2, 3], Finding::Down);
    find(&mut bed, &[1, 3], Finding::Up);
    assert_eq!(told(&bed)[0], up(0b101));
    let fresh = INTERVAL + with(1, asking()).services[0].timeout;
    bed.now += fresh;
    assert_eq!(told(&bed)[0], up(0b101));
    bed.now += Duration::from_millis(1);
    let nobody_knows = told(&bed)[0];
    assert_eq!(
        nobody_knows,
        Found::Unknown,
        "not asked for too long is not down"
    );
}
