//! Requests with a head of lines: HTTP, straight and as a proxy, and SIP.

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::lines::{line, say};

/// More than any head of a check.
const HEAD_LINES: usize = 64;

/// The lines up to the empty one.
async fn head<S>(stream: &mut BufReader<S>) -> Result<Vec<String>>
where
    S: AsyncRead + Unpin,
{
    let mut lines = Vec::new();
    while lines.len() < HEAD_LINES
        && let Some(line) = line(stream).await?
        && !line.is_empty()
    {
        lines.push(line);
    }
    Ok(lines)
}

/// `/gone` is no page, `/moved` leads to `/`, and every other one names itself and the host asked for.
pub(super) async fn http<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let lines = head(&mut stream).await?;
    let mut words = lines.first().map_or("", String::as_str).split(' ');
    let method = words.next().unwrap_or_default();
    let target = words.next().unwrap_or_default();
    let host = lines.iter().find_map(|line| line.strip_prefix("Host: "));
    let host = host.unwrap_or_default();
    let (status, extra) = match target {
        "/gone" => ("404 Not Found", String::new()),
        "/moved" => ("302 Found", "Location: /\r\n".to_owned()),
        _ => ("200 OK", String::new()),
    };
    let page = format!("Test Page {target} of {host}\n");
    let length = page.len();
    let mut said = format!(
        "HTTP/1.1 {status}\r\n{extra}Content-Type: text/html\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n"
    );
    if method != "HEAD" {
        said.push_str(&page);
    }
    say(&mut stream, &said).await?;
    Ok(stream.shutdown().await?)
}

pub(super) async fn sip<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let lines = head(&mut stream).await?;
    say(&mut stream, &sip_reply(lines.iter().map(String::as_str))).await?;
    Ok(stream.shutdown().await?)
}

/// Well, with the lines that a reply takes over (RFC 3261 section 8.2.6.2).
pub(super) fn sip_reply<'a>(request: impl Iterator<Item = &'a str>) -> String {
    let mut said = "SIP/2.0 200 OK\r\n".to_owned();
    let kept = ["Via:", "To:", "From:", "Call-ID:", "CSeq:"];
    for line in request.filter(|line| kept.iter().any(|name| line.starts_with(name))) {
        said.push_str(line);
        said.push_str("\r\n");
    }
    said.push_str("Content-Length: 0\r\n\r\n");
    said
}
