//! Directives that only ldird knows: what they come to, what is refused, and that a section's word
//! counts before the global one.

use super::{Bad, Good, Warned, b0, before_b0, check_rows, good, only};
use crate::probes::Probe;
use ldird_core::options::{Options, Panic, SecondOpinion};
use std::time::Duration;

fn options(text: &str) -> Options {
    only(&good(text)).options
}

#[test]
fn milliseconds_in_the_place_of_seconds_are_told_once() {
    for name in ["checkinterval", "checktimeout", "negotiatetimeout"] {
        let (_, told) = super::parse(&b0(&format!("{name}=200ms")));
        assert_eq!(told.len(), 1, "{told:?}");
    }
}

fn opinion(seconds: u64) -> SecondOpinion {
    let longest = Duration::from_secs(seconds);
    SecondOpinion { longest }
}

#[test]
fn all_of_it_is_off_unless_the_file_says_so() {
    assert_eq!(options(&b0("")), Options::default());
    assert_eq!(good(&b0("")).reresolve, None);
}

#[test]
fn a_section_says_it_for_itself_and_the_globals_for_the_others() {
    let global = "risecount=3\nenforce=yes\nslowstart=60\npanicthreshold=50\npanictime=120\n\
                  secondopinion=yes\nsecondopiniontime=200\n";
    let expected = Options {
        risecount: 3,
        enforce: true,
        slowstart: Some(Duration::from_secs(60)),
        opinion: Some(opinion(200)),
        panic: Some(Panic {
            percent: 50,
            longest: Duration::from_secs(120),
        }),
    };
    assert_eq!(options(&before_b0(global)), expected);
    let own = "risecount=2\n\tenforce=no\n\tslowstart=0\n\tpanicthreshold=75%\n\tsecondopinion=no";
    let expected = Options {
        risecount: 2,
        enforce: false,
        slowstart: None,
        opinion: None,
        panic: Some(Panic {
            percent: 75,
            longest: Duration::from_secs(120),
        }),
    };
    assert_eq!(options(&format!("{global}{}", b0(own))), expected);
    let own = options(&b0("panicthreshold=20"));
    let longest = own.panic.map(|panic| panic.longest);
    assert_eq!(longest, Some(Duration::from_secs(300)));
    let own = options(&b0("secondopinion=yes"));
    assert_eq!(own.opinion, Some(opinion(900)));
}

#[test]
fn what_makes_no_sense_is_named() {
    check_rows(&[
        (
            "no percent",
            b0("panicthreshold=0"),
            Bad("invalid panicthreshold"),
        ),
        (
            "never",
            b0("panicthreshold=100"),
            Bad("invalid panicthreshold"),
        ),
        (
            "a word",
            b0("panicthreshold=half"),
            Bad("invalid panicthreshold"),
        ),
        (
            "alone",
            b0("panictime=9"),
            Warned("panictime has no effect"),
        ),
        (
            "nobody is asked",
            b0("secondopiniontime=9"),
            Warned("secondopiniontime has no effect"),
        ),
        (
            "nothing to disagree about",
            b0("checktype=on\n\tsecondopinion=yes"),
            Warned("secondopinion has no effect"),
        ),
        (
            "neither yes nor no",
            b0("secondopinion=maybe"),
            Bad("secondopinion must be"),
        ),
    ]);
}

#[test]
fn times_and_counts_that_make_no_sense_are_named() {
    let weightless = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\tslowstart=30\n";
    check_rows(&[
        ("none", b0("risecount=0"), Bad("invalid rise count")),
        (
            "a flood",
            b0("checkintervalms=49"),
            Bad("invalid checkintervalms"),
        ),
        (
            "seconds",
            b0("checkintervalms=60001"),
            Bad("invalid checkintervalms"),
        ),
        ("a unit", b0("checkintervalms=200ms"), Good),
        (
            "another unit",
            b0("checkintervalms=2s"),
            Bad("invalid checkintervalms"),
        ),
        (
            "the old daemon reads 200 seconds",
            b0("checkinterval=200ms"),
            Warned("checkinterval=200ms is 200 seconds"),
        ),
        (
            "twice",
            b0("checkinterval=1\n\tcheckintervalms=200"),
            Warned("checkinterval has no effect"),
        ),
        (
            "no weight to rise",
            weightless.to_owned(),
            Warned("slowstart has no effect"),
        ),
        ("weights 3 and 2", b0("slowstart=30"), Good),
        (
            "one alone is never panic",
            "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\tpanicthreshold=50\n".to_owned(),
            Warned("panicthreshold has no effect"),
        ),
        (
            "nor are those that nobody checks",
            b0("checktype=on\n\tpanicthreshold=50"),
            Warned("panicthreshold has no effect"),
        ),
        ("in a section", b0("reresolve=60"), Bad("Unknown command")),
    ]);
}

#[test]
fn milliseconds_count_in_their_scope_and_seconds_of_a_section_before_global_ones() {
    let interval = |text: &str| only(&good(text)).interval.as_millis();
    assert_eq!(interval(&b0("checkintervalms=200")), 200);
    assert_eq!(interval(&before_b0("checkintervalms=200")), 200);
    let both = format!("checkintervalms=200\n{}", b0("checkinterval=5"));
    assert_eq!(interval(&both), 5000);
    let limit = |text: &str| {
        let configuration = good(text);
        let probe = configuration.probes.values().next().unwrap().clone();
        let Probe::Connect(connect) = &*probe else {
            panic!("a connection expected");
        };
        connect.timeout.as_millis()
    };
    let connect = |line: &str| b0(&format!("checktype=connect\n\t{line}"));
    assert_eq!(limit(&connect("checktimeoutms=150")), 150);
    assert_eq!(limit(&connect("negotiatetimeoutms=250")), 250);
    let global = format!("checktimeoutms=150\n{}", connect("checktimeout=2"));
    assert_eq!(limit(&global), 2000);
}

#[test]
fn names_are_asked_for_again_as_often_as_the_file_says() {
    let configuration = good(&before_b0("reresolve=60"));
    assert_eq!(configuration.reresolve, Some(Duration::from_secs(60)));
}
