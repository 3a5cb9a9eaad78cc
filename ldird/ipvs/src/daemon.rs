//! The kernel's connection synchronisation: a thread that sends connections to the other director
//! (master) or takes them over from it (backup).
//!
//! Owns the attributes inside IPVS_CMD_ATTR_DAEMON (IPVS_DAEMON_ATTR_* of linux/ip_vs.h).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::attributes::{Attributes, DecodeError, Writer};
use crate::error::Invalid;
use crate::service::check_name;

#[cfg(test)]
mod tests;

const STATE: u16 = 1;
const MCAST_IFN: u16 = 2;
const SYNC_ID: u16 = 3;
const SYNC_MAXLEN: u16 = 4;
const MCAST_GROUP: u16 = 5;
const MCAST_GROUP6: u16 = 6;
const MCAST_PORT: u16 = 7;
const MCAST_TTL: u16 = 8;

/// Which end of the synchronisation; both may run at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncRole {
    /// Sends.
    Master,
    /// Receives.
    Backup,
}

impl SyncRole {
    /// IP_VS_STATE_MASTER and IP_VS_STATE_BACKUP.
    pub(crate) fn encode(self, writer: &mut Writer) {
        writer.u32(
            STATE,
            match self {
                SyncRole::Master => 1,
                SyncRole::Backup => 2,
            },
        );
    }
}

impl fmt::Display for SyncRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SyncRole::Master => "master",
            SyncRole::Backup => "backup",
        })
    }
}

/// A synchronisation daemon. Kernels before 4.3 know the first three fields only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SyncDaemon {
    /// Which end.
    pub role: SyncRole,
    /// The interface that carries the multicast; at most 15 bytes.
    pub interface: String,
    /// Tells clusters on one wire apart; a backup with 0 listens to all.
    pub sync_id: u8,
    /// Largest message in bytes; 0 takes it from the interface's MTU.
    pub max_length: u16,
    /// Multicast group; `None` is 224.0.0.81.
    pub group: Option<IpAddr>,
    /// UDP port; 0 is 8848.
    pub port: u16,
    /// Time to live of the multicast; 0 is 1.
    pub ttl: u8,
}

impl SyncDaemon {
    /// A daemon with the kernel's defaults.
    pub fn new(role: SyncRole, interface: impl Into<String>, sync_id: u8) -> Self {
        Self {
            role,
            interface: interface.into(),
            sync_id,
            max_length: 0,
            group: None,
            port: 0,
            ttl: 0,
        }
    }

    /// Refuses what the kernel could not be told.
    pub(crate) fn check(&self) -> Result<(), Invalid> {
        check_name(&self.interface)
    }

    pub(crate) fn encode(&self, writer: &mut Writer) {
        self.role.encode(writer);
        writer.name(MCAST_IFN, &self.interface);
        writer.u32(SYNC_ID, self.sync_id.into());
        if self.max_length != 0 {
            writer.u16(SYNC_MAXLEN, self.max_length);
        }
        match self.group {
            Some(IpAddr::V4(group)) => writer.bytes(MCAST_GROUP, &group.octets()),
            Some(IpAddr::V6(group)) => writer.bytes(MCAST_GROUP6, &group.octets()),
            None => {}
        }
        // The one port of this interface that travels in host byte order.
        if self.port != 0 {
            writer.u16(MCAST_PORT, self.port);
        }
        if self.ttl != 0 {
            writer.u8(MCAST_TTL, self.ttl);
        }
    }

    /// The name of this list in errors.
    pub(crate) const LIST: &'static str = "sync daemon";

    pub(crate) fn decode(attributes: Attributes<'_>) -> Result<Self, DecodeError> {
        let state = attributes.clone().find(STATE, "STATE")?;
        let role = match state.u32()? {
            1 => SyncRole::Master,
            2 => SyncRole::Backup,
            other => return Err(state.unknown(other)),
        };
        let interface = attributes.clone().find(MCAST_IFN, "MCAST_IFN")?.name()?;
        let mut daemon = Self::new(role, interface, 0);
        for attribute in attributes {
            let attribute = attribute?;
            match attribute.kind {
                SYNC_ID => {
                    let id = attribute.u32()?;
                    daemon.sync_id = u8::try_from(id).map_err(|_| attribute.unknown(id))?;
                }
                SYNC_MAXLEN => daemon.max_length = attribute.u16()?,
                MCAST_GROUP => daemon.group = Some(IpAddr::from(attribute.array::<4>()?)),
                MCAST_GROUP6 => {
                    daemon.group = Some(Ipv6Addr::from(attribute.array::<16>()?).into());
                }
                MCAST_PORT => daemon.port = attribute.u16()?,
                MCAST_TTL => daemon.ttl = attribute.u8()?,
                _ => {}
            }
        }
        Ok(daemon)
    }
}

/// As `ipvsadm -L --daemon` prints it.
impl fmt::Display for SyncDaemon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            role,
            interface,
            sync_id,
            max_length,
            group,
            port,
            ttl,
        } = self;
        write!(
            f,
            "{role} sync daemon (mcast={interface}, syncid={sync_id}, maxlen={max_length}, "
        )?;
        if let Some(group) = group {
            write!(f, "group={group}, ")?;
        }
        write!(f, "port={port}, ttl={ttl})")
    }
}
