//! TLS for checks: health, not identity, so every certificate passes and its signatures, too; most
//! real servers have none that fits an address. A file may ask for more ([`trust`]).
//!
//! What the library does not speak (RSA and DHE key exchange, CBC, P-521, versions before 1.2) is
//! no fault of the server: when a handshake fails, [`hello`] asks with a greeting that offers
//! everything, and a server that takes something of it is up as far as we can ask.

mod expiry;
mod hello;
mod trust;

pub(super) use hello::Open;
pub(crate) use trust::Trust;

use super::dialler::Dialler;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use trust::Trusting;

/// The settings of all connections. Cheap to clone.
#[derive(Clone)]
pub(super) struct Tls {
    /// Takes every certificate.
    lenient: TlsConnector,
    trusting: Arc<Trusting>,
}

/// Why there is no TLS with a server that accepts connections.
#[derive(Debug)]
pub(super) enum TlsFault {
    Failed(io::Error),
    /// The server speaks TLS, and chose this, which we do not speak.
    Foreign(String),
    /// Its certificate is not good, for this reason.
    Untrusted(String),
    /// We do not know whom to trust, for this reason.
    Unready(String),
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    pub(super) fn new() -> Self {
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the cipher suites of TLS 1.2 and 1.3")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        // A whole handshake is part of the question, and tickets of thousands of servers are none
        // of ours to keep.
        config.resumption = Resumption::disabled();
        Self {
            lenient: TlsConnector::from(Arc::new(config)),
            trusting: Arc::default(),
        }
    }

    /// Speaks TLS on a fresh connection. A name is told to the server, an address is not.
    pub(super) async fn greet(
        &self,
        stream: TcpStream,
        name: &ServerName<'static>,
        trust: &Trust,
        dialler: &Dialler,
        target: SocketAddr,
    ) -> Result<TlsStream<TcpStream>, TlsFault> {
        let strict = self.trusting.connector(trust).map_err(TlsFault::Unready)?;
        let connector = strict.as_ref().unwrap_or(&self.lenient);
        let error = match connector.connect(name.clone(), stream).await {
            Ok(stream) => return Ok(stream),
            Err(error) => error,
        };
        if let Some(reason) = trust::refusal(&error) {
            return Err(TlsFault::Untrusted(reason));
        }
        let open = || async { dialler.connect(target).await.ok() };
        Err(named(error, open, name).await)
    }

    /// Inside a protocol that began in the clear; `open` leads a new connection to where TLS begins.
    pub(super) async fn greet_inside<O: Open>(
        &self,
        stream: TcpStream,
        name: &ServerName<'static>,
        open: impl Fn() -> O,
    ) -> Result<TlsStream<TcpStream>, TlsFault> {
        match self.lenient.connect(name.clone(), stream).await {
            Ok(stream) => Ok(stream),
            Err(error) => Err(named(error, open, name).await),
        }
    }
}

/// Why a handshake failed: what the server wants, if it takes another greeting than ours.
async fn named<O: Open>(
    error: io::Error,
    open: impl Fn() -> O,
    name: &ServerName<'static>,
) -> TlsFault {
    match hello::foreign(open, name).await {
        Some(what) => TlsFault::Foreign(what),
        None => TlsFault::Failed(error),
    }
}

/// When the certificate of the server at the other end is no longer good, seconds since 1970.
pub(super) fn certificate_until(stream: &TlsStream<TcpStream>) -> Option<u64> {
    let (_, connection) = stream.get_ref();
    expiry::until(connection.peer_certificates()?.first()?)
}

/// Takes every certificate, with whatever signature.
#[derive(Debug)]
struct AnyCertificate;

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

    /// All that have a number: nothing is computed, so a certificate of any kind may be used.
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ECDSA_NISTP384_SHA384,
            SignatureScheme::ECDSA_NISTP521_SHA512,
            SignatureScheme::ED25519,
            SignatureScheme::ED448,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::RSA_PSS_SHA512,
            SignatureScheme::RSA_PKCS1_SHA256,
            SignatureScheme::RSA_PKCS1_SHA384,
            SignatureScheme::RSA_PKCS1_SHA512,
            SignatureScheme::RSA_PKCS1_SHA1,
            SignatureScheme::ECDSA_SHA1_Legacy,
        ]
    }
}

#[cfg(test)]
mod tests;
