//! MySQL and PostgreSQL: everybody may log in, and every SELECT finds one row.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// More than any message of a check.
const MESSAGE_MAX: usize = 64 * 1024;

fn is_select(query: &[u8]) -> bool {
    let start = query.trim_ascii_start().get(..6);
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"select"))
}

/// The protocol of MySQL 4.1 and later, without TLS.
pub(super) async fn mysql<S>(mut stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const QUIT: u8 = 1;
    const QUERY: u8 = 3;
    const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
    const EOF: &[u8] = &[0xfe, 0, 0, 2, 0];
    put_packet(&mut stream, 0, &mysql_greeting()).await?;
    get_packet(&mut stream).await?;
    put_packet(&mut stream, 2, OK).await?;
    loop {
        let command = get_packet(&mut stream).await?;
        match command.split_first() {
            None | Some((&QUIT, _)) => break,
            Some((&QUERY, query)) if is_select(query) => {
                let packets = [&[1][..], &mysql_column(), EOF, b"\x011", EOF];
                for (number, packet) in (1..).zip(packets) {
                    put_packet(&mut stream, number, packet).await?;
                }
            }
            Some(_) => put_packet(&mut stream, 1, OK).await?,
        }
    }
    Ok(stream.shutdown().await?)
}

fn mysql_greeting() -> Vec<u8> {
    const PROTOCOL: u8 = 10;
    // LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
    const CAPABILITIES: u32 = 0x0008_a209;
    const SALT: &[u8; 20] = b"salt-of-twenty-bytes";
    let [low, high, upper_low, upper_high] = CAPABILITIES.to_le_bytes();
    let (first, second) = SALT.split_at(8);
    let mut packet = vec![PROTOCOL];
    packet.extend(b"5.5.5-10.11.0-lab\0");
    packet.extend(1_u32.to_le_bytes());
    packet.extend(first);
    // Character set UTF-8, status "autocommit".
    packet.extend([0, low, high, 33, 2, 0, upper_low, upper_high, 21]);
    packet.extend([0; 10]);
    packet.extend(second);
    packet.extend(b"\0mysql_native_password\0");
    packet
}

/// A column `a` of integers.
fn mysql_column() -> Vec<u8> {
    let mut packet = b"\x03def\0\0\0\x01a\0\x0c".to_vec();
    packet.extend([33, 0, 11, 0, 0, 0, 3, 0, 0, 0, 0, 0]);
    packet
}

async fn put_packet(
    stream: &mut (impl AsyncWrite + Unpin),
    number: u8,
    content: &[u8],
) -> Result<()> {
    let length = u8::try_from(content.len()).context("only short packets are sent")?;
    stream.write_all(&[length, 0, 0, number]).await?;
    stream.write_all(content).await?;
    Ok(stream.flush().await?)
}

async fn get_packet(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], 0]);
    body(stream, length).await
}

async fn body(stream: &mut (impl AsyncRead + Unpin), length: u32) -> Result<Vec<u8>> {
    let length = usize::try_from(length)?;
    ensure!(length <= MESSAGE_MAX, "a message of {length} bytes");
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(body)
}

/// Version 3 of the protocol of PostgreSQL, without TLS, in simple and in extended queries.
pub(super) async fn pgsql<S>(mut stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    const VERSION_3: &[u8] = &[0, 3, 0, 0];
    while !get_untyped(&mut stream).await?.starts_with(VERSION_3) {
        // A request for TLS or Kerberos.
        stream.write_all(b"N").await?;
    }
    let mut said = message(b'R', &[0; 4]);
    for setting in [
        "server_version\x0015.0\0",
        "server_encoding\0UTF8\0",
        "client_encoding\0UTF8\0",
        "standard_conforming_strings\0on\0",
        "integer_datetimes\0on\0",
        "DateStyle\0ISO, MDY\0",
    ] {
        said.extend(message(b'S', setting.as_bytes()));
    }
    said.extend(message(b'K', &[0; 8]));
    said.extend(message(b'Z', b"I"));
    stream.write_all(&said).await?;
    loop {
        stream.flush().await?;
        let kind = stream.read_u8().await?;
        let content = get_untyped(&mut stream).await?;
        let said = match kind {
            b'Q' => [pgsql_answer(&content, true), message(b'Z', b"I")].concat(),
            b'P' => message(b'1', &[]),
            b'B' => message(b'2', &[]),
            b'D' if content.starts_with(b"S") => {
                [message(b't', &[0, 0]), message(b'T', PGSQL_COLUMN)].concat()
            }
            b'D' => message(b'T', PGSQL_COLUMN),
            b'E' => pgsql_answer(b"select", false),
            b'C' => message(b'3', &[]),
            b'S' => message(b'Z', b"I"),
            b'X' => break,
            _ => Vec::new(),
        };
        stream.write_all(&said).await?;
    }
    Ok(stream.shutdown().await?)
}

/// A column `a` of integers in text.
const PGSQL_COLUMN: &[u8] = b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";

fn pgsql_answer(query: &[u8], described: bool) -> Vec<u8> {
    if !is_select(query) {
        return message(b'C', b"SET\0");
    }
    let mut said = Vec::new();
    if described {
        said.extend(message(b'T', PGSQL_COLUMN));
    }
    said.extend(message(b'D', b"\0\x01\0\0\0\x011"));
    said.extend(message(b'C', b"SELECT 1\0"));
    said
}

fn message(kind: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("short") + 4;
    [&[kind], &length.to_be_bytes()[..], content].concat()
}

/// A message whose kind was read or is none: its length counts itself.
async fn get_untyped(stream: &mut (impl AsyncRead + Unpin)) -> Result<Vec<u8>> {
    let length = stream.read_u32().await?;
    let rest = length
        .checked_sub(4)
        .context("shorter than its own length")?;
    body(stream, rest).await
}
