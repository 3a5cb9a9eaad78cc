//! The client commands against a status socket that answers from a script: what the binary asks,
//! prints and ends with.

#![allow(clippy::unwrap_used)]

use ha_status::socket::{ClientRequest, Publisher, Server, Serving};
use ha_status::{
    Action, ClusterPhase, ClusterSnapshot, Counters, Hello, HoldSet, Node, NodeKind, NodeStatus,
    Notice, Reply, Request, SCHEMA_VERSION, Severity, Snapshot,
};
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// No command may take longer.
const LIMIT: Duration = Duration::from_secs(20);
/// The number of a daemon that has ended.
const NO_PROCESS: u32 = 0;

fn snapshot() -> ClusterSnapshot {
    ClusterSnapshot {
        node: "lb1".to_owned(),
        at_ms: 2_000_000,
        uptime_ms: 5000,
        phase: ClusterPhase::Running,
        extended: true,
        auto_failback: "on".to_owned(),
        keepalive_ms: 100,
        deadtime_ms: 1000,
        nodes: vec![Node {
            name: "lb1".to_owned(),
            local: true,
            kind: NodeKind::Normal,
            status: NodeStatus::Active,
            extended: true,
            generation: 1,
            heard_ms: None,
            deadtime_ms: 1000,
            since_ms: 1_996_000,
            same_haresources: Some(true),
            quality: None,
        }],
        links: Vec::new(),
        groups: Vec::new(),
        refused: Vec::new(),
        counters: Counters::default(),
        recent: Vec::new(),
    }
}

/// A status socket in this folder, and what it is asked.
async fn serve(program: &str, pid: u32, run: &Path) -> (Serving, mpsc::Receiver<ClientRequest>) {
    let hello = Hello {
        version: SCHEMA_VERSION,
        program: program.to_owned(),
        release: "0.0.0".to_owned(),
        name: "lb1".to_owned(),
        pid,
    };
    let server = Server::bind(&run.join("hbd.sock"), 0o600, "")
        .await
        .unwrap();
    let (sender, requests) = mpsc::channel(4);
    (server.start(&hello, sender), requests)
}

/// Runs `hbd WORDS` against a server that gives each request to `answer`.
async fn converse(
    program: &str,
    words: &[&str],
    answer: impl FnMut(ClientRequest),
) -> (i32, String, String) {
    converse_with(program, NO_PROCESS, words, answer).await
}

/// The same with a daemon whose process has this number.
async fn converse_with(
    program: &str,
    pid: u32,
    words: &[&str],
    mut answer: impl FnMut(ClientRequest),
) -> (i32, String, String) {
    let run = tempfile::tempdir().unwrap();
    let (_serving, mut requests) = serve(program, pid, run.path()).await;
    let mut child = std::pin::pin!(timeout(LIMIT, hbd(run.path(), words)));
    let output = loop {
        tokio::select! {
            output = &mut child => break output.unwrap(),
            Some(request) = requests.recv() => answer(request),
        }
    };
    told(output)
}

/// Exit code, standard output, standard error.
fn told(output: Output) -> (i32, String, String) {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        output.status.code().unwrap(),
        text(output.stdout),
        text(output.stderr),
    )
}

async fn hbd(run: &Path, words: &[&str]) -> Output {
    let output = Command::new(env!("CARGO_BIN_EXE_hbd"))
        .args(words)
        .arg("--run")
        .arg(run)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    output.await.unwrap()
}

fn snapshot_reply() -> Reply {
    Reply::Snapshot {
        seq: 1,
        snapshot: Snapshot::Cluster(snapshot()),
    }
}

#[tokio::test(flavor = "current_thread")]
async fn status_prints_a_table_or_json() {
    let answer = |request: ClientRequest| {
        assert_eq!(request.request, Request::Snapshot);
        request.reply.send(snapshot_reply());
    };
    let (code, text, _) = converse("hbd", &["status"], answer).await;
    assert_eq!(code, 0);
    assert!(
        text.contains("lb1   active  4 s  -      this node\n"),
        "{text}"
    );
    let (code, text, _) = converse("hbd", &["status", "--json"], answer).await;
    assert_eq!(code, 0);
    assert_eq!(
        serde_json::from_str::<ClusterSnapshot>(&text).unwrap(),
        snapshot()
    );
}

#[tokio::test(flavor = "current_thread")]
async fn why_answers_or_says_what_there_is() {
    let answer = |request: ClientRequest| request.reply.send(snapshot_reply());
    let (code, text, _) = converse("hbd", &["why", "lb1"], answer).await;
    assert_eq!((code, text.as_str()), (0, "node lb1 is active for 4 s\n"));
    let (code, _, error) = converse("hbd", &["why", "lb7"], answer).await;
    assert_eq!(
        (code, error.as_str()),
        (1, "no node or group `lb7`; there are lb1, and `links`\n")
    );
}

#[tokio::test(flavor = "current_thread")]
async fn actions_ask_for_the_right_thing_and_print_the_outcome() {
    let table = [
        (&["standby"][..], Action::Standby { set: HoldSet::All }),
        (
            &["standby", "failback"],
            Action::Standby {
                set: HoldSet::Foreign,
            },
        ),
        (
            &["takeover", "local"],
            Action::Takeover {
                force: false,
                set: HoldSet::Local,
            },
        ),
        (&["stop"], Action::Stop),
        (&["reload"], Action::Reload { force: false }),
    ];
    for (words, expected) in table {
        let (code, text, error) = converse("hbd", words, |request| {
            let wanted = Request::Act {
                action: expected.clone(),
            };
            assert_eq!(request.request, wanted);
            let text = "that is done".to_owned();
            request.reply.send(Reply::Done { text });
        })
        .await;
        assert_eq!(
            (code, text.as_str(), error.as_str()),
            (0, "that is done\n", "")
        );
    }
}

#[tokio::test(flavor = "current_thread")]
async fn stop_returns_when_the_process_has_ended() {
    let mut daemon = std::process::Command::new("sleep")
        .arg("1")
        .spawn()
        .unwrap();
    let (code, _, error) = converse_with("hbd", daemon.id(), &["stop"], |request| {
        let text = "stopped".to_owned();
        request.reply.send(Reply::Done { text });
    })
    .await;
    let ended = daemon.try_wait().unwrap().is_some();
    daemon.wait().unwrap();
    assert_eq!((code, error.as_str()), (0, ""));
    assert!(ended, "`hbd stop` came back while the daemon lived");
}

#[tokio::test(flavor = "current_thread")]
async fn a_refusal_is_printed_and_fails() {
    let (code, text, error) = converse("hbd", &["standby"], |request| {
        let text = "no other node is up".to_owned();
        request.reply.send(Reply::Error { text });
    })
    .await;
    assert_eq!(
        (code, text.as_str(), error.as_str()),
        (1, "", "no other node is up\n")
    );
}

#[tokio::test(flavor = "current_thread")]
async fn the_socket_of_another_program_is_recognised() {
    let (code, _, error) = converse("ldird", &["status"], |_| {}).await;
    assert_eq!(code, 1);
    assert_eq!(error, "this is not the socket of hbd but that of ldird\n");
}

#[tokio::test(flavor = "current_thread")]
async fn follow_prints_notices_until_the_daemon_ends() {
    let run = tempfile::tempdir().unwrap();
    let (serving, mut requests) = serve("hbd", NO_PROCESS, run.path()).await;
    let mut publisher = Publisher::new();
    let daemon = async {
        let request = requests.recv().await.unwrap();
        assert_eq!(request.request, Request::Follow);
        publisher.follow(request.reply, &Snapshot::Cluster(snapshot()));
        publisher.notice(&Notice {
            at_ms: 0,
            severity: Severity::Warning,
            text: "node lb2: is dead".to_owned(),
        });
        serving.close().await;
    };
    let command = hbd(run.path(), &["status", "--follow"]);
    let both = timeout(LIMIT, async { tokio::join!(command, daemon) });
    let (output, ()) = both.await.unwrap();
    let (code, text, error) = told(output);
    assert_eq!((code, error.as_str()), (1, "hbd ended the connection\n"));
    assert!(text.starts_with("lb1: running for 5 s,"), "{text}");
    assert!(text.ends_with(" warning: node lb2: is dead\n"), "{text}");
}
