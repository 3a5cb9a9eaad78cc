//! Traffic counters of virtual services and real servers.
//!
//! Owns both spellings: STATS (32 bits but for the bytes) and STATS64, which kernels since 4.1 send
//! as well and which is preferred.

use crate::attributes::{Attribute, DecodeError};

#[cfg(test)]
mod tests;

/// Counts since the entry was added or zeroed, and running averages per second. The kernel brings all
/// of them up to date every two seconds only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stats {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients; only masquerading sees them.
    pub out_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Bytes to clients; only masquerading sees them.
    pub out_bytes: u64,
    /// Connections per second.
    pub connection_rate: u64,
    /// Packets from clients per second.
    pub in_packet_rate: u64,
    /// Packets to clients per second.
    pub out_packet_rate: u64,
    /// Bytes from clients per second.
    pub in_byte_rate: u64,
    /// Bytes to clients per second.
    pub out_byte_rate: u64,
}

impl Stats {
    fn field(&mut self, kind: u16) -> Option<&mut u64> {
        Some(match kind {
            1 => &mut self.connections,
            2 => &mut self.in_packets,
            3 => &mut self.out_packets,
            IN_BYTES => &mut self.in_bytes,
            OUT_BYTES => &mut self.out_bytes,
            6 => &mut self.connection_rate,
            7 => &mut self.in_packet_rate,
            8 => &mut self.out_packet_rate,
            9 => &mut self.in_byte_rate,
            10 => &mut self.out_byte_rate,
            // 11 is padding that aligns 64-bit values; later kernels may add more.
            _ => return None,
        })
    }
}

const IN_BYTES: u16 = 4;
const OUT_BYTES: u16 = 5;

/// Reads IPVS_*_ATTR_STATS: 32 bits each, the two byte counts 64.
pub(crate) fn decode_32(attribute: Attribute<'_>) -> Result<Stats, DecodeError> {
    decode(attribute, "stats", |kind| {
        matches!(kind, IN_BYTES | OUT_BYTES)
    })
}

/// Reads IPVS_*_ATTR_STATS64: 64 bits each.
pub(crate) fn decode_64(attribute: Attribute<'_>) -> Result<Stats, DecodeError> {
    decode(attribute, "stats64", |_| true)
}

fn decode(
    attribute: Attribute<'_>,
    list: &'static str,
    is_wide: impl Fn(u16) -> bool,
) -> Result<Stats, DecodeError> {
    let mut stats = Stats::default();
    for counter in attribute.nested(list) {
        let counter = counter?;
        if let Some(field) = stats.field(counter.kind) {
            *field = if is_wide(counter.kind) {
                counter.u64()?
            } else {
                counter.u32()?.into()
            };
        }
    }
    Ok(stats)
}
