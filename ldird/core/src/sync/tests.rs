//! The synchronisation beside a kernel in memory.
#![allow(clippy::unwrap_used)]
#![expect(
    clippy::disallowed_methods,
    reason = "a test picks the moment that it starts from"
)]

use super::*;

/// What the kernel has, and what it thinks of orders.
struct World {
    sync: Sync,
    now: Instant,
    daemons: Vec<Daemon>,
    index: Option<u32>,
    refuses: Option<&'static str>,
    unreadable: bool,
    /// The answer to an order gets lost, though it was carried out.
    loses_answers: bool,
    notices: Vec<Notice>,
    orders: Vec<Output>,
    exited: bool,
}

/// The id of another tool's daemon.
const STRANGER: u8 = 99;

fn settings() -> Settings {
    Settings::new("eth1", 7)
}

fn daemon(end: End) -> Daemon {
    let settings = settings();
    Daemon { end, settings }
}

/// As the kernel lists what was asked for: with everything filled in.
fn listed(daemon: &Daemon) -> Daemon {
    let asked = &daemon.settings;
    Daemon {
        end: daemon.end,
        settings: Settings {
            max_length: 1472,
            group: Some(asked.group.unwrap_or(GROUP)),
            port: if asked.port == 0 { PORT } else { asked.port },
            ttl: if asked.ttl == 0 { TTL } else { asked.ttl },
            ..asked.clone()
        },
    }
}

impl World {
    fn new(wanted: Option<Settings>) -> Self {
        Self::after(wanted, BTreeMap::new())
    }

    fn after(wanted: Option<Settings>, left: BTreeMap<End, Claim>) -> Self {
        let now = Instant::now();
        Self {
            sync: Sync::new(wanted, left, now),
            now,
            daemons: Vec::new(),
            index: Some(3),
            refuses: None,
            unreadable: false,
            loses_answers: false,
            notices: Vec::new(),
            orders: Vec::new(),
            exited: false,
        }
    }

    fn tell(&mut self, input: Input) {
        self.sync.handle(input, self.now);
        while let Some(output) = self.sync.poll() {
            assert!(!self.exited, "{output:?} after the end");
            match output {
                Output::Notice(notice) => self.notices.push(notice),
                Output::Exit => self.exited = true,
                Output::Look { .. } | Output::Start(_) | Output::Stop(_) => {
                    self.orders.push(output);
                }
            }
        }
    }

    /// Answers what was asked, until nothing is asked any more.
    fn settle(&mut self) {
        while let Some(order) = self.orders.pop() {
            assert!(self.orders.is_empty(), "one thing at a time");
            let answer = self.answer(order);
            self.tell(answer);
        }
    }

    fn answer(&mut self, order: Output) -> Input {
        let done = |world: &Self| {
            if world.loses_answers {
                Did::Unknown("no answer".to_owned())
            } else {
                Did::Done
            }
        };
        match order {
            Output::Look { .. } if self.unreadable => Input::Unreadable("no module".to_owned()),
            Output::Look { interface } => Input::Found {
                daemons: self.daemons.clone(),
                index: self.index.filter(|_| interface.is_some()),
            },
            Output::Start(_) | Output::Stop(_) if self.refuses.is_some() => {
                Input::Did(Did::Refused(self.refuses.unwrap().to_owned()))
            }
            Output::Start(daemon) => {
                assert!(self.row(daemon.end).is_none(), "two of one end");
                assert!(self.index.is_some(), "no interface to start it on");
                self.daemons.push(listed(&daemon));
                Input::Did(done(self))
            }
            Output::Stop(end) => {
                let row = self.row(end).expect("there is one to stop");
                assert_ne!(row.settings.sync_id, STRANGER, "another tool's");
                self.daemons.retain(|daemon| daemon.end != end);
                Input::Did(done(self))
            }
            Output::Notice(_) | Output::Exit => unreachable!("no order"),
        }
    }

    fn row(&self, end: End) -> Option<&Daemon> {
        self.daemons.iter().find(|daemon| daemon.end == end)
    }

    fn ends(&self) -> Vec<End> {
        let mut ends: Vec<End> = self.daemons.iter().map(|daemon| daemon.end).collect();
        ends.sort();
        ends
    }

    fn do_all(&mut self, input: Input) {
        self.tell(input);
        self.settle();
    }

    /// Lets time pass, waking it when it wants to be woken.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.sync.deadline().filter(|due| *due <= end) {
            self.now = due.max(self.now);
            self.do_all(Input::Tick);
        }
        self.now = end;
    }

    fn told(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}

fn active() -> World {
    let mut world = World::new(Some(settings()));
    world.do_all(Input::Turned(Role::Active));
    assert_eq!(world.ends(), [End::Master]);
    assert_eq!(world.told(), [Notice::Started(daemon(End::Master))]);
    world
}

#[test]
fn nothing_is_asked_where_nothing_is_configured() {
    let mut world = World::new(None);
    world.tell(Input::Turned(Role::Active));
    assert_eq!((world.orders.len(), world.sync.deadline()), (0, None));
    world.tell(Input::Shutdown);
    assert!(world.exited);
}

#[test]
fn nothing_is_asked_before_the_first_table() {
    let world = World::new(Some(settings()));
    assert_eq!(world.sync.deadline(), None);
}

#[test]
fn standby_is_backup_and_active_is_master() {
    let mut world = World::new(Some(settings()));
    world.do_all(Input::Turned(Role::Standby));
    assert_eq!(world.ends(), [End::Backup]);
    world.do_all(Input::Turned(Role::Active));
    assert_eq!(world.ends(), [End::Master]);
    let started = |end| Notice::Started(daemon(end));
    let notices = [
        started(End::Backup),
        started(End::Master),
        Notice::Stopped(End::Backup),
    ];
    assert_eq!(world.told(), notices);
    let shown = world.sync.shown().unwrap();
    assert!(shown.runs && shown.end == End::Master && shown.trouble.is_none());
}

#[test]
fn the_master_sends_what_it_has_gathered_before_it_is_stopped() {
    let mut world = active();
    world.do_all(Input::Turned(Role::Standby));
    assert_eq!(world.ends(), [End::Master, End::Backup]);
    world.pass(Duration::from_millis(2_999));
    assert_eq!(world.ends(), [End::Master, End::Backup]);
    world.pass(LOOK_EVERY);
    assert_eq!(world.ends(), [End::Backup]);
    // Active again within that time it never stops.
    world.do_all(Input::Turned(Role::Active));
    world.do_all(Input::Turned(Role::Standby));
    world.pass(Duration::from_secs(1));
    world.do_all(Input::Turned(Role::Active));
    world.pass(2 * LINGER);
    assert_eq!(world.ends(), [End::Master]);
}

#[test]
fn shutdown_stops_what_is_ours_at_once() {
    let mut world = active();
    world.do_all(Input::Turned(Role::Standby));
    world.do_all(Input::Shutdown);
    assert_eq!((world.ends(), world.exited), (vec![], true));
}

#[test]
fn another_tools_daemon_is_told_once_and_never_stopped() {
    let mut world = World::new(Some(settings()));
    let other = listed(&Daemon {
        end: End::Master,
        settings: Settings::new("eth1", 9),
    });
    world.daemons.push(other.clone());
    world.do_all(Input::Turned(Role::Active));
    world.pass(Duration::from_secs(300));
    let trouble = Trouble::Stranger(other.clone());
    assert_eq!(world.told(), [Notice::Trouble(trouble.clone())]);
    let shown = world.sync.shown().unwrap();
    assert_eq!((shown.runs, shown.trouble), (false, Some(&trouble)));
    world.do_all(Input::Turned(Role::Standby));
    world.do_all(Input::Shutdown);
    assert_eq!(world.daemons, [other]);
}

#[test]
fn another_tools_daemon_that_is_what_we_want_serves_and_stays() {
    let mut world = World::new(Some(settings()));
    world.daemons.push(listed(&daemon(End::Master)));
    world.do_all(Input::Turned(Role::Active));
    assert!(world.sync.shown().unwrap().runs);
    world.do_all(Input::Shutdown);
    assert_eq!((world.ends(), world.told()), (vec![End::Master], vec![]));
}

#[test]
fn what_an_earlier_life_started_is_ours() {
    let left = active().sync.claims();
    let mut world = World::after(Some(settings()), left.clone());
    world.daemons.push(listed(&daemon(End::Master)));
    world.do_all(Input::Turned(Role::Active));
    assert_eq!(world.told(), []);
    world.do_all(Input::Shutdown);
    assert_eq!((world.ends(), world.exited), (vec![], true));
    // With other settings, or none, it goes.
    for wanted in [Some(Settings::new("eth1", 8)), None] {
        let mut world = World::after(wanted.clone(), left.clone());
        world.daemons.push(listed(&daemon(End::Master)));
        world.do_all(Input::Turned(Role::Active));
        let ids: Vec<u8> = world.daemons.iter().map(|d| d.settings.sync_id).collect();
        let wanted: Vec<u8> = wanted.iter().map(|one| one.sync_id).collect();
        assert_eq!(ids, wanted);
    }
}

#[test]
fn a_lost_daemon_is_put_back_at_the_next_look_and_told_once_a_minute() {
    let mut world = active();
    for _ in 0..20 {
        world.daemons.clear();
        world.pass(LOOK_EVERY);
        assert_eq!(world.ends(), [End::Master]);
    }
    assert_eq!(world.told(), [Notice::Lost(End::Master)]);
    world.pass(LOST_TOLD_EVERY);
    world.daemons.clear();
    world.pass(LOOK_EVERY);
    assert_eq!(world.told(), [Notice::Lost(End::Master)]);
}

#[test]
fn a_reload_takes_effect() {
    let mut world = active();
    let changed = Settings {
        max_length: 1400,
        ..settings()
    };
    world.do_all(Input::Configured(Some(changed.clone())));
    assert_eq!(
        world.sync.claims().get(&End::Master).unwrap().asked,
        changed
    );
    world.do_all(Input::Configured(None));
    assert_eq!(world.ends(), []);
    assert_eq!((world.sync.shown(), world.sync.deadline()), (None, None));
    world.do_all(Input::Configured(Some(settings())));
    assert_eq!(world.ends(), [End::Master]);
}

#[test]
fn an_interface_that_is_another_one_under_its_name_gets_a_new_daemon() {
    let mut world = active();
    world.index = None;
    world.pass(LOOK_EVERY);
    assert_eq!(world.ends(), []);
    world.pass(Duration::from_secs(100));
    let gone = Trouble::NoInterface("eth1".to_owned());
    let notices = [Notice::Stopped(End::Master), Notice::Trouble(gone)];
    assert_eq!(world.told(), notices);
    world.index = Some(9);
    world.pass(LOOK_EVERY);
    assert_eq!(world.told(), [Notice::Started(daemon(End::Master))]);
    // So fast that no look saw it gone.
    world.index = Some(10);
    world.pass(LOOK_EVERY);
    let claims = world.sync.claims();
    assert_eq!(claims.get(&End::Master).unwrap().index, 10);
}

#[test]
fn a_refusal_is_told_once_and_tried_again_later_and_later() {
    let mut world = World::new(Some(settings()));
    world.refuses = Some("Invalid argument");
    world.do_all(Input::Turned(Role::Active));
    let mut tries = 0;
    for _ in 0..600 {
        world.pass(Duration::from_millis(500));
        while let Some(due) = world.sync.deadline().filter(|due| *due <= world.now) {
            world.now = due;
            world.tell(Input::Tick);
            tries += usize::from(world.orders.iter().any(|o| matches!(o, Output::Start(_))));
            world.settle();
        }
    }
    let error = "Invalid argument".to_owned();
    let end = End::Master;
    let refused = Trouble::Refused { end, error };
    assert_eq!(world.told(), [Notice::Trouble(refused.clone())]);
    assert!(tries <= 12, "{tries} tries in five minutes");
    assert_eq!(world.sync.shown().unwrap().trouble, Some(&refused));
    world.refuses = None;
    world.pass(RETRY_MAX);
    assert_eq!(world.ends(), [End::Master]);
    assert_eq!(world.sync.shown().unwrap().trouble, None);
}

#[test]
fn a_kernel_without_ipvs_is_told_once() {
    let mut world = World::new(Some(settings()));
    world.unreadable = true;
    world.do_all(Input::Turned(Role::Standby));
    world.pass(Duration::from_secs(600));
    let trouble = Trouble::Unreadable("no module".to_owned());
    assert_eq!(world.told(), [Notice::Trouble(trouble)]);
    world.unreadable = false;
    world.pass(RETRY_MAX);
    assert_eq!(world.ends(), [End::Backup]);
    world.unreadable = true;
    world.do_all(Input::Shutdown);
    assert!(world.exited);
}

/// Whatever happens in whatever order: another tool's daemon is never stopped, and when it is over the
/// right one runs.
#[test]
fn any_history_ends_with_the_right_daemon() {
    for seed in 1..=5_000 {
        history(seed);
    }
}

fn history(seed: u64) {
    let mut state: u64 = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut world = World::new((draw(4) > 0).then(settings));
    let mut role = Role::Standby;
    let mut wanted = world.sync.wanted.clone();
    for _ in 0..30 {
        match draw(13) {
            0..=2 => {
                role = if draw(2) == 0 {
                    Role::Active
                } else {
                    Role::Standby
                };
                world.tell(Input::Turned(role));
            }
            3 => {
                wanted = (draw(3) > 0).then(|| Settings::new("eth1", 7 + draw(2) as u8));
                world.tell(Input::Configured(wanted.clone()));
            }
            4 => world.index = (draw(2) > 0).then(|| 3 + draw(3) as u32),
            5 => world.refuses = (draw(2) > 0).then_some("no"),
            6 => world.unreadable = draw(2) > 0,
            7 => world.loses_answers = draw(2) > 0,
            8 => world.daemons.clear(),
            9 => {
                let end = End::of(if draw(2) == 0 {
                    Role::Active
                } else {
                    Role::Standby
                });
                world.daemons.retain(|daemon| daemon.end != end);
                let settings = Settings::new("eth1", STRANGER);
                world.daemons.push(listed(&Daemon { end, settings }));
            }
            _ => world.pass(Duration::from_millis(draw(5_000))),
        }
        if draw(3) > 0 {
            world.settle();
        }
    }
    (world.index, world.refuses) = (Some(1), None);
    (world.unreadable, world.loses_answers) = (false, false);
    world
        .daemons
        .retain(|daemon| daemon.settings.sync_id != STRANGER);
    world.do_all(Input::Turned(role));
    world.pass(2 * RETRY_MAX);
    let expected: Vec<End> = wanted.iter().map(|_| End::of(role)).collect();
    assert_eq!(world.ends(), expected, "seed {seed}");
    let ours = world.sync.claims();
    assert_eq!(ours.len(), expected.len(), "seed {seed}: {ours:?}");
    world.told();
    world.pass(2 * RETRY_MAX);
    assert_eq!(world.told(), [], "seed {seed} does not come to rest");
    world.do_all(Input::Shutdown);
    assert!(
        world.exited && world.daemons.is_empty(),
        "seed {seed} leaves"
    );
}
