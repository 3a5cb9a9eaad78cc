//! LDAP: every bind succeeds, every search finds one entry. BER as RFC 4511 section 5.1 has it.

use anyhow::{Context, Result, ensure};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

const ENTRY: &[u8] = b"o=Lab";
/// More than any request of a check.
const MESSAGE_MAX: usize = 4096;

const SEQUENCE: u8 = 0x30;
const BIND: u8 = 0x60;
const BOUND: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const FOUND: u8 = 0x64;
const SEARCHED: u8 = 0x65;
/// Code 0, no name, no words.
const SUCCESS: &[u8] = &[0x0a, 1, 0, 0x04, 0, 0x04, 0];

pub(super) async fn serve<S>(mut stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = read(&mut stream).await? {
        // The number of the message: tag, length, value.
        let length = usize::from(*message.get(1).context("no number")?);
        let (number, operation) = message
            .split_at_checked(2 + length)
            .context("a short message")?;
        match operation.first() {
            Some(&BIND) => reply(&mut stream, number, BOUND, SUCCESS).await?,
            Some(&SEARCH) => {
                let entry = [element(0x04, ENTRY), element(SEQUENCE, &[])].concat();
                reply(&mut stream, number, FOUND, &entry).await?;
                reply(&mut stream, number, SEARCHED, SUCCESS).await?;
            }
            Some(&UNBIND) | None => break,
            Some(_) => {}
        }
    }
    Ok(stream.shutdown().await?)
}

/// What is within the next message.
async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>> {
    let Ok(tag) = stream.read_u8().await else {
        return Ok(None);
    };
    ensure!(tag == SEQUENCE, "no message of LDAP");
    let mut length = usize::from(stream.read_u8().await?);
    if length >= 0x80 {
        let bytes = length & 0x7f;
        length = 0;
        for _ in 0..bytes {
            length = (length << 8) | usize::from(stream.read_u8().await?);
            ensure!(length <= MESSAGE_MAX, "a message of {length} bytes");
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).await?;
    Ok(Some(message))
}

async fn reply(
    stream: &mut (impl AsyncWrite + Unpin),
    number: &[u8],
    operation: u8,
    content: &[u8],
) -> Result<()> {
    let message = [number, &element(operation, content)].concat();
    stream.write_all(&element(SEQUENCE, &message)).await?;
    Ok(stream.flush().await?)
}

/// Tag, length, value; all that is said here is short.
fn element(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = u8::try_from(value.len()).expect("shorter than 128 bytes");
    [&[tag, length], value].concat()
}
