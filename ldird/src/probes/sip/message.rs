//! An OPTIONS request and its answers as bytes (RFC 3261 sections 7, 8.1 and 11).

use crate::probes::random;
use std::net::SocketAddr;

/// Head and body of one answer over a connection, bytes.
const MESSAGE_MAX_BYTES: usize = 16 * 1024;
/// What every branch begins with (RFC 3261 section 8.1.1.7).
const BRANCH: &str = "z9hG4bK";
const SEQUENCE: u32 = 63104;

/// One request, and what makes an answer its own.
#[derive(Debug, Clone)]
pub(super) struct Options {
    transport: &'static str,
    here: SocketAddr,
    branch: String,
    tag: String,
    call: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Status {
    pub(super) code: u16,
    /// Code and phrase.
    pub(super) line: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reading {
    /// Not SIP, or not an answer to this request.
    Foreign,
    /// More is to come.
    Partial,
    /// So many bytes say that a final answer will come.
    Provisional(usize),
    Final(Status),
}

impl Options {
    pub(super) fn new(transport: &'static str, here: SocketAddr) -> Self {
        Self {
            transport,
            here,
            branch: format!("{BRANCH}{}", random::hex::<8>()),
            tag: random::hex::<5>(),
            call: random::hex::<8>(),
        }
    }

    pub(super) fn request(&self, login: &[u8]) -> Vec<u8> {
        // No byte of a file may end a line.
        let login: Vec<u8> = login.iter().copied().filter(|byte| *byte >= b' ').collect();
        let Self {
            transport,
            here,
            branch,
            tag,
            call,
        } = self;
        // An IPv6 address and its port come in brackets.
        let pieces: [(&str, &[u8], String); 5] = [
            (
                "OPTIONS sip:",
                &login,
                format!(
                    " SIP/2.0\r\nVia: SIP/2.0/{transport} {here};branch={branch};rport\r\n\
                     Max-Forwards: 70\r\n"
                ),
            ),
            ("To: <sip:", &login, ">\r\n".to_owned()),
            ("From: <sip:", &login, format!(">;tag={tag}\r\n")),
            (
                "",
                b"",
                format!("Call-ID: {call}\r\nCSeq: {SEQUENCE} OPTIONS\r\n"),
            ),
            (
                "Contact: <sip:",
                &login,
                ">\r\nAccept: application/sdp\r\nContent-Length: 0\r\n\r\n".to_owned(),
            ),
        ];
        let mut bytes = Vec::new();
        for (before, middle, behind) in pieces {
            bytes.extend(before.bytes());
            bytes.extend(middle);
            bytes.extend(behind.into_bytes());
        }
        bytes
    }

    /// Reads the first answer. Over UDP, where nothing follows, a part is no answer at all.
    pub(super) fn read(&self, bytes: &[u8]) -> Reading {
        const MAGIC: &[u8] = b"SIP/2.0 ";
        if !bytes.starts_with(
            MAGIC
                .get(..bytes.len().min(MAGIC.len()))
                .unwrap_or_default(),
        ) {
            return Reading::Foreign;
        }
        let Some(head) = end_of_head(bytes) else {
            return match bytes.len() {
                MESSAGE_MAX_BYTES.. => Reading::Foreign,
                _ => Reading::Partial,
            };
        };
        let text = String::from_utf8_lossy(bytes.get(..head).unwrap_or_default());
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default();
        let line = first.strip_prefix("SIP/2.0 ").unwrap_or_default();
        let Some(code) = line.get(..3).and_then(|code| code.parse::<u16>().ok()) else {
            return Reading::Foreign;
        };
        let mut length = 0;
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "call-id" | "i" if value.trim() != self.call => return Reading::Foreign,
                "content-length" | "l" => length = value.trim().parse().unwrap_or(0),
                _ => {}
            }
        }
        let whole = head.saturating_add(length);
        match code {
            100..=199 if whole > MESSAGE_MAX_BYTES => Reading::Foreign,
            100..=199 if whole > bytes.len() => Reading::Partial,
            100..=199 => Reading::Provisional(whole),
            _ => Reading::Final(Status {
                code,
                line: line.to_owned(),
            }),
        }
    }
}

/// Behind the empty line, with CR LF or LF alone.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    let find = |end: &[u8]| {
        let at = bytes.windows(end.len()).position(|window| window == end)?;
        Some(at + end.len())
    };
    [find(b"\r\n\r\n"), find(b"\n\n")]
        .into_iter()
        .flatten()
        .min()
}

#[cfg(test)]
mod tests;
