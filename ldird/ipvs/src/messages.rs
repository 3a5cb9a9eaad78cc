//! Which command carries what: the requests of the IPVS interface, and the reading of its answers.
//!
//! Owns the commands and top-level attributes (IPVS_CMD_* and IPVS_CMD_ATTR_* of linux/ip_vs.h). It
//! sends nothing.

use std::net::SocketAddr;

use crate::attributes::{Attributes, DecodeError, Writer};
use crate::daemon::{SyncDaemon, SyncRole};
use crate::destination::{self, Destination, DestinationStatus};
use crate::identity::ServiceId;
use crate::info::Timeouts;
use crate::service::{self, Service, ServiceStatus};

const NEW_SERVICE: u8 = 1;
const SET_SERVICE: u8 = 2;
const DEL_SERVICE: u8 = 3;
const GET_SERVICE: u8 = 4;
const NEW_DEST: u8 = 5;
const SET_DEST: u8 = 6;
const DEL_DEST: u8 = 7;
const GET_DEST: u8 = 8;
const NEW_DAEMON: u8 = 9;
const DEL_DAEMON: u8 = 10;
const GET_DAEMON: u8 = 11;
const SET_CONFIG: u8 = 12;
const GET_CONFIG: u8 = 13;
const GET_INFO: u8 = 15;
const ZERO: u8 = 16;
const FLUSH: u8 = 17;

const SERVICE: u16 = 1;
const DEST: u16 = 2;
const DAEMON: u16 = 3;

/// CTRL_CMD_GETFAMILY of the generic netlink controller, and the two attributes of it that matter.
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;

/// A command with its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) command: u8,
    pub(crate) attributes: Vec<u8>,
}

impl Request {
    /// To the controller, not to IPVS: its number.
    pub(crate) fn family() -> Self {
        Self::new(GET_FAMILY, |writer| writer.name(FAMILY_NAME, "IPVS"))
    }

    pub(crate) fn info() -> Self {
        Self::new(GET_INFO, |_| ())
    }

    pub(crate) fn services() -> Self {
        Self::new(GET_SERVICE, |_| ())
    }

    pub(crate) fn service(id: &ServiceId) -> Self {
        Self::new(GET_SERVICE, |writer| identify(writer, id))
    }

    pub(crate) fn add_service(service: &Service) -> Self {
        Self::new(NEW_SERVICE, |writer| {
            writer.nested(SERVICE, |inner| service.encode(inner));
        })
    }

    pub(crate) fn edit_service(service: &Service) -> Self {
        Self {
            command: SET_SERVICE,
            ..Self::add_service(service)
        }
    }

    pub(crate) fn delete_service(id: &ServiceId) -> Self {
        Self::new(DEL_SERVICE, |writer| identify(writer, id))
    }

    pub(crate) fn destinations(service: &ServiceId) -> Self {
        Self::new(GET_DEST, |writer| identify(writer, service))
    }

    pub(crate) fn add_destination(service: &ServiceId, real: &Destination) -> Self {
        Self::new(NEW_DEST, |writer| {
            identify(writer, service);
            writer.nested(DEST, |inner| real.encode(inner));
        })
    }

    pub(crate) fn edit_destination(service: &ServiceId, real: &Destination) -> Self {
        Self {
            command: SET_DEST,
            ..Self::add_destination(service, real)
        }
    }

    pub(crate) fn delete_destination(service: &ServiceId, address: SocketAddr) -> Self {
        Self::new(DEL_DEST, |writer| {
            identify(writer, service);
            writer.nested(DEST, |inner| destination::encode_address(address, inner));
        })
    }

    pub(crate) fn flush() -> Self {
        Self::new(FLUSH, |_| ())
    }

    pub(crate) fn zero(service: Option<&ServiceId>) -> Self {
        Self::new(ZERO, |writer| {
            if let Some(id) = service {
                identify(writer, id);
            }
        })
    }

    pub(crate) fn timeouts() -> Self {
        Self::new(GET_CONFIG, |_| ())
    }

    pub(crate) fn set_timeouts(timeouts: &Timeouts) -> Self {
        Self::new(SET_CONFIG, |writer| timeouts.encode(writer))
    }

    pub(crate) fn daemons() -> Self {
        Self::new(GET_DAEMON, |_| ())
    }

    pub(crate) fn start_daemon(daemon: &SyncDaemon) -> Self {
        Self::new(NEW_DAEMON, |writer| {
            writer.nested(DAEMON, |inner| daemon.encode(inner));
        })
    }

    pub(crate) fn stop_daemon(role: SyncRole) -> Self {
        Self::new(DEL_DAEMON, |writer| {
            writer.nested(DAEMON, |inner| role.encode(inner));
        })
    }

    fn new(command: u8, fill: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer::default();
        fill(&mut writer);
        Self {
            command,
            attributes: writer.finish(),
        }
    }
}

fn identify(writer: &mut Writer, service: &ServiceId) {
    writer.nested(SERVICE, |inner| service.encode(inner));
}

/// Reads the controller's answer: under which number this kernel knows IPVS.
pub(crate) fn decode_family(message: &[u8]) -> Result<u16, DecodeError> {
    Attributes::new("family", message)
        .find(FAMILY_ID, "FAMILY_ID")?
        .u16()
}

/// Reads a virtual service; its real servers arrive separately.
pub(crate) fn decode_service(message: &[u8]) -> Result<ServiceStatus, DecodeError> {
    let attribute = Attributes::new("message", message).find(SERVICE, "SERVICE")?;
    ServiceStatus::decode(attribute.nested(service::LIST))
}

/// Reads a real server of `service`.
pub(crate) fn decode_destination(
    message: &[u8],
    service: &ServiceId,
) -> Result<DestinationStatus, DecodeError> {
    let attribute = Attributes::new("message", message).find(DEST, "DEST")?;
    DestinationStatus::decode(attribute.nested(destination::LIST), service)
}

/// Reads a sync daemon.
pub(crate) fn decode_daemon(message: &[u8]) -> Result<SyncDaemon, DecodeError> {
    let attribute = Attributes::new("message", message).find(DAEMON, "DAEMON")?;
    SyncDaemon::decode(attribute.nested(SyncDaemon::LIST))
}
