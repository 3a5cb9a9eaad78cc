//! Protocols of lines: mail, news, and any line sent back.

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::PASSWORD;

/// More than any line of a check.
const LINE_MAX: u64 = 4096;

/// What follows a line.
pub(super) enum Next {
    Say(String),
    /// Said last.
    End(String),
    Nothing,
}

/// The next line without its end, or `None` at the end of what is sent.
pub(super) async fn line<S>(stream: &mut BufReader<S>) -> Result<Option<String>>
where
    S: AsyncRead + Unpin,
{
    let mut bytes = Vec::new();
    let mut limited = stream.take(LINE_MAX);
    if limited.read_until(b'\n', &mut bytes).await? == 0 {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Greets, then answers line by line.
pub(super) async fn converse<S>(
    stream: S,
    greeting: &str,
    mut reply: impl FnMut(&str) -> Next,
) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    say(&mut stream, greeting).await?;
    while let Some(heard) = line(&mut stream).await? {
        match reply(&heard) {
            Next::Say(text) => say(&mut stream, &text).await?,
            Next::End(text) => {
                say(&mut stream, &text).await?;
                break;
            }
            Next::Nothing => {}
        }
    }
    Ok(stream.shutdown().await?)
}

pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) -> Result<()> {
    stream.write_all(text.as_bytes()).await?;
    Ok(stream.flush().await?)
}

/// The first word in capitals, and the rest.
pub(super) fn command(line: &str) -> (String, &str) {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    (word.to_ascii_uppercase(), rest)
}

pub(super) async fn smtp<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut within_mail = false;
    converse(stream, "220 mail.lab ESMTP\r\n", |line| {
        if within_mail {
            within_mail = line != ".";
            return if within_mail {
                Next::Nothing
            } else {
                Next::Say("250 taken\r\n".to_owned())
            };
        }
        match command(line).0.as_str() {
            "DATA" => {
                within_mail = true;
                Next::Say("354 go on\r\n".to_owned())
            }
            "QUIT" => Next::End("221 bye\r\n".to_owned()),
            _ => Next::Say("250 mail.lab\r\n".to_owned()),
        }
    })
    .await
}

pub(super) async fn pop<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    converse(stream, "+OK ready\r\n", |line| {
        let said = match command(line) {
            (word, _) if word == "CAPA" => "+OK\r\nUSER\r\n.\r\n",
            (word, password) if word == "PASS" && password != PASSWORD => "-ERR wrong\r\n",
            (word, _) if word == "STAT" => "+OK 0 0\r\n",
            (word, _) if word == "AUTH" => "-ERR unknown\r\n",
            (word, _) if word == "QUIT" => return Next::End("+OK bye\r\n".to_owned()),
            _ => "+OK\r\n",
        };
        Next::Say(said.to_owned())
    })
    .await
}

pub(super) async fn imap<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    converse(stream, "* OK IMAP4rev1 ready\r\n", |line| {
        let (tag, rest) = line.split_once(' ').unwrap_or((line, ""));
        let (word, arguments) = command(rest);
        match word.as_str() {
            "LOGIN" => {
                let password = arguments.rsplit(' ').next().unwrap_or_default();
                let right = password.trim_matches('"') == PASSWORD;
                let said = if right { "OK" } else { "NO" };
                Next::Say(format!("{tag} {said} LOGIN\r\n"))
            }
            "LOGOUT" => Next::End(format!("* BYE\r\n{tag} OK LOGOUT\r\n")),
            "CAPABILITY" => Next::Say(format!("* CAPABILITY IMAP4rev1\r\n{tag} OK\r\n")),
            _ => Next::Say(format!("{tag} OK {word}\r\n")),
        }
    })
    .await
}

pub(super) async fn nntp<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    converse(stream, "200 news.lab\r\n", |_| {
        Next::End("205 bye\r\n".to_owned())
    })
    .await
}

/// Every line comes back.
pub(super) async fn echo<S>(stream: S) -> Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    converse(stream, "", |line| Next::Say(format!("you said {line}\n"))).await
}
