//! The answering half: listens, says hello, and hands each request to the daemon's loop together
//! with a [`Responder`].
//!
//! One task accepts; each client has one that reads and one that writes. A client's next request
//! is read only after its last was answered, so the loop's queue holds at most one per client. Who
//! gets a place when all are taken is `seats`' business.

use super::{
    accounts,
    caller::{ClientId, Credentials},
    codec::{Lines, REQUEST_LINE_MAX, encode},
    outbox::Outbox,
    pages,
    seats::Seats,
};
use crate::{Hello, Reply, Request};
use std::{
    fs, io,
    os::unix::fs::{PermissionsExt, chown},
    path::{Path, PathBuf},
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
    time::timeout,
};

/// How long a client may take to let one line through before it is dropped.
const WRITE_LIMIT: Duration = Duration::from_secs(10);

/// How long [`Serving::close`] waits for last lines to go out.
const CLOSE_LIMIT: Duration = Duration::from_millis(500);

/// How long the probe for another daemon on the same socket may take.
const PROBE_LIMIT: Duration = Duration::from_secs(1);

/// Pause after a failed accept (no descriptors left), so that it does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A bound socket that nobody is answered on yet.
#[derive(Debug)]
pub struct Server {
    listener: UnixListener,
    path: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum BindError {
    #[error("{}: another daemon answers there", .0.display())]
    InUse(PathBuf),
    #[error("{}: exists and is not a socket", .0.display())]
    NotASocket(PathBuf),
    #[error("{}: {source}", path.display())]
    Bind { path: PathBuf, source: io::Error },
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

/// A server at work. Dropping it stops it and removes the socket.
#[derive(Debug)]
pub struct Serving {
    path: PathBuf,
    accept: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Binds `path` with the given mode, e.g. `0o660`, owned by `group` where that group exists
    /// (in /etc/group) and we may give files away. A socket left by a dead daemon is replaced;
    /// a living one is an error.
    pub async fn bind(path: &Path, mode: u32, group: &str) -> Result<Server, BindError> {
        let failed = |source| BindError::Bind {
            path: path.to_owned(),
            source,
        };
        refuse_living(path).await?;
        // Made under another name and moved, so that it never stands there with a wider mode.
        let fresh = path.with_extension(format!("{}.new", std::process::id()));
        let _ = fs::remove_file(&fresh);
        let listener = UnixListener::bind(&fresh).map_err(failed)?;
        let finished =
            fs::set_permissions(&fresh, fs::Permissions::from_mode(mode)).and_then(|()| {
                if let Some(gid) = accounts::group_id(group) {
                    // Refused to ordinary users, whose socket then stays their own.
                    let _ = chown(&fresh, None, Some(gid));
                }
                fs::rename(&fresh, path)
            });
        if let Err(error) = finished {
            let _ = fs::remove_file(&fresh);
            return Err(failed(error));
        }
        Ok(Server {
            listener,
            path: path.to_owned(),
        })
    }

    /// Starts answering: `hello` to everyone, requests into `requests`, whose receiver is the
    /// daemon's loop. Must be called inside a tokio runtime.
    pub fn start(self, hello: &Hello, requests: mpsc::Sender<ClientRequest>) -> Serving {
        let (stop, stopped) = watch::channel(false);
        let hello: Arc<str> = encode(&Reply::Hello(hello.clone())).into();
        let accept = tokio::spawn(accept(self.listener, hello, requests, stopped));
        Serving {
            path: self.path,
            accept,
            stop,
        }
    }
}

impl Serving {
    /// Stops listening and lets last lines go out, for at most half a second.
    pub async fn close(mut self) {
        let _ = fs::remove_file(&self.path);
        let _ = self.stop.send(true);
        // Beyond the limit the drop below ends what is left.
        let _ = timeout(CLOSE_LIMIT, &mut self.accept).await;
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.accept.abort();
        let _ = fs::remove_file(&self.path);
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

async fn refuse_living(path: &Path) -> Result<(), BindError> {
    use std::os::unix::fs::FileTypeExt;
    match fs::symlink_metadata(path) {
        Err(_) => return Ok(()),
        Ok(found) if !found.file_type().is_socket() => {
            return Err(BindError::NotASocket(path.to_owned()));
        }
        Ok(_) => {}
    }
    match timeout(PROBE_LIMIT, UnixStream::connect(path)).await {
        // Refused: nobody holds the other end. Anything else that fails, binding will tell.
        Ok(Err(error)) if error.kind() != io::ErrorKind::WouldBlock => Ok(()),
        // Connected, its queue is full, or it is too busy to say: somebody is there.
        _ => Err(BindError::InUse(path.to_owned())),
    }
}

async fn accept(
    listener: UnixListener,
    hello: Arc<str>,
    requests: mpsc::Sender<ClientRequest>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut clients = JoinSet::new();
    let mut seats = Seats::default();
    let mut next = 0;
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stop| *stop) => break,
            Some(ended) = clients.join_next() => {
                // One that panicked is known by its closed outbox.
                seats.leave(ended.ok());
                continue;
            }
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
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
    drop(listener);
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
