//! Client and server against each other over real sockets.
#![allow(clippy::unwrap_used)]

use super::{
    Asked, CLIENTS_MAX, Control, ROOT_PLACES,
    caller::Credentials,
    client::{Client, ClientError},
    directors, outbox, pages,
    place::BindError,
    publisher::Publisher,
    server::{ClientRequest, Server, Serving},
};
use crate::{
    Action, Heard, Hello, Mirror, Notice, Reply, Request, SCHEMA_VERSION, Severity, Snapshot,
    VirtualService,
    change::tests::{director, pair_of_nodes, service},
};
use std::{
    os::unix::{fs::PermissionsExt, net::UnixListener},
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    sync::mpsc,
    time::timeout,
};

/// Nothing here takes this long unless it is broken.
const LIMIT: Duration = Duration::from_secs(10);

/// A daemon's loop, by hand.
struct Daemon {
    _dir: tempfile::TempDir,
    path: PathBuf,
    serving: Serving,
    requests: mpsc::Receiver<ClientRequest>,
    publisher: Publisher,
    state: Snapshot,
}

impl Daemon {
    async fn start() -> Daemon {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hbd.sock");
        let server = Server::bind(&path, 0o660, "haclient").await.unwrap();
        let (sender, requests) = mpsc::channel(CLIENTS_MAX);
        Daemon {
            _dir: dir,
            path,
            serving: server.start(&hello(), sender),
            requests,
            publisher: Publisher::new(),
            state: Snapshot::Cluster(pair_of_nodes()),
        }
    }

    async fn request(&mut self) -> ClientRequest {
        timeout(LIMIT, self.requests.recv()).await.unwrap().unwrap()
    }

    /// Serves one `follow`.
    async fn follower(&mut self) -> Client {
        let mut client = Client::connect(&self.path).await.unwrap();
        client.request(&Request::Follow).await.unwrap();
        let request = self.request().await;
        assert_eq!(request.request, Request::Follow);
        self.publisher.follow(request.reply, &self.state);
        client
    }

    /// Something steady changes: the group's epoch grows.
    fn step(&mut self) {
        let Snapshot::Cluster(cluster) = &mut self.state else {
            unreachable!()
        };
        cluster.groups[0].epoch += 1;
        self.publisher.publish(&self.state);
    }
}

fn hello() -> Hello {
    Hello {
        version: SCHEMA_VERSION,
        program: "hbd".to_owned(),
        release: "0.1.0".to_owned(),
        name: "lb1".to_owned(),
        pid: 1,
    }
}

fn notice() -> Notice {
    Notice {
        at_ms: 1,
        severity: Severity::Info,
        text: "node lb2: is dead".to_owned(),
    }
}

async fn next(client: &mut Client) -> Reply {
    timeout(LIMIT, client.next())
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn requests_arrive_with_credentials_and_answers_return() {
    let mut daemon = Daemon::start().await;
    let mut client = Client::connect(&daemon.path).await.unwrap();
    assert_eq!(*client.hello(), hello());
    let action = Action::Reload { force: false };
    client.request(&Request::Act { action }).await.unwrap();
    let request = daemon.request().await;
    let credentials = request.credentials.unwrap();
    assert_eq!(credentials.uid, own_uid());
    let done = Reply::Done {
        text: "reloaded".to_owned(),
    };
    request.reply.send(done.clone());
    assert_eq!(next(&mut client).await, done);
}

/// Our own user id, as the owner of a file that we made.
fn own_uid() -> u32 {
    use std::os::unix::fs::MetadataExt;
    tempfile::tempdir()
        .unwrap()
        .path()
        .metadata()
        .unwrap()
        .uid()
}

#[tokio::test]
async fn followers_get_every_step_once_whenever_they_join() {
    let mut daemon = Daemon::start().await;
    let mut followers = Vec::new();
    for round in 0..5 {
        let mut mirror = Mirror::default();
        let mut client = daemon.follower().await;
        mirror.take(next(&mut client).await).unwrap();
        followers.push((client, mirror));
        daemon.step();
        daemon.publisher.notice(&notice());
        for (client, mirror) in &mut followers {
            assert_eq!(
                mirror.take(next(client).await),
                Ok(Heard::Change),
                "{round}"
            );
            assert_eq!(mirror.take(next(client).await), Ok(Heard::Notice(notice())));
            let (Some(Snapshot::Cluster(copy)), Snapshot::Cluster(state)) =
                (mirror.snapshot(), &daemon.state)
            else {
                unreachable!()
            };
            assert_eq!(copy.groups, state.groups);
        }
    }
}

#[tokio::test]
async fn a_snapshot_asked_for_by_a_follower_fits_its_numbering() {
    let mut daemon = Daemon::start().await;
    let mut client = daemon.follower().await;
    let mut mirror = Mirror::default();
    mirror.take(next(&mut client).await).unwrap();
    client.request(&Request::Snapshot).await.unwrap();
    let request = daemon.request().await;
    // A change that was not published yet when the snapshot is asked for.
    let Snapshot::Cluster(cluster) = &mut daemon.state else {
        unreachable!()
    };
    cluster.groups[0].epoch += 1;
    daemon.publisher.snapshot(request.reply, &daemon.state);
    daemon.step();
    let heard: Vec<Heard> = [
        mirror.take(next(&mut client).await).unwrap(),
        mirror.take(next(&mut client).await).unwrap(),
        mirror.take(next(&mut client).await).unwrap(),
    ]
    .into();
    assert_eq!(heard, [Heard::Change, Heard::Snapshot, Heard::Change]);
    assert_eq!(mirror.snapshot(), Some(&daemon.state));
}

#[tokio::test]
async fn nobody_is_followed_after_the_follower_left() {
    let mut daemon = Daemon::start().await;
    assert!(!daemon.publisher.is_followed());
    let mut client = daemon.follower().await;
    next(&mut client).await;
    assert!(daemon.publisher.is_followed());
    drop(client);
    timeout(LIMIT, async {
        while daemon.publisher.is_followed() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_follower_that_does_not_read_is_cut_off_with_a_word() {
    let mut daemon = Daemon::start().await;
    let mut slow = daemon.follower().await;
    let mut steps = 0;
    while daemon.publisher.is_followed() {
        daemon.step();
        steps += 1;
        assert!(steps < 100 * outbox::LINES_MAX, "never cut off");
    }
    let last = timeout(LIMIT, async {
        let mut last = None;
        while let Ok(Some(reply)) = slow.next().await {
            last = Some(reply);
        }
        last
    })
    .await
    .unwrap();
    let Some(Reply::Error { text }) = last else {
        panic!("{last:?}");
    };
    assert!(text.starts_with("cut off"), "{text}");
}

#[tokio::test]
async fn a_dropped_responder_answers_with_an_error() {
    let mut daemon = Daemon::start().await;
    let mut client = Client::connect(&daemon.path).await.unwrap();
    client.request(&Request::Metrics).await.unwrap();
    drop(daemon.request().await);
    assert!(matches!(next(&mut client).await, Reply::Error { .. }));
}

#[tokio::test]
async fn a_bad_line_is_refused_with_the_reason() {
    let daemon = Daemon::start().await;
    for line in ["{\"request\":\"fly\"}\n".to_owned(), "x".repeat(70_000)] {
        let mut stream = UnixStream::connect(&daemon.path).await.unwrap();
        // The server may close before it has read everything.
        let _ = stream.write_all(line.as_bytes()).await;
        let mut said = Vec::new();
        let _ = timeout(LIMIT, stream.read_to_end(&mut said)).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(said.contains("request refused"), "{said}");
    }
}

/// Whether these clients count as root's depends on who runs the test.
#[tokio::test]
async fn forgotten_clients_lock_nobody_out() {
    let daemon = Daemon::start().await;
    let places = if own_uid() == 0 {
        CLIENTS_MAX
    } else {
        CLIENTS_MAX - ROOT_PLACES
    };
    let mut clients = Vec::new();
    for _ in 0..places {
        clients.push(Client::connect(&daemon.path).await.unwrap());
    }
    let newcomer = timeout(LIMIT, async {
        loop {
            match Client::connect(&daemon.path).await {
                // An ordinary user's wait ends when somebody counts as idle.
                Err(ClientError::Refused(_)) if own_uid() != 0 => tokio::task::yield_now().await,
                other => return other,
            }
        }
    });
    newcomer.await.unwrap().unwrap();
    let Reply::Error { text } = next(&mut clients[0]).await else {
        panic!("the first has been idle for the longest");
    };
    assert!(text.starts_with("dropped: idle"), "{text}");
}

#[tokio::test]
async fn who_acts_is_known_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hbd.sock");
    let mut control = Control::open(&path, "hbd", "0.1.0", "lb1").await.unwrap();
    let mut client = Client::connect(&path).await.unwrap();
    assert_eq!(
        *client.hello(),
        Hello {
            pid: std::process::id(),
            ..hello()
        }
    );
    let action = Action::Stop;
    client.request(&Request::Act { action }).await.unwrap();
    let request = timeout(LIMIT, control.next()).await.unwrap();
    let Some(Asked::Act { action, who, reply }) = control.understand(request) else {
        panic!("who runs the daemon may act");
    };
    assert_eq!(action, Action::Stop);
    let expected = format!("(uid {}, pid {})", own_uid(), std::process::id());
    assert!(who.ends_with(&expected), "{who}");
    reply.answer(Ok("stopped".to_owned()));
    assert!(matches!(next(&mut client).await, Reply::Done { .. }));
    client.request(&Request::Act { action }).await.unwrap();
    let mut request = timeout(LIMIT, control.next()).await.unwrap();
    let stranger = u32::MAX - 1;
    request.credentials = request.credentials.map(|who| Credentials {
        uid: stranger,
        gid: stranger,
        ..who
    });
    assert!(control.understand(request).is_none());
    let Reply::Error { text } = next(&mut client).await else {
        panic!("a stranger may not");
    };
    assert!(text.contains("only root and group haclient"), "{text}");
    control.close().await;
}

/// Asks for a snapshot at the path as soon as there is somebody to ask.
async fn ask_when_there(path: &Path) {
    let asking = async {
        let mut client = loop {
            match Client::connect(path).await {
                Ok(client) => break client,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        client.request(&Request::Snapshot).await.unwrap();
    };
    timeout(LIMIT, asking).await.unwrap();
}

#[tokio::test]
async fn a_socket_that_somebody_removed_is_there_again_with_its_directory() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    let path = run.join("hbd.sock");
    let mut control = Control::open(&path, "hbd", "0.1.0", "lb1").await.unwrap();
    std::fs::remove_dir_all(&run).unwrap();
    let (request, ()) = tokio::join!(timeout(LIMIT, control.next()), ask_when_there(&path));
    assert_eq!(request.unwrap().request, Request::Snapshot);
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    control.close().await;
    assert!(!path.exists(), "the second one is cleared away as well");
}

#[tokio::test]
async fn a_socket_that_another_daemon_put_in_our_place_stays_its_own() {
    let daemon = Daemon::start().await;
    let path = daemon.path.clone();
    std::fs::remove_file(&path).unwrap();
    let another = UnixListener::bind(&path).unwrap();
    // The server's next looks find the other one: somebody who only wants to know whether there is
    // anybody comes, and that is us.
    let another = tokio::net::UnixListener::from_std({
        another.set_nonblocking(true).unwrap();
        another
    });
    let asked = timeout(LIMIT, another.unwrap().accept()).await;
    asked.expect("it looks before it takes the place").unwrap();
    daemon.serving.close().await;
    assert!(path.exists(), "it was not ours to remove");
}

#[tokio::test]
async fn a_socket_that_had_no_place_is_there_when_it_has_one() {
    let dir = tempfile::tempdir().unwrap();
    let run = dir.path().join("run");
    std::fs::write(&run, "no directory").unwrap();
    let path = run.join("hbd.sock");
    assert!(Control::open(&path, "hbd", "0.1.0", "lb1").await.is_err());
    let mut control = Control::open_later(&path, "hbd", "0.1.0", "lb1");
    std::fs::remove_file(&run).unwrap();
    let (request, ()) = tokio::join!(timeout(LIMIT, control.next()), ask_when_there(&path));
    assert_eq!(request.unwrap().request, Request::Snapshot);
}

#[tokio::test]
async fn a_socket_left_behind_is_replaced_a_living_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hbd.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let server = Server::bind(&path, 0o660, "no such group").await.unwrap();
    let mode = path.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let second = Server::bind(&path, 0o660, "no such group").await;
    assert!(matches!(second, Err(BindError::InUse(_))), "{second:?}");
    drop(server);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    let third = Server::bind(&path, 0o660, "no such group").await;
    assert!(matches!(third, Err(BindError::NotASocket(_))), "{third:?}");
}

#[tokio::test]
async fn closing_lets_the_last_answer_out_and_removes_the_socket() {
    let mut daemon = Daemon::start().await;
    let mut client = Client::connect(&daemon.path).await.unwrap();
    let action = Action::Stop;
    client.request(&Request::Act { action }).await.unwrap();
    let request = daemon.request().await;
    request.reply.send(Reply::Done {
        text: "stopped".to_owned(),
    });
    daemon.serving.close().await;
    assert!(!daemon.path.exists());
    assert!(matches!(next(&mut client).await, Reply::Done { .. }));
    assert_eq!(client.next().await.unwrap(), None);
}

#[tokio::test]
async fn another_version_is_refused_by_the_client() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hbd.sock");
    let server = Server::bind(&path, 0o660, "haclient").await.unwrap();
    let (sender, _requests) = mpsc::channel(1);
    let version = SCHEMA_VERSION + 1;
    let _serving = server.start(&Hello { version, ..hello() }, sender);
    let refused = Client::connect(&path).await;
    assert!(
        matches!(refused, Err(ClientError::Version { theirs }) if theirs == version),
        "{refused:?}"
    );
}

#[tokio::test]
async fn no_socket_says_so() {
    let error = Client::connect(Path::new("/nonexistent/hbd.sock")).await;
    assert!(error.unwrap_err().to_string().contains("No such file"));
}

/// `services` virtual services of `reals` real servers each.
fn large(services: usize, reals: usize) -> Snapshot {
    let mut service = service(reals);
    for real in &mut service.reals {
        real.message = "x".repeat(200);
    }
    let mut snapshot = director(service.clone());
    let Snapshot::Director(director) = &mut snapshot else {
        unreachable!()
    };
    let named = (0..services).map(|number| {
        let id = format!("fwm:{number}");
        VirtualService {
            id,
            ..service.clone()
        }
    });
    director.services = named.collect();
    snapshot
}

#[test]
fn snapshots_of_every_size_come_out_of_their_lines_as_they_went_in() {
    let sizes = [0, 1, 127, 128, 254, 255, 256, 257, 511, 512, 700];
    for services in [0, 1, 2, 3] {
        for reals in sizes {
            let snapshot = large(services, reals);
            let seq = 7;
            let reply = Reply::Snapshot { seq, snapshot };
            let mut assembly = pages::Assembly::default();
            let mut whole = Vec::new();
            for line in pages::lines(&reply) {
                assert!(line.len() < 1024 * 1024, "{} bytes", line.len());
                let line = serde_json::from_str(&line).unwrap();
                whole.extend(assembly.take(line).unwrap());
            }
            assert_eq!(whole, [reply], "{services} x {reals}");
        }
    }
}

/// Above 8 MiB a follower was cut off, above 16 MiB nobody could look.
#[tokio::test]
async fn a_table_of_any_size_can_be_looked_at_and_followed() {
    let mut daemon = Daemon::start().await;
    daemon.state = large(40, 1000);
    let mut mirror = Mirror::default();
    let mut client = daemon.follower().await;
    let Snapshot::Director(director) = &mut daemon.state else {
        unreachable!()
    };
    // Before the follower has read anything.
    director.services[3].reals[3].failures += 1;
    daemon.publisher.publish(&daemon.state);
    mirror.take(next(&mut client).await).unwrap();
    assert_eq!(mirror.take(next(&mut client).await), Ok(Heard::Change));
    assert_eq!(mirror.snapshot(), Some(&daemon.state));
    // A reload that makes everything new.
    daemon.state = large(41, 1000);
    daemon.publisher.publish(&daemon.state);
    assert_eq!(mirror.take(next(&mut client).await), Ok(Heard::Snapshot));
    assert_eq!(mirror.snapshot(), Some(&daemon.state));
}

#[tokio::test]
async fn a_director_is_reached_past_one_that_is_frozen() {
    let daemon = Daemon::start().await;
    let frozen = daemon.path.with_file_name("frozen.sock");
    let _frozen = UnixListener::bind(&frozen).unwrap();
    // In this test both are of one process, so that only asking both at once finds it.
    let own = std::process::id();
    let said = Hello {
        pid: own,
        ..hello()
    };
    let path = daemon.path.with_file_name("living.sock");
    let server = Server::bind(&path, 0o660, "haclient").await.unwrap();
    let (sender, _requests) = mpsc::channel(CLIENTS_MAX);
    let _serving = server.start(&said, sender);
    let reached = directors::reach(vec![frozen, path], own).await;
    assert_eq!(reached.unwrap().hello().pid, own);
}

#[tokio::test]
async fn a_frozen_stranger_is_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("frozen.sock");
    let _frozen = UnixListener::bind(&path).unwrap();
    let other = std::process::id() + 1;
    let reached = Client::connect_to(&path, other).await;
    assert!(matches!(reached, Ok(None)), "{reached:?}");
}
