//! What can go wrong, in the words that ipvsadm uses, with the operation and whom it was about.
//!
//! Owns the meaning of the kernel's error numbers, which depends on the operation (kernel interface
//! 5.4). It decides nothing about retrying; callers match on [`Cause`].

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::attributes::DecodeError;
use crate::identity::{NAME_BYTES, ServiceId};

#[cfg(test)]
mod tests;

/// What was asked of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it all")]
pub enum Operation {
    ResolveFamily,
    Info,
    ListServices,
    ListDestinations,
    AddService,
    EditService,
    DeleteService,
    AddDestination,
    EditDestination,
    DeleteDestination,
    Flush,
    Zero,
    Timeouts,
    SetTimeouts,
    ListDaemons,
    StartDaemon,
    StopDaemon,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::ResolveFamily => "find IPVS in the kernel",
            Operation::Info => "read the IPVS version",
            Operation::ListServices => "list virtual services",
            Operation::ListDestinations => "list real servers",
            Operation::AddService => "add virtual service",
            Operation::EditService => "edit virtual service",
            Operation::DeleteService => "delete virtual service",
            Operation::AddDestination => "add real server",
            Operation::EditDestination => "edit real server",
            Operation::DeleteDestination => "delete real server",
            Operation::Flush => "clear the IPVS table",
            Operation::Zero => "zero counters",
            Operation::Timeouts => "read time-outs",
            Operation::SetTimeouts => "set time-outs",
            Operation::ListDaemons => "list sync daemons",
            Operation::StartDaemon => "start sync daemon",
            Operation::StopDaemon => "stop sync daemon",
        })
    }
}

/// One attempt: the operation and whom it was about, for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// What was asked.
    pub operation: Operation,
    /// The virtual service concerned, if it was about one.
    pub service: Option<ServiceId>,
    /// The real server concerned, if it was about one.
    pub destination: Option<SocketAddr>,
}

impl Attempt {
    pub(crate) fn at(operation: Operation) -> Self {
        Self {
            operation,
            service: None,
            destination: None,
        }
    }

    pub(crate) fn on(operation: Operation, service: ServiceId) -> Self {
        Self {
            operation,
            service: Some(service),
            destination: None,
        }
    }

    pub(crate) fn of(operation: Operation, service: ServiceId, destination: SocketAddr) -> Self {
        Self {
            operation,
            service: Some(service),
            destination: Some(destination),
        }
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.operation.fmt(f)?;
        if let Some(destination) = self.destination {
            write!(f, " {destination}")?;
        }
        match (self.service, self.operation) {
            (Some(service), Operation::ListDestinations) => write!(f, " of {service}"),
            (Some(service), _) if self.destination.is_some() => write!(f, " of {service}"),
            (Some(service), _) => write!(f, " {service}"),
            (None, _) => Ok(()),
        }
    }
}

/// Why the kernel refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cause {
    /// EEXIST for a virtual service.
    ServiceExists,
    /// ESRCH: no such virtual service.
    NoSuchService,
    /// ESRCH while working on a real server: its virtual service does not exist.
    ServiceNotDefined,
    /// EEXIST for a real server.
    DestinationExists,
    /// ENOENT: no such real server in the service.
    NoSuchDestination,
    /// ENOENT: the kernel has no such scheduler or persistence engine, nor a module for it.
    NoSuchScheduler,
    /// EEXIST: a sync daemon runs in that role already.
    DaemonRunning,
    /// ESRCH: no sync daemon runs in that role.
    DaemonNotRunning,
    /// EAFNOSUPPORT: the kernel has no IPv6.
    FamilyNotSupported,
    /// EINVAL: most often an address that is neither unicast nor local, or mixed families.
    Refused,
    /// ERANGE: a weight below zero, or a lower threshold above the upper.
    OutOfRange,
    /// Anything else, by number.
    Errno(i32),
}

impl Cause {
    /// What a kernel error number means for an operation.
    pub(crate) fn of(operation: Operation, errno: i32) -> Self {
        use Operation::{
            AddDestination, AddService, DeleteDestination, EditDestination, EditService,
            StartDaemon, StopDaemon,
        };
        match (errno, operation) {
            (libc::EEXIST, AddService) => Cause::ServiceExists,
            (libc::EEXIST, AddDestination) => Cause::DestinationExists,
            (libc::EEXIST, StartDaemon) => Cause::DaemonRunning,
            (libc::ESRCH, StopDaemon) => Cause::DaemonNotRunning,
            (libc::ESRCH, AddDestination | EditDestination | DeleteDestination) => {
                Cause::ServiceNotDefined
            }
            (libc::ESRCH, _) => Cause::NoSuchService,
            (libc::ENOENT, AddService | EditService) => Cause::NoSuchScheduler,
            (libc::ENOENT, EditDestination | DeleteDestination) => Cause::NoSuchDestination,
            (libc::EAFNOSUPPORT, _) => Cause::FamilyNotSupported,
            (libc::EINVAL, _) => Cause::Refused,
            (libc::ERANGE, _) => Cause::OutOfRange,
            _ => Cause::Errno(errno),
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::ServiceExists => "Service already exists",
            Cause::NoSuchService => "No such service",
            Cause::ServiceNotDefined => "Service not defined",
            Cause::DestinationExists => "Destination already exists",
            Cause::NoSuchDestination => "No such destination",
            Cause::NoSuchScheduler => "Scheduler or persistence engine not found",
            Cause::DaemonRunning => "Daemon has already run",
            Cause::DaemonNotRunning => "No daemon is running",
            Cause::FamilyNotSupported => "Address family not supported (is IPv6 switched off?)",
            Cause::Refused => {
                "Invalid operation (address neither unicast nor local, mixed address families, or a \
                 prefix outside 1 to 128)"
            }
            Cause::OutOfRange => "Numerical result out of range (a lower threshold above the upper?)",
            Cause::Errno(errno) => return io::Error::from_raw_os_error(*errno).fmt(f),
        })
    }
}

/// A request that is wrong before the kernel sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A scheduler, persistence engine or interface name is empty, too long or holds a NUL.
    #[error("name {name:?} is not 1 to {NAME_BYTES} bytes long")]
    Name {
        /// The name.
        name: String,
    },
    /// The netmask belongs to the other address family.
    #[error("the netmask is of another address family than the service")]
    NetmaskFamily,
    /// Firewall mark 0 marks nothing.
    #[error("firewall mark 0 marks nothing")]
    ZeroMark,
    /// A weight beyond the kernel's signed 32 bits.
    #[error("weight {0} is above 2147483647")]
    Weight(u32),
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The kernel has no IPVS.
    #[error(
        "Can't initialize ipvs: the kernel has no IPVS, is the ip_vs module built in or loadable? \
         `modprobe ip_vs`: {modprobe}"
    )]
    ModuleMissing {
        /// How the attempt to load it ended.
        modprobe: String,
    },
    /// EPERM: IPVS wants CAP_NET_ADMIN in the initial user namespace, for reading as well.
    #[error(
        "{attempt}: Permission denied (you must be root; root of an unprivileged container is not \
         enough, IPVS needs CAP_NET_ADMIN of the host)"
    )]
    NotPermitted {
        /// What was tried.
        attempt: Attempt,
    },
    /// The kernel refused.
    #[error("{attempt}: {cause}")]
    Kernel {
        /// What was tried.
        attempt: Attempt,
        /// Why it was refused.
        cause: Cause,
    },
    /// The request makes no sense and was not sent.
    #[error("{attempt}: {invalid}")]
    Invalid {
        /// What was tried.
        attempt: Attempt,
        /// What is wrong with it.
        invalid: Invalid,
    },
    /// No complete answer in time. Whether the change happened is unknown: read the table again.
    #[error("{attempt}: no answer from the kernel within {limit:?}")]
    TimedOut {
        /// What was tried.
        attempt: Attempt,
        /// The limit that passed.
        limit: Duration,
    },
    /// The netlink socket failed in mid-request. Whether the change happened is unknown.
    #[error("{attempt}: the netlink connection broke")]
    ConnectionLost {
        /// What was tried.
        attempt: Attempt,
    },
    /// The answer could not be understood.
    #[error("{attempt}: unexpected answer: {source}")]
    Malformed {
        /// What was tried.
        attempt: Attempt,
        /// What was odd about it.
        source: DecodeError,
    },
    /// The table kept changing while it was read.
    #[error("{attempt}: the table changed {tries} times while it was read")]
    Interrupted {
        /// What was tried.
        attempt: Attempt,
        /// How often reading was begun.
        tries: u32,
    },
    /// More answers than a table can sensibly have.
    #[error("{attempt}: more than {limit} entries")]
    TooLong {
        /// What was tried.
        attempt: Attempt,
        /// The bound.
        limit: usize,
    },
    /// The netlink socket could not be opened.
    #[error("open a netlink socket: {0}")]
    Socket(#[source] io::Error),
}

impl Error {
    /// The kernel's refusal, if that is what this is.
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Error::Kernel { cause, .. } => Some(*cause),
            Error::ModuleMissing { .. }
            | Error::NotPermitted { .. }
            | Error::Invalid { .. }
            | Error::TimedOut { .. }
            | Error::ConnectionLost { .. }
            | Error::Malformed { .. }
            | Error::Interrupted { .. }
            | Error::TooLong { .. }
            | Error::Socket(_) => None,
        }
    }
}
