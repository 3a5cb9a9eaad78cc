//! One generic-netlink socket: sends a request, gathers its answers, with a time limit.
//!
//! Owns the message envelope and the end-of-answer rules. Payloads stay raw bytes here on purpose:
//! netlink-proto drops a message that fails to parse, and the request would then wait for ever.

use std::io;
use std::time::Duration;

use futures_util::StreamExt;
use netlink_packet_core::{
    DecodeError, Emitable, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader,
    NetlinkMessage, NetlinkPayload, ParseableParametrized,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use netlink_proto::sys::protocols::NETLINK_GENERIC;
use netlink_proto::sys::{AsyncSocket, SocketAddr};
use netlink_proto::{ConnectionHandle, new_connection};
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::messages::Request;

/// How long one request may take. The kernel answers within microseconds, except where it first loads
/// the module of a scheduler.
pub(crate) const REQUEST_LIMIT: Duration = Duration::from_secs(5);
/// How long one dump may take.
pub(crate) const DUMP_LIMIT: Duration = Duration::from_secs(30);
/// The most entries one dump may have: far more than anyone balances, far less than would hurt.
pub(crate) const DUMP_ENTRIES: usize = 1 << 20;
/// Kernel-side receive buffer. A dump goes on only as it is read, in pieces of at most 32 KiB, so this
/// holds several; the reader's own buffer holds one whole piece.
const RECEIVE_BUFFER_BYTES: usize = 256 * 1024;

/// The generic netlink controller: its fixed family number and version (GENL_ID_CTRL).
pub(crate) const CONTROLLER_FAMILY: u16 = 0x10;
const CONTROLLER_VERSION: u8 = 2;
/// IPVS_GENL_VERSION.
const IPVS_VERSION: u8 = 1;

/// What travels inside a generic netlink message, not interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Payload {
    command: u8,
    version: u8,
    pub(crate) attributes: Vec<u8>,
}

impl Payload {
    pub(crate) fn controller(request: Request) -> Self {
        Self::of(request, CONTROLLER_VERSION)
    }

    pub(crate) fn ipvs(request: Request) -> Self {
        Self::of(request, IPVS_VERSION)
    }

    fn of(request: Request, version: u8) -> Self {
        let Request {
            command,
            attributes,
        } = request;
        Self {
            command,
            version,
            attributes,
        }
    }
}

impl GenlFamily for Payload {
    fn family_name() -> &'static str {
        "IPVS"
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        self.version
    }
}

impl Emitable for Payload {
    fn buffer_len(&self) -> usize {
        self.attributes.len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.attributes);
    }
}

impl ParseableParametrized<[u8], GenlHeader> for Payload {
    fn parse_with_param(bytes: &[u8], header: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self {
            command: header.cmd,
            version: header.version,
            attributes: bytes.to_vec(),
        })
    }
}

/// Whether one object or a whole list is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Answered by at most one message and an acknowledgement.
    Single,
    /// Answered by any number of messages and an end mark.
    Dump,
}

impl Shape {
    fn flags(self) -> u16 {
        // An acknowledgement is always asked for, or netlink-proto would keep the request for ever.
        match self {
            Shape::Single => NLM_F_REQUEST | NLM_F_ACK,
            Shape::Dump => NLM_F_REQUEST | NLM_F_ACK | NLM_F_DUMP,
        }
    }

    fn limit(self) -> Duration {
        match self {
            Shape::Single => REQUEST_LIMIT,
            Shape::Dump => DUMP_LIMIT,
        }
    }
}

/// A complete answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The attributes of each message, in order.
    pub(crate) messages: Vec<Vec<u8>>,
    /// The kernel says that the table changed while it was dumped (NLM_F_DUMP_INTR).
    pub(crate) interrupted: bool,
}

/// Why there is no complete answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The kernel refused, with this error number.
    Errno(i32),
    /// The socket failed.
    Lost,
    /// More than [`DUMP_ENTRIES`] messages.
    TooLong,
    /// Nothing complete in time.
    TimedOut(Duration),
}

/// The socket and the task that serves it; the task ends with it.
#[derive(Debug)]
pub(crate) struct Link {
    handle: ConnectionHandle<GenlMessage<Payload>>,
    task: AbortHandle,
}

impl Link {
    /// Opens a socket in the network namespace of the current thread.
    pub(crate) fn open() -> io::Result<Self> {
        // IPVS has no notifications: whatever comes unasked is dropped with the third part.
        let (mut connection, handle, _) = new_connection(NETLINK_GENERIC)?;
        connection
            .socket_mut()
            .socket_mut()
            .set_rx_buf_sz(RECEIVE_BUFFER_BYTES)?;
        // End marks are wanted, to tell a finished answer from a socket that broke.
        connection.set_forward_ack(true);
        connection.set_forward_done(true);
        let task = tokio::spawn(connection).abort_handle();
        Ok(Self { handle, task })
    }

    /// Sends one request and waits for its whole answer, within the limit of its shape.
    pub(crate) async fn exchange(
        &self,
        family: u16,
        shape: Shape,
        payload: Payload,
    ) -> Result<Answer, Failure> {
        let limit = shape.limit();
        let answer = timeout(limit, self.gather(family, shape, payload)).await;
        answer.unwrap_or(Err(Failure::TimedOut(limit)))
    }

    async fn gather(&self, family: u16, shape: Shape, payload: Payload) -> Result<Answer, Failure> {
        let mut message = GenlMessage::from_payload(payload);
        message.set_resolved_family_id(family);
        let mut header = NetlinkHeader::default();
        header.flags = shape.flags();
        let request = NetlinkMessage::new(header, message.into());
        // Port 0 is the kernel; netlink-proto matches answers by sender and sequence number, so other
        // processes cannot answer in its place.
        let kernel = SocketAddr::new(0, 0);
        let mut replies = self
            .handle
            .request(request, kernel)
            .map_err(|_| Failure::Lost)?;
        let mut answer = Answer::default();
        while let Some(reply) = replies.next().await {
            answer.interrupted |= reply.header.flags & NLM_F_DUMP_INTR != 0
                && !matches!(reply.payload, NetlinkPayload::Error(_));
            match reply.payload {
                NetlinkPayload::InnerMessage(message) => answer.push(message.payload)?,
                NetlinkPayload::Error(end) => return answer.end(end.raw_code()),
                NetlinkPayload::Done(end) => return answer.end(end.code),
                NetlinkPayload::Overrun(_) => return Err(Failure::Lost),
                _ => {}
            }
        }
        Err(Failure::Lost)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Answer {
    fn push(&mut self, payload: Payload) -> Result<(), Failure> {
        if self.messages.len() >= DUMP_ENTRIES {
            return Err(Failure::TooLong);
        }
        self.messages.push(payload.attributes);
        Ok(())
    }

    /// An end mark carries 0 or a negative error number.
    fn end(self, code: i32) -> Result<Self, Failure> {
        if code == 0 {
            Ok(self)
        } else {
            Err(Failure::Errno(code.saturating_abs()))
        }
    }
}
