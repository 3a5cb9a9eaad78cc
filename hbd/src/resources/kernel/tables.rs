//! Whole tables, read until one reading was not disturbed: when others delete addresses meanwhile, the
//! kernel skips as many of those that stay, and says so in a flag (`NLM_F_DUMP_INTR`).

use super::rows::{address_row, link_row};
use super::{KernelError, NETLINK_LIMIT, limited};
use crate::resources::view::{AddressRow, LinkRow};
use futures_util::{Stream, StreamExt};
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;
use rtnetlink::packet_route::address::AddressMessage;
use rtnetlink::packet_route::link::LinkMessage;
use rtnetlink::{Error, Handle};
use tokio::time::Instant;

/// Every interface.
pub(super) async fn links(handle: &Handle) -> Result<Vec<LinkRow>, KernelError> {
    let request = || RouteNetlinkMessage::GetLink(LinkMessage::default());
    let row = |message| match message {
        RouteNetlinkMessage::NewLink(message) => link_row(&message),
        _ => None,
    };
    whole(handle, "reading links", request, row).await
}

/// Every address of both families.
pub(super) async fn addresses(handle: &Handle) -> Result<Vec<AddressRow>, KernelError> {
    let request = || RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let row = |message| match message {
        RouteNetlinkMessage::NewAddress(message) => address_row(&message),
        _ => None,
    };
    whole(handle, "reading addresses", request, row).await
}

/// Reads again as long as readings are disturbed, for [`NETLINK_LIMIT`] at most.
async fn whole<R>(
    handle: &Handle,
    operation: &'static str,
    request: impl Fn() -> RouteNetlinkMessage,
    row: impl Fn(RouteNetlinkMessage) -> Option<R>,
) -> Result<Vec<R>, KernelError> {
    let until = Instant::now() + NETLINK_LIMIT;
    loop {
        let mut message = NetlinkMessage::from(request());
        message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
        let mut handle = handle.clone();
        let read = async { reading(handle.request(message)?, &row).await };
        match limited(operation, read).await? {
            Reading::Whole(rows) => return Ok(rows),
            Reading::Disturbed if Instant::now() < until => {}
            Reading::Disturbed => return Err(KernelError::Unsteady(operation)),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reading<R> {
    Whole(Vec<R>),
    /// The table changed, or a part of the answer was lost.
    Disturbed,
}

/// One answer, to its end.
pub(super) async fn reading<R>(
    messages: impl Stream<Item = NetlinkMessage<RouteNetlinkMessage>>,
    row: impl Fn(RouteNetlinkMessage) -> Option<R>,
) -> Result<Reading<R>, Error> {
    let mut messages = std::pin::pin!(messages);
    let mut rows = Vec::new();
    let mut disturbed = false;
    while let Some(message) = messages.next().await {
        disturbed |= message.header.flags & NLM_F_DUMP_INTR != 0;
        match message.payload {
            NetlinkPayload::InnerMessage(message) => rows.extend(row(message)),
            NetlinkPayload::Error(error) => return Err(Error::NetlinkError(error)),
            NetlinkPayload::Overrun(_) => disturbed = true,
            // It gave up in the middle.
            NetlinkPayload::Done(done) => disturbed |= done.code < 0,
            _ => {}
        }
    }
    Ok(if disturbed {
        Reading::Disturbed
    } else {
        Reading::Whole(rows)
    })
}
