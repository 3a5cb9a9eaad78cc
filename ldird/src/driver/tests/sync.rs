//! Connection synchronisation beside the table, with daemons in memory.

use super::*;
use ha_status::{ConnectionSync, SyncEnd};
use ldird_core::sync::{self, Daemon, Did, Input, Output};
use tokio::sync::mpsc;

/// The kernel's daemons, and whether it answers at all.
#[derive(Clone, Default)]
pub(super) struct Daemons {
    running: Arc<Mutex<Vec<Daemon>>>,
    /// It takes orders and never answers one.
    hangs: bool,
}

impl Daemons {
    pub(super) fn lend(&self) -> crate::sync::Daemons {
        let (orders, mut inbox) = mpsc::channel(1);
        let (outbox, answers) = mpsc::channel(1);
        let daemons = self.clone();
        tokio::spawn(async move {
            while let Some(order) = inbox.recv().await {
                if daemons.hangs {
                    continue;
                }
                if outbox.send(daemons.answer(order)).await.is_err() {
                    return;
                }
            }
        });
        crate::sync::Daemons::from_parts(orders, answers)
    }

    fn answer(&self, order: Output) -> Input {
        let mut running = self.running.lock().unwrap();
        match order {
            Output::Look { interface } => {
                return Input::Found {
                    daemons: running.clone(),
                    index: interface.filter(|name| name == "eth1").map(|_| 3),
                };
            }
            Output::Start(daemon) => running.push(daemon),
            Output::Stop(end) => running.retain(|daemon| daemon.end != end),
            Output::Notice(_) | Output::Exit => {}
        }
        Input::Did(Did::Done)
    }

    fn ends(&self) -> Vec<sync::End> {
        let running = self.running.lock().unwrap();
        running.iter().map(|daemon| daemon.end).collect()
    }
}

const WEB: &str = "virtual=10.0.0.100:80\n\treal=10.0.0.1:80 gate\n\tchecktype=on\n";

fn write(bed: &Bed, globals: &str) {
    bed.write(&format!("{globals}\n{WEB}"));
}

async fn shows(client: &mut Client, end: SyncEnd, runs: bool) -> ConnectionSync {
    let is = |sync: &ConnectionSync| sync.end == end && sync.runs == runs;
    let shown = wait_for(client, |shown| shown.sync.as_ref().is_some_and(is)).await;
    shown.sync.unwrap()
}

#[tokio::test]
async fn the_master_runs_while_the_director_does() {
    let bed = Bed::new();
    write(&bed, "syncdaemon=eth1\nsyncid=7");
    let end = bed
        .direct(async |mut client| {
            let sync = shows(&mut client, SyncEnd::Master, true).await;
            assert_eq!((sync.sync_id, sync.problem.as_str()), (7, ""));
            assert_eq!(bed.daemons.ends(), [sync::End::Master]);
            act(&mut client, Action::Stop).await;
        })
        .await;
    assert_eq!(end, End::Stopped("TERM"));
    assert_eq!(bed.daemons.ends(), []);
}

#[tokio::test]
async fn a_reload_begins_and_ends_it_and_names_what_is_wrong() {
    let bed = Bed::new();
    write(&bed, "");
    bed.direct(async |mut client| {
        wait_for(&mut client, |shown| shown.phase == DirectorPhase::Running).await;
        assert_eq!(wait_for(&mut client, |_| true).await.sync, None);
        for (globals, runs) in [("syncdaemon=eth9", false), ("syncdaemon=eth1", true)] {
            write(&bed, globals);
            act(&mut client, Action::Reload { force: false }).await;
            let named = |sync: &ConnectionSync| sync.runs || sync.problem.contains("eth9");
            let what = |shown: &DirectorSnapshot| shown.sync.as_ref().is_some_and(named);
            let sync = wait_for(&mut client, what).await.sync.unwrap();
            assert_eq!(sync.runs, runs, "{sync:?}");
        }
        write(&bed, "");
        act(&mut client, Action::Reload { force: false }).await;
        wait_for(&mut client, |shown| shown.sync.is_none()).await;
        act(&mut client, Action::Stop).await;
    })
    .await;
    assert_eq!(bed.daemons.ends(), []);
}

#[tokio::test]
async fn a_kernel_that_hangs_over_it_holds_nothing_up() {
    let mut bed = Bed::new();
    bed.daemons.hangs = true;
    write(&bed, "syncdaemon=eth1");
    let end = bed
        .direct(async |mut client| {
            wait_for(&mut client, |shown| {
                shown.services.iter().all(|one| one.in_table)
            })
            .await;
            shows(&mut client, SyncEnd::Master, false).await;
            act(&mut client, Action::Stop).await;
        })
        .await;
    assert_eq!(end, End::Stopped("TERM"));
    assert!(bed.table.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_was_handed_over_is_the_successors() {
    let bed = Bed::new();
    write(&bed, "syncdaemon=eth1");
    let parts = bed.parts(Names::new()).await;
    let mut driver = Driver::new(parts, |_: &Configuration| {});
    let life = async {
        driver.begin().await;
        while !driver.sync.shown().is_some_and(|sync| sync.runs) {
            let event = driver.next().await;
            driver.handle(event);
        }
    };
    timeout(LIMIT, life).await.unwrap();
    driver.handle(Event::Signal(Signal::User1));
    assert_eq!(driver.end, Some(End::HandedOver));
    driver.ledger.settle().await;
    driver.sync.close().await;
    driver.view.control.close().await;
    assert_eq!(bed.daemons.ends(), [sync::End::Master]);
    write(&bed, "");
    bed.direct(async |mut client| {
        while !bed.daemons.ends().is_empty() {
            wait_for(&mut client, |_| true).await;
        }
        act(&mut client, Action::Stop).await;
    })
    .await;
}
