//! A director that runs from boot is told by word of mouth, and the script is for every other case.

use super::*;
use ha_plumbing::claim::{Claim, Kind, Subject};
use ha_status::Action;
use ha_status::socket::{Asked, Control};
use hbd_core::input::Steps;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;

/// What an ldird of this configuration shows to the world.
struct Fake {
    asked: Arc<Mutex<Vec<Action>>>,
    standby: Arc<Mutex<Option<Claim>>>,
    /// It refuses to prepare anything.
    objects: Arc<AtomicBool>,
    answering: JoinHandle<()>,
    _resident: Claim,
}

impl Fake {
    /// Resident and on standby; answers on its socket.
    async fn start(bed: &Bed) -> Self {
        let resident = claim(bed.directory.path(), Kind::Resident);
        let standby = claim(bed.directory.path(), Kind::Standby);
        let standby = Arc::new(Mutex::new(Some(standby)));
        let socket = bed.directory.path().join("ldird.ldirectord.sock");
        let control = Control::open(&socket, "ldird", "0", "ldirectord").await;
        let mut control = control.unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (heard, held) = (Arc::clone(&asked), Arc::clone(&standby));
        let objecting = Arc::new(AtomicBool::new(false));
        let objects = Arc::clone(&objecting);
        let run = bed.directory.path().to_owned();
        let answering = tokio::spawn(async move {
            loop {
                let request = control.next().await;
                let Some(Asked::Act { action, reply, .. }) = control.understand(request) else {
                    continue;
                };
                match action {
                    Action::Serve => *held.lock().unwrap() = None,
                    Action::HoldBack | Action::Yield if held.lock().unwrap().is_none() => {
                        *held.lock().unwrap() = Some(claim(&run, Kind::Standby));
                    }
                    _ => {}
                }
                let objected = action == Action::Prepare && objects.load(Ordering::Relaxed);
                heard.lock().unwrap().push(action);
                reply.answer(if objected {
                    Err("this machine is the real server 10.0.0.1".to_owned())
                } else {
                    Ok(String::new())
                });
            }
        });
        Self {
            asked,
            standby,
            objects: objecting,
            answering,
            _resident: resident,
        }
    }

    fn seems_active(&self) {
        *self.standby.lock().unwrap() = None;
    }

    fn asked(&self) -> Vec<Action> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.answering.abort();
    }
}

fn bed() -> Bed {
    let bed = Bed::new(&[("ldirectord", HONEST)], limits());
    std::fs::write(file(&bed), "").unwrap();
    bed
}

fn file(bed: &Bed) -> std::path::PathBuf {
    bed.directory.path().join("ldirectord.cf")
}

fn claim(run: &Path, kind: Kind) -> Claim {
    let file = &run.join("ldirectord.cf");
    Claim::acquire(kind, Subject { file, run }).unwrap()
}

/// What took how long.
async fn starts(bed: &mut Bed) -> Steps {
    bed.resources.start(GROUP);
    bed.steps().await
}

async fn stops(bed: &mut Bed) {
    bed.resources.stop(GROUP);
    let stopped = bed.input().await;
    assert!(matches!(stopped, Input::Stopped { result: Ok(()), .. }));
}

async fn probed(bed: &mut Bed) -> Activity {
    bed.resources.probe(GROUP);
    match bed.input().await {
        Input::Probed { activity, .. } => activity,
        other => panic!("{other:?} instead of what a probe found"),
    }
}

#[tokio::test]
async fn a_resident_director_is_started_and_stopped_without_a_program() {
    let mut bed = bed();
    let fake = Fake::start(&bed).await;
    assert_eq!(probed(&mut bed).await, Activity::Nothing);
    starts(&mut bed).await;
    assert_eq!(probed(&mut bed).await, Activity::Everything);
    starts(&mut bed).await;
    stops(&mut bed).await;
    assert_eq!(probed(&mut bed).await, Activity::Nothing);
    let told = [Action::Serve, Action::Serve, Action::Yield];
    assert_eq!(fake.asked(), told);
    assert_eq!(bed.asked(), [""; 0], "no program was run");
}

/// It is on standby, and could not say so.
#[tokio::test]
async fn a_resident_director_that_seems_to_be_active_is_told_to_be() {
    let mut bed = bed();
    let fake = Fake::start(&bed).await;
    stops(&mut bed).await;
    fake.seems_active();
    starts(&mut bed).await;
    assert_eq!(fake.asked(), [Action::Yield, Action::Serve]);
}

#[tokio::test]
async fn beside_a_script_a_director_keeps_its_place_and_lets_go_of_its_table() {
    let mut bed = Bed::new(&[("a", HONEST), ("ldirectord", HONEST)], limits());
    std::fs::write(file(&bed), "").unwrap();
    let fake = Fake::start(&bed).await;
    bed.resources.prepare(GROUP);
    assert!(matches!(bed.input().await, Input::Prepared { .. }));
    let steps = starts(&mut bed).await;
    assert!(!steps.prepared && steps.table.is_some());
    assert_eq!(steps.scripts.unwrap().slowest, "a");
    stops(&mut bed).await;
    assert_eq!(fake.asked(), [Action::Serve, Action::HoldBack]);
    assert_eq!(bed.asked(), ["a status", "a start", "a stop"]);
}

#[tokio::test]
async fn what_is_about_to_start_is_prepared_and_what_is_not_wanted_is_taken_back() {
    let mut bed = bed();
    let fake = Fake::start(&bed).await;
    bed.resources.prepare(GROUP);
    assert!(matches!(bed.input().await, Input::Prepared { .. }));
    bed.resources.unprepare(GROUP);
    assert!(matches!(bed.input().await, Input::Unprepared { .. }));
    bed.resources.prepare(GROUP);
    assert!(matches!(bed.input().await, Input::Prepared { .. }));
    let steps = starts(&mut bed).await;
    assert!(steps.prepared && steps.table.is_some() && steps.scripts.is_none());
    // Of the active one nothing is taken back.
    bed.resources.unprepare(GROUP);
    assert!(matches!(bed.input().await, Input::Unprepared { .. }));
    assert_eq!(probed(&mut bed).await, Activity::Everything);
    let expected = [
        Action::Prepare,
        Action::HoldBack,
        Action::Prepare,
        Action::Serve,
    ];
    assert_eq!(fake.asked(), expected);
}

/// May the group go on running beside another node that is ready for it?
async fn willing(bed: &mut Bed) -> bool {
    bed.resources.linger(GROUP);
    match bed.input().await {
        Input::Lingers { willing, .. } => willing,
        other => panic!("{other:?} instead of an answer"),
    }
}

#[tokio::test]
async fn a_group_goes_on_beside_another_node_if_its_director_agrees() {
    let mut bed = bed();
    let fake = Fake::start(&bed).await;
    starts(&mut bed).await;
    assert!(willing(&mut bed).await);
    fake.objects.store(true, Ordering::Relaxed);
    assert!(!willing(&mut bed).await);
    let expected = [Action::Serve, Action::Prepare, Action::Prepare];
    assert_eq!(fake.asked(), expected);
}

/// The next owner cannot be ready for them.
#[tokio::test]
async fn a_group_with_scripts_does_not_go_on() {
    let mut bed = Bed::new(&[("a", HONEST)], limits());
    assert!(!willing(&mut bed).await);
}

/// Nobody is drawn to a node without a table.
#[tokio::test]
async fn a_director_that_refuses_leaves_the_group_unprepared_and_answered() {
    let mut bed = bed();
    let fake = Fake::start(&bed).await;
    fake.objects.store(true, Ordering::Relaxed);
    bed.resources.prepare(GROUP);
    assert!(matches!(bed.input().await, Input::Prepared { .. }));
    assert!(!starts(&mut bed).await.prepared);
}

#[tokio::test]
async fn an_address_that_cannot_be_put_takes_the_director_along() {
    let mut bed = Bed::new(&[("IPaddr", ""), ("ldirectord", HONEST)], limits());
    std::fs::write(file(&bed), "").unwrap();
    let fake = Fake::start(&bed).await;
    bed.resources.start(GROUP);
    let failure = bed.failed_start().await;
    assert_eq!(failure.resource, "IPaddr");
    assert!(!failure.still_held);
    assert_eq!(fake.asked(), [Action::Serve, Action::Yield]);
}

#[tokio::test]
async fn without_a_resident_director_the_script_is_run() {
    let mut bed = bed();
    let steps = starts(&mut bed).await;
    assert!(steps.table.is_none() && steps.scripts.is_some());
    stops(&mut bed).await;
    let expected = ["ldirectord status", "ldirectord start", "ldirectord stop"];
    assert_eq!(bed.asked(), expected);
}

#[tokio::test]
async fn a_resident_director_that_does_not_answer_is_left_to_the_script() {
    let mut bed = bed();
    let _resident = claim(bed.directory.path(), Kind::Resident);
    stops(&mut bed).await;
    assert_eq!(bed.asked(), ["ldirectord stop"]);
}

#[test]
fn a_configuration_is_looked_for_where_the_director_looks() {
    let directors = Directors::new(Path::new("/etc/ha.d"));
    let names = ["/etc/ha.d/x.cf", "/etc/ha.d/conf/x.cf", "x.cf"];
    assert_eq!(
        directors.places("x.cf"),
        names.map(std::path::PathBuf::from)
    );
}
