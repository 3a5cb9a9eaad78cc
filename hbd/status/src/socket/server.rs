//! The answering half: listens, says hello, and hands each request to the daemon's loop together
//! with a [`Responder`].
//!
//! One task accepts; each client has one that reads and one that writes. A client's next request
//! is read only after its last was answered, so the loop's queue holds at most one per client. Who
//! gets a place when all are taken is `seats`' business.

use super::{
    caller::{ClientId, Credentials},
    codec::{Lines, REQUEST_LINE_MAX, encode},
    outbox::Outbox,
    pages,
    place::{BindError, Place},
    seats::Seats,
};
use crate::{Hello, Reply, Request};
use std::{
    io,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, oneshot, watch},
    task::{JoinHandle, JoinSet},
    time::{MissedTickBehavior, interval, timeout},
};

/// How long a client may take to let one line through before it is dropped.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long [`Serving::close`] waits for last lines to go out.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// How often the socket is looked for: whoever empties its directory locks nobody out for longer.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A place that cannot be had, because another daemon has it or its disk is full, is tried again
/// after so long.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Pause after a failed accept (no descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A socket that nobody is answered on yet.
#[derive(Debug)]
pub struct Server {
    /// `None` if it is still to be bound.
    listener: Option<UnixListener>,
    place: Place,
}

/// One request, to be answered through `reply`.
#[derive(Debug)]
pub struct ClientRequest {
    pub client: ClientId,
    /// `None` only if the kernel would not say.
    pub credentials: Option<Credentials>,
    pub request: Request,
    pub reply: Responder,
}

/// Answers one request. Dropped unused, it answers with an error: a client never waits for ever.
#[derive(Debug)]
pub struct Responder {
    outbox: Arc<Outbox>,
    /// Taken when answered; tells the reader to go on.
    answered: Option<oneshot::Sender<()>>,
}

/// A server at work. Dropping it stops it and removes the socket, unless another daemon has put its
/// own there.
#[derive(Debug)]
pub struct Serving {
    place: Arc<Place>,
    accept: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds `path` with the given mode, e.g. `0o660`, owned by `group` where that group exists
    /// (in /etc/group) and we may give files away. A socket left by a dead daemon is replaced;
    /// a living one is an error.
    pub async fn bind(path: &Path, mode: u32, group: &str) -> Result<Server, BindError> {
        let place = Place::new(path, mode, group);
        let listener = Some(place.bind().await?);
        Ok(Server { listener, place })
    }

    /// Binds it once it is started, as soon as that can be done.
    pub fn unbound(path: &Path, mode: u32, group: &str) -> Server {
        let place = Place::new(path, mode, group);
        let listener = None;
        Server { listener, place }
    }

    /// Starts answering: `hello` to everyone, requests into `requests`, whose receiver is the
    /// daemon's loop. Must be called inside a tokio runtime.
    pub fn start(self, hello: &Hello, requests: mpsc::Sender<ClientRequest>) -> Serving {
        let (stop, stopped) = watch::channel(false);
        let hello: Arc<str> = encode(&Reply::Hello(hello.clone())).into();
        let place = Arc::new(self.place);
        let door = Door {
            listener: self.listener,
            place: Arc::clone(&place),
        };
        let accept = tokio::spawn(accept(door, hello, requests, stopped));
        Serving {
            place,
            accept,
            stop,
        }
    }
}

impl Serving {
    /// Stops listening and lets last lines go out, for at most half a second.
    pub async fn close(mut self) {
        self.place.clear();
        let _ = self.stop.send(true);
        // Beyond the limit the drop below ends what is left.
        let _ = timeout(CLOSE_LIMIT, &mut self.accept).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accept.abort();
        self.place.clear();
    }
}

impl Responder {
    /// Answers the request.
    pub fn send(mut self, reply: Reply) {
        self.reply(&reply);
    }

    pub(super) fn outbox(&self) -> &Arc<Outbox> {
        &self.outbox
    }

    fn reply(&mut self, reply: &Reply) {
        if let Some(answered) = self.answered.take() {
            self.outbox.push_all(&pages::lines(reply));
            // The reader is gone only if the client is.
            let _ = answered.send(());
        }
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        let text = "not answered: the daemon is ending".to_owned();
        self.reply(&Reply::Error { text });
    }
}

/// Where clients come in.
struct Door {
    listener: Option<UnixListener>,
    place: Arc<Place>,
}

impl Door {
    /// The next client; waits for ever while there is no socket. Cancel-safe.
    async fn next(&self) -> io::Result<UnixStream> {
        match &self.listener {
            Some(listener) => Ok(listener.accept().await?.0),
            None => std::future::pending().await,
        }
    }

    /// Makes the socket anew if it is not there. When to look again.
    async fn look(&mut self) -> Duration {
        if self.listener.is_some() && self.place.is_ours() {
            return LOOK_EVERY;
        }
        match self.place.bind().await {
            Ok(listener) => {
                self.listener = Some(listener);
                LOOK_EVERY
            }
            Err(_) => RETRY_AFTER,
        }
    }
}

async fn accept(
    mut door: Door,
    hello: Arc<str>,
    requests: mpsc::Sender<ClientRequest>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut clients = JoinSet::new();
    let mut seats = Seats::default();
    let mut next = 0;
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(ended) = clients.join_next() => {
                // One that panicked is known by its closed outbox.
                seats.leave(ended.ok());
                continue;
            }
            _ = looks.tick() => None,
            accepted = door.next() => Some(accepted),
        };
        let Some(accepted) = accepted else {
            let again = door.look().await;
            looks.reset_after(again);
            continue;
        };
        let Ok(stream) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        next += 1;
        let id = ClientId(next);
        let credentials = stream.peer_cred().ok().map(|peer| Credentials {
            uid: peer.uid(),
            gid: peer.gid(),
            pid: peer.pid(),
        });
        let outbox = Arc::new(Outbox::default());
        if let Err(why) = seats.take(id, credentials.map(|who| who.uid), &outbox, Instant::now()) {
            turn_away(&stream, why);
            continue;
        }
        outbox.push(&hello);
        let (requests, stopped) = (requests.clone(), stopped.clone());
        clients.spawn(async move {
            serve(stream, id, credentials, outbox, requests, stopped).await;
            id
        });
    }
    drop(door);
    while clients.join_next().await.is_some() {}
}

fn turn_away(stream: &UnixStream, why: String) {
    // A fresh socket's buffer takes a short line at once; if not, the end of file must do.
    let _ = stream.try_write(encode(&Reply::Error { text: why }).as_bytes());
}

/// Serves one client until it leaves, is cut off, or the server stops.
async fn serve(
    stream: UnixStream,
    id: ClientId,
    credentials: Option<Credentials>,
    outbox: Arc<Outbox>,
    requests: mpsc::Sender<ClientRequest>,
    mut stopped: watch::Receiver<bool>,
) {
    let (reader, writer) = stream.into_split();
    let read = async {
        tokio::select! {
            () = read(reader, id, credentials, &outbox, &requests) => {}
            _ = stopped.wait_for(|stop| *stop) => {}
        }
        outbox.close();
        // The writer decides when all is over.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = read => {}
        () = write(writer, &outbox) => {}
    }
    outbox.close();
}

async fn read(
    reader: OwnedReadHalf,
    client: ClientId,
    credentials: Option<Credentials>,
    outbox: &Arc<Outbox>,
    requests: &mpsc::Sender<ClientRequest>,
) {
    let mut lines = Lines::new(reader, REQUEST_LINE_MAX);
    loop {
        let request = match lines.next::<Request>().await {
            Ok(Some(request)) => request,
            Ok(None) => return,
            Err(error) => {
                // After a bad line nothing on this stream can be trusted to be a line.
                let text = format!("request refused: {error}");
                outbox.push(&encode(&Reply::Error { text }).into());
                return;
            }
        };
        outbox.touch();
        let (answered, answer) = oneshot::channel();
        let reply = Responder {
            outbox: Arc::clone(outbox),
            answered: Some(answered),
        };
        let request = ClientRequest {
            client,
            credentials,
            request,
            reply,
        };
        // If the loop is gone, dropping the request answers it.
        let _ = requests.send(request).await;
        let _ = answer.await;
        outbox.room().await;
    }
}

async fn write(mut writer: OwnedWriteHalf, outbox: &Outbox) {
    while let Some(line) = outbox.next().await {
        match timeout(WRITE_LIMIT, writer.write_all(line.as_bytes())).await {
            Ok(Ok(())) => outbox.touch(),
            // Gone, or deaf for too long.
            Ok(Err(_)) | Err(_) => return,
        }
    }
    let _ = writer.shutdown().await;
}
