//! The loop with a kernel in memory, real checks and a real status socket.
#![allow(clippy::unwrap_used)]

mod loops;
mod opinions;
mod options;
mod orders;
mod reload;
mod role;
mod sync;

use super::{Driver, End, Event, Parts, Program};
use crate::config::{self, Configuration, Names};
use crate::control;
use crate::dry_run;
use crate::instance::Instance;
use crate::mail::Office;
use crate::probes::Catalogue;
use crate::siblings;
use crate::standing::Standing;
use ha_plumbing::lockfile::{Layout, Lockfile};
use ha_plumbing::signals::{Signal, Signals};
use ha_status::socket::Client;
use ha_status::{Action, DirectorPhase, DirectorSnapshot, Health, Reply, Request, Snapshot};
use ldird_core::table::{Protocol, Service, ServiceKey, ServiceSpec, Table};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

mod operations;

use sync::Daemons;

/// No step of these tests takes longer on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

struct Bed {
    folder: tempfile::TempDir,
    table: Arc<Mutex<Table>>,
    daemons: Daemons,
    standing: Standing,
    program: Program,
    office: Office,
}

impl Bed {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            table: Arc::default(),
            daemons: Daemons::default(),
            standing: Standing::default(),
            program: Program {
                path: "/bin/false".into(),
                options: Vec::new(),
            },
            office: Office::here(),
        }
    }

    fn instance(&self) -> Instance {
        let folder = self.folder.path();
        Instance {
            name: "x.cf".to_owned(),
            path: folder.join("x.cf"),
            pidfile: folder.join("pid"),
            socket: folder.join("ldird.x.cf.sock"),
            etc: folder.to_owned(),
            run: folder.to_owned(),
        }
    }

    fn write(&self, text: &str) {
        fs::write(self.instance().path, text).unwrap();
    }

    /// Runs a director beside the conversation with it, until both have ended.
    async fn direct(&self, talk: impl AsyncFnOnce(Client)) -> End {
        self.direct_with(Names::new(), talk).await
    }

    /// The same, with somebody else to ask for names.
    async fn direct_with(&self, names: Names, talk: impl AsyncFnOnce(Client)) -> End {
        let socket = self.instance().socket;
        let parts = self.parts(names).await;
        // By itself: it is the larger part of every test.
        let life = Box::pin(Driver::new(parts, |_: &Configuration| {}).run());
        let talk = async { talk(Client::connect(&socket).await.unwrap()).await };
        let both = async { tokio::join!(life, talk).0 };
        timeout(LIMIT, both).await.unwrap()
    }
}

impl Bed {
    async fn parts(&self, names: Names) -> Parts {
        let instance = self.instance();
        let mut catalogue = Catalogue::default();
        let (configuration, _) = config::reload(&instance.path, names, &mut catalogue);
        let control = control::listen(&instance).await.unwrap();
        Parts {
            pidfile: None,
            siblings: siblings::living(&instance).await,
            instance,
            standing: self.standing.clone(),
            standby: None,
            configuration: configuration.unwrap(),
            catalogue,
            kernel: dry_run::kernel(Arc::clone(&self.table)),
            dry: false,
            daemons: self.daemons.lend(),
            signals: Signals::new().unwrap(),
            quit: signal(SignalKind::quit()).unwrap(),
            control,
            program: self.program.clone(),
            office: self.office.clone(),
        }
    }
}

async fn ask(client: &mut Client, request: Request) -> Reply {
    client.request(&request).await.unwrap();
    client.next().await.unwrap().unwrap()
}

async fn act(client: &mut Client, action: Action) -> Reply {
    ask(client, Request::Act { action }).await
}

/// Asks until the snapshot is as expected; the caller's limit ends a wait for ever.
async fn wait_for(
    client: &mut Client,
    what: impl Fn(&DirectorSnapshot) -> bool,
) -> DirectorSnapshot {
    loop {
        let Reply::Snapshot {
            snapshot: Snapshot::Director(snapshot),
            ..
        } = ask(client, Request::Snapshot).await
        else {
            panic!("a snapshot expected");
        };
        if what(&snapshot) {
            return snapshot;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn health(snapshot: &DirectorSnapshot) -> Vec<Health> {
    let services = snapshot.services.iter();
    services
        .flat_map(|service| service.reals.iter().map(|real| real.health))
        .collect()
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

fn connect_config(reals: &[SocketAddr]) -> String {
    let reals = reals.iter().map(|real| format!("\treal={real} masq\n"));
    let reals: String = reals.collect();
    format!("checkinterval=1\nvirtual=10.0.0.100:80\n\tchecktype=connect\n{reals}")
}

#[tokio::test]
async fn a_director_lives_from_first_check_to_clean_table() {
    let bed = Bed::new();
    let (first, first_address) = listener().await;
    let (_second, second_address) = listener().await;
    bed.write(&connect_config(&[first_address, second_address]));
    let end = bed
        .direct(async |mut client: Client| {
            let snapshot = wait_for(&mut client, |now| {
                health(now) == [Health::Up; 2]
                    && now.services[0]
                        .reals
                        .iter()
                        .all(|real| real.table_weight == Some(1))
            })
            .await;
            assert_eq!(bed.table.lock().unwrap().len(), 1);
            assert!(snapshot.totals.checks >= 2);
            drop(first);
            let snapshot = wait_for(&mut client, |now| {
                health(now) == [Health::Down, Health::Up]
                    && now.services[0].reals[0].table_weight.is_none()
            })
            .await;
            assert_eq!(snapshot.services[0].reals[0].message, "connection refused");
            let told = snapshot.recent.iter().any(|notice| {
                notice.text == format!("Deleted real server: {first_address} (10.0.0.100:80)")
            });
            assert!(told, "{:#?}", snapshot.recent);
            let Reply::Done { .. } = act(&mut client, Action::Stop).await else {
                panic!("a stop is done when it is done");
            };
        })
        .await;
    assert_eq!(end, End::Stopped("TERM"));
    assert!(bed.table.lock().unwrap().is_empty(), "cleanstop");
}

#[tokio::test]
async fn readiness_is_told_once_the_table_is_set_up_and_no_sooner() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    bed.write(&connect_config(&[address]));
    let parts = bed.parts(Names::new()).await;
    let (told, seen) = tokio::sync::oneshot::channel();
    let table = Arc::clone(&bed.table);
    let driver = Driver::new(parts, move |_: &Configuration| {
        told.send(table.lock().unwrap().len()).unwrap();
    });
    let talk = async {
        assert_eq!(seen.await.unwrap(), 1, "virtual services in the table");
        let mut client = Client::connect(&bed.instance().socket).await.unwrap();
        act(&mut client, Action::Stop).await;
    };
    let both = async { tokio::join!(Box::pin(driver.run()), talk).0 };
    assert_eq!(timeout(LIMIT, both).await.unwrap(), End::Stopped("TERM"));
}

#[tokio::test]
async fn what_somebody_removed_from_the_run_directory_is_there_again() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    bed.write(&connect_config(&[address]));
    let mut parts = bed.parts(Names::new()).await;
    let Instance {
        pidfile, socket, ..
    } = bed.instance();
    parts.pidfile = Some(Lockfile::acquire(&pidfile, Layout::Plain, &[]).unwrap());
    let driver = Driver::new(parts, |_: &Configuration| {});
    let talk = async {
        fs::remove_file(&pidfile).unwrap();
        fs::remove_file(&socket).unwrap();
        while !pidfile.exists() || !socket.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let mut client = Client::connect(&socket).await.unwrap();
        let now = wait_for(&mut client, |_| true).await;
        let told = |line: &str| now.recent.iter().any(|notice| notice.text.ends_with(line));
        assert!(told("had vanished and is written again"), "{now:#?}");
        act(&mut client, Action::Stop).await;
    };
    let both = async { tokio::join!(Box::pin(driver.run()), talk) };
    timeout(LIMIT, both).await.unwrap();
    assert!(!pidfile.exists() && !socket.exists(), "and gone at the end");
}

#[tokio::test]
async fn a_broken_reload_changes_nothing_and_says_why() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    bed.write(&connect_config(&[address]));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        let before = bed.table.lock().unwrap().clone();
        bed.write("virtual=10.0.0.100:80\n\tnosuch=1\n");
        let Reply::Error { text } = act(&mut client, Action::Reload { force: false }).await else {
            panic!("an error expected");
        };
        assert!(text.contains("Unknown command \"nosuch=1\""), "{text}");
        assert_eq!(*bed.table.lock().unwrap(), before);
        let snapshot = wait_for(&mut client, |_| true).await;
        assert_eq!(health(&snapshot), [Health::Up]);
        bed.write(&connect_config(&[address]).replace("masq", "masq 7"));
        let Reply::Done { .. } = act(&mut client, Action::Reload { force: false }).await else {
            panic!("the corrected file is good");
        };
        wait_for(&mut client, |now| {
            now.services[0].reals[0].table_weight == Some(7)
        })
        .await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}

/// Whoever opens a pipe to read waits for one who writes: as long as a dead disk.
#[tokio::test]
async fn a_reload_from_a_disk_that_hangs_is_refused_in_the_end_and_holds_up_no_later_one() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    bed.write(&connect_config(&[address]));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 1).await;
        let path = bed.instance().path;
        fs::remove_file(&path).unwrap();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let Reply::Error { text } = act(&mut client, Action::Reload { force: false }).await else {
            panic!("an error expected");
        };
        assert!(text.contains("has not answered within"), "{text}");
        let snapshot = wait_for(&mut client, |_| true).await;
        assert_eq!(health(&snapshot), [Health::Up]);
        // The thread of the test's runtime ends; another file stands there.
        let pipe = fs::File::options().write(true).open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        bed.write(&connect_config(&[address]).replace("masq", "masq 7"));
        drop(pipe);
        let Reply::Done { .. } = act(&mut client, Action::Reload { force: false }).await else {
            panic!("the file is good");
        };
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_table_that_is_there_already_is_adopted() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    bed.write(&format!("cleanstop=no\n{}", connect_config(&[address])));
    for _ in 0..2 {
        bed.direct(async |mut client: Client| {
            wait_for(&mut client, |now| {
                now.services[0].reals[0].table_weight == Some(1)
            })
            .await;
            act(&mut client, Action::Stop).await;
        })
        .await;
        let table = bed.table.lock().unwrap();
        let service = table.values().next().unwrap();
        assert_eq!(
            service.destinations.len(),
            1,
            "left behind as cleanstop=no says"
        );
    }
}

#[tokio::test]
async fn a_file_in_the_maintenance_directory_takes_a_server_out() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    let directory = bed.folder.path().join("maintenance");
    fs::create_dir(&directory).unwrap();
    let text = format!(
        "maintenancedir={}\n{}",
        directory.display(),
        connect_config(&[address])
    );
    bed.write(&text);
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| health(now) == [Health::Up]).await;
        fs::write(directory.join("127.0.0.1"), "").unwrap();
        wait_for(&mut client, |now| health(now) == [Health::Maintenance]).await;
        fs::remove_file(directory.join("127.0.0.1")).unwrap();
        wait_for(&mut client, |now| health(now) == [Health::Up]).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_in_the_maintenance_directory_holds_across_a_reload_that_changes_the_check() {
    let bed = Bed::new();
    let (_real, address) = listener().await;
    let directory = bed.folder.path().join("maintenance");
    fs::create_dir(&directory).unwrap();
    fs::write(directory.join("127.0.0.1"), "").unwrap();
    let text = format!(
        "maintenancedir={}\n{}",
        directory.display(),
        connect_config(&[address])
    );
    bed.write(&text);
    bed.direct(async |mut client: Client| {
        wait_for(&mut client, |now| now.totals.checks > 0).await;
        bed.write(&format!("checktimeout=2\n{text}"));
        act(&mut client, Action::Reload { force: false }).await;
        let checks = wait_for(&mut client, |_| true).await.totals.checks;
        let now = wait_for(&mut client, |now| now.totals.checks > checks).await;
        assert_eq!(health(&now), [Health::Maintenance]);
        let table = bed.table.lock().unwrap().clone();
        let nobody = |service: &Service| service.destinations.is_empty();
        assert!(table.values().all(nobody), "{table:?}");
        act(&mut client, Action::Stop).await;
    })
    .await;
}

/// W25.
#[tokio::test]
async fn one_virtual_service_is_in_the_hands_of_one_director() {
    let bed = Bed::new();
    bed.write("virtual=10.0.0.100:80\n\tchecktype=on\n\treal=10.0.0.1:80 gate\n");
    bed.direct(async |mut client: Client| {
        let mut second = bed.instance();
        assert_eq!(siblings::living(&second).await, [], "not oneself");
        second.socket = bed.folder.path().join("ldird.second.sock");
        let living = siblings::living(&second).await;
        let conflict = siblings::conflict(&living, &[web(100)]).unwrap();
        assert!(conflict.contains("director \"x.cf\""), "{conflict}");
        assert_eq!(
            siblings::conflict(&living, &[web(101)]),
            None,
            "another service"
        );
        assert_eq!(
            siblings::wanted(&living, &[web(100), web(101)]),
            [web(100)].into()
        );
        act(&mut client, Action::Stop).await;
    })
    .await;
}

fn web(last: u8) -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: ([10, 0, 0, last], 80).into(),
    }
}

fn on(last: u8) -> String {
    format!("virtual=10.0.0.{last}:80\n\tchecktype=on\n\treal=10.0.0.1:80 gate\n\n")
}

async fn all_serve(client: &mut Client, services: usize) {
    wait_for(client, |now| {
        let mut reals = now.services.iter().flat_map(|service| &service.reals);
        now.services.len() == services && reals.all(|real| real.table_weight == Some(1))
    })
    .await;
}

fn keys(bed: &Bed) -> Vec<ServiceKey> {
    bed.table.lock().unwrap().keys().copied().collect()
}

#[tokio::test]
async fn a_reload_that_takes_out_more_than_half_needs_force() {
    let bed = Bed::new();
    bed.write(&(on(1) + &on(2) + &on(3)));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 3).await;
        for text in ["", "# nothing\n", &on(1)] {
            bed.write(text);
            let Reply::Error { text } = act(&mut client, Action::Reload { force: false }).await
            else {
                panic!("refused");
            };
            assert!(text.starts_with("nothing is changed: "), "{text}");
            assert_eq!(keys(&bed).len(), 3);
        }
        let Reply::Done { .. } = act(&mut client, Action::Reload { force: true }).await else {
            panic!("the operator means it");
        };
        assert_eq!(keys(&bed), [web(1)], "done is done");
        act(&mut client, Action::Stop).await;
    })
    .await;
}

#[tokio::test]
async fn a_stop_on_the_heels_of_a_reload_leaves_nothing_behind() {
    let bed = Bed::new();
    bed.write(&(on(1) + &on(2)));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 2).await;
        bed.write(&on(1));
        let mut second = Client::connect(&bed.instance().socket).await.unwrap();
        let action = Action::Reload { force: false };
        second.request(&Request::Act { action }).await.unwrap();
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(keys(&bed), []);
}

#[tokio::test]
async fn a_director_that_hands_over_leaves_the_table_to_the_next_which_cleans_up_after_it() {
    let bed = Bed::new();
    bed.write(&(on(1) + &on(2)));
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    let life = async {
        driver.begin().await;
        while keys(&bed).len() < 2 || driver.ready.is_some() {
            let event = driver.next().await;
            driver.handle(event);
        }
    };
    timeout(LIMIT, life).await.unwrap();
    // Not as a signal, which every director of these tests would hear.
    driver.handle(Event::Signal(Signal::User1));
    assert_eq!(driver.end, Some(End::HandedOver));
    driver.ledger.settle().await;
    driver.view.control.close().await;
    assert_eq!(keys(&bed), [web(1), web(2)], "nobody notices");
    bed.write(&(on(1) + &on(3)));
    bed.direct(async |mut client: Client| {
        all_serve(&mut client, 2).await;
        assert_eq!(
            keys(&bed),
            [web(1), web(3)],
            "the old file's service is gone"
        );
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(keys(&bed), []);
    bed.write(&on(1));
    bed.direct(async |mut client: Client| {
        bed.table.lock().unwrap().insert(web(2), somebody_elses());
        all_serve(&mut client, 1).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(
        keys(&bed),
        [web(2)],
        "after an orderly stop nothing is ours"
    );
}

fn somebody_elses() -> Service {
    let spec = ServiceSpec {
        scheduler: "rr".to_owned(),
        persistent: None,
        netmask: 32,
        one_packet: false,
        scheduler_flags: [false; 3],
        pe: None,
    };
    let destinations = BTreeMap::new();
    Service { spec, destinations }
}

#[tokio::test]
async fn a_dead_name_costs_one_server_until_it_resolves() {
    let bed = Bed::new();
    bed.write(
        "virtual=10.0.0.100:80\n\tchecktype=on\n\treal=10.0.0.1:80 gate\n\treal=late:80 gate\n",
    );
    let awake = Arc::new(AtomicBool::new(false));
    let server = Arc::clone(&awake);
    let names = Names::asking(move |name, _| {
        let up = server.load(Ordering::Relaxed) && name == "late";
        up.then(|| Ipv4Addr::new(10, 0, 0, 2).into())
    });
    let reals = |snapshot: &DirectorSnapshot| snapshot.services[0].reals.len();
    bed.direct_with(names, async |mut client| {
        let running = |snapshot: &DirectorSnapshot| snapshot.phase == DirectorPhase::Running;
        let snapshot = wait_for(&mut client, running).await;
        assert_eq!(reals(&snapshot), 1, "the other server serves");
        awake.store(true, Ordering::Relaxed);
        wait_for(&mut client, |snapshot| reals(snapshot) == 2).await;
        // What was found stays known: a reload while nobody answers loses nothing.
        awake.store(false, Ordering::Relaxed);
        act(&mut client, Action::Reload { force: false }).await;
        let snapshot = wait_for(&mut client, running).await;
        assert_eq!(reals(&snapshot), 2);
        act(&mut client, Action::Stop).await;
    })
    .await;
}
