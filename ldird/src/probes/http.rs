//! The negotiate check of http and https (specification 2.8): one request per check on a connection
//! of its own, redirects followed, the final answer's status and body judged.
//!
//! Certificates are not verified: this asks for health, not identity, and most real servers have
//! none of their own. The configured virtual host is sent as TLS server name.

use super::connect::in_words;
use super::{Finding, Pattern};
use reqwest::header::{CONNECTION, HOST, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url, redirect};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{CertificateDer, DnsName, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Redirects followed, as the old daemon's library did.
const REDIRECTS_MAX: u32 = 7;
/// So much of a body is read and matched, bytes; what follows is not looked at.
const BODY_MAX: usize = 1024 * 1024;
/// So much of a body that does not match is told, characters.
const EXCERPT_CHARS: usize = 120;
const USER_AGENT: &str = concat!("ldird/", env!("CARGO_PKG_VERSION"));

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Http {
    /// The real server and its check port.
    pub(crate) target: SocketAddr,
    pub(crate) url: HttpUrl,
    /// For the `Host` line and, with TLS, the server name.
    pub(crate) virtualhost: Option<String>,
    /// HEAD instead of GET.
    pub(crate) head: bool,
    /// Must be found in the body; `None` for no test.
    pub(crate) receive: Option<Arc<Pattern>>,
    /// For everything, redirects included.
    pub(crate) timeout: Duration,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct HttpUrl {
    url: Url,
    /// A real server's own request that names a server itself.
    elsewhere: bool,
}

impl HttpUrl {
    /// A path on the real server; `None` if that makes no valid address.
    pub(crate) fn at(scheme: &str, target: SocketAddr, request: &str) -> Option<Self> {
        let path = request.trim_start_matches('/');
        let url = Url::parse(&format!("{scheme}://{target}/{path}")).ok()?;
        let elsewhere = false;
        Some(Self { url, elsewhere })
    }

    /// A whole address, perhaps on another server.
    pub(crate) fn elsewhere(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let elsewhere = true;
        let good = matches!(url.scheme(), "http" | "https") && url.host_str().is_some();
        good.then_some(Self { url, elsewhere })
    }
}

/// What all checks share. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct HttpClient {
    tls: ClientConfig,
    /// For connections to addresses. Names that must lead to a certain address need their own.
    plain: Client,
}

impl HttpClient {
    pub(crate) fn new() -> Self {
        let provider = Arc::new(ring::default_provider());
        let tls = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth();
        let plain = settings(&tls)
            .build()
            .expect("a client with ready-made TLS settings builds");
        Self { tls, plain }
    }

    /// A client for which this name is at this address.
    fn with_name(&self, name: &str, address: SocketAddr) -> reqwest::Result<Client> {
        settings(&self.tls).resolve(name, address).build()
    }
}

fn settings(tls: &ClientConfig) -> reqwest::ClientBuilder {
    Client::builder()
        .tls_backend_preconfigured(tls.clone())
        .http1_only()
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .user_agent(USER_AGENT)
}

/// One request of the several that redirects may make.
#[derive(Debug)]
struct Hop {
    url: Url,
    /// This name is at this address.
    pinned: Option<(String, SocketAddr)>,
    /// Instead of what the address says.
    host: Option<String>,
}

impl Http {
    pub(super) async fn ask(&self, client: &HttpClient) -> Finding {
        match timeout(self.timeout, self.follow(client)).await {
            Ok(Ok(finding)) => finding,
            Ok(Err(error)) => Finding::down(explain(&error)),
            // The old daemon's words.
            Err(_) => Finding::down("500 Timeout Alarm"),
        }
    }

    async fn follow(&self, client: &HttpClient) -> reqwest::Result<Finding> {
        let mut hop = self.first_hop();
        let mut left = REDIRECTS_MAX;
        loop {
            let response = self.send(&hop, client).await?;
            let next = redirected(&response).filter(|_| left > 0);
            match next {
                Some(url) => hop = self.next_hop(url),
                None => return self.judge(response).await,
            }
            left -= 1;
        }
    }

    async fn send(&self, hop: &Hop, client: &HttpClient) -> reqwest::Result<Response> {
        let client = match &hop.pinned {
            Some((name, address)) => client.with_name(name, *address)?,
            None => client.plain.clone(),
        };
        let method = if self.head { Method::HEAD } else { Method::GET };
        let mut request = client
            .request(method, hop.url.clone())
            .header(CONNECTION, "close");
        let host = hop.host.as_deref().map(HeaderValue::from_str);
        if let Some(Ok(host)) = host {
            request = request.header(HOST, host);
        }
        request.send().await
    }

    fn first_hop(&self) -> Hop {
        let mut url = self.url.url.clone();
        let mut pinned = None;
        if !self.url.elsewhere
            && url.scheme() == "https"
            && let Some(name) = self.name()
            && url.set_host(Some(name)).is_ok()
            && url.set_port(None).is_ok()
        {
            pinned = Some((name.to_owned(), self.target));
        }
        let own = match self.target.ip() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => format!("[{address}]"),
        };
        let host = Some(self.virtualhost.clone().unwrap_or(own));
        Hop { url, pinned, host }
    }

    /// A redirect to the virtual host stays on this real server: through its public address the
    /// check would ask any of them.
    fn next_hop(&self, url: Url) -> Hop {
        let pinned = self.name().filter(|name| url.host_str() == Some(*name));
        let port = if url.scheme() == self.url.url.scheme() {
            self.target.port()
        } else {
            url.port_or_known_default().unwrap_or_default()
        };
        let address = SocketAddr::new(self.target.ip(), url.port().unwrap_or(port));
        Hop {
            pinned: pinned.map(|name| (name.to_owned(), address)),
            url,
            host: None,
        }
    }

    /// The virtual host without port, if it is a name that TLS can carry.
    fn name(&self) -> Option<&str> {
        let host = self.virtualhost.as_deref()?;
        let name = host.split(':').next()?;
        let good = DnsName::try_from(name).is_ok() && name.parse::<IpAddr>().is_err();
        good.then_some(name)
    }

    async fn judge(&self, mut response: Response) -> reqwest::Result<Finding> {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or_default();
        let line = format!("{} {reason}", status.as_u16())
            .trim_end()
            .to_owned();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() >= BODY_MAX {
                body.truncate(BODY_MAX);
                break;
            }
        }
        if !status.is_success() {
            return Ok(Finding::down(line));
        }
        let text = String::from_utf8_lossy(&body);
        Ok(match &self.receive {
            Some(pattern) if !pattern.is_match(&text) => {
                let start: String = text.trim().chars().take(EXCERPT_CHARS).collect();
                Finding::down(format!("{line}, no \"{}\" in: {start}", pattern.as_str()))
            }
            Some(_) | None => Finding::up(line),
        })
    }
}

/// Where a redirect leads, if the answer is one.
fn redirected(response: &Response) -> Option<Url> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let location = response.headers().get(LOCATION)?.to_str().ok()?;
    let url = response.url().join(location).ok()?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

/// The deepest cause, which is what an operator can act on.
fn explain(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        if let Some(io) = cause.downcast_ref::<io::Error>()
            && io.raw_os_error().is_some()
        {
            break;
        }
        cause = deeper;
    }
    match cause.downcast_ref::<io::Error>() {
        Some(io) => in_words(io),
        None => cause.to_string(),
    }
}

/// Takes every certificate, with whatever signature.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests;
