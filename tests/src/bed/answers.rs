//! One server for every check of a director: each address of a host answers in each protocol at its usual
//! port, until it is told to refuse.
//!
//! The real programs are in [`super::talkers`] and elsewhere; this one stands in for dozens of them where
//! many services are looked at together, counts who asked, and dies and comes back at once.

mod databases;
mod datagrams;
mod ftp;
mod ldap;
mod lines;
mod web;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc as std_mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::host::Host;

/// The password of every login, whose name is free.
pub const PASSWORD: &str = "right";
/// What RADIUS is asked with.
pub const SECRET: &str = "s3cret";

/// A conversation lasts no longer.
const CONVERSATION_MAX: Duration = Duration::from_secs(30);
/// Orders that may wait.
const ORDERS: usize = 4;

/// What is spoken over a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tongue {
    Http,
    Smtp,
    Pop,
    Imap,
    Nntp,
    Ftp,
    Ldap,
    Dns,
    Mysql,
    Pgsql,
    Sip,
    Lines,
}

/// A port, what is spoken there, and whether within TLS with the first or the second certificate.
const PORTS: &[(u16, Tongue, Option<usize>)] = &[
    (21, Tongue::Ftp, None),
    (25, Tongue::Smtp, None),
    (53, Tongue::Dns, None),
    (80, Tongue::Http, None),
    (110, Tongue::Pop, None),
    (119, Tongue::Nntp, None),
    (143, Tongue::Imap, None),
    (389, Tongue::Ldap, None),
    (443, Tongue::Http, Some(0)),
    (587, Tongue::Smtp, None),
    (636, Tongue::Ldap, Some(0)),
    (993, Tongue::Imap, Some(0)),
    (995, Tongue::Pop, Some(0)),
    (3128, Tongue::Http, None),
    (3306, Tongue::Mysql, None),
    (5060, Tongue::Sip, None),
    (5432, Tongue::Pgsql, None),
    (8080, Tongue::Http, None),
    (8443, Tongue::Http, Some(1)),
    (9000, Tongue::Lines, None),
];
/// Ports of datagrams: names, RADIUS, SIP.
const DATAGRAM_PORTS: &[u16] = &[53, 1812, 5060];

/// A certificate and its key, each a file in PEM.
#[derive(Debug, Clone, Copy)]
pub struct Identity<'a> {
    pub certificate: &'a Path,
    pub key: &'a Path,
}

/// The answering addresses of a host. Dropping this closes them.
pub struct Answers {
    orders: Option<mpsc::Sender<Order>>,
    asked: Arc<Asked>,
    thread: Option<JoinHandle<Result<()>>>,
}

/// How often each address and port was asked.
#[derive(Default)]
struct Asked(Mutex<BTreeMap<SocketAddr, Arc<AtomicU64>>>);

struct Order {
    address: IpAddr,
    answer: bool,
    done: std_mpsc::Sender<Result<()>>,
}

impl Answers {
    /// Begins on a host, with nothing open yet. `identities` are the first and the second certificate.
    pub fn start(host: Arc<Host>, identities: [Identity<'_>; 2]) -> Result<Self> {
        let [first, second] = identities;
        let acceptors = [acceptor(first)?, acceptor(second)?];
        let (orders, taken) = mpsc::channel(ORDERS);
        let asked = Arc::new(Asked::default());
        let counting = Arc::clone(&asked);
        let thread = thread::spawn(move || {
            host.within(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                runtime.block_on(serve(taken, &acceptors, &counting));
                Ok(())
            })
        });
        Ok(Self {
            orders: Some(orders),
            asked,
            thread: Some(thread),
        })
    }

    /// From now on this address answers at every port.
    pub fn answer(&self, address: IpAddr) -> Result<()> {
        self.order(address, true)
    }

    /// From now on every port of this address refuses.
    pub fn refuse(&self, address: IpAddr) -> Result<()> {
        self.order(address, false)
    }

    /// How many connections and datagrams came to this port of this address.
    pub fn asked(&self, at: SocketAddr) -> u64 {
        self.asked.counter(at).load(Ordering::Relaxed)
    }

    fn order(&self, address: IpAddr, answer: bool) -> Result<()> {
        let (done, told) = std_mpsc::channel();
        let order = Order {
            address,
            answer,
            done,
        };
        let orders = self.orders.as_ref().context("it has ended")?;
        let gone = || anyhow!("the answering thread has ended");
        orders.blocking_send(order).map_err(|_| gone())?;
        told.recv().map_err(|_| gone())?
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Asked {
    fn counter(&self, at: SocketAddr) -> Arc<AtomicU64> {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(counters.entry(at).or_default())
    }
}

fn acceptor(identity: Identity<'_>) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(identity.certificate)?.collect::<Result<_, _>>()?;
    let key = PrivateKeyDer::from_pem_file(identity.key)?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Obeys until nobody can order any more.
async fn serve(
    mut orders: mpsc::Receiver<Order>,
    acceptors: &[TlsAcceptor; 2],
    asked: &Arc<Asked>,
) {
    let mut open: BTreeMap<IpAddr, JoinSet<()>> = BTreeMap::new();
    while let Some(order) = orders.recv().await {
        if let Some(mut tasks) = open.remove(&order.address) {
            tasks.shutdown().await;
        }
        let outcome = if order.answer {
            let opened = listen(order.address, acceptors, asked).await;
            opened.map(|tasks| drop(open.insert(order.address, tasks)))
        } else {
            Ok(())
        };
        let _ = order.done.send(outcome);
    }
}

/// Opens every port of an address.
async fn listen(
    address: IpAddr,
    acceptors: &[TlsAcceptor; 2],
    asked: &Arc<Asked>,
) -> Result<JoinSet<()>> {
    let mut tasks = JoinSet::new();
    for (port, tongue, tls) in PORTS {
        let at = SocketAddr::new(address, *port);
        let listener = TcpListener::bind(at).await;
        let listener = listener.with_context(|| format!("cannot listen at {at}"))?;
        let acceptor = tls.and_then(|which| acceptors.get(which)).cloned();
        tasks.spawn(accept(listener, *tongue, acceptor, asked.counter(at)));
    }
    for port in DATAGRAM_PORTS {
        let at = SocketAddr::new(address, *port);
        let socket = UdpSocket::bind(at).await;
        let socket = socket.with_context(|| format!("cannot listen at {at}"))?;
        tasks.spawn(datagrams::answer(socket, *port, asked.counter(at)));
    }
    Ok(tasks)
}

async fn accept(
    listener: TcpListener,
    tongue: Tongue,
    acceptor: Option<TlsAcceptor>,
    asked: Arc<AtomicU64>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        asked.fetch_add(1, Ordering::Relaxed);
        let talk = talk(stream, tongue, acceptor.clone());
        // Who hangs up in the middle, as a check by connect does, has been answered.
        tokio::spawn(async { drop(timeout(CONVERSATION_MAX, talk).await) });
    }
}

async fn talk(stream: TcpStream, tongue: Tongue, acceptor: Option<TlsAcceptor>) -> Result<()> {
    let here = stream.local_addr()?;
    match acceptor {
        Some(acceptor) => speak(acceptor.accept(stream).await?, tongue, here).await,
        None => speak(stream, tongue, here).await,
    }
}

async fn speak<S>(stream: S, tongue: Tongue, here: SocketAddr) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match tongue {
        Tongue::Http => web::http(stream).await,
        Tongue::Sip => web::sip(stream).await,
        Tongue::Smtp => lines::smtp(stream).await,
        Tongue::Pop => lines::pop(stream).await,
        Tongue::Imap => lines::imap(stream).await,
        Tongue::Nntp => lines::nntp(stream).await,
        Tongue::Lines => lines::echo(stream).await,
        Tongue::Ftp => ftp::serve(stream, here).await,
        Tongue::Ldap => ldap::serve(stream).await,
        Tongue::Dns => datagrams::dns_over_tcp(stream).await,
        Tongue::Mysql => databases::mysql(stream).await,
        Tongue::Pgsql => databases::pgsql(stream).await,
    }
}
