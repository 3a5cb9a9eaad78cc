//! Connections as checks of protocols use them: plain or TLS alike, with a peaceful end.

use super::connect::in_words;
use super::tls::{self, Open, TlsFault, Trust};
use super::{Answer, Means, want};
use rustls::pki_types::{DnsName, ServerName};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

/// After the verdict so much is still taken, and for so long, so that an ordinary server can end
/// its answer in peace.
const REST_MAX_BYTES: usize = 64 * 1024;
const REST_MAX: Duration = Duration::from_millis(20);
const READ_BYTES: usize = 512;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {
    /// When the server's certificate ends, where there is one: seconds since 1970.
    fn certificate_until(&self) -> Option<u64> {
        None
    }

    /// Has it an end of its own to tell? A plain connection says all by being closed.
    fn says_goodbye(&self) -> bool {
        true
    }
}

impl Stream for TcpStream {
    fn says_goodbye(&self) -> bool {
        false
    }
}

impl Stream for TlsStream<TcpStream> {
    fn certificate_until(&self) -> Option<u64> {
        tls::certificate_until(self)
    }
}

impl Stream for Box<dyn Stream> {
    fn certificate_until(&self) -> Option<u64> {
        (**self).certificate_until()
    }

    fn says_goodbye(&self) -> bool {
        (**self).says_goodbye()
    }
}

/// Speaks TLS on a fresh connection.
pub(super) async fn secure(
    stream: TcpStream,
    name: &ServerName<'static>,
    trust: &Trust,
    target: SocketAddr,
    means: &Means,
) -> Result<Box<dyn Stream>, TlsFault> {
    let stream = means
        .tls
        .greet(stream, name, trust, &means.dialler, target)
        .await?;
    Ok(Box::new(stream))
}

/// The same inside a protocol that began in the clear; `open` leads a new connection to where TLS begins.
pub(super) async fn secure_inside<O: Open>(
    stream: TcpStream,
    name: &ServerName<'static>,
    means: &Means,
    open: impl Fn() -> O,
) -> Result<Box<dyn Stream>, Answer> {
    match means.tls.greet_inside(stream, name, open).await {
        Ok(stream) => Ok(Box::new(stream)),
        Err(fault) => Err(no_tls(&fault, "")),
    }
}

/// What a server without TLS that we could use means; a message about the server begins with
/// `prefix`.
pub(super) fn no_tls(fault: &TlsFault, prefix: &str) -> Answer {
    match fault {
        TlsFault::Failed(error) => match want::of(error) {
            Some(want) => Answer::unasked(want),
            None => Answer::down(format!("{prefix}no TLS: {}", in_words(error))),
        },
        TlsFault::Untrusted(reason) => {
            Answer::down(format!("{prefix}the certificate is refused: {reason}"))
        }
        TlsFault::Unready(reason) => Answer::unasked(reason),
        TlsFault::Foreign(what) => Answer::limited(format!(
            "connected, and no more was asked: the server wants {what}, which ldird does not speak"
        )),
    }
}

/// A virtual host without its port, if it is a name that TLS can carry.
pub(super) fn host_name(virtualhost: Option<&[u8]>) -> Option<&str> {
    let host = str::from_utf8(virtualhost?).ok()?;
    let name = host.split(':').next()?;
    let good = DnsName::try_from(name).is_ok() && name.parse::<IpAddr>().is_err();
    good.then_some(name)
}

/// A name is told to the server, an address is not (RFC 6066 section 3).
pub(super) fn server_name(name: Option<&str>, address: IpAddr) -> ServerName<'static> {
    let name = name.and_then(|name| DnsName::try_from(name.to_owned()).ok());
    name.map_or_else(
        || ServerName::IpAddress(address.into()),
        ServerName::DnsName,
    )
}

/// Lets the server end: a connection that is dropped with bytes unread is reset, and servers write
/// that down. The buffer is only room to read into.
pub(super) async fn finish(stream: &mut dyn Stream, buffer: &mut Vec<u8>) {
    let rest = async {
        let mut left = REST_MAX_BYTES;
        while left > 0 {
            buffer.clear();
            buffer.reserve(READ_BYTES);
            match stream.read_buf(buffer).await {
                Ok(length) if length > 0 => left = left.saturating_sub(length),
                Ok(_) | Err(_) => break,
            }
        }
        if stream.says_goodbye() {
            let _ = stream.shutdown().await;
        }
    };
    let _ = timeout(REST_MAX, rest).await;
}
