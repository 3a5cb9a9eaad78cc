//! Status sockets: connect, follow, ask anew for ages and counters, reconnect; and finding those
//! of ldird, which come and go with the resource group that runs it.
//!
//! One task per socket. It owns the connection; the copy of the state is the app's.

use ha_status::{
    Action, Hello, Reply, Request, Snapshot,
    socket::{Client, ClientError, client::ANSWER_LIMIT, directors},
};
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{Notify, mpsc},
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

/// First pause before connecting again; doubled up to the longest.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_LONGEST: Duration = Duration::from_secs(1);

/// How often ages and counters, which are no changes, are asked for. Each row adds
/// [`REFRESH_PER_ROW`], so that a large table costs as little as a small one.
const REFRESH: Duration = Duration::from_secs(1);
const REFRESH_PER_ROW: Duration = Duration::from_millis(1);

/// How long an operator waits for an action before we say that nobody knows.
const ACTION_LIMIT: Duration = Duration::from_secs(120);

/// What a socket's task tells the app.
#[derive(Debug)]
pub(crate) enum Event {
    Connected(Hello),
    Line(Box<Reply>),
    /// Not connected (any more), and why. Said again for each new reason only.
    Lost(String),
}

/// An event and whose it is.
#[derive(Debug)]
pub(crate) struct Told {
    /// Number of the source in the app.
    pub(crate) source: usize,
    pub(crate) event: Event,
}

/// The app's queue, as one source sees it.
pub(crate) struct Feed {
    pub(crate) source: usize,
    pub(crate) queue: mpsc::Sender<Told>,
}

impl Feed {
    /// False if nobody listens any more. Waits while the queue is full: a daemon that we cannot
    /// keep up with cuts us off, and we start anew.
    async fn tell(&self, event: Event) -> bool {
        let source = self.source;
        self.queue.send(Told { source, event }).await.is_ok()
    }
}

/// Follows a socket for ever; ends when nobody listens any more. `again` makes it drop the
/// connection and start anew.
pub(crate) async fn follow(path: PathBuf, again: Arc<Notify>, feed: Feed) {
    let mut pause = RETRY_FIRST;
    loop {
        let reason = match Client::connect(&path).await {
            Ok(client) => {
                pause = RETRY_FIRST;
                if !feed.tell(Event::Connected(client.hello().clone())).await {
                    return;
                }
                tokio::select! {
                    reason = listen(client, &feed) => match reason {
                        Some(reason) => reason,
                        None => return,
                    },
                    () = again.notified() => "starting anew".to_owned(),
                }
            }
            Err(error) => plain(error),
        };
        if !feed.tell(Event::Lost(reason)).await {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(RETRY_LONGEST);
    }
}

/// Hands on lines until the connection fails (the reason) or nobody listens (`None`).
async fn listen(mut client: Client, feed: &Feed) -> Option<String> {
    if let Err(error) = client.request(&Request::Follow).await {
        return Some(plain(error));
    }
    // Each question must be answered in time: a frozen daemon keeps its connections.
    let mut asked = true;
    let mut due = Instant::now() + ANSWER_LIMIT;
    loop {
        tokio::select! {
            line = client.next() => match line {
                Ok(Some(reply)) => {
                    if let Reply::Snapshot { snapshot, .. } = &reply {
                        asked = false;
                        due = Instant::now() + refresh(snapshot);
                    }
                    if !feed.tell(Event::Line(Box::new(reply))).await {
                        return None;
                    }
                }
                Ok(None) => return Some("the connection ended".to_owned()),
                Err(error) => return Some(plain(error)),
            },
            () = sleep_until(due) => {
                if asked {
                    return Some(format!("no answer within {} s", ANSWER_LIMIT.as_secs()));
                }
                if let Err(error) = client.request(&Request::Snapshot).await {
                    return Some(plain(error));
                }
                asked = true;
                due = Instant::now() + ANSWER_LIMIT;
            }
        }
    }
}

/// An error's words without `(os error 2)`, which says nothing more and costs room.
fn plain(error: ClientError) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

fn refresh(snapshot: &Snapshot) -> Duration {
    let rows = match snapshot {
        Snapshot::Cluster(cluster) => cluster.groups.len(),
        Snapshot::Director(director) => director
            .services
            .iter()
            .map(|service| service.reals.len())
            .sum(),
    };
    REFRESH + REFRESH_PER_ROW * u32::try_from(rows).unwrap_or(u32::MAX)
}

/// Asks once for a snapshot.
pub(crate) async fn once(path: &Path) -> Result<(Hello, Reply), String> {
    let answer = async {
        let mut client = Client::connect(path).await.map_err(plain)?;
        let sent = client.request(&Request::Snapshot).await;
        sent.map_err(plain)?;
        let reply = client.next().await.map_err(plain)?;
        let reply = reply.ok_or("the connection ended")?;
        Ok((client.hello().clone(), reply))
    };
    let late = || Err(format!("no answer within {} s", ANSWER_LIMIT.as_secs()));
    timeout(ANSWER_LIMIT, answer)
        .await
        .unwrap_or_else(|_| late())
}

/// Why nothing is known to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Undone {
    /// The daemon says why it is not, or was never asked.
    Refused(String),
    /// It was asked, and whether it is done is not known.
    Unanswered(String),
}

/// Has the daemon do something, over a connection of its own. Both outcomes are for the operator.
pub(crate) async fn act(path: &Path, action: Action) -> Result<String, Undone> {
    let until = Instant::now() + ACTION_LIMIT;
    let late = |_| format!("no answer within {} s", ACTION_LIMIT.as_secs());
    let connected = timeout_at(until, Client::connect(path)).await;
    let connected = connected.map_err(late).and_then(|it| it.map_err(plain));
    let mut client = connected.map_err(Undone::Refused)?;
    let answer = async {
        let sent = client.request(&Request::Act { action }).await;
        sent.map_err(plain)?;
        loop {
            match client.next().await.map_err(plain)? {
                Some(Reply::Done { text }) => return Ok(Ok(text)),
                Some(Reply::Error { text }) => return Ok(Err(Undone::Refused(text))),
                Some(_) => {}
                None => return Err("the connection ended before an answer".to_owned()),
            }
        }
    };
    let answer = timeout_at(until, answer).await;
    let answer = answer.map_err(late).and_then(|it| it);
    answer.unwrap_or_else(|why| Err(Undone::Unanswered(why)))
}

/// The sockets of ldird: beside hbd's, or in the folder above, where ldird keeps its pid file as the
/// old daemon did (`/run/heartbeat` and `/run`).
pub(crate) fn ldird_sockets(run: &Path) -> BTreeSet<PathBuf> {
    let folders = [Some(run), run.parent()].into_iter().flatten();
    folders.flat_map(directors::sockets).collect()
}
