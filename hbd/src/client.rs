//! The commands that talk to the running daemon over its status socket: `status`, `why`,
//! `standby`, `takeover`, `stop`, `reload`.
//!
//! Waits for answers and words them for a person; decides nothing.

mod consent;
pub mod process;
mod report;

use crate::cli::{ClientCommand, Common, exit};
use ha_status::socket::{Client, ClientError};
use ha_status::{Action, ClusterSnapshot, Notice, Reply, Request, Snapshot};
use process::Process;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// Longest wait for an answer that needs no work.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// Longest wait for an action: resource scripts of many groups may run one after the other.
const ACTION_LIMIT: Duration = Duration::from_secs(3600);

/// After so long without an outcome whoever waits is told why.
const PATIENCE: Duration = Duration::from_secs(3);

/// Longest wait for the process to end after it has done everything else: it writes its last log
/// lines and removes its files.
const END_LIMIT: Duration = Duration::from_secs(30);

#[derive(Debug, Error)]
enum Failure {
    #[error("hbd is not running here: {why} at {}", .socket.display())]
    NotRunning { socket: PathBuf, why: &'static str },
    #[error("not allowed to talk to hbd at {}; root and group haclient are", .socket.display())]
    Forbidden { socket: PathBuf },
    #[error("hbd at {}: {source}", .socket.display())]
    Talk {
        socket: PathBuf,
        source: ClientError,
    },
    /// It said no, and why.
    #[error("{0}")]
    Refused(String),
    #[error("hbd ended the connection")]
    Silent,
    #[error("no answer from hbd within {} s", .0.as_secs())]
    Late(Duration),
    #[error("hbd has let go of everything, but its process {pid} does not end")]
    Lingers { pid: u32 },
    #[error("this is not the socket of hbd but that of {0}")]
    Stranger(String),
    #[error("{0}")]
    Unknown(String),
    #[error("not forced: {0}")]
    NoConsent(String),
    #[error("cannot write: {0}")]
    Output(#[from] io::Error),
    #[error("cannot start: {0}")]
    Runtime(io::Error),
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::Forbidden { .. } => exit::PERMISSION,
            // Whoever read our output has seen enough.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => exit::OK,
            Self::NotRunning { .. }
            | Self::Talk { .. }
            | Self::Refused(_)
            | Self::Silent
            | Self::Late(_)
            | Self::Lingers { .. }
            | Self::Stranger(_)
            | Self::Unknown(_)
            | Self::NoConsent(_)
            | Self::Output(_)
            | Self::Runtime(_) => exit::FAILED,
        }
    }
}

/// Does it and tells the outcome; the exit code.
pub fn run(common: &Common, command: &ClientCommand) -> u8 {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => runtime.block_on(execute(&common.socket(), command)),
        Err(error) => Err(Failure::Runtime(error)),
    };
    match result {
        Ok(()) => exit::OK,
        Err(failure) => {
            if failure.code() != exit::OK {
                let _ = writeln!(io::stderr(), "{failure}");
            }
            failure.code()
        }
    }
}

async fn execute(socket: &Path, command: &ClientCommand) -> Result<(), Failure> {
    let mut daemon = Daemon::connect(socket).await?;
    match command {
        ClientCommand::Status {
            json,
            follow: false,
        } => {
            let snapshot = daemon.snapshot().await?;
            say(&if *json {
                as_json(&snapshot)
            } else {
                report::status(&snapshot)
            })
        }
        ClientCommand::Status {
            json: true,
            follow: true,
        } => daemon.follow_json().await,
        ClientCommand::Status {
            json: false,
            follow: true,
        } => daemon.follow().await,
        ClientCommand::Why { subject } => {
            let snapshot = daemon.snapshot().await?;
            say(&report::why(&snapshot, subject).map_err(Failure::Unknown)?)
        }
        ClientCommand::Standby { groups } => {
            let set = (*groups).into();
            daemon.act(Action::Standby { set }).await
        }
        ClientCommand::Takeover { groups, force } => {
            let (set, force) = ((*groups).into(), *force);
            if force {
                consent::ask(&daemon.snapshot().await?, set)?;
            }
            daemon.act(Action::Takeover { set, force }).await
        }
        ClientCommand::Stop => daemon.stop().await,
        ClientCommand::Reload => daemon.act(Action::Reload { force: false }).await,
    }
}

/// A connection to hbd.
struct Daemon {
    client: Client,
    socket: PathBuf,
}

impl Daemon {
    async fn connect(socket: &Path) -> Result<Self, Failure> {
        let named = || socket.to_owned();
        let client = Client::connect(socket)
            .await
            .map_err(|error| match &error {
                ClientError::Connect(source) => match source.kind() {
                    io::ErrorKind::NotFound => Failure::NotRunning {
                        socket: named(),
                        why: "no socket",
                    },
                    io::ErrorKind::ConnectionRefused => Failure::NotRunning {
                        socket: named(),
                        why: "nobody listens",
                    },
                    io::ErrorKind::PermissionDenied => Failure::Forbidden { socket: named() },
                    _ => Failure::Talk {
                        socket: named(),
                        source: error,
                    },
                },
                ClientError::Silent
                | ClientError::Refused(_)
                | ClientError::Version { .. }
                | ClientError::Line(_)
                | ClientError::Send(_)
                | ClientError::Ended => Failure::Talk {
                    socket: named(),
                    source: error,
                },
            })?;
        let program = &client.hello().program;
        if program == "hbd" {
            Ok(Self {
                client,
                socket: named(),
            })
        } else {
            Err(Failure::Stranger(program.clone()))
        }
    }

    async fn ask(&mut self, request: &Request) -> Result<(), Failure> {
        let sent = self.client.request(request).await;
        sent.map_err(|source| self.talk(source))
    }

    fn talk(&self, source: ClientError) -> Failure {
        Failure::Talk {
            socket: self.socket.clone(),
            source,
        }
    }

    /// The next line; the end of the connection is `Silent`.
    async fn next(&mut self) -> Result<Reply, Failure> {
        let next = self.client.next().await;
        next.map_err(|source| self.talk(source))?
            .ok_or(Failure::Silent)
    }

    async fn next_within(&mut self, limit: Duration) -> Result<Reply, Failure> {
        timeout(limit, self.next())
            .await
            .map_err(|_| Failure::Late(limit))?
    }

    async fn snapshot(&mut self) -> Result<ClusterSnapshot, Failure> {
        self.ask(&Request::Snapshot).await?;
        self.first_snapshot().await
    }

    async fn first_snapshot(&mut self) -> Result<ClusterSnapshot, Failure> {
        match self.next_within(ANSWER_LIMIT).await? {
            Reply::Snapshot {
                snapshot: Snapshot::Cluster(snapshot),
                ..
            } => Ok(snapshot),
            Reply::Error { text } => Err(Failure::Refused(text)),
            Reply::Snapshot {
                snapshot: Snapshot::Director(_),
                ..
            } => Err(Failure::Stranger("a director".to_owned())),
            Reply::Hello(_)
            | Reply::Rows { .. }
            | Reply::Change { .. }
            | Reply::Notice { .. }
            | Reply::Metrics { .. }
            | Reply::Opinion { .. }
            | Reply::Done { .. } => Err(Failure::Silent),
        }
    }

    /// Ends the daemon. Returns when its process and its pid file are gone, so that another one can
    /// be started at once.
    async fn stop(&mut self) -> Result<(), Failure> {
        let pid = self.client.hello().pid;
        let process = Process::open(pid);
        match self.act(Action::Stop).await {
            // It may end before it can say so.
            Ok(()) | Err(Failure::Silent) => {}
            Err(failure) => return Err(failure),
        }
        // The pid file goes before the process does.
        if process.ended(END_LIMIT).await {
            Ok(())
        } else {
            Err(Failure::Lingers { pid })
        }
    }

    /// The tables once, then every notice.
    async fn follow(&mut self) -> Result<(), Failure> {
        self.ask(&Request::Follow).await?;
        say(&report::status(&self.first_snapshot().await?))?;
        say("\n")?;
        loop {
            match self.next().await? {
                Reply::Notice { notice, .. } => say(&told(&notice))?,
                Reply::Error { text } => return Err(Failure::Refused(text)),
                Reply::Snapshot { .. }
                | Reply::Rows { .. }
                | Reply::Change { .. }
                | Reply::Hello(_)
                | Reply::Metrics { .. }
                | Reply::Opinion { .. }
                | Reply::Done { .. } => {}
            }
        }
    }

    /// The lines of the socket as they are.
    async fn follow_json(&mut self) -> Result<(), Failure> {
        self.ask(&Request::Follow).await?;
        loop {
            let reply = self.next().await?;
            say(&as_json(&reply))?;
        }
    }

    /// Waits for the outcome and prints it.
    async fn act(&mut self, action: Action) -> Result<(), Failure> {
        self.ask(&Request::Act { action }).await?;
        let outcome = timeout(ACTION_LIMIT, async {
            loop {
                match self.next().await? {
                    Reply::Done { text } => return Ok(text),
                    Reply::Error { text } => return Err(Failure::Refused(text)),
                    Reply::Snapshot { .. }
                    | Reply::Rows { .. }
                    | Reply::Change { .. }
                    | Reply::Notice { .. }
                    | Reply::Hello(_)
                    | Reply::Metrics { .. }
                    | Reply::Opinion { .. } => {}
                }
            }
        });
        let mut outcome = std::pin::pin!(outcome);
        let outcome = if let Ok(outcome) = timeout(PATIENCE, &mut outcome).await {
            outcome
        } else {
            let text = "waiting for resources; `hbd status` shows how far they are";
            let _ = writeln!(io::stderr(), "{text}");
            outcome.await
        };
        let text = outcome.map_err(|_| Failure::Late(ACTION_LIMIT))??;
        say(&format!("{text}\n"))
    }
}

/// One line of JSON.
fn as_json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).expect("the status types have string keys only");
    format!("{text}\n")
}

/// `16:32:48 warning: node lb2: is dead`
fn told(notice: &Notice) -> String {
    let at = std::time::UNIX_EPOCH + Duration::from_millis(notice.at_ms);
    let stamp = ha_plumbing::log::Stamp::local(at);
    let (hour, minute, second) = (stamp.hour, stamp.minute, stamp.second);
    let severity = report::severity(notice.severity);
    format!(
        "{hour:02}:{minute:02}:{second:02} {severity}: {}\n",
        notice.text
    )
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
