//! What the kernel says about itself, and its time-outs of connections.
//!
//! Owns the payloads of GET_INFO, GET_CONFIG and SET_CONFIG.

use std::fmt;

use crate::attributes::{Attributes, DecodeError, Writer};

#[cfg(test)]
mod tests;

/// The kernel's IPVS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Info {
    /// The version of the interface.
    pub version: Version,
    /// How many buckets the connection table has.
    pub connection_table_size: u32,
}

/// A version such as 1.2.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub patch: u8,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl Info {
    const LIST: &'static str = "info";
    const VERSION: u16 = 1;
    const CONN_TAB_SIZE: u16 = 2;

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let attributes = Attributes::new(Self::LIST, bytes);
        let version = attributes.clone().find(Self::VERSION, "VERSION")?.u32()?;
        // NVERSION of linux/ip_vs.h: 0x010201 is 1.2.1.
        let [_, major, minor, patch] = version.to_be_bytes();
        Ok(Self {
            version: Version {
                major,
                minor,
                patch,
            },
            connection_table_size: attributes
                .find(Self::CONN_TAB_SIZE, "CONN_TAB_SIZE")?
                .u32()?,
        })
    }
}

/// How long idle connections are remembered, in seconds; the kernel starts with 900, 120 and 300.
/// In a request 0 leaves a value as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timeouts {
    /// Established TCP connections.
    pub tcp: u32,
    /// TCP connections after a FIN.
    pub tcp_fin: u32,
    /// UDP exchanges.
    pub udp: u32,
}

impl Timeouts {
    const LIST: &'static str = "timeouts";
    const TCP: u16 = 4;
    const TCP_FIN: u16 = 5;
    const UDP: u16 = 6;

    pub(crate) fn encode(&self, writer: &mut Writer) {
        for (kind, seconds) in [
            (Self::TCP, self.tcp),
            (Self::TCP_FIN, self.tcp_fin),
            (Self::UDP, self.udp),
        ] {
            if seconds != 0 {
                writer.u32(kind, seconds);
            }
        }
    }

    /// A protocol that the kernel was built without has no attribute and reads as 0.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut timeouts = Self::default();
        for attribute in Attributes::new(Self::LIST, bytes) {
            let attribute = attribute?;
            match attribute.kind {
                Self::TCP => timeouts.tcp = attribute.u32()?,
                Self::TCP_FIN => timeouts.tcp_fin = attribute.u32()?,
                Self::UDP => timeouts.udp = attribute.u32()?,
                _ => {}
            }
        }
        Ok(timeouts)
    }
}

/// As `ipvsadm -L --timeout` prints it.
impl fmt::Display for Timeouts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tcp, tcp_fin, udp } = self;
        write!(f, "Timeout (tcp tcpfin udp): {tcp} {tcp_fin} {udp}")
    }
}
