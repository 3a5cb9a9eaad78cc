//! The client: every operation of the kernel's IPVS interface, one request at a time.
//!
//! Owns the session (socket and family number) and opens a new one when the last ended in doubt: after
//! a time-out, a cancelled call or a reloaded module. It keeps no copy of the table and never retries
//! a change.

use std::net::SocketAddr;

use crate::attributes::{Attributes, DecodeError, Writer};
use crate::daemon::{SyncDaemon, SyncRole};
use crate::destination::{self, Destination, DestinationStatus};
use crate::error::{Attempt, Cause, Error, Invalid, Operation};
use crate::info::{Info, Timeouts};
use crate::link::{Answer, CONTROLLER_FAMILY, DUMP_ENTRIES, Failure, Link, Payload, Shape};
use crate::module;
use crate::service::{self, Service, ServiceId, ServiceStatus};
use crate::text::Command;

/// IPVS_CMD_* of linux/ip_vs.h.
mod command {
    pub(super) const NEW_SERVICE: u8 = 1;
    pub(super) const SET_SERVICE: u8 = 2;
    pub(super) const DEL_SERVICE: u8 = 3;
    pub(super) const GET_SERVICE: u8 = 4;
    pub(super) const NEW_DEST: u8 = 5;
    pub(super) const SET_DEST: u8 = 6;
    pub(super) const DEL_DEST: u8 = 7;
    pub(super) const GET_DEST: u8 = 8;
    pub(super) const NEW_DAEMON: u8 = 9;
    pub(super) const DEL_DAEMON: u8 = 10;
    pub(super) const GET_DAEMON: u8 = 11;
    pub(super) const SET_CONFIG: u8 = 12;
    pub(super) const GET_CONFIG: u8 = 13;
    pub(super) const GET_INFO: u8 = 15;
    pub(super) const ZERO: u8 = 16;
    pub(super) const FLUSH: u8 = 17;
}

/// IPVS_CMD_ATTR_*: what a message is about.
const SERVICE: u16 = 1;
const DEST: u16 = 2;
const DAEMON: u16 = 3;

/// CTRL_CMD_GETFAMILY and the two attributes of it that matter.
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// How often a dump is begun when the kernel says that the table changed under it.
const DUMP_TRIES: u32 = 5;

/// A connection to the IPVS of one network namespace: that of the thread which opened it. A new socket
/// after trouble is opened by the thread that polls then, so keep a client of a foreign namespace on a
/// single-threaded runtime in that namespace.
///
/// Needs a tokio runtime with I/O and time. Dropping a call's future in the middle is safe; whether its
/// change happened is then unknown. Sending is synchronous in the kernel, so adding the first service
/// of a scheduler blocks the thread while the scheduler's module loads.
#[derive(Debug)]
pub struct Client {
    /// Taken out during a request: what does not come back is not trusted any more.
    session: Option<Session>,
}

impl Client {
    /// Opens a socket and finds IPVS in the kernel; if it is not there, runs `modprobe ip_vs` once.
    pub async fn connect() -> Result<Self, Error> {
        Ok(Self {
            session: Some(Session::open().await?),
        })
    }

    /// The kernel's IPVS version and connection table size.
    pub async fn info(&mut self) -> Result<Info, Error> {
        let attempt = Attempt::at(Operation::Info);
        let answer = self
            .ask(attempt, command::GET_INFO, Writer::default())
            .await?;
        decode(attempt, only(&answer, "info").and_then(Info::decode))
    }

    /// The whole table, ordered as ipvsadm lists it.
    pub async fn dump(&mut self) -> Result<Vec<ServiceStatus>, Error> {
        let attempt = Attempt::at(Operation::ListServices);
        let answer = self
            .list(attempt, command::GET_SERVICE, Writer::default())
            .await?;
        let services = answer
            .messages
            .iter()
            .map(|message| decode_service(message));
        let mut services = decode(attempt, services.collect::<Result<Vec<_>, _>>())?;
        // A table that changes during a dump may show an entry twice.
        services.sort_by_key(|status| status.service.id);
        services.dedup_by_key(|status| status.service.id);
        for status in &mut services {
            status.destinations = self.destinations(&status.service.id).await?;
        }
        Ok(services)
    }

    /// One virtual service with its real servers; `None` if it does not exist.
    pub async fn service(&mut self, id: &ServiceId) -> Result<Option<ServiceStatus>, Error> {
        let attempt = Attempt::on(Operation::ListServices, *id);
        let answer = match self.ask(attempt, command::GET_SERVICE, identify(id)).await {
            Err(error) if error.cause() == Some(Cause::NoSuchService) => return Ok(None),
            other => other?,
        };
        let mut status = decode(attempt, only(&answer, "service").and_then(decode_service))?;
        status.destinations = self.destinations(id).await?;
        Ok(Some(status))
    }

    /// The real servers of one virtual service, ordered by address. The kernel answers with none, not
    /// with an error, if the service does not exist.
    pub async fn destinations(
        &mut self,
        service: &ServiceId,
    ) -> Result<Vec<DestinationStatus>, Error> {
        let attempt = Attempt::on(Operation::ListDestinations, *service);
        let answer = self
            .list(attempt, command::GET_DEST, identify(service))
            .await?;
        let reals = answer
            .messages
            .iter()
            .map(|message| decode_destination(message, service));
        let mut reals = decode(attempt, reals.collect::<Result<Vec<_>, _>>())?;
        reals.sort_by_key(|status| status.destination.address);
        reals.dedup_by_key(|status| status.destination.address);
        Ok(reals)
    }

    /// Adds a virtual service without real servers.
    pub async fn add_service(&mut self, service: &Service) -> Result<(), Error> {
        self.send_service(Operation::AddService, command::NEW_SERVICE, service)
            .await
    }

    /// Replaces scheduler, flags, time-out, netmask and persistence engine of an existing service.
    pub async fn edit_service(&mut self, service: &Service) -> Result<(), Error> {
        self.send_service(Operation::EditService, command::SET_SERVICE, service)
            .await
    }

    /// Deletes a virtual service and all its real servers.
    pub async fn delete_service(&mut self, id: &ServiceId) -> Result<(), Error> {
        let attempt = Attempt::on(Operation::DeleteService, *id);
        self.ask(attempt, command::DEL_SERVICE, identify(id))
            .await
            .map(drop)
    }

    /// Adds a real server to a virtual service.
    pub async fn add_destination(
        &mut self,
        service: &ServiceId,
        destination: &Destination,
    ) -> Result<(), Error> {
        self.send_destination(
            Operation::AddDestination,
            command::NEW_DEST,
            service,
            destination,
        )
        .await
    }

    /// Replaces everything but the address of a real server. Connections stay, also at weight 0.
    pub async fn edit_destination(
        &mut self,
        service: &ServiceId,
        destination: &Destination,
    ) -> Result<(), Error> {
        self.send_destination(
            Operation::EditDestination,
            command::SET_DEST,
            service,
            destination,
        )
        .await
    }

    /// Removes a real server. The kernel keeps its counters while connections refer to it, and revives
    /// them when it is added again.
    pub async fn delete_destination(
        &mut self,
        service: &ServiceId,
        address: SocketAddr,
    ) -> Result<(), Error> {
        let operation = Operation::DeleteDestination;
        let attempt = Attempt {
            operation,
            service: Some(*service),
            destination: Some(address),
        };
        let mut writer = identify(service);
        writer.nested(DEST, |inner| destination::encode_address(address, inner));
        self.ask(attempt, command::DEL_DEST, writer).await.map(drop)
    }

    /// Deletes every virtual service of the namespace.
    pub async fn flush(&mut self) -> Result<(), Error> {
        let attempt = Attempt::at(Operation::Flush);
        self.ask(attempt, command::FLUSH, Writer::default())
            .await
            .map(drop)
    }

    /// Sets the traffic counters of one virtual service and its real servers to zero, or of all.
    pub async fn zero(&mut self, service: Option<&ServiceId>) -> Result<(), Error> {
        let mut attempt = Attempt::at(Operation::Zero);
        attempt.service = service.copied();
        let writer = service.map(identify).unwrap_or_default();
        self.ask(attempt, command::ZERO, writer).await.map(drop)
    }

    /// The time-outs of connections.
    pub async fn timeouts(&mut self) -> Result<Timeouts, Error> {
        let attempt = Attempt::at(Operation::Timeouts);
        let answer = self
            .ask(attempt, command::GET_CONFIG, Writer::default())
            .await?;
        decode(
            attempt,
            only(&answer, "timeouts").and_then(Timeouts::decode),
        )
    }

    /// Sets the time-outs of connections; 0 leaves one as it is.
    pub async fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), Error> {
        let attempt = Attempt::at(Operation::SetTimeouts);
        let mut writer = Writer::default();
        timeouts.encode(&mut writer);
        self.ask(attempt, command::SET_CONFIG, writer)
            .await
            .map(drop)
    }

    /// The running sync daemons: none, one or both roles.
    pub async fn daemons(&mut self) -> Result<Vec<SyncDaemon>, Error> {
        let attempt = Attempt::at(Operation::ListDaemons);
        let answer = self
            .list(attempt, command::GET_DAEMON, Writer::default())
            .await?;
        let daemons = answer.messages.iter().map(|message| {
            let attributes = Attributes::new("message", message).find(DAEMON, "DAEMON")?;
            SyncDaemon::decode(attributes.nested(SyncDaemon::LIST))
        });
        let mut daemons = decode(attempt, daemons.collect::<Result<Vec<_>, _>>())?;
        daemons.sort();
        Ok(daemons)
    }

    /// Starts a sync daemon.
    pub async fn start_daemon(&mut self, daemon: &SyncDaemon) -> Result<(), Error> {
        let attempt = Attempt::at(Operation::StartDaemon);
        check(attempt, daemon.check())?;
        let mut writer = Writer::default();
        writer.nested(DAEMON, |inner| daemon.encode(inner));
        self.ask(attempt, command::NEW_DAEMON, writer)
            .await
            .map(drop)
    }

    /// Stops the sync daemon of a role.
    pub async fn stop_daemon(&mut self, role: SyncRole) -> Result<(), Error> {
        let attempt = Attempt::at(Operation::StopDaemon);
        let mut writer = Writer::default();
        writer.nested(DAEMON, |inner| role.encode(inner));
        self.ask(attempt, command::DEL_DAEMON, writer)
            .await
            .map(drop)
    }

    /// Carries out one line of a saved table, see [`crate::text::parse`].
    pub async fn apply(&mut self, command: &Command) -> Result<(), Error> {
        match command {
            Command::AddService(service) => self.add_service(service).await,
            Command::EditService(service) => self.edit_service(service).await,
            Command::DeleteService(id) => self.delete_service(id).await,
            Command::AddDestination(id, real) => self.add_destination(id, real).await,
            Command::EditDestination(id, real) => self.edit_destination(id, real).await,
            Command::DeleteDestination(id, address) => self.delete_destination(id, *address).await,
            Command::Clear => self.flush().await,
            Command::Zero(id) => self.zero(id.as_ref()).await,
        }
    }

    async fn send_service(
        &mut self,
        operation: Operation,
        command: u8,
        service: &Service,
    ) -> Result<(), Error> {
        let attempt = Attempt::on(operation, service.id);
        check(attempt, service.check())?;
        let mut writer = Writer::default();
        writer.nested(SERVICE, |inner| service.encode(inner));
        self.ask(attempt, command, writer).await.map(drop)
    }

    async fn send_destination(
        &mut self,
        operation: Operation,
        command: u8,
        service: &ServiceId,
        real: &Destination,
    ) -> Result<(), Error> {
        let attempt = Attempt {
            operation,
            service: Some(*service),
            destination: Some(real.address),
        };
        check(attempt, service.check().and_then(|()| real.check()))?;
        let mut writer = identify(service);
        writer.nested(DEST, |inner| real.encode(inner));
        self.ask(attempt, command, writer).await.map(drop)
    }

    /// A dump, begun again while the kernel says that the table changed under it.
    async fn list(
        &mut self,
        attempt: Attempt,
        command: u8,
        writer: Writer,
    ) -> Result<Answer, Error> {
        let attributes = writer.finish();
        for _ in 0..DUMP_TRIES {
            let payload = Payload::ipvs(command, attributes.clone());
            let answer = self.exchange(attempt, Shape::Dump, payload).await?;
            if !answer.interrupted {
                return Ok(answer);
            }
        }
        Err(Error::Interrupted {
            attempt,
            tries: DUMP_TRIES,
        })
    }

    async fn ask(
        &mut self,
        attempt: Attempt,
        command: u8,
        writer: Writer,
    ) -> Result<Answer, Error> {
        self.exchange(
            attempt,
            Shape::Single,
            Payload::ipvs(command, writer.finish()),
        )
        .await
    }

    async fn exchange(
        &mut self,
        attempt: Attempt,
        shape: Shape,
        payload: Payload,
    ) -> Result<Answer, Error> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open().await?,
        };
        match session.link.exchange(session.family, shape, payload).await {
            Ok(answer) => {
                self.session = Some(session);
                Ok(answer)
            }
            Err(failure) => {
                let error = explain(attempt, failure);
                if matches!(error, Error::Kernel { .. } | Error::NotPermitted { .. }) {
                    self.session = Some(session);
                }
                Err(error)
            }
        }
    }
}

fn explain(attempt: Attempt, failure: Failure) -> Error {
    match failure {
        Failure::Errno(errno) => refusal(attempt, errno),
        Failure::TimedOut(limit) => Error::TimedOut { attempt, limit },
        Failure::Lost => Error::ConnectionLost { attempt },
        Failure::TooLong => Error::TooLong {
            attempt,
            limit: DUMP_ENTRIES,
        },
    }
}

/// What the kernel's error number means.
fn refusal(attempt: Attempt, errno: i32) -> Error {
    match (errno, Cause::of(attempt.operation, errno)) {
        (libc::EPERM, _) => Error::NotPermitted { attempt },
        // Where ENOENT has no meaning of its own, the family number is gone: the module was unloaded, or
        // unloaded and loaded again with another number. The next request looks for it again.
        (libc::ENOENT, Cause::Errno(_)) => Error::ModuleMissing {
            modprobe: "not tried, it was unloaded just now".to_owned(),
        },
        (_, cause) => Error::Kernel { attempt, cause },
    }
}

fn check(attempt: Attempt, checked: Result<(), Invalid>) -> Result<(), Error> {
    checked.map_err(|invalid| Error::Invalid { attempt, invalid })
}

fn decode<T>(attempt: Attempt, decoded: Result<T, DecodeError>) -> Result<T, Error> {
    decoded.map_err(|source| Error::Malformed { attempt, source })
}

/// A message that names a service.
fn identify(service: &ServiceId) -> Writer {
    let mut writer = Writer::default();
    writer.nested(SERVICE, |inner| service.encode(inner));
    writer
}

/// The one message of an answer.
fn only<'a>(answer: &'a Answer, what: &'static str) -> Result<&'a [u8], DecodeError> {
    let message = answer.messages.first();
    message.map(Vec::as_slice).ok_or(DecodeError::Missing {
        list: "answer",
        what,
    })
}

/// Reads a NEW_SERVICE message.
pub(crate) fn decode_service(message: &[u8]) -> Result<ServiceStatus, DecodeError> {
    let attributes = Attributes::new("message", message).find(SERVICE, "SERVICE")?;
    ServiceStatus::decode(attributes.nested(service::LIST))
}

/// Reads a NEW_DEST message about a real server of `service`.
pub(crate) fn decode_destination(
    message: &[u8],
    service: &ServiceId,
) -> Result<DestinationStatus, DecodeError> {
    let attributes = Attributes::new("message", message).find(DEST, "DEST")?;
    DestinationStatus::decode(attributes.nested(destination::LIST), service)
}

/// A socket and the number under which this kernel knows IPVS.
#[derive(Debug)]
struct Session {
    link: Link,
    family: u16,
}

impl Session {
    async fn open() -> Result<Self, Error> {
        let link = Link::open().map_err(Error::Socket)?;
        if let Some(family) = resolve(&link).await? {
            return Ok(Self { link, family });
        }
        // The kernel tried to load the module by itself during the lookup, which containers may forbid.
        let modprobe = module::load().await;
        match resolve(&link).await? {
            Some(family) => Ok(Self { link, family }),
            None => Err(Error::ModuleMissing { modprobe }),
        }
    }
}

/// Asks the controller for the number of the IPVS family; `None` if there is no such family.
async fn resolve(link: &Link) -> Result<Option<u16>, Error> {
    let attempt = Attempt::at(Operation::ResolveFamily);
    let mut writer = Writer::default();
    writer.name(FAMILY_NAME, "IPVS");
    let payload = Payload::controller(GET_FAMILY, writer.finish());
    match link
        .exchange(CONTROLLER_FAMILY, Shape::Single, payload)
        .await
    {
        Ok(answer) => decode(attempt, family_id(&answer).map(Some)),
        Err(Failure::Errno(libc::ENOENT)) => Ok(None),
        Err(failure) => Err(explain(attempt, failure)),
    }
}

fn family_id(answer: &Answer) -> Result<u16, DecodeError> {
    Attributes::new("family", only(answer, "family")?)
        .find(FAMILY_ID, "FAMILY_ID")?
        .u16()
}
