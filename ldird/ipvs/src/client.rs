//! The client: every operation of the kernel's IPVS interface, one request at a time.
//!
//! Owns the session (socket and family number) and opens a new one when the last ended in doubt: after
//! a time-out, a cancelled call or a reloaded module. It keeps no copy of the table and never retries
//! a change.

use std::net::SocketAddr;

use crate::attributes::DecodeError;
use crate::daemon::{SyncDaemon, SyncRole};
use crate::destination::{Destination, DestinationStatus};
use crate::error::{Attempt, Cause, Error, Invalid, Operation};
use crate::identity::ServiceId;
use crate::info::{Info, Timeouts};
use crate::link::{Answer, CONTROLLER_FAMILY, DUMP_ENTRIES, Failure, Link, Payload, Shape};
use crate::messages::{self, Request};
use crate::module;
use crate::service::{Service, ServiceStatus};
use crate::text::Command;

#[cfg(test)]
mod tests;

/// How often a dump is begun when the kernel says that the table changed under it.
const DUMP_TRIES: u32 = 5;

/// A connection to the IPVS of one network namespace: that of the thread which opened it. A new socket
/// after trouble is opened by the thread that polls then, so keep a client of a foreign namespace on a
/// single-threaded runtime in that namespace.
///
/// Needs a tokio runtime with I/O and time. Dropping a call's future in the middle is safe; whether its
/// change happened is then unknown. Sending is synchronous in the kernel, so adding the first service
/// of a scheduler blocks the thread while the scheduler's module loads. A module that was unloaded and
/// loaded again is noticed by whatever reads or clears the table, not by adds and edits: ENOENT has a
/// meaning of its own there.
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
        let answer = self.ask(attempt, Request::info()).await?;
        decode(attempt, only(&answer).and_then(Info::decode))
    }

    /// Every virtual service without its real servers, ordered as ipvsadm lists them: one request,
    /// however many there are.
    pub async fn services(&mut self) -> Result<Vec<Service>, Error> {
        let list = self.list_services().await?;
        Ok(list.into_iter().map(|status| status.service).collect())
    }

    async fn list_services(&mut self) -> Result<Vec<ServiceStatus>, Error> {
        let attempt = Attempt::at(Operation::ListServices);
        let answer = self.list(attempt, &Request::services()).await?;
        let mut services = decode(attempt, all(&answer, messages::decode_service))?;
        // A table that changes during a dump may show an entry twice.
        services.sort_by_key(|status| status.service.id);
        services.dedup_by_key(|status| status.service.id);
        Ok(services)
    }

    /// The whole table, ordered as ipvsadm lists it.
    pub async fn dump(&mut self) -> Result<Vec<ServiceStatus>, Error> {
        let mut services = self.list_services().await?;
        for status in &mut services {
            status.destinations = self.destinations(&status.service.id).await?;
        }
        Ok(services)
    }

    /// One virtual service with its real servers; `None` if it does not exist.
    pub async fn service(&mut self, id: &ServiceId) -> Result<Option<ServiceStatus>, Error> {
        let attempt = Attempt::on(Operation::ListServices, *id);
        let answer = match self.ask(attempt, Request::service(id)).await {
            Err(error) if error.cause() == Some(Cause::NoSuchService) => return Ok(None),
            other => other?,
        };
        let mut status = decode(attempt, only(&answer).and_then(messages::decode_service))?;
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
        let answer = self.list(attempt, &Request::destinations(service)).await?;
        let read = |message: &[u8]| messages::decode_destination(message, service);
        let mut reals = decode(attempt, all(&answer, read))?;
        reals.sort_by_key(|status| status.destination.address);
        reals.dedup_by_key(|status| status.destination.address);
        Ok(reals)
    }

    /// Adds a virtual service without real servers.
    pub async fn add_service(&mut self, service: &Service) -> Result<(), Error> {
        let attempt = Attempt::on(Operation::AddService, service.id);
        check(attempt, service.check())?;
        self.tell(attempt, Request::add_service(service)).await
    }

    /// Replaces scheduler, flags, time-out, netmask and persistence engine of an existing service.
    pub async fn edit_service(&mut self, service: &Service) -> Result<(), Error> {
        let attempt = Attempt::on(Operation::EditService, service.id);
        check(attempt, service.check())?;
        self.tell(attempt, Request::edit_service(service)).await
    }

    /// Deletes a virtual service and all its real servers.
    pub async fn delete_service(&mut self, id: &ServiceId) -> Result<(), Error> {
        let attempt = Attempt::on(Operation::DeleteService, *id);
        self.tell(attempt, Request::delete_service(id)).await
    }

    /// Adds a real server to a virtual service.
    pub async fn add_destination(
        &mut self,
        service: &ServiceId,
        real: &Destination,
    ) -> Result<(), Error> {
        let attempt = Attempt::of(Operation::AddDestination, *service, real.address);
        check(attempt, service.check().and_then(|()| real.check()))?;
        self.tell(attempt, Request::add_destination(service, real))
            .await
    }

    /// Replaces everything but the address of a real server. Connections stay, also at weight 0.
    pub async fn edit_destination(
        &mut self,
        service: &ServiceId,
        real: &Destination,
    ) -> Result<(), Error> {
        let attempt = Attempt::of(Operation::EditDestination, *service, real.address);
        check(attempt, service.check().and_then(|()| real.check()))?;
        self.tell(attempt, Request::edit_destination(service, real))
            .await
    }

    /// Removes a real server. The kernel keeps its counters while connections refer to it, and revives
    /// them when it is added again.
    pub async fn delete_destination(
        &mut self,
        service: &ServiceId,
        real: SocketAddr,
    ) -> Result<(), Error> {
        let attempt = Attempt::of(Operation::DeleteDestination, *service, real);
        self.tell(attempt, Request::delete_destination(service, real))
            .await
    }

    /// Deletes every virtual service of the namespace.
    pub async fn flush(&mut self) -> Result<(), Error> {
        self.tell(Attempt::at(Operation::Flush), Request::flush())
            .await
    }

    /// Sets the traffic counters of one virtual service and its real servers to zero, or of all.
    pub async fn zero(&mut self, service: Option<&ServiceId>) -> Result<(), Error> {
        let attempt = Attempt {
            service: service.copied(),
            ..Attempt::at(Operation::Zero)
        };
        self.tell(attempt, Request::zero(service)).await
    }

    /// The time-outs of connections.
    pub async fn timeouts(&mut self) -> Result<Timeouts, Error> {
        let attempt = Attempt::at(Operation::Timeouts);
        let answer = self.ask(attempt, Request::timeouts()).await?;
        decode(attempt, only(&answer).and_then(Timeouts::decode))
    }

    /// Sets the time-outs of connections; 0 leaves one as it is.
    pub async fn set_timeouts(&mut self, timeouts: &Timeouts) -> Result<(), Error> {
        self.tell(
            Attempt::at(Operation::SetTimeouts),
            Request::set_timeouts(timeouts),
        )
        .await
    }

    /// The running sync daemons: none, one or both roles.
    pub async fn daemons(&mut self) -> Result<Vec<SyncDaemon>, Error> {
        let attempt = Attempt::at(Operation::ListDaemons);
        let answer = self.list(attempt, &Request::daemons()).await?;
        let mut daemons = decode(attempt, all(&answer, messages::decode_daemon))?;
        daemons.sort();
        Ok(daemons)
    }

    /// Starts a sync daemon.
    pub async fn start_daemon(&mut self, daemon: &SyncDaemon) -> Result<(), Error> {
        let attempt = Attempt::at(Operation::StartDaemon);
        check(attempt, daemon.check())?;
        self.tell(attempt, Request::start_daemon(daemon)).await
    }

    /// Stops the sync daemon of a role.
    pub async fn stop_daemon(&mut self, role: SyncRole) -> Result<(), Error> {
        self.tell(
            Attempt::at(Operation::StopDaemon),
            Request::stop_daemon(role),
        )
        .await
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

    /// A dump, begun again while the kernel says that the table changed under it.
    async fn list(&mut self, attempt: Attempt, request: &Request) -> Result<Answer, Error> {
        for _ in 0..DUMP_TRIES {
            let answer = self.exchange(attempt, Shape::Dump, request.clone()).await?;
            if !answer.interrupted {
                return Ok(answer);
            }
        }
        Err(Error::Interrupted {
            attempt,
            tries: DUMP_TRIES,
        })
    }

    async fn tell(&mut self, attempt: Attempt, request: Request) -> Result<(), Error> {
        self.ask(attempt, request).await.map(drop)
    }

    async fn ask(&mut self, attempt: Attempt, request: Request) -> Result<Answer, Error> {
        self.exchange(attempt, Shape::Single, request).await
    }

    async fn exchange(
        &mut self,
        attempt: Attempt,
        shape: Shape,
        request: Request,
    ) -> Result<Answer, Error> {
        let session = match self.session.take() {
            Some(session) => session,
            None => Session::open().await?,
        };
        let payload = Payload::ipvs(request);
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
    let cause = Cause::of(attempt.operation, errno);
    if errno == libc::EPERM {
        return Error::NotPermitted { attempt };
    }
    // Where ENOENT has no meaning of its own, the family number is gone: the module was unloaded, or
    // unloaded and loaded again with another number. The next request looks for it again.
    if errno == libc::ENOENT && matches!(cause, Cause::Errno(_)) {
        return Error::ModuleMissing {
            modprobe: "not tried, it was unloaded just now".to_owned(),
        };
    }
    Error::Kernel { attempt, cause }
}

fn check(attempt: Attempt, checked: Result<(), Invalid>) -> Result<(), Error> {
    checked.map_err(|invalid| Error::Invalid { attempt, invalid })
}

fn decode<T>(attempt: Attempt, decoded: Result<T, DecodeError>) -> Result<T, Error> {
    decoded.map_err(|source| Error::Malformed { attempt, source })
}

/// The one message of an answer.
fn only(answer: &Answer) -> Result<&[u8], DecodeError> {
    let missing = DecodeError::Missing {
        list: "answer",
        what: "at all",
    };
    answer.messages.first().map(Vec::as_slice).ok_or(missing)
}

/// Every message of an answer.
fn all<T>(
    answer: &Answer,
    read: impl Fn(&[u8]) -> Result<T, DecodeError>,
) -> Result<Vec<T>, DecodeError> {
    answer
        .messages
        .iter()
        .map(|message| read(message))
        .collect()
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
    let payload = Payload::controller(Request::family());
    match link
        .exchange(CONTROLLER_FAMILY, Shape::Single, payload)
        .await
    {
        Ok(answer) => decode(
            attempt,
            only(&answer).and_then(messages::decode_family).map(Some),
        ),
        Err(Failure::Errno(libc::ENOENT)) => Ok(None),
        Err(failure) => Err(explain(attempt, failure)),
    }
}
