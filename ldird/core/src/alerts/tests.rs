//! Rows L8 and L9 of the specification's section 8.6, and what the mails of a bad night come to.
#![allow(
    clippy::disallowed_methods,
    reason = "one moment, and the rest is reckoned from it"
)]

use super::{
    ALERTS_MAX, Alerts, Audience, Event, Fact, GATHER, Mail, Output, PAUSE, Phase, RETRY_AFTER,
    Rule, Rules, START_MAX,
};
use crate::output::{Notice, When};
use crate::table::{DestinationKey, ServiceKey};
use ha_status::Role;
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

const WEB: ServiceKey = ServiceKey::Fwmark { mark: 1, v6: false };
const MAIL: ServiceKey = ServiceKey::Fwmark { mark: 2, v6: false };
const MINUTE: Duration = Duration::from_secs(60);
const ALL: [Phase; 4] = [
    Phase::Starting,
    Phase::Running,
    Phase::Stopping,
    Phase::Reloading,
];

fn real(last: u8) -> DestinationKey {
    DestinationKey {
        address: Ipv4Addr::new(10, 0, 0, last).into(),
        port: 80,
    }
}

fn audience(to: &str) -> Audience {
    let to = to.to_owned();
    Audience { to, relay: None }
}

fn rule(to: &str, repeat: Duration, phases: &[Phase]) -> Rule {
    Rule {
        audience: audience(to),
        repeat,
        phases: phases.iter().copied().collect(),
        reals: (1..=9).map(|last| (real(last), real(last))).collect(),
    }
}

fn rules(rule: &Rule) -> Rules {
    [(WEB, rule.clone())].into()
}

fn added(last: u8) -> Notice {
    Notice::RealAdded {
        service: WEB,
        real: real(last),
        weight: 1,
    }
}

fn deleted(last: u8) -> Notice {
    let real = real(last);
    Notice::RealDeleted { service: WEB, real }
}

fn down(last: u8) -> Notice {
    Notice::Down {
        service: WEB,
        real: real(last),
        message: String::new(),
    }
}

fn up(last: u8) -> Notice {
    Notice::Up {
        service: WEB,
        real: real(last),
        message: String::new(),
    }
}

/// A clock beside the machine.
struct Bed {
    alerts: Alerts,
    now: Instant,
    mails: Vec<Mail>,
    told: usize,
    lost: usize,
}

impl Bed {
    fn new(rules: Rules) -> Self {
        let mut bed = Self {
            alerts: Alerts::default(),
            now: Instant::now(),
            mails: Vec::new(),
            told: 0,
            lost: 0,
        };
        bed.feed(Event::Rules(rules));
        bed
    }

    /// After a quiet start.
    fn running(rule: &Rule) -> Self {
        let mut bed = Self::new(rules(rule));
        bed.feed(Event::Settled(WEB));
        bed
    }

    fn feed(&mut self, event: Event) {
        self.alerts.handle(event, self.now);
        while let Some(output) = self.alerts.poll() {
            match output {
                Output::Told(_) => self.told += 1,
                Output::Send(mail) => self.mails.push(mail),
                Output::Lost { alerts, .. } => self.lost += alerts,
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        self.feed(Event::Notice(notice));
    }

    fn answer(&mut self, arrived: bool) {
        let audience = self.mails.last().expect("one was sent").audience.clone();
        self.feed(Event::Delivered { audience, arrived });
    }

    /// Lets this time pass, with every mail arriving, and gives the facts mailed meanwhile.
    fn pass(&mut self, time: Duration) -> Vec<Fact> {
        let (until, first) = (self.now + time, self.mails.len());
        while let Some(due) = self.alerts.deadline().filter(|due| *due <= until) {
            let before = self.mails.len();
            self.now = self.now.max(due);
            self.feed(Event::Tick);
            if self.mails.len() > before {
                self.answer(true);
            }
        }
        self.now = until;
        let mails = self.mails.iter().skip(first);
        mails
            .flat_map(|mail| mail.alerts.iter().map(|alert| alert.fact.clone()))
            .collect()
    }
}

/// L8.
#[test]
fn l8_a_server_that_is_down_is_told_again_until_it_is_up() {
    let mut bed = Bed::running(&rule("root", MINUTE, &ALL));
    bed.notice(down(1));
    bed.notice(deleted(1));
    let facts = bed.pass(3 * MINUTE + GATHER);
    let again = Fact::Inaccessible(real(1));
    let wanted = [
        Fact::Changed(deleted(1)),
        again.clone(),
        again.clone(),
        again.clone(),
    ];
    assert_eq!(facts, wanted);
    bed.notice(up(1));
    bed.notice(added(1));
    assert_eq!(bed.pass(10 * MINUTE), [Fact::Changed(added(1))]);
    let mut bed = Bed::running(&rule("root", Duration::ZERO, &ALL));
    bed.notice(down(1));
    bed.notice(deleted(1));
    assert_eq!(bed.pass(60 * MINUTE), [Fact::Changed(deleted(1))], "once");
}

#[test]
fn a_fallback_is_never_told_again() {
    let mut bed = Bed::running(&rule("root", MINUTE, &ALL));
    let fallback = Notice::FallbackAdded {
        service: WEB,
        fallback: real(9),
    };
    bed.notice(fallback.clone());
    assert_eq!(bed.pass(60 * MINUTE), [Fact::Changed(fallback)]);
}

/// L9, and what the old daemon's state filters let through at each moment of its life.
#[test]
fn each_phase_is_mailed_only_where_the_file_asks_for_it() {
    for phase in ALL {
        let mut bed = Bed::new(rules(&rule("root", Duration::ZERO, &[phase])));
        let mut mailed = Vec::new();
        let mut look = |bed: &mut Bed| mailed.push(!bed.pass(MINUTE / 4).is_empty());
        bed.notice(added(1));
        look(&mut bed);
        bed.feed(Event::Settled(WEB));
        bed.notice(added(2));
        look(&mut bed);
        let again = rules(&rule("root", Duration::ZERO, &[phase]));
        bed.feed(Event::Rules(again));
        bed.notice(added(3));
        look(&mut bed);
        bed.feed(Event::Settled(WEB));
        bed.notice(added(4));
        look(&mut bed);
        bed.notice(Notice::ShutdownStarted);
        bed.notice(Notice::RealPurged {
            service: WEB,
            real: real(1),
            when: When::Stop,
        });
        look(&mut bed);
        let wanted = match phase {
            Phase::Starting => [true, false, false, false, false],
            Phase::Running => [false, true, false, true, false],
            Phase::Reloading => [false, false, true, false, false],
            Phase::Stopping => [false, false, false, false, true],
        };
        assert_eq!(mailed, wanted, "{phase:?}");
    }
}

#[test]
fn who_is_down_from_the_start_is_told_once_everybody_was_asked() {
    let mut bed = Bed::new(rules(&rule("root", Duration::ZERO, &ALL)));
    bed.notice(down(1));
    bed.notice(down(2));
    bed.notice(deleted(2));
    assert_eq!(bed.pass(MINUTE / 6), [Fact::Changed(deleted(2))]);
    bed.feed(Event::Settled(WEB));
    let facts = bed.pass(MINUTE / 4);
    assert_eq!(
        facts,
        [Fact::Inaccessible(real(1))],
        "the other one was told"
    );
    assert_eq!(
        bed.mails.last().map(|mail| mail.alerts[0].phase),
        Some(Phase::Starting)
    );
}

/// A server that can never be asked holds nobody's mails up.
#[test]
fn a_start_ends_by_itself() {
    let mut bed = Bed::new(rules(&rule("root", Duration::ZERO, &[Phase::Running])));
    bed.notice(added(1));
    assert_eq!(bed.alerts.unsettled().collect::<Vec<_>>(), [WEB]);
    assert_eq!(bed.pass(START_MAX), []);
    assert_eq!(bed.alerts.unsettled().next(), None);
    bed.notice(deleted(1));
    assert_eq!(bed.pass(MINUTE), [Fact::Changed(deleted(1))]);
}

#[test]
fn maintenance_and_a_reload_end_reminders() {
    let mut bed = Bed::running(&rule("root", MINUTE, &ALL));
    bed.notice(down(1));
    bed.notice(down(2));
    bed.notice(down(3));
    let (service, real) = (WEB, real(1));
    bed.feed(Event::Maintenance { service, real });
    let mut fewer = rule("root", MINUTE, &ALL);
    fewer.reals.remove(&super::tests::real(2));
    bed.feed(Event::Rules(rules(&fewer)));
    let facts = bed.pass(MINUTE + GATHER);
    assert_eq!(facts, [Fact::Inaccessible(super::tests::real(3))]);
}

/// Both directors check; one of them tells.
#[test]
fn a_director_on_standby_is_quiet_until_it_is_active() {
    let all = rule("root", MINUTE, &ALL);
    let mut bed = Bed::new(rules(&all));
    bed.feed(Event::Turn(Role::Standby));
    bed.notice(Notice::Turned(Role::Standby));
    bed.notice(down(1));
    bed.notice(down(2));
    bed.notice(up(2));
    bed.notice(deleted(3));
    bed.feed(Event::Rules(rules(&all)));
    assert_eq!(bed.pass(10 * MINUTE), []);
    bed.feed(Event::Turn(Role::Active));
    bed.notice(added(2));
    bed.notice(Notice::Turned(Role::Active));
    bed.feed(Event::Settled(WEB));
    let facts = bed.pass(MINUTE / 2);
    let wanted = [Fact::Changed(added(2)), Fact::Inaccessible(real(1))];
    assert_eq!(facts, wanted);
    assert_eq!(bed.pass(MINUTE), [Fact::Inaccessible(real(1))], "again");
    bed.feed(Event::Turn(Role::Standby));
    bed.notice(deleted(2));
    bed.notice(Notice::Turned(Role::Standby));
    assert_eq!(bed.pass(10 * MINUTE), [Fact::Changed(deleted(2))]);
    let phase = bed.mails.last().map(|mail| mail.alerts[0].phase);
    assert_eq!(phase, Some(Phase::Stopping));
}

#[test]
fn a_switch_that_fails_is_one_mail() {
    let mut bed = Bed::running(&rule("root", Duration::ZERO, &ALL));
    for last in 1..=9 {
        bed.notice(deleted(last));
    }
    assert_eq!(bed.pass(MINUTE).len(), 9);
    assert_eq!(bed.mails.len(), 1);
    assert_eq!(bed.told, 9);
    for _ in 0..ALERTS_MAX + 5 {
        bed.notice(added(1));
    }
    bed.pass(MINUTE);
    assert_eq!(bed.mails[1].alerts.len(), ALERTS_MAX);
    assert_eq!(bed.mails[1].more, 5);
}

#[test]
fn a_flapping_server_makes_a_mail_every_pause() {
    let mut bed = Bed::running(&rule("root", Duration::ZERO, &ALL));
    for _ in 0..120 {
        bed.notice(deleted(1));
        bed.pass(Duration::from_millis(500));
    }
    let most = MINUTE.as_secs() / PAUSE.as_secs() + 1;
    assert!(bed.mails.len() as u64 <= most, "{}", bed.mails.len());
    bed.pass(MINUTE);
    let alerts: usize = bed.mails.iter().map(|mail| mail.alerts.len()).sum();
    assert_eq!(alerts, 120, "nothing is lost");
}

#[test]
fn a_mail_that_does_not_arrive_is_tried_again_and_then_told_as_lost() {
    let mut bed = Bed::running(&rule("root", Duration::ZERO, &ALL));
    bed.notice(deleted(1));
    bed.now += GATHER;
    bed.feed(Event::Tick);
    bed.notice(added(1));
    for (tries, pause) in RETRY_AFTER.into_iter().enumerate() {
        assert_eq!(bed.mails.len(), tries + 1);
        bed.answer(false);
        assert_eq!(bed.alerts.deadline(), Some(bed.now + pause));
        bed.now += pause;
        bed.feed(Event::Tick);
    }
    assert_eq!(bed.mails.len(), 4);
    assert!(
        bed.mails
            .iter()
            .all(|mail| mail.alerts == bed.mails[0].alerts)
    );
    bed.answer(false);
    assert_eq!(bed.lost, 1);
    assert_eq!(
        bed.pass(MINUTE),
        [Fact::Changed(added(1))],
        "what came meanwhile"
    );
}

#[test]
fn at_the_end_everything_leaves_at_once_and_nothing_is_tried_again() {
    let mut bed = Bed::running(&rule("root", MINUTE, &ALL));
    bed.notice(down(1));
    bed.notice(deleted(1));
    bed.feed(Event::End);
    assert_eq!(bed.mails.len(), 1);
    assert!(!bed.alerts.is_at_rest());
    bed.answer(false);
    assert_eq!(bed.lost, 1);
    assert!(bed.alerts.is_at_rest());
}

#[test]
fn nobody_is_told_who_is_not_named() {
    let mut bed = Bed::running(&rule("root", MINUTE, &ALL));
    bed.notice(Notice::RealDeleted {
        service: MAIL,
        real: real(1),
    });
    bed.notice(Notice::ServiceAdded(WEB));
    assert_eq!(bed.pass(MINUTE), []);
}

#[derive(Debug, Clone)]
enum Act {
    Notice(Notice),
    Pass(u64),
    Answer(bool),
    Reload,
    Settled,
}

fn act() -> impl Strategy<Value = Act> {
    let notice = (1..=3u8, 0..4).prop_map(|(last, kind)| match kind {
        0 => added(last),
        1 => deleted(last),
        2 => down(last),
        _ => up(last),
    });
    prop_oneof![
        6 => notice.prop_map(Act::Notice),
        4 => (0..40u64).prop_map(Act::Pass),
        3 => any::<bool>().prop_map(Act::Answer),
        1 => Just(Act::Reload),
        1 => Just(Act::Settled),
    ]
}

proptest! {
    /// Whatever happens: one mail of an audience at a time, and every alert that was told is mailed,
    /// or counted, or told as lost.
    #[test]
    fn no_alert_vanishes(acts in prop::collection::vec(act(), 0..80)) {
        let rule = rule("root", MINUTE / 4, &ALL);
        let mut bed = Bed::new(rules(&rule));
        let mut answered = 0;
        let mut mailed = 0;
        for act in acts {
            match act {
                Act::Notice(notice) => bed.notice(notice),
                Act::Pass(seconds) => {
                    bed.now += Duration::from_secs(seconds);
                    bed.feed(Event::Tick);
                }
                Act::Answer(yes) if bed.mails.len() > answered => {
                    answered = bed.mails.len();
                    if yes {
                        mailed += bed.mails[answered - 1].alerts.len();
                    }
                    bed.answer(yes);
                }
                Act::Answer(_) => {}
                Act::Reload => bed.feed(Event::Rules(rules(&rule))),
                Act::Settled => bed.feed(Event::Settled(WEB)),
            }
            prop_assert!(bed.mails.len() <= answered + 1);
        }
        bed.feed(Event::End);
        for _ in 0..3 {
            if bed.mails.len() > answered {
                answered = bed.mails.len();
                mailed += bed.mails[answered - 1].alerts.len();
                bed.answer(true);
            }
        }
        prop_assert!(bed.alerts.is_at_rest());
        prop_assert_eq!(bed.told, mailed + bed.lost);
    }
}
