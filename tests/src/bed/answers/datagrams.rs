//! One datagram, one answer: names (also over TCP), RADIUS, SIP.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use md5::{Digest, Md5};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UdpSocket;

use super::{PASSWORD, SECRET, web};

/// More than any question of a check.
const DATAGRAM_MAX: usize = 4096;
/// The address of every name.
const ADDRESS: [u8; 4] = [10, 0, 0, 7];

pub(super) async fn answer(socket: UdpSocket, port: u16, asked: Arc<AtomicU64>) {
    let mut buffer = [0; DATAGRAM_MAX];
    while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
        asked.fetch_add(1, Ordering::Relaxed);
        let question = buffer.get(..length).unwrap_or_default();
        let said = match port {
            53 => dns(question),
            1812 => radius(question),
            _ => {
                let text = String::from_utf8_lossy(question);
                Some(web::sip_reply(text.lines()).into_bytes())
            }
        };
        if let Some(said) = said {
            let _ = socket.send_to(&said, from).await;
        }
    }
}

/// Questions with their lengths before them (RFC 1035 section 4.2.2).
pub(super) async fn dns_over_tcp<S>(mut stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Ok(length) = stream.read_u16().await {
        let mut question = vec![0; usize::from(length)];
        stream.read_exact(&mut question).await?;
        let said = dns(&question).unwrap_or_default();
        stream.write_u16(u16::try_from(said.len())?).await?;
        stream.write_all(&said).await?;
        stream.flush().await?;
    }
    Ok(())
}

/// Every question for an address gets the one there is, every other an answer without records.
fn dns(question: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    let (header, rest) = question.split_at_checked(HEADER)?;
    let end = rest.iter().position(|byte| *byte == 0)? + 5;
    let asked = rest.get(..end)?;
    let is_address = asked.ends_with(&[0, 1, 0, 1]);
    let mut said = header.get(..2)?.to_vec();
    // A reply that recursion was made for; one question, an answer or none.
    said.extend([0x81, 0x80, 0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    said.extend(asked);
    if is_address {
        // The name of the question, an address of the internet, for a minute.
        said.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        said.extend(ADDRESS);
    }
    Some(said)
}

/// Accepts the right password, of 16 bytes at most (RFC 2865 sections 3 and 5.2).
fn radius(request: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 20;
    const USER_PASSWORD: u8 = 2;
    let (header, mut attributes) = request.split_at_checked(HEADER)?;
    let authenticator = header.get(4..)?;
    let mut accepted = false;
    while let [kind, length, ..] = *attributes {
        let (attribute, rest) = attributes.split_at_checked(usize::from(length).max(2))?;
        if kind == USER_PASSWORD {
            let mask = Md5::digest([SECRET.as_bytes(), authenticator].concat());
            let hidden = attribute.get(2..)?.iter().zip(mask);
            let plain: Vec<u8> = hidden.map(|(byte, mask)| byte ^ mask).collect();
            let plain = String::from_utf8_lossy(&plain);
            accepted = plain.trim_end_matches('\0') == PASSWORD;
        }
        attributes = rest;
    }
    let code = if accepted { 2 } else { 3 };
    let start = [code, *header.get(1)?, 0, HEADER as u8];
    let signature = Md5::digest([&start, authenticator, SECRET.as_bytes()].concat());
    Some([&start[..], &signature[..]].concat())
}
