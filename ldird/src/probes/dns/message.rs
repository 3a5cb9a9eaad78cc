//! Queries and replies as bytes. Reading takes the answers one by one, so that a record further back
//! that the library does not understand spoils nothing.

use super::question::Question;
use hickory_proto::op::{Header, HeaderCounts, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable as _, BinDecoder, DecodeError};

/// Records of an answer that are looked at.
const RECORDS_MAX: usize = 1000;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// No reply to this query.
    Foreign,
    /// Only the beginning: to be asked again over TCP.
    Cut(Reply),
    Reply(Reply),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: ResponseCode,
    /// The data of each record in the answer: addresses, names without their last dot, the rest as in
    /// a zone file.
    pub(super) records: Vec<String>,
}

/// Recursion desired, no EDNS, one question.
pub(super) fn query(id: u16, question: &Question) -> Vec<u8> {
    let mut message = Message::new(id, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(question.name.clone(), question.kind));
    message
        .to_vec()
        .expect("a parsed name has a place in a packet")
}

pub(super) fn read(bytes: &[u8], id: u16) -> Reading {
    let mut decoder = BinDecoder::new(bytes);
    let Ok(header) = Header::read(&mut decoder) else {
        return Reading::Foreign;
    };
    let metadata = header.metadata;
    if metadata.id != id || metadata.message_type != MessageType::Response {
        return Reading::Foreign;
    }
    let reply = Reply {
        code: metadata.response_code,
        records: records(&mut decoder, header.counts),
    };
    if metadata.truncation {
        Reading::Cut(reply)
    } else {
        Reading::Reply(reply)
    }
}

/// The number and the port say whose reply it is; what it repeats of the question does not matter.
fn records(decoder: &mut BinDecoder<'_>, counts: HeaderCounts) -> Vec<String> {
    let mut records = Vec::new();
    if Message::read_queries(decoder, counts.queries.into()).is_err() {
        return records;
    }
    for _ in 0..usize::from(counts.answers).min(RECORDS_MAX) {
        // A message has at most 65,535 bytes.
        let mut behind = decoder.clone(decoder.index() as u16);
        if skip(&mut behind).is_err() {
            break;
        }
        if let Ok(record) = Record::<RData>::read(decoder) {
            records.extend(text(&record));
        }
        *decoder = behind;
    }
    records
}

/// Over a record of any kind: name, type, class, time to live, data (RFC 1035 section 3.2.1).
fn skip(decoder: &mut BinDecoder<'_>) -> Result<(), DecodeError> {
    const TYPE_CLASS_AND_TIME_BYTES: usize = 8;
    Name::read(decoder)?;
    decoder.read_slice(TYPE_CLASS_AND_TIME_BYTES)?;
    let length = decoder.read_u16()?.unverified(/* read_slice looks at it */);
    decoder.read_slice(length.into())?;
    Ok(())
}

/// What a pattern is looked for in; `None` for what is no answer.
fn text(record: &Record) -> Option<String> {
    let name = |name: &Name| {
        let text = name.to_ascii();
        text.strip_suffix('.').map_or(text.clone(), str::to_owned)
    };
    Some(match &record.data {
        RData::A(address) => address.to_string(),
        RData::AAAA(address) => address.to_string(),
        RData::PTR(target) => name(target),
        RData::CNAME(target) => name(target),
        RData::NS(target) => name(target),
        _ if record.record_type() == RecordType::OPT => return None,
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests;
